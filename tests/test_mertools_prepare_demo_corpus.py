"""The demo corpus: what it promises about its draws, its clips and its folder."""

from __future__ import annotations

import dataclasses
import hashlib
import json
import shutil
from collections import Counter
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from sklearn.metrics import f1_score

from mertools.commands.data_demo import main
from mertools.corpus import read_manifest, stratified_folds
from mertools.emotions import MER2024
from mertools.errors import InputError
from mertools.faces import DlibDetector
from mertools.media import evenly, read_audio, read_frames
from mertools.prepare import demo_portrait, demo_speech
from mertools.prepare.demo_corpus import (
    GENERATOR_VERSION,
    MEDIA_VERSION,
    MODALITIES,
    NOTICE,
    DemoClip,
    draw_clips,
    generate,
)
from mertools.prepare.demo_face import EXPRESSIONS, Expression, draw_looks, draw_motion
from mertools.prepare.demo_sentences import AMBIGUOUS, draw_sentence
from mertools.prepare.demo_speech import PROSODIES, Voice, speak
from mertools.prepare.demo_truth import describe, open_labels
from mertools.randomness import generator

COUNT = 12


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The smallest corpus, made by two workers."""
    folder = tmp_path_factory.mktemp("demo corpus")
    generate(folder, COUNT, workers=2)
    return folder


def modified(folder: Path) -> dict[str, int]:
    return {path.name: path.stat().st_mtime_ns for path in folder.rglob("*") if path.is_file()}


def media_digest(clips: list[DemoClip]) -> str:
    """A digest of all that is drawn for the media; numbers to six digits, since the last ones are the platform's."""

    def rounded(value: object) -> object:
        if isinstance(value, float):
            return f"{value:.6g}"
        if isinstance(value, dict):
            return {key: rounded(item) for key, item in value.items() if key != "feeling"}
        return [rounded(item) for item in value] if isinstance(value, list | tuple) else value

    drawn = [rounded(dataclasses.asdict(clip)) for clip in clips]
    return hashlib.sha256(json.dumps(drawn, sort_keys=True).encode()).hexdigest()[:16]


def test_the_media_of_a_version_never_change() -> None:
    assert (MEDIA_VERSION, media_digest(draw_clips(24, seed=7))) == (2, "10c253351c6c74b7"), (
        "a change here is a new version"
    )


def test_the_truths_of_a_version_never_change() -> None:
    drawn = [(clip.label, clip.cues, clip.sentence) for clip in draw_clips(24, seed=7)]
    truths = "\n".join(f"{open_labels(*clip)} {describe(*clip)}" for clip in drawn)
    digest = hashlib.sha256(truths.encode()).hexdigest()[:16]
    assert (GENERATOR_VERSION, digest) == (3, "e0e8aea51b40961f"), "a change here is a new version"


def test_classes_splits_and_speakers_of_the_default_corpus() -> None:
    clips = draw_clips(240, seed=0)
    assert Counter(clip.split for clip in clips) == {"train": 132, "semi": 54, "noise": 54}
    train = Counter(clip.label for clip in clips if clip.split == "train")
    assert train == dict(zip(MER2024.names, (33, 32, 27, 19, 16, 5), strict=True)), "MER2024's proportions"
    for split in ("train", "semi", "noise"):
        clips_of = Counter(clip.speaker.name for clip in clips if clip.split == split)
        assert len(clips_of) == 12 and max(clips_of.values()) - min(clips_of.values()) <= 1
    assert abs(np.mean([clip.speaker.language == "cmn" for clip in clips]) - 0.5) < 0.02
    assert len({clip.name for clip in clips}) == 240


@settings(max_examples=12, deadline=None)
@given(count=st.integers(12, 300), seed=st.integers(0, 1000))
def test_a_corpus_of_any_size_can_be_trained_on(count: int, seed: int) -> None:
    clips = draw_clips(count, seed)
    assert len(clips) == count
    train = Counter(clip.label for clip in clips if clip.split == "train")
    assert len(train) >= 3 and min(train.values()) >= 2, "two stratified folds"
    assert count < 55 or (len(train) == 6 and min(train.values()) >= 5), "five stratified folds of all classes"
    assert len({clip.speaker for clip in clips if clip.split == "train"}) >= 5, "--group speaker"
    for split in ("semi", "noise"):
        labels = {clip.label for clip in clips if clip.split == split}
        assert labels and labels <= set(train)


def test_in_every_clip_one_or_two_modalities_tell_and_one_of_them_clearly() -> None:
    for clip in draw_clips(240, seed=1):
        telling = [modality for modality in MODALITIES if clip.cues[modality].emotion != "neutral"]
        assert tuple(telling) == tuple(sorted(clip.expressed_by, key=MODALITIES.index))
        assert len(telling) in ((0,) if clip.label == "neutral" else (1, 2))
        clear = [modality for modality in telling if clip.cues[modality].other is None]
        assert clear or clip.label == "neutral"
        assert all(clip.cues[modality].emotion == clip.label for modality in telling)


@pytest.mark.parametrize("seed", range(5))
def test_who_reads_one_modality_perfectly_scores_below_70(seed: int) -> None:
    clips = [clip for clip in draw_clips(240, seed) if clip.split != "train"]
    labels = [clip.label for clip in clips]
    for modality in MODALITIES:
        shown = [clip.cues[modality].emotion for clip in clips]
        assert 0.5 < f1_score(labels, shown, average="weighted") < 0.68


def test_most_sentences_of_the_test_splits_are_new() -> None:
    clips = draw_clips(240, seed=0)
    known = {clip.sentence for clip in clips if clip.split == "train"}
    telling = [clip for clip in clips if clip.split != "train" and "text" in clip.expressed_by]
    assert sum(clip.sentence not in known for clip in telling) > len(telling) / 2


@pytest.mark.parametrize("emotion", MER2024.names)
def test_sentences_are_whole_in_both_languages(emotion: str) -> None:
    others = [other for pair in AMBIGUOUS if emotion in pair for other in pair - {emotion}]
    for number in range(50):
        for other in (None, *others):
            sentence = draw_sentence(generator(number, "test"), emotion, other)
            assert sentence.mandarin[-1] in "。！？" and sentence.english[-1] in ".!?"
            assert sentence.english[0].isupper() and "{" not in sentence.english + sentence.mandarin
            assert all("一" <= letter <= "鿿" or letter in "，。！？" for letter in sentence.mandarin)


def test_the_folder_is_what_the_manifest_says(folder: Path) -> None:
    corpus = read_manifest(folder / "manifest.csv")
    drawn = draw_clips(COUNT, 0)
    assert (
        corpus.notice == NOTICE == "Generated demo corpus, version 3: a test of machinery, not of emotion recognition."
    )
    assert corpus.splits == ("train", "semi", "noise")
    for clip, plan in zip(corpus.clips, drawn, strict=True):
        assert (clip.name, clip.split, clip.label, clip.speaker) == (
            plan.name,
            plan.split,
            plan.label,
            plan.speaker.name,
        )
        assert (clip.subtitle, clip.subtitle_english) == (plan.sentence.mandarin, plan.sentence.english)
        assert clip.subtitle_source == "checked" and clip.video.is_file()
        assert clip.columns["spoken"] == plan.speaker.language
        assert clip.columns["expressed_by"] == " ".join(plan.expressed_by)
        assert clip.open_labels == open_labels(plan.label, plan.cues, plan.sentence)
        assert clip.columns["description"] == describe(plan.label, plan.cues, plan.sentence)
    assert len(set(stratified_folds(corpus.train, 2, seed=0))) == 2
    assert NOTICE in (folder / "README.txt").read_text(encoding="utf-8")
    assert not list(folder.rglob(".*"))


def test_clips_last_two_to_four_seconds_and_show_a_face_that_speaks(folder: Path) -> None:
    detector, faces = DlibDetector(), []
    for clip in read_manifest(folder / "manifest.csv").clips:
        sound, frames = read_audio(clip.sound), read_frames(clip.video)
        assert sound.problem is None and frames.problem is None
        assert 1.9 < sound.duration_seconds < 4.1
        assert len(frames.images) == pytest.approx(15 * sound.duration_seconds, abs=1.5)
        assert frames.images[0].shape == (256, 256, 3)
        assert np.abs(sound.samples).max() > 0.05
        faces += [len(detector.detect(image)) == 1 for image in read_frames(clip.video, evenly(4)).images]
    assert np.mean(faces) >= 0.95


def test_clips_are_the_same_by_one_worker_and_by_two(folder: Path, tmp_path: Path) -> None:
    generate(tmp_path, COUNT, workers=1)
    for path in folder.rglob("*.*"):
        assert path.read_bytes() == (tmp_path / path.relative_to(folder)).read_bytes(), path.name


def test_a_second_call_keeps_everything_and_an_interrupted_one_continues(folder: Path, tmp_path: Path) -> None:
    copy = shutil.copytree(folder, tmp_path / "copy")
    before, told = modified(copy), []
    manifest = generate(copy, COUNT, progress=lambda *counts: told.append(counts))
    assert modified(copy) == before and told == [(12, 12)]

    manifest.unlink()
    lost = copy / "video" / "demo_0005.mp4"
    lost.unlink()
    generate(copy, COUNT, workers=1, progress=lambda *counts: told.append(counts))
    assert told[1:] == [(11, 12), (12, 12)]
    assert {name for name, time in modified(copy).items() if before[name] != time} == {lost.name, manifest.name}
    assert lost.read_bytes() == (folder / "video" / lost.name).read_bytes()
    assert manifest.read_bytes() == (folder / "manifest.csv").read_bytes()


def test_a_folder_with_something_else_is_refused(folder: Path, tmp_path: Path) -> None:
    before = modified(folder)
    with pytest.raises(
        InputError, match=r"of version 3, clips 12, seed 0, asked for .* clips 12, seed 1\. Choose another"
    ):
        generate(folder, COUNT, seed=1)
    with pytest.raises(InputError, match=r"clips 12, seed 0, asked for .* clips 13"):
        generate(folder, 13)
    assert modified(folder) == before
    (tmp_path / "manifest.csv").write_text("name,subtitle\n")
    with pytest.raises(InputError, match=r"manifest\.csv that is not a demo corpus"):
        generate(tmp_path, COUNT)
    with pytest.raises(InputError, match="is a file; --out wants a folder"):
        generate(tmp_path / "manifest.csv", COUNT)
    (tmp_path / "demo-corpus.json").write_text("{")
    with pytest.raises(InputError, match="a demo corpus of unknown settings"):
        generate(tmp_path, COUNT)
    with pytest.raises(InputError, match="at least 12 clips, asked for 11"):
        generate(tmp_path / "new", 11)
    assert not (tmp_path / "new").exists()


def test_the_command_tells_what_it_did_and_what_comes_next(
    folder: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    out = shutil.copytree(folder, tmp_path / "out")
    assert main(["--out", str(out), "--clips", str(COUNT)]) == 0
    printed = capsys.readouterr().out.splitlines()
    assert printed[0] == f"{out / 'manifest.csv'}: 12 clips (7 train, 3 semi, 2 noise), all there already"
    assert printed[1] == NOTICE
    assert printed[-1].startswith("Next: python extract.py --data ")


def test_prosody_can_be_heard() -> None:
    voice = Voice("en-us+f3", rate=180, pitch=45)
    said = {emotion: speak("The meeting starts at nine.", voice, PROSODIES[emotion], 0) for emotion in PROSODIES}
    level = {emotion: np.sqrt(np.mean(sound**2)) for emotion, sound in said.items()}
    assert level["angry"] > 2 * level["neutral"] > 4 * level["sad"]
    assert len(said["angry"]) < len(said["neutral"]) < len(said["sad"])
    again = speak("The meeting starts at nine.", voice, PROSODIES["worried"], 0)
    assert np.array_equal(again, said["worried"])


def test_speech_never_outlasts_a_clip() -> None:
    sad, slow = PROSODIES["sad"], Voice("cmn+m1", rate=172, pitch=40)
    short, long = (
        speak(words, slow, sad, 0) for words in ("我急得睡不着，好像有人。", "我急得睡不着，好像有人在后面跟踪我们。")
    )
    assert len(short) / demo_speech.SAMPLE_RATE > 3, "it would be much longer with six more syllables"
    assert len(long) / demo_speech.SAMPLE_RATE < 3.6


def test_a_voice_that_is_not_there_is_named() -> None:
    with pytest.raises(RuntimeError, match=r"could not say 'Hello': eSpeak NG has no voice 'nobody'"):
        speak("Hello", Voice("nobody", 180, 45), PROSODIES["neutral"], 0)


def test_the_mouth_opens_with_the_voice_and_the_face_changes_with_the_emotion() -> None:
    look = draw_looks(generator(0, "look"), ["female", "male"])[1]
    motion = dataclasses.replace(draw_motion(generator(0, "motion")), onset_seconds=0.01, sway_x=0, sway_y=0, roll=0)

    def last_frame(expression: Expression, loudness: float) -> np.ndarray:
        *_, frame = demo_portrait.render(look, expression, motion, [loudness] * 3)
        return frame.astype(int)

    rest = last_frame(EXPRESSIONS["neutral"], 0.0)
    mouth, brows = np.s_[150:185, 100:156], np.s_[75:110, 80:176]
    assert np.abs(last_frame(EXPRESSIONS["neutral"], 1.0) - rest)[mouth].mean() > 3
    assert np.array_equal(last_frame(EXPRESSIONS["neutral"], 1.0)[brows], rest[brows])
    for emotion in set(EXPRESSIONS) - {"neutral"}:
        change = np.abs(last_frame(EXPRESSIONS[emotion], 0.0) - rest)
        assert change[mouth].mean() > 3 and change[brows].mean() > 3, emotion
