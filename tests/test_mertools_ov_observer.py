"""The observer: what it says of a clip is true of its numbers, in both languages."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest

from feature_extractors.expression import PROBABILITIES
from feature_extractors.opensmile import column_names
from mertools.clip import Clip
from mertools.commands.ov_observe import main
from mertools.corpus import write_manifest
from mertools.errors import InputError
from mertools.feature_store import FeatureWriter, Provenance, Row
from mertools.lexicon import lexicon
from mertools.ov.clues import read_clues
from mertools.ov.observer import observe
from mertools.ov.observer_words import LANGUAGES
from mertools.ov.signals import VOICE

COLUMNS = column_names("eGeMAPSv01a")[0]
TIMES = np.array([0.2, 0.7, 1.2, 1.7])
CLIPS = [
    *(Clip(f"train_{number:02d}", subtitle="x", split="train", label="neutral") for number in range(20)),
    *(Clip(name, subtitle="x", split="semi") for name in ("loud", "silent", "broken", "faceless", "angry")),
]


def voice(loudness: float, pitch: float = 10.0) -> np.ndarray:
    """Functionals (D,) of which only two properties vary."""
    vector = np.ones(len(COLUMNS), np.float32)
    vector[COLUMNS.index(VOICE["loudness"])] = loudness
    vector[COLUMNS.index(VOICE["pitch"])] = pitch
    return vector


def face(**shares: float) -> np.ndarray:
    """Probabilities (4, 7) of a face that is neutral in the first frame and shows `shares` in the others."""
    frames = np.zeros((4, len(PROBABILITIES)), np.float32)
    for expression, share in shares.items():
        frames[1:, PROBABILITIES.index(expression)] = share
    frames[:, PROBABILITIES.index("neutral")] += 1 - frames.sum(axis=1)
    return frames


def face_row(name: str, probabilities: np.ndarray) -> Row:
    outputs = {"probabilities": probabilities}
    return Row(name, "ok", utterance=np.ones(3), frames=np.ones((4, 3)), times=TIMES, outputs=outputs)


def write(folder: Path, feature: str, rows: list[Row], level: str = "frame") -> None:
    columns, frame_columns = (COLUMNS, {}) if feature == "egemaps" else ((), {"probabilities": PROBABILITIES})
    provenance = Provenance(
        feature, "", "Toy", "path:/toy", "1", "", level=level, columns=columns, frame_columns=frame_columns
    )
    with FeatureWriter(folder / f"{feature}.h5", provenance) as writer:
        writer.append(rows)
        writer.pack([row.name for row in rows])


def write_features(folder: Path, level: str = "frame") -> Path:
    audio, video = [], []
    for number, clip in enumerate(CLIPS):
        shown = face(angry=0.96) if clip.name == "angry" else face(happy=0.04 * number if number < 20 else 0.2)
        sound = voice(number if number < 20 else 18.5, 10 if clip.name == "loud" else 10 + number % 2)
        if clip.name in ("silent", "broken"):
            status = ("missing", "the sound is silent") if clip.name == "silent" else ("failed", "the file is damaged")
            audio.append(Row(clip.name, *status))
        else:
            audio.append(Row(clip.name, "ok", utterance=sound, frames=sound[None, :2], times=TIMES[:1]))
        if clip.name == "faceless":
            video.append(Row(clip.name, "missing", "no face in 16 frames"))
        else:
            video.append(face_row(clip.name, shown))
    write(folder, "egemaps", audio, level)
    write(folder, "face-expression", video, level)
    return folder


@pytest.fixture(scope="module")
def features(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_features(tmp_path_factory.mktemp("features"))


def texts(features: Path, language: str = "en") -> dict[tuple[str, str], str]:
    return {(clue.name, clue.modality): clue.text for clue in observe(features, CLIPS, language)}


def test_a_voice_is_told_against_the_training_clips(features: Path) -> None:
    said = texts(features)["loud", "audio"]
    assert said.startswith(
        "Among the voices of this corpus this one is louder than 95 %, lower than 75 %, ordinary in "
    )
    assert "louder than 52 %" not in texts(features)["train_10", "audio"], "what is ordinary is said to be"
    assert "softer than 98 %" in texts(features)["train_00", "audio"]


def test_a_face_is_told_with_its_share_rarity_and_time(features: Path) -> None:
    said = texts(features)
    assert said["angry", "video"] == (
        "The face looks angry (72 % on average, more than 99 % of this corpus) from 0.7 s on."
    )
    assert said["train_19", "video"].startswith("The face looks happy (57 % on average, more than 98 % of this corpus)")
    assert said["train_13", "video"] == "The face looks neutral (61 % on average) until 0.7 s."
    assert said["train_05", "video"] == "The face looks neutral (85 % on average)."
    assert texts(features, "zh")["angry", "video"] == "面部表情显得生气（平均72%，高于本语料中99%的片段），从0.7秒起。"


def test_a_face_that_looks_like_most_of_the_corpus_does_is_not_told_as_an_emotion(tmp_path: Path) -> None:
    clips = [Clip(f"c{number}", subtitle="x", split="train") for number in range(4)]
    write(tmp_path, "face-expression", [face_row(clip.name, face(happy=0.9)) for clip in clips])
    write(tmp_path, "egemaps", [Row(clip.name, "ok", utterance=voice(1.0)) for clip in clips], "utterance")
    told = [clue.text for clue in observe(tmp_path, clips) if clue.modality == "video"]
    assert set(told) == {"The face shows no expression that stands out in this corpus."}


@pytest.mark.parametrize("language", LANGUAGES)
def test_every_clause_stands_in_the_text_beside_its_number(features: Path, language: str) -> None:
    for clue in observe(features, CLIPS, language):
        assert clue.failed or clue.text.endswith((".", "。"))
        assert clue.source["reference"] == {"split": "train", "clips": 20}
        clauses = clue.source.get("clauses", [])
        assert len(clauses) == (len(VOICE) if clue.modality == "audio" else 1) or clue.name in (
            "silent",
            "broken",
            "faceless",
        )
        for clause in clauses:
            assert clause["clause"] in clue.text
            assert 0 <= clause["percentile"] <= 100 and np.isfinite(clause["value"])
    angry = next(
        clue for clue in observe(features, CLIPS, language) if (clue.name, clue.modality) == ("angry", "video")
    )
    assert angry.source["clauses"][0]["seconds"] == pytest.approx((0.7, 1.7))
    assert angry.source["clauses"][0]["value"] == pytest.approx(0.72)


def test_what_is_not_there_is_said_and_what_failed_is_failed(features: Path) -> None:
    found = {(clue.name, clue.modality): clue for clue in observe(features, CLIPS)}
    assert (
        found["silent", "audio"].text == "No speech was found (the sound is silent)." and found["silent", "video"].text
    )
    assert found["faceless", "video"].text == "No face was found (no face in 16 frames)."
    assert (found["broken", "audio"].text, found["broken", "audio"].failed) == ("", "the file is damaged")


@pytest.mark.parametrize("language", LANGUAGES)
def test_a_voice_is_not_told_in_words_for_emotions(language: str) -> None:
    words = LANGUAGES[language]
    for told in words.voice.values():
        sentence = words.of_voice([clause.format("90 %") for clause in told])
        assert lexicon().words_in(sentence, language) == ()
    for silence in (words.unclear_face, words.no_voice, words.no_face):
        assert lexicon().words_in(silence, language) == ()
    shown = words.of_face(list(words.face.values()))
    assert len(lexicon().words_in(shown, language)) == len(PROBABILITIES)


def test_what_is_ordinary_is_told_by_the_training_clips_alone(features: Path) -> None:
    others = [clip for clip in CLIPS if clip.split != "train"]
    fewer = texts(features)
    alone = {(clue.name, clue.modality): clue for clue in observe(features, others)}
    assert alone["loud", "audio"].source["reference"] == {"split": "semi", "clips": 5}
    assert alone["loud", "audio"].text != fewer["loud", "audio"]


def test_files_that_lack_what_is_needed_are_refused(features: Path, tmp_path: Path) -> None:
    with pytest.raises(InputError, match=r"egemaps\.h5 lacks 1 of 26 clips \(first: new\)\. Run: python extract\.py"):
        list(observe(features, [*CLIPS, Clip("new", subtitle="x", split="semi")]))
    with pytest.raises(InputError, match=r"There is no feature file .*egemaps\.h5"):
        list(observe(tmp_path, CLIPS))
    with pytest.raises(InputError, match=r"none of 1 clips of split 'train' is ok"):
        list(observe(features, [Clip("silent", subtitle="x", split="train")]))
    with pytest.raises(InputError, match="Extract the feature with --level frame"):
        list(observe(write_features(tmp_path / "flat", level="utterance"), CLIPS))


def test_the_command_writes_clues_and_tells_what_failed(
    features: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    manifest, out = tmp_path / "manifest.csv", tmp_path / "clues.jsonl"
    write_manifest(manifest, CLIPS)
    assert main(["--data", str(manifest), "--features", str(features), "--out", str(out)]) == 0
    clues = list(read_clues(out))
    assert [(clue.name, clue.modality) for clue in clues[:2]] == [("train_00", "audio"), ("train_00", "video")]
    assert {clue.name: clue.text for clue in clues if clue.modality == "video"} == {
        name: text for (name, modality), text in texts(features).items() if modality == "video"
    }
    assert json.loads(out.read_text(encoding="utf-8").splitlines()[0])["source"]["observer"] == 1
    printed = capsys.readouterr().out
    assert "broken (audio) failed: the file is damaged" in printed
    assert f"{out}: two clues of each of 25 clips, 1 failed" in printed
