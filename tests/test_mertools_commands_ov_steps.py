"""The commands from clips to labels, against a scripted server: every clip comes out, nothing is asked twice."""

from __future__ import annotations

import base64
import io
import json
import re
import wave
from collections import Counter
from collections.abc import Mapping
from pathlib import Path

import numpy as np
import pytest
from scripted_server import Reply, ScriptedServer, prompt_of

from mertools.clip import Clip
from mertools.commands import ov_clues, ov_describe, ov_import, ov_labels, ov_run, ov_translate
from mertools.corpus import read_manifest, write_manifest
from mertools.emotions import MER2024
from mertools.errors import InputError
from mertools.media import write_clip
from mertools.ov.clues import Clue, read_clues, write_clues
from mertools.ov.descriptions import Description, read_descriptions, write_descriptions
from mertools.ov.labels import OpenLabels, read_labels, write_labels
from mertools.predictions import Predictions, write_out_of_fold, write_predictions
from mertools.run_record import read_result

HAPPY = ("happy", "moved to tears")
NOT_ASKED = 2


@pytest.fixture(autouse=True)
def environment(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("OPENAI_BASE_URL", "OPENAI_API_KEY"):
        monkeypatch.delenv(name, raising=False)


WAYS: list[tuple[tuple[str | Reply, ...], tuple[str, ...] | None]] = [
    (("['happy', 'moved to tears']",), HAPPY),
    (("Sure! Based on the clues, I'd say:\n\n['happy', 'moved to tears']\n\nHe smiles, after all.",), HAPPY),
    (("1. Happy\n2. Moved to tears",), HAPPY),
    (("- **Happy**: he smiles\n- **Moved to tears**: his voice",), HAPPY),
    (('```json\n{"labels": ["Happy", "moved to tears"]}\n```',), HAPPY),
    (("happy, moved to tears.",), HAPPY),
    (("['people's favourite', 'happy']",), ("people's favourite", "happy")),
    (("[]",), ()),
    (('["happy", "moved to te', "['happy', 'moved to tears']"), HAPPY),
    (("He is happy, and moved to tears.", "happy, moved to tears"), HAPPY),
    (('{"feelings": {"happy": 0.9}}', '{"labels": ["happy", "moved to tears"]}'), HAPPY),
    (('["happy", "moved to te', '["happy", "moved to te'), None),
    (("He is happy.", "I have told you: he is happy."), None),
    (("I'm sorry, but I can't help with that.",), None),
    ((Reply(status=429, headers={"Retry-After": "0"}), "['happy', 'moved to tears']"), HAPPY),
    ((Reply(body=b'{"choices": ['), "['happy', 'moved to tears']"), HAPPY),
    ((Reply("['happy', 'moved to te", finish_reason="length"), "['happy', 'moved to tears']"), HAPPY),
]
"""How the server answers about a clip, request by request, and the labels that come of it; None where it has failed."""


class Messy:
    """Answers about each clip in one of WAYS, by the number in its description."""

    def __init__(self) -> None:
        self.counts: Counter[int] = Counter()

    def __call__(self, request: Mapping) -> Reply | str:
        number = int(re.search(r"clip (\d+)", str(request["messages"][0]))[1])
        answers, _ = WAYS[number % len(WAYS)]
        self.counts[number] += 1
        return answers[self.counts[number] - 1]


def test_200_clips_of_a_messy_model(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    rows = [Description(f"clip_{number:03d}", "", f"In clip {number} he smiles.") for number in range(200)]
    rows += [Description("known", "", "", failed="no sound"), Description("unjudged", "", "无法判断情感状态。")]
    write_descriptions(tmp_path / "descriptions.jsonl", rows)
    words = ["--descriptions", str(tmp_path / "descriptions.jsonl"), "--out", str(tmp_path / "labels.csv"), "--strict"]
    with ScriptedServer(Messy()) as server:
        assert ov_labels.main([*words, "--server", server.url]) == 3
    found = read_labels(tmp_path / "labels.csv")
    assert [row.name for row in found] == [row.name for row in rows]
    for number, row in enumerate(found[:200]):
        labels = WAYS[number % len(WAYS)][1]
        assert row.labels == (labels or ()), row
        assert bool(row.failed) == (labels is None), row
    assert found[200:] == [OpenLabels("known", (), "no sound"), OpenLabels("unjudged", ())]
    wanted = sum(len(WAYS[number % len(WAYS)][0]) for number in range(200))
    assert len(server.requests) == wanted
    failed = sum(row.failed != "" for row in found)
    table = capsys.readouterr().out
    assert f"labels\t{202 - failed}\t{failed}\t{wanted}\t0\t{NOT_ASKED}\n" in table
    assert "labels\tclip_011\tunreadable: the list is not closed" in table and "refused" in table

    written = (tmp_path / "labels.csv").read_bytes()
    with ScriptedServer(Messy()) as again:
        assert ov_labels.main([*words, "--server", again.url]) == 3
        assert again.requests == [] and (tmp_path / "labels.csv").read_bytes() == written
        assert ov_labels.main([*words, "--server", again.url, "--retry-failed"]) == 3
        assert len({prompt_of(request) for request in again.requests if len(request["messages"]) == 1}) == failed - 1
    assert ov_labels.main([*words, "--replay"]) == 3
    assert (tmp_path / "labels.csv").read_bytes() == written


@pytest.fixture
def corpus(tmp_path: Path) -> Path:
    """Two clips with everything, one without sound, one with text alone."""
    pictures = [np.full((32, 48, 3), 90, np.uint8)] * 4
    write_clip(tmp_path / "both.mp4", pictures, 4, np.sin(np.arange(16_000) / 9) / 2)
    write_clip(tmp_path / "mute.mp4", pictures, 4)
    clips = [
        Clip("both", video=tmp_path / "both.mp4", subtitle="我很好。", subtitle_english="I'm fine.", split="test"),
        Clip("other", video=tmp_path / "both.mp4", subtitle="走开！", subtitle_english="Go away!", split="test"),
        Clip("mute", video=tmp_path / "mute.mp4", subtitle_english="Oh.", split="test"),
        Clip("text", subtitle_english="Hello.", split="train"),
    ]
    write_manifest(tmp_path / "manifest.csv", clips)
    return tmp_path / "manifest.csv"


def perceiving(request: Mapping) -> str:
    """Tells what it was given; where it is not asked about media it disambiguates, translates or extracts."""
    content = request["messages"][0]["content"]
    if isinstance(content, list):
        media = Counter(part["type"] for part in content[:-1])
        return f"{request['model']} perceives {media['image_url']} images, {media['input_audio']} sounds."
    if "Translate" in content:
        return "He is fine, in English."
    if "请用中文写一段" in content:
        return f"他很好，{request['model']}。"
    return "['fine']" if content.endswith("Output:") else f"Described by {request['model']}, seed {request['seed']}."


def options(corpus: Path, server: ScriptedServer | None = None) -> list[str]:
    return ["--data", str(corpus), *(["--server", server.url] if server else [])]


def test_clues(corpus: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    out = tmp_path / "out" / "clues.jsonl"
    with ScriptedServer(perceiving) as server:
        words = [*options(corpus, server), "--from", "audio,video", "--takes", "images", "audio", "--frames", "2"]
        assert ov_clues.main([*words, "--out", str(out)]) == 0
        # The two clips have the same media: they are one exchange.
        assert len(server.requests) == 3
        assert ov_clues.main([*words, "--out", str(out), "--strict"]) == 3
        assert len(server.requests) == 3
    texts = {(clue.name, clue.modality): clue.text or clue.failed for clue in read_clues(out)}
    assert texts == {
        ("both", "audio"): "scripted perceives 0 images, 1 sounds.",
        ("both", "video"): "scripted perceives 2 images, 0 sounds.",
        ("other", "audio"): "scripted perceives 0 images, 1 sounds.",
        ("other", "video"): "scripted perceives 2 images, 0 sounds.",
        ("mute", "audio"): "mute.mp4 has no audio stream",
        ("mute", "video"): "scripted perceives 2 images, 0 sounds.",
        ("text", "audio"): "the clip has no sound",
        ("text", "video"): "the clip has no video",
    }
    assert "clues from audio, video\t5\t3\t3\t2\t3\n" in capsys.readouterr().out


def test_what_the_model_takes_is_tried_out(corpus: Path, tmp_path: Path) -> None:
    with (
        ScriptedServer(lambda request: "yes") as server,
        pytest.raises(InputError, match="'scripted' takes no sound"),
    ):
        ov_clues.main([*options(corpus, server), "--from", "audio", "--out", str(tmp_path / "clues.jsonl")])
    with pytest.raises(InputError, match="Unknown medium 'sound'"):
        ov_clues.main([*options(corpus), "--from", "sound"])


def test_real_recordings_arrive_decodable(media_folder: Path, tmp_path: Path) -> None:
    import cv2

    received: list[list[dict]] = []

    def listening(request: Mapping) -> str:
        received.append(request["messages"][0]["content"])
        return "He speaks."

    manifest = media_folder / "meld" / "manifest.csv"
    with ScriptedServer(listening) as server:
        words = [*options(manifest, server), "--from", "audio-video", "--takes", "images", "audio", "--limit", "3"]
        assert ov_clues.main([*words, "--out", str(tmp_path / "clues.jsonl")]) == 0
    assert [clue.text for clue in read_clues(tmp_path / "clues.jsonl")] == ["He speaks."] * 3
    for *images, sound, _ in received:
        assert len(images) == 8
        for image in images:
            data = image["image_url"]["url"].removeprefix("data:image/jpeg;base64,")
            picture = cv2.imdecode(np.frombuffer(base64.b64decode(data), np.uint8), cv2.IMREAD_COLOR)
            assert max(picture.shape) == 768 and picture.std() > 5
        with wave.open(io.BytesIO(base64.b64decode(sound["input_audio"]["data"]))) as file:
            assert file.getframerate() == 16_000 and file.getnchannels() == 1
            assert np.frombuffer(file.readframes(file.getnframes()), "<i2").std() > 50


def test_all_steps_in_one(corpus: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    out = tmp_path / "ov"
    with ScriptedServer(perceiving) as server:
        words = [*options(corpus, server), "--from", "audio-video", "--takes", "images", "audio", "--out", str(out)]
        assert ov_run.main(words) == 0
        asked = len(server.requests)
        assert ov_run.main(words) == 0
        assert len(server.requests) == asked
    rows = list(read_descriptions(out / "descriptions.jsonl"))
    assert [row.subtitle for row in rows] == ["I'm fine.", "Go away!", "Oh.", "Hello."]
    assert rows[0].description.startswith("Described by scripted")
    assert rows[2].failed == "audio-video clue: mute.mp4 has no audio stream"
    assert read_labels(out / "labels.csv")[:2] == [OpenLabels("both", ("fine",)), OpenLabels("other", ("fine",))]
    result = read_result(out)
    assert result["kind"] == "open-vocabulary" and result["made"][0]["folder"] == "."
    assert result["made"][0]["steps"][-1] == {
        **{"step": "labels", "ok": 2, "requests": 0, "cached": 2, "unasked": 2, "failed": 2}
    }
    assert "clues from audio-video\t2\t2\t1\t1\t2\n" in capsys.readouterr().out


def test_runs_are_real_runs(corpus: Path, tmp_path: Path) -> None:
    out = tmp_path / "ov"
    with ScriptedServer(perceiving) as server:
        words = [*options(corpus, server), "--from", "video", "--takes", "images", "--out", str(out), "--split", "test"]
        assert ov_run.main([*words, "--runs", "2"]) == 0
        # In each run pictures of two files, three subtitles, and one description, the same of all three.
        assert len(server.requests) == 2 * (2 + 3 + 1)
    first, second = (list(read_descriptions(out / f"run-{run}" / "descriptions.jsonl")) for run in (1, 2))
    assert all(one.description != other.description for one, other in zip(first, second, strict=True))
    assert len(read_labels(out / "run-2" / "labels.csv")) == 3


def test_a_grid_of_models_and_files(corpus: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    out = tmp_path / "ov"
    write_clues(tmp_path / "secap.jsonl", [Clue("both", "audio", "Bright."), Clue("other", "audio", "Loud.")])
    with ScriptedServer(perceiving, models=("chat/univi", "qwen", "llama")) as server:
        at = f"@{server.url}"
        words = [*options(corpus), "--split", "test", "--limit", "2", "--out", str(out), "--model", "qwen", "--grid"]
        words += ["--server", server.url, "--clues", str(tmp_path / "secap.jsonl"), "--video-model", f"chat/univi{at}"]
        words += ["--takes", "images", "--disambiguator", "qwen", f"llama{at}"]
        assert ov_run.main(words) == 0
    heard = ("secap", "chat-univi", "secap+chat-univi")
    folders = {f"{clues}__{model}" for clues in heard for model in ("qwen", "llama")}
    assert {path.name for path in out.iterdir() if path.is_dir()} == folders | {"clues"}
    (both, _) = read_descriptions(out / "secap+chat-univi__llama" / "descriptions.jsonl")
    assert both.description.startswith("Described by llama") and len(both.source["clues"]) == 2
    assert [clue.text for clue in read_clues(out / "secap+chat-univi__llama" / "clues.jsonl")][:2] == [
        *("Bright.", "Loud.")
    ]
    table = capsys.readouterr().out
    assert f"secap + chat-univi\tllama\t-\t2\t0\t{out / 'secap+chat-univi__llama'}\n" in table
    assert all(at not in json.dumps(one) for one in read_result(out)["made"])


def test_descriptions_are_translated_where_asked(corpus: Path, tmp_path: Path) -> None:
    out = tmp_path / "ov"
    with ScriptedServer(perceiving, models=("qwen", "llama")) as server:
        words = [
            *options(corpus, server),
            "--model",
            "qwen",
            "--translator",
            "llama",
            "--out",
            str(out),
            "--limit",
            "1",
        ]
        assert ov_run.main(words) == 0
    (chinese,) = read_descriptions(out / "descriptions-zh.jsonl")
    (english,) = read_descriptions(out / "descriptions.jsonl")
    assert (chinese.description, chinese.subtitle) == ("他很好，qwen。", "我很好。")
    assert english.description == "He is fine, in English." and english.source["translator"]["model"] == "llama"


def test_without_a_language_model(corpus: Path, tmp_path: Path) -> None:
    clues = [Clue("both", "audio", "The voice is angry and not happy."), Clue("mute", "audio", "", failed="no sound")]
    write_clues(tmp_path / "clues.jsonl", clues)
    words = [*options(corpus), "--clues", str(tmp_path / "clues.jsonl"), "--offline", "--out", str(tmp_path / "ov")]
    assert ov_run.main(words) == 0
    rows = read_labels(tmp_path / "ov" / "labels.csv")
    assert rows[0] == OpenLabels("both", ("angry",))
    assert rows[2] == OpenLabels("mute", (), "audio clue: no sound")
    # The same in three commands.
    described, labels = tmp_path / "d.jsonl", tmp_path / "l.csv"
    words = ["--clues", str(tmp_path / "clues.jsonl"), "--offline", "--out", str(described)]
    assert ov_describe.main([*options(corpus), *words]) == 0
    assert ov_labels.main(["--descriptions", str(described), "--offline", "--out", str(labels)]) == 0
    assert described.read_bytes() == (tmp_path / "ov" / "descriptions.jsonl").read_bytes()
    assert labels.read_bytes() == (tmp_path / "ov" / "labels.csv").read_bytes()


@pytest.fixture
def said(corpus: Path) -> list[str]:
    """The options that name what a classifier said: of clips outside training happy, of the training clip sad."""

    def predictions(clips: list[Clip], label: str) -> Predictions:
        probabilities = np.full((len(clips), 6), 0.04)
        probabilities[:, MER2024.index(label)] = 0.8
        return Predictions(tuple(clip.name for clip in clips), probabilities, np.ones((len(clips), 1)), ("egemaps",))

    clips = read_manifest(corpus)
    folder = corpus.parent
    write_predictions(folder / "predictions.csv", clips.others, predictions(list(clips.others), "happy"), MER2024)
    write_out_of_fold(
        folder / "out_of_fold.csv", clips.train, np.zeros(1, int), predictions(list(clips.train), "sad"), MER2024
    )
    return ["--predictions", str(folder / "predictions.csv"), "--out-of-fold", str(folder / "out_of_fold.csv")]


def test_evidence_in_the_question(corpus: Path, tmp_path: Path, said: list[str]) -> None:
    out = tmp_path / "ov"
    with ScriptedServer(perceiving) as server:
        assert ov_run.main([*options(corpus, server), "--join", "prompt", *said, "--out", str(out)]) == 0
        described = [prompt for prompt in server.prompts if "Classifier (it may be wrong)" in prompt]
        assert len(described) == 4
        assert ov_describe.main([*options(corpus, server), *said, "--out", str(out / "again.jsonl")]) == 0
        assert (out / "again.jsonl").read_bytes() == (out / "descriptions.jsonl").read_bytes()
    rows = {row.name: row for row in read_descriptions(out / "descriptions.jsonl")}
    assert (rows["both"].evidence["label"], rows["both"].evidence["estimate"]) == ("happy", "test")
    assert (rows["text"].evidence["label"], rows["text"].evidence["estimate"]) == ("sad", "out-of-fold")


@pytest.mark.parametrize(("join", "labels"), [("union", ("angry", "happy")), ("filter", ())])
def test_labels_are_joined(corpus: Path, tmp_path: Path, said: list[str], join: str, labels: tuple[str, ...]) -> None:
    clues = [Clue("both", "audio", "The voice is angry."), Clue("other", "audio", "", failed="no sound")]
    write_clues(tmp_path / "clues.jsonl", clues)
    out = tmp_path / "ov"
    words = [*options(corpus), "--clues", str(tmp_path / "clues.jsonl"), "--offline", "--out", str(out)]
    assert ov_run.main([*words, "--join", join, *said]) == 0
    rows = {row.name: row for row in read_labels(out / "labels.csv")}
    assert rows["both"].labels == labels
    assert rows["text"].labels == (("sad",) if join == "union" else ())
    assert rows["other"] == OpenLabels("other", (), "audio clue: no sound"), "a failed clip is never given a label"
    words = ["--descriptions", str(out / "descriptions.jsonl"), "--offline", "--out", str(tmp_path / "joined.csv")]
    assert ov_labels.main([*options(corpus), *words, "--join", join, *said]) == 0
    assert (tmp_path / "joined.csv").read_bytes() == (out / "labels.csv").read_bytes()
    write_descriptions(tmp_path / "unknown.jsonl", [Description("nobody", "", "Angry.")])
    with pytest.raises(InputError, match=r"lacks 1 clips of .*unknown.jsonl \(nobody\)"):
        words = ["--descriptions", str(tmp_path / "unknown.jsonl"), "--offline", "--join", join]
        ov_labels.main([*options(corpus), *words, *said])


def test_imports_are_clues(corpus: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    np.savez(tmp_path / "results.npz", name2reason={"both": "He smiles.", "mute": ""})
    words = ["--modality", "video", "--model", "Chat-UniVi", "--out", str(tmp_path / "univi.jsonl")]
    assert ov_import.main([str(tmp_path / "results.npz"), *words]) == 0
    assert "1 clues, 1 empty" in capsys.readouterr().out
    assert [clue.source["model"] for clue in read_clues(tmp_path / "univi.jsonl")] == ["Chat-UniVi"] * 2
    with ScriptedServer(perceiving) as server:
        words = ["--clues", str(tmp_path / "univi.jsonl"), "--out", str(tmp_path / "d.jsonl")]
        assert ov_describe.main([*options(corpus, server), *words]) == 0
    assert "2 clips have no clue, and are described without: other, text" in capsys.readouterr().out
    assert "He smiles." in server.prompts[0]


def test_every_file_can_be_translated(tmp_path: Path) -> None:
    clue, description = Clue("a", "audio", "声音很轻。"), Description("a", "我很好。", "他很好。")
    write_clues(tmp_path / "clues.jsonl", [clue])
    write_descriptions(tmp_path / "descriptions.jsonl", [description])
    write_labels(tmp_path / "labels.csv", [OpenLabels("a", ("高兴",)), OpenLabels("b", ("sad",))])
    with ScriptedServer(lambda request: "['happy']" if prompt_of(request).endswith("高兴") else "Fine.") as server:
        for name in ("clues.jsonl", "descriptions.jsonl", "labels.csv"):
            words = [str(tmp_path / name), "--to", "en", "--out", str(tmp_path / "en" / name), "--server", server.url]
            assert ov_translate.main(words) == 0
        assert len(server.requests) == 3
    assert [one.text for one in read_clues(tmp_path / "en" / "clues.jsonl")] == ["Fine."]
    assert [one.description for one in read_descriptions(tmp_path / "en" / "descriptions.jsonl")] == ["Fine."]
    assert read_labels(tmp_path / "en" / "labels.csv") == [OpenLabels("a", ("happy",)), OpenLabels("b", ("sad",))]


def test_options_that_make_no_sense(corpus: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    for words, said in (
        (["--offline", "--from", "audio"], "--offline asks no language model: leave out --from"),
        (["--offline", "--audio-model", "a"], "leave out --audio-model"),
        (["--disambiguator", "a", "b"], "several models for one step are a grid: add --grid"),
        (["--join", "none", "--predictions", "p.csv"], "--join none does nothing with --predictions"),
        (["--join", "prompt", "--offline"], "take union, filter or both"),
    ):
        with pytest.raises(SystemExit, match="2"):
            ov_run.main([*options(corpus), *words])
        assert said in capsys.readouterr().err
    with pytest.raises(InputError, match=r"Unknown split of .*manifest.csv 'tset'\. Did you mean 'test'"):
        ov_run.main([*options(corpus), "--offline", "--split", "tset"])
    with pytest.raises(InputError, match="name its predictions"):
        ov_run.main([*options(corpus), "--offline", "--join", "union"])
    write_clues(tmp_path / "other.jsonl", [Clue(name, "audio", "x") for name in "wxyz"])
    with pytest.raises(InputError, match="clues are of w, x, y, …, clips are both, other, mute, …"):
        ov_run.main([*options(corpus), "--offline", "--clues", str(tmp_path / "other.jsonl")])
