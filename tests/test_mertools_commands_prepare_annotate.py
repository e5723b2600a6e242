"""Annotation from clips to a labelled manifest: what raters get, what they hand back, what becomes of it."""

from __future__ import annotations

import csv
import json
import time
from collections import Counter
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from browser import PATIENCE_SECONDS, open_browser

from mertools.__main__ import dispatch
from mertools.clip import Clip
from mertools.corpus import read_manifest, write_manifest
from mertools.errors import InputError
from mertools.media import write_clip, write_sound
from mertools.prepare.annotation import Key, read_key

TRUTH = {f"secret_{number}": label for number, label in enumerate(["happy"] * 3 + ["sad"] * 2 + ["angry", "other"])}
"""What scripted raters think of the clips."""


@pytest.fixture(scope="module")
def corpus(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A manifest of two videos, a sound and texts, as `prepare select` writes it."""
    folder = tmp_path_factory.mktemp("corpus")
    for number in range(2):
        frames = [np.full((32, 48, 3), 90 * number + level, np.uint8) for level in range(5)]
        write_clip(folder / f"{number}.mp4", frames, 25, np.zeros(3200, np.float32))
    write_sound(folder / "2.flac", np.zeros(3200, np.float32))
    media = [{"video": folder / "0.mp4"}, {"video": folder / "1.mp4"}, {"audio": folder / "2.flac"}, {}, {}, {}, {}]
    clips = [
        Clip(name, **files, subtitle="你好。", split="unlabelled", columns={"voted": "joyful", "share": "0.987"})
        for name, files in zip(TRUTH, media, strict=True)
    ]
    write_manifest(folder / "selected.csv", clips)
    return folder


def export(corpus: Path, out: Path, *more: str, data: str = "selected.csv") -> Key:
    """Export a study; gives its key."""
    words = ["--data", str(corpus / data), "--out", str(out), "--workers", "0"]
    assert dispatch(["prepare", "annotate", "export", *words, *more]) == 0
    return read_key(out / "key.json")


def answers(key: Key, rater: str, folder: Path, think: Callable[[str], str | None] = TRUTH.__getitem__) -> str:
    """A rater's file; `think` says what the rater thinks of a clip, None leaving it open."""
    rows = [{"item": item, "emotion": think(key.clips[item])} for item in key.orders[rater]]
    path = folder / f"{rater}.json"
    path.write_text(json.dumps({"format": "mertools answers 1", "study": key.study, "rater": rater, "answers": rows}))
    return str(path)


def import_words(corpus: Path, folder: Path, *more: str) -> list[str]:
    told = ["--data", str(corpus / "selected.csv"), "--media-root", str(corpus), "--out", str(folder / "labelled.csv")]
    return ["prepare", "annotate", "import", str(folder / "study" / "key.json"), *more, *told]


def table(text: str, first: str) -> list[dict[str, str]]:
    block = next(part for part in text.split("\n\n") if part.startswith(f"{first}\t"))
    return list(csv.DictReader(block.splitlines(), delimiter="\t"))


def test_raters_get_clips_and_nothing_of_votes(
    corpus: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    key = export(corpus, tmp_path / "study")
    raters = tmp_path / "study" / "raters"
    assert sorted(path.suffix for path in (raters / "clips").iterdir()) == [".flac", ".mp4", ".mp4"]
    assert sorted(path.name for path in raters.glob("rater-*.html")) == [f"rater-{n}.html" for n in range(1, 6)]
    for path in (*raters.glob("*"), *(raters / "clips").iterdir()):
        content = path.read_bytes() if path.is_file() else b""
        assert not any(secret in content for secret in (b"secret", b"joyful", b"0.987", b"unlabelled")), path
        assert "secret" not in path.name
    with (raters / "rater-2.csv").open(encoding="utf-8-sig", newline="") as file:
        sheet = list(csv.DictReader(file))
    assert [row["item"] for row in sheet] == list(key.orders["rater-2"]) != list(key.orders["rater-1"])
    assert sum(bool(row["clip"]) and (raters / row["clip"]).exists() for row in sheet) == 3
    told = capsys.readouterr().out
    assert "5 pages of" in told and "7 clips each" in told
    assert f"mertools prepare annotate import {tmp_path / 'study' / 'key.json'} answers-{key.study}-*.json" in told
    with pytest.raises(InputError, match="holds a study already"):
        export(corpus, tmp_path / "study")


def test_an_interrupted_export_keeps_its_copies(corpus: Path, tmp_path: Path) -> None:
    key = export(corpus, tmp_path / "study")
    copies = {path: path.stat().st_mtime_ns for path in (tmp_path / "study" / "raters" / "clips").iterdir()}
    (tmp_path / "study" / "key.json").unlink()
    assert export(corpus, tmp_path / "study") == key
    assert {path: path.stat().st_mtime_ns for path in copies} == copies


def test_what_is_not_asked_is_told(corpus: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (corpus / "bad.mp4").write_bytes(b"no video")
    rows = ["name,video,subtitle,label", "a,,Hello.,", "b,bad.mp4,Hello.,", "c,,Hello.,sad"]
    (corpus / "mixed.csv").write_text("\n".join(rows) + "\n")
    key = export(corpus, tmp_path / "study", data="mixed.csv")
    told = capsys.readouterr().out
    assert list(key.clips.values()) == ["a"] and "1 clips have a label already" in told
    assert table(told, "passed over")[0]["passed over"] == "b"


@pytest.mark.parametrize(
    ("rows", "more", "message"),
    [
        (
            ["samplenew3_00000012,Hello.,"],
            [],
            "1 of 1 clips are of a challenge.*participants cannot manually annotate",
        ),
        (["a,Hello.,sad"], [], "has a label: there is nothing to ask"),
        (["a,Hello.,"], ["--labels", "a,b,c,d,e,f,g,h,i"], "9 classes; the page answers by digits and takes 8"),
    ],
)
def test_bad_input_is_refused_at_export(tmp_path: Path, rows: list[str], more: list[str], message: str) -> None:
    (tmp_path / "manifest.csv").write_text("\n".join(["name,subtitle,label", *rows]) + "\n")
    with pytest.raises(InputError, match=message):
        export(tmp_path, tmp_path / "study", *more, data="manifest.csv")
    assert not (tmp_path / "study").exists()


def test_four_of_five_make_labels_and_halves(corpus: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    key = export(corpus, tmp_path / "study")
    dissent = {"rater-1": {"secret_0": "sad", "secret_3": "neutral"}, "rater-2": {"secret_3": "worried"}}
    files = [
        answers(key, rater, tmp_path, lambda clip, rater=rater: dissent.get(rater, {}).get(clip, TRUTH[clip]))
        for rater in key.orders
    ]
    capsys.readouterr()
    assert dispatch(import_words(corpus, tmp_path, *files)) == 0
    told = capsys.readouterr().out

    clips = read_manifest(tmp_path / "labelled.csv", corpus).clips
    # secret_3 has three of five, secret_6 is none of the classes.
    assert {clip.name: clip.label for clip in clips} == {
        name: label for name, label in TRUTH.items() if name not in ("secret_3", "secret_6")
    }
    assert {clip.columns["raters_agreed"] for clip in clips} == {"4", "5"}
    # Five clips: two and three; of three classes with an odd number angry's clip goes to NOISE, happy's to SEMI.
    assert Counter((clip.label, clip.split) for clip in clips) == {
        ("angry", "noise"): 1,
        ("happy", "semi"): 2,
        ("happy", "noise"): 1,
        ("sad", "noise"): 1,
    }
    assert [row["neutral"] for row in table(told, "rater")] == ["1", "0", "0", "0", "0"]
    happy, whole = (next(row for row in table(told, "label") if row["label"] == name) for name in ("happy", "all"))
    assert list(happy.values()) == ["happy", "3", "2", "1", "2", "1"]
    assert list(whole.values()) == ["all", "5", "4", "1", "2", "3"]
    assert "Krippendorff's alpha, nominal: 0." in told
    assert "5 of 7 clips are kept" in told and "1 more show none of the classes" in told
    command = f"mertools noise draw --data {tmp_path / 'labelled.csv'} --media-root {corpus} --split noise --speech"
    assert f"Next: {command}" in told


def test_what_cannot_become_labels_is_refused(corpus: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    key = export(corpus, tmp_path / "study")
    files = [answers(key, rater, tmp_path) for rater in list(key.orders)[:3]]
    lazy = answers(key, "rater-4", tmp_path, lambda clip: None if clip == "secret_0" else TRUTH[clip])
    with pytest.raises(InputError, match="--agree 2: of 5 raters, wanted 3 to 5"):
        dispatch([*import_words(corpus, tmp_path, *files), "--agree", "2"])
    with pytest.raises(InputError, match=r"(?s)rater-4.*1 item not answered"):
        dispatch(import_words(corpus, tmp_path, *files, lazy))
    with pytest.raises(InputError, match="No clip has a label on which 4 of 5 raters agree"):
        dispatch(import_words(corpus, tmp_path, *files, "--allow-incomplete"))
    capsys.readouterr()
    assert dispatch(import_words(corpus, tmp_path, *files, lazy, "--allow-incomplete")) == 0
    told = capsys.readouterr().out
    assert "5 of 7 clips are kept" in told and "1 of 5 raters gave no file: rater-5" in told

    strange = answers(key, "rater-5", tmp_path, lambda clip: "bored")
    with pytest.raises(InputError, match=r"7 items answered out of range .*'bored'"):
        dispatch(import_words(corpus, tmp_path, *files, strange, "--overwrite"))
    (corpus / "fewer.csv").write_text("name,subtitle\nsecret_0,Hello.\n")
    with pytest.raises(InputError, match=r"fewer\.csv lacks 6 of 7 clips that raters were asked about"):
        dispatch([*import_words(corpus, tmp_path, *files), "--overwrite", "--data", str(corpus / "fewer.csv")])


@pytest.mark.page
@pytest.mark.parametrize("embedded", [False, True], ids=["beside", "embedded"])
def test_what_is_labelled_on_the_page_is_what_counts(corpus: Path, tmp_path: Path, embedded: bool, capsys) -> None:
    """One rater by key on the page, interrupted once; the others by script."""
    key = export(corpus, tmp_path / "study", *(["--embed-clips"] if embedded else []))
    with open_browser() as page:
        page.save_downloads(tmp_path)
        page.open(tmp_path / "study" / "raters" / "rater-1.html")
        for number, item in enumerate(key.orders["rater-1"]):
            if number == 4:
                page.reload()
            # A picture has a size once it is loaded.
            loaded = "(medium => !medium || medium.readyState > 0)(document.querySelector('video, audio'))"
            deadline = time.monotonic() + PATIENCE_SECONDS
            while not page.evaluate(loaded):
                assert time.monotonic() < deadline, f"{item} does not load"
                time.sleep(0.05)
            assert page.evaluate("document.querySelector('#original').innerText") == "你好。"
            page.press(str(1 + key.answers.index(TRUTH[key.clips[item]])))
        assert page.evaluate("document.querySelector('#count').innerText") == "7 answered, 0 to go"
        page.click("#save")
        saved = tmp_path / f"answers-{key.study}-rater-1.json"
        deadline = time.monotonic() + PATIENCE_SECONDS
        while not saved.exists():
            assert time.monotonic() < deadline, "nothing was saved"
            time.sleep(0.05)
        assert page.problems == []
        assert all(url.startswith(("file:", "data:", "blob:")) for url in page.requests)
    files = [str(saved), *(answers(key, rater, tmp_path) for rater in list(key.orders)[1:])]
    capsys.readouterr()
    assert dispatch(import_words(corpus, tmp_path, *files, "--agree", "5")) == 0
    told = capsys.readouterr().out
    assert "6 of 7 clips are kept" in told and "alpha, nominal: 1.000" in told
