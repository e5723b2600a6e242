"""Asking people, from descriptions to a table: what raters get, what they hand back, what comes of it."""

from __future__ import annotations

import csv
import json
import time
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import pytest
from browser import PATIENCE_SECONDS, open_browser

from mertools.__main__ import dispatch
from mertools.clip import Clip
from mertools.corpus import write_manifest
from mertools.errors import InputError
from mertools.media import write_clip
from mertools.ov.rating import Key, read_key

SYSTEMS = ("Valley", "our-system", "truth")
SCRIPT = {"Valley": 1, "our-system": 3, "truth": 4}
"""What every scripted rater thinks of the systems."""


def make_corpus(folder: Path, count: int = 4) -> None:
    """A manifest of videos, and descriptions of each by every system, the hostile kind too."""
    clips = []
    for number in range(count):
        name = f"happy_{number}"
        frames = [np.full((32, 48, 3), 40 * number, np.uint8)] * 5
        write_clip(folder / f"{name}.mp4", frames, 25, np.zeros(3200, np.float32))
        clips.append(Clip(name, video=folder / f"{name}.mp4", subtitle="你好。", subtitle_english="Hello."))
    write_manifest(folder / "manifest.csv", clips)
    for system in SYSTEMS:
        write_descriptions(
            folder / f"{system}.jsonl",
            {clip.name: f"<b>{number}</b>" for number, clip in zip("1234", clips, strict=False)},
        )


def write_descriptions(path: Path, texts: dict[str, str], failed: Sequence[str] = ()) -> None:
    rows = [
        {"name": name, "subtitle": "", "description": text, "evidence": {}, "source": {}}
        for name, text in texts.items()
    ]
    rows += [{"name": name, "description": "", "failed": "no answer"} for name in failed]
    path.write_text("".join(f"{json.dumps(row)}\n" for row in rows), encoding="utf-8")


def export(folder: Path, *more: str) -> Path:
    """Export a study of the corpus in `folder`; gives the study's folder."""
    systems = [word for name in SYSTEMS[:2] for word in ("--system", f"{name}={folder / name}.jsonl")]
    words = ["--data", str(folder / "manifest.csv"), *systems, "--truth", f"truth={folder / 'truth.jsonl'}"]
    assert dispatch(["ov", "rate", "export", *words, "--out", str(folder / "study"), *more]) == 0
    return folder / "study"


@pytest.fixture
def corpus(tmp_path: Path) -> Path:
    make_corpus(tmp_path)
    return tmp_path


def ratings(key: Key, rater: str, path: Path, change: dict[str, object] | None = None) -> Path:
    """A rater's file: what SCRIPT thinks; `change` replaces answers by item, None leaving the item out."""
    system_of = {item.id: item.system for item in key.items}
    rows = [{"item": item, "rating": str(SCRIPT[system_of[item]])} for item in key.orders[rater]]
    rows = [row | {"rating": (change or {}).get(row["item"], row["rating"])} for row in rows]
    rows = [row for row in rows if row["rating"] is not None]
    contents = {"format": "mertools answers 1", "study": key.study, "rater": rater, "answers": rows}
    path.write_text(json.dumps(contents))
    return path


def table(text: str, first: str) -> list[dict[str, str]]:
    """The rows of the printed table whose header begins with `first`."""
    block = next(part for part in text.split("\n\n") if part.startswith(f"{first}\t"))
    return list(csv.DictReader(block.splitlines(), delimiter="\t"))


def test_raters_get_all_they_need_and_nothing_of_the_sources(corpus: Path, capsys: pytest.CaptureFixture[str]) -> None:
    study = export(corpus, "--items", "3", "--raters", "2")
    key = read_key(study / "key.json")
    assert (key.truth, key.systems, len(key.clips), len(key.items)) == ("truth", SYSTEMS, 3, 9)
    raters = study / "raters"
    assert sorted(path.relative_to(raters).as_posix() for path in raters.rglob("*.*")) == [
        *("README.txt", "clips/clip-01.mp4", "clips/clip-02.mp4", "clips/clip-03.mp4"),
        *("rater-1.csv", "rater-1.html", "rater-2.csv", "rater-2.html"),
    ]
    for path in raters.rglob("*.*"):
        content = path.read_bytes().lower()
        # Nor may a clip's name tell a label.
        assert not any(secret in content for secret in (b"valley", b"our-system", b"truth", b"happy", b'"seed"')), path
    with (raters / "rater-2.csv").open(encoding="utf-8-sig", newline="") as file:
        sheet = list(csv.DictReader(file))
    assert [row["item"] for row in sheet] == list(key.orders["rater-2"])
    assert all((raters / row["clip"]).exists() and row["description"].startswith("<b>") for row in sheet)
    told = capsys.readouterr().out
    assert "2 pages of 0.0 MB, and sheets; 9 items each (3 clips, 3 systems)" in told
    assert f"mertools ov rate import {study / 'key.json'}" in told


def test_the_same_seed_is_the_same_study(corpus: Path) -> None:
    first, again = export(corpus, "--items", "3"), corpus / "again"
    export(corpus, "--items", "3", "--out", str(again))
    for path in first.rglob("*.*"):
        assert (again / path.relative_to(first)).read_bytes() == path.read_bytes()
    with pytest.raises(InputError, match="holds a study already"):
        export(corpus, "--items", "3")


def test_clips_that_cannot_be_described_or_shown_are_passed_over_aloud(corpus: Path, capsys) -> None:
    write_descriptions(
        corpus / "our-system.jsonl", {f"happy_{n}": "x" for n in (0, 1, 2)} | {"other": "y"}, ["happy_3"]
    )
    (corpus / "happy_1.mp4").write_bytes(b"")
    study = export(corpus, "--items", "2")
    told = capsys.readouterr().out
    (row,) = (row for row in table(told.split("\nhappy_1")[0], "system") if row["system"] == "our-system")
    assert (row["descriptions"], row["failed"], row["of clips not in the manifest"]) == ("5", "1", "1")
    assert sorted(read_key(study / "key.json").clips) == ["happy_0", "happy_2"]
    with pytest.raises(InputError, match="describe 3 clips in common; --items 4"):
        export(corpus, "--items", "4", "--out", str(corpus / "more"))
    with pytest.raises(InputError, match=r"2 of 3 clips can be read; 3 are asked for\. First: happy_1"):
        export(corpus, "--items", "3", "--out", str(corpus / "more"))


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (["--system", "name-alone"], "wanted a name and a file"),
        (["--system", "truth=x.jsonl"], "there is a system 'truth' already"),
        (["--system", "b=absent.jsonl"], "There is no file absent.jsonl"),
        (["--language", "zh"], "not all in zh.*Valley: 2 en"),
    ],
)
def test_bad_input_is_refused(corpus: Path, words: list[str], message: str) -> None:
    with pytest.raises(InputError, match=message):
        export(corpus, "--items", "2", *words)
    assert not (corpus / "study" / "key.json").exists()


def test_ratings_come_to_a_table(corpus: Path, capsys: pytest.CaptureFixture[str]) -> None:
    study = export(corpus, "--items", "4", "--raters", "3")
    key = read_key(study / "key.json")
    files = [str(ratings(key, rater, corpus / f"{rater}.json")) for rater in key.orders]
    metrics = [
        {"name": item.clip, "system": item.system, "metric": "clue", "value": 10 - SCRIPT[item.system]}
        for item in key.items
    ]
    (corpus / "m.json").write_text(json.dumps(metrics))
    capsys.readouterr()
    words = [str(study / "key.json"), *files, "--metrics", str(corpus / "m.json"), "--paper"]
    assert dispatch(["ov", "rate", "import", *words, "--out", str(corpus / "r.json")]) == 0
    told = capsys.readouterr().out

    systems = table(told, "system")
    assert [(row["system"], row["mean"], row["95 %"], row["EMER Table 2"]) for row in systems[:3]] == [
        ("our-system", "3.00", "[3.00, 3.00]", "–"),
        ("Valley", "1.00", "[1.00, 1.00]", "2.45"),
        ("truth (truth)", "4.00", "[4.00, 4.00]", "3.77"),
    ]
    assert systems[0]["3"] == "12" and len(systems) == 3 + 9
    raters = table(told, "rater")
    assert [(row["rater"], row["ratings"], row["1"]) for row in raters] == [(rater, "12", "4") for rater in key.orders]
    assert [row["Krippendorff's alpha"] for row in table(told, "level")] == ["1.000"] * 3
    (metric,) = csv.reader(told.split("metric\t")[1].splitlines()[1:2], delimiter="\t")
    # The truth is left out: 8 of 12 items, 2 of 3 systems.
    assert metric == ["clue", "-1.000", "8", "-1.000", "2"]
    assert "other people on other clips" in told and "Incomplete" not in told
    written = json.loads((corpus / "r.json").read_text())
    assert [system["mean"] for system in written["systems"]] == [1, 3, 4] and written["incomplete"] == []


def test_incomplete_ratings_are_refused_or_told(corpus: Path, capsys: pytest.CaptureFixture[str]) -> None:
    study = export(corpus, "--items", "4", "--raters", "3")
    key = read_key(study / "key.json")
    open_item = next(item.id for item in key.items if item.system == "our-system")
    files = [
        str(ratings(key, "rater-1", corpus / "a.json", {open_item: None})),
        str(ratings(key, "rater-2", corpus / "b.json", {open_item: ""})),
    ]
    words = ["ov", "rate", "import", str(study / "key.json"), *files]
    with pytest.raises(InputError, match=r"(?s)rater-1 .* 1 item missing.*rater-2 .* 1 item not answered.*different"):
        dispatch(words)
    assert dispatch([*words, "--allow-incomplete"]) == 0
    told = capsys.readouterr().out
    assert "Incomplete: rater-1 (a.json): 1 item missing" in told and "1 of 3 raters gave no file: rater-3" in told
    assert {row["system"]: row["clips"] for row in table(told[told.index("system\tmean") :], "system")} == {
        "our-system": "3",
        "Valley": "4",
        "truth (truth)": "4",
    }


@pytest.mark.page
def test_what_is_rated_on_the_page_is_what_is_averaged(corpus: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """Two raters, one by key on the page and one by sheet; the first is interrupted."""
    study = export(corpus, "--items", "4", "--raters", "2", "--language", "en")
    key = read_key(study / "key.json")
    system_of = {item.id: item.system for item in key.items}
    with open_browser() as page:
        page.save_downloads(corpus)
        page.open(study / "raters" / "rater-1.html")
        for number, item in enumerate(key.orders["rater-1"]):
            if number == 7:
                page.reload()
            page.press(str(SCRIPT[system_of[item]]))
        assert page.problems == []
        assert page.evaluate("document.querySelectorAll('main b').length") == 0
        page.click("#save")
        saved = corpus / f"answers-{key.study}-rater-1.json"
        deadline = time.monotonic() + PATIENCE_SECONDS
        while not saved.exists() and time.monotonic() < deadline:
            time.sleep(0.05)

    sheet = study / "raters" / "rater-2.csv"
    with sheet.open(encoding="utf-8-sig", newline="") as file:
        rows = list(csv.DictReader(file))
    for row in rows:
        row["rating"] = SCRIPT[system_of[row["item"]]] - (system_of[row["item"]] == "our-system")
    with sheet.open("w", encoding="utf-8-sig", newline="") as file:
        writer = csv.DictWriter(file, list(rows[0]))
        writer.writeheader()
        writer.writerows(rows)

    capsys.readouterr()
    assert dispatch(["ov", "rate", "import", str(study / "key.json"), str(saved), str(sheet)]) == 0
    told = capsys.readouterr().out
    assert {row["system"]: row["mean"] for row in table(told, "system")} == {
        "our-system": "2.50",
        "Valley": "1.00",
        "truth (truth)": "4.00",
    }
    assert [row["mean"] for row in table(told, "rater")] == ["2.67", "2.33"]
