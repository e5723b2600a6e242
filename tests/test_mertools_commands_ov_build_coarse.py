"""`mertools ov build coarse`: every clip is explained in both languages, and nothing is asked twice."""

from __future__ import annotations

import re
import signal
import subprocess
import sys
import time
from collections import Counter
from collections.abc import Mapping
from pathlib import Path

import numpy as np
import pytest
from scripted_server import Reply, ScriptedServer, prompt_of

from mertools.clip import Clip
from mertools.commands import ov_build_coarse
from mertools.corpus import read_manifest, write_manifest
from mertools.emotions import MER2024
from mertools.media import write_clip
from mertools.ov.clues import Clue, write_clues
from mertools.ov.explanations import Explanation, read_explanations
from mertools.predictions import Predictions, write_predictions
from mertools.run_record import read_result

KILLS = 3


@pytest.fixture(autouse=True)
def environment(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("OPENAI_BASE_URL", "OPENAI_API_KEY"):
        monkeypatch.delenv(name, raising=False)


def explained(folder: Path) -> list[Explanation]:
    return list(read_explanations(folder / "explanations.jsonl"))


@pytest.fixture(scope="module")
def demo(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A generated corpus with the features that the observer looks at."""
    folder = tmp_path_factory.mktemp("demo")
    root = Path(__file__).parent.parent
    features = ("--feature", "egemaps,face-expression", "--level", "frame", "--out", str(folder / "features"))
    for command in (
        ("-m", "mertools", "data", "demo", "--out", str(folder), "--clips", "12"),
        ("extract.py", "--data", str(folder / "manifest.csv"), *features),
    ):
        done = subprocess.run([sys.executable, *command], cwd=root, capture_output=True, text=True, timeout=120)
        assert done.returncode == 0, done.stderr
    return folder


def test_the_demo_corpus_without_any_model(demo: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    words = ["--data", str(demo / "manifest.csv"), "--features", str(demo / "features"), "--out", str(tmp_path)]
    assert ov_build_coarse.main([*words, "--strict"]) == 0
    clips, rows = read_manifest(demo / "manifest.csv").clips, explained(tmp_path)
    assert [row.name for row in rows] == [clip.name for clip in clips]
    for clip, row in zip(clips, rows, strict=True):
        assert row.failed == "" and (row.subtitle, row.subtitle_english) == (clip.subtitle, clip.subtitle_english)
        assert clip.subtitle_english in row.description_en and "voice" in row.description_en.lower()
        assert "人物说" in row.description_zh and set(row.clues) == {"audio", "video"}
    assert any(row.labels_en for row in rows) and any(row.labels_zh for row in rows)
    card = (tmp_path / "DATA_CARD.md").read_text(encoding="utf-8")
    assert "12 of 12 clips explained" in card and "test of machinery" in card
    assert "the observer: measured signals" in card and "None: no language model was asked." in card
    assert read_result(tmp_path)["quality"]["languages"]["zh"]["described"] == 12
    assert "explained\t12\n" in capsys.readouterr().out


def test_the_demo_corpus_by_a_server_that_hears_the_observer(demo: Path, tmp_path: Path) -> None:
    def answer(request: Mapping) -> str:
        prompt = prompt_of(request)
        if prompt.startswith("请把下面的文字"):
            return "人物很担心。"
        if prompt.endswith("Output:"):
            return "['担心']" if "请你担任" in prompt else "['worried']"
        assert "voices of this corpus" in prompt and "Subtitle: " in prompt
        return "The person is worried."

    words = ["--data", str(demo / "manifest.csv"), "--features", str(demo / "features"), "--out", str(tmp_path)]
    with ScriptedServer(answer) as server:
        assert ov_build_coarse.main([*words, "--server", server.url, "--strict"]) == 0
    assert [(row.description_en, row.labels_zh) for row in explained(tmp_path)] == [
        ("The person is worried.", ("担心",))
    ] * 12
    assert "| clues | the observer" in (tmp_path / "DATA_CARD.md").read_text(encoding="utf-8")


def corpus_of(folder: Path, count: int) -> Path:
    """`count` clips of words alone, their clues beside them, sound and picture in files of their own."""
    clips = [Clip(f"clip_{n:05d}", subtitle=f"我没事{n}。", subtitle_english=f"I am fine {n}.") for n in range(count)]
    write_manifest(folder / "manifest.csv", clips)
    for medium, text in (("audio", "The voice of clip {} trembles."), ("video", "The face of clip {} frowns.")):
        clues = (Clue(clip.name, medium, text.format(n), {"model": medium}) for n, clip in enumerate(clips))
        write_clues(folder / f"{medium}.jsonl", clues)
    return folder / "manifest.csv"


def script(request: Mapping) -> str:
    """Describes, translates and labels, always about the clip that it was asked about."""
    prompt = prompt_of(request)
    number = re.search(r"fine (\d+)|我没事(\d+)|clip (\d+)|片段(\d+)", prompt)
    number = next(filter(None, number.groups()))
    if prompt.startswith("请把下面的文字"):
        return f"片段{number}中的人物很担心。"
    if "Output:" in prompt:
        return "['担心']" if "请你担任" in prompt else "['worried']"
    return f"The person in clip {number} is worried: the voice trembles."


def words_for(folder: Path, url: str) -> list[str]:
    clues = [str(folder / f"{medium}.jsonl") for medium in ("audio", "video")]
    return ["--data", str(folder / "manifest.csv"), "--clues", *clues, "--server", url, "--out", str(folder / "out")]


def test_every_step_has_a_model_of_its_own(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    pictures = [np.full((32, 48, 3), 90, np.uint8)] * 4
    write_clip(tmp_path / "both.mp4", pictures, 4, np.sin(np.arange(16_000) / 9) / 2)
    clips = [
        Clip("both", video=tmp_path / "both.mp4", subtitle="我没事1。", subtitle_english="I am fine 1.", split="test"),
        Clip("text", subtitle="我没事2。", subtitle_english="I am fine 2.", split="test"),
    ]
    write_manifest(tmp_path / "manifest.csv", clips)
    asked: Counter[str] = Counter()

    def each(request: Mapping) -> str:
        asked[request["model"]] += 1
        if isinstance(request["messages"][0]["content"], list):
            return f"{request['model']} perceives joy."
        return script(request)

    models = ("ears", "eyes", "judge", "gpt-4o", "namer")
    probabilities = np.array([[0, 0, 0, 0, 1, 0], [0, 1, 0, 0, 0, 0]], float)
    said = Predictions(("both", "text"), probabilities, np.zeros((2, 0)), ())
    write_predictions(tmp_path / "predictions.csv", clips, said, MER2024)
    with ScriptedServer(each, models) as server:
        status = ov_build_coarse.main(
            [
                *("--data", str(tmp_path / "manifest.csv"), "--server", server.url, "--out", str(tmp_path / "out")),
                *("--audio-model", "ears", "--video-model", "eyes", "--disambiguator", f"judge@{server.url}"),
                *("--translator", "gpt-4o", "--labeller", "namer", "--takes", "images", "audio"),
                *("--predictions", str(tmp_path / "predictions.csv")),
            ]
        )
    assert status == 0 and asked == {"ears": 1, "eyes": 1, "judge": 1, "gpt-4o": 1, "namer": 2}
    both, text = explained(tmp_path / "out")
    assert both.clues == {"audio": "ears perceives joy.", "video": "eyes perceives joy."}
    assert both.description_en == "The person in clip 1 is worried: the voice trembles."
    assert (both.description_zh, both.labels_en, both.labels_zh) == ("片段1中的人物很担心。", ("worried",), ("担心",))
    assert both.source["description_en"]["model"] == "judge" and both.source["labels"]["model"] == "namer"
    assert both.source["description_zh"]["translator"]["model"] == "gpt-4o"
    # A clip all of whose clues failed is not described from nothing.
    assert text.failed.startswith("audio clue: the clip has no sound; video clue") and text.labels_en == ()
    card = (tmp_path / "out" / "DATA_CARD.md").read_text(encoding="utf-8")
    assert "| translation | gpt-4o | closed |" in card and "| labels | namer | open, as far as its name tells |" in card
    assert "As an expert in the field of emotions, please focus on the acoustic" in card
    assert "Its class or a synonym is among the labels of 100.0 %" in card
    assert "1 of 2 clips explained" in card


def test_descriptions_in_the_other_language_are_counted_and_translated(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    corpus_of(tmp_path, 3)

    def stubborn(request: Mapping) -> str:
        prompt = request["messages"][0]["content"]
        if prompt.startswith("You are an expert"):
            return f"片段{re.search('fine ([0-9])', prompt)[1]}中的人物很担心。"
        if prompt.startswith("Translate the following text from Chinese"):
            return (
                "还是中文。" if "片段2" in prompt else f"In clip {re.search('片段([0-9])', prompt)[1]} he is worried."
            )
        return script(request)

    with ScriptedServer(stubborn) as server:
        assert ov_build_coarse.main([*words_for(tmp_path, server.url), "--strict"]) == 3
    rows = explained(tmp_path / "out")
    assert [row.description_en for row in rows] == ["In clip 0 he is worried.", "In clip 1 he is worried.", ""]
    assert rows[2].failed == "translation: unreadable: the translation is not in English"
    said = "3 of 3 descriptions were asked for in English and are not, or not all, in it: they were translated."
    assert said in capsys.readouterr().out and said in (tmp_path / "out" / "DATA_CARD.md").read_text(encoding="utf-8")
    quality = read_result(tmp_path / "out")["quality"]
    assert (quality["explained"], quality["failed"]) == (2, 1)
    assert quality["reasons"] == {"translation: unreadable: the translation is not in English": 1}


def test_killed_three_times_and_no_answer_asked_for_twice(tmp_path: Path) -> None:
    count = 30
    corpus_of(tmp_path, count)
    root = Path(__file__).parent.parent

    def slow(request: Mapping) -> Reply:
        return Reply(script(request), delay_seconds=0.05)

    with ScriptedServer(slow) as server:
        command = [sys.executable, "-m", "mertools", "ov", "build", "coarse", *words_for(tmp_path, server.url)]
        for kill in range(1, KILLS + 1):
            build = subprocess.Popen([*command, "--concurrency", "2"], cwd=root, stdout=subprocess.DEVNULL)
            while len(server.requests) < kill * count:
                assert build.poll() is None, "it ended before it was killed"
                time.sleep(0.005)
            build.send_signal(signal.SIGKILL)
            build.wait()
            assert not (tmp_path / "out" / "explanations.jsonl").exists()
        done = subprocess.run(command, cwd=root, capture_output=True, text=True, timeout=60)
        assert done.returncode == 0, done.stderr
        times = Counter(server.prompts)
    # Descriptions, translations and labels in two languages: each question once, but for those that were under way.
    assert len(times) == 4 * count and sum(times.values()) - len(times) <= 2 * KILLS
    rows = explained(tmp_path / "out")
    assert [row.name for row in rows] == [f"clip_{n:05d}" for n in range(count)]
    assert all(f"clip {n} " in row.description_en and f"片段{n}中" in row.description_zh for n, row in enumerate(rows))
    assert all((row.labels_en, row.labels_zh, row.failed) == (("worried",), ("担心",), "") for row in rows)

    written = (tmp_path / "out" / "explanations.jsonl").read_bytes()
    replay = [word for word in words_for(tmp_path, "") if word not in ("--server", "")]
    assert ov_build_coarse.main([*replay, "--replay"]) == 0
    assert (tmp_path / "out" / "explanations.jsonl").read_bytes() == written


def test_clues_in_any_order_and_options_that_make_no_sense(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    corpus_of(tmp_path, 3)
    lines = (tmp_path / "audio.jsonl").read_text().splitlines(keepends=True)
    (tmp_path / "audio.jsonl").write_text("".join(reversed(lines)))
    with ScriptedServer(script) as server:
        assert ov_build_coarse.main(words_for(tmp_path, server.url)) == 0
    assert [row.clues["audio"] for row in explained(tmp_path / "out")] == [
        f"The voice of clip {n} trembles." for n in range(3)
    ]
    with pytest.raises(SystemExit):
        ov_build_coarse.main(["--data", str(tmp_path / "manifest.csv"), "--clues", str(tmp_path / "audio.jsonl")])
    assert "without a model there is no other" in capsys.readouterr().err
