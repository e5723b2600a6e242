"""`mertools ov build filter` and `split`: what is left of a corpus, and which of it trains."""

from __future__ import annotations

import csv
from pathlib import Path

import pytest

from mertools.commands import ov_build_filter, ov_build_split
from mertools.commands.ov_build_record import Card, write_record
from mertools.errors import InputError
from mertools.ov.explanation_quality import quality
from mertools.ov.explanations import Explanation, read_explanations, write_explanations
from mertools.ov.labels import OpenLabels, write_labels
from mertools.run_record import read_result

LONG = "The person speaks slowly and in a low voice, so that one takes him to be sad."


def row(name: str, english: str = LONG, **fields: object) -> Explanation:
    return Explanation(name, description_en=english, **({"labels_en": ("sad",)} | fields))


ROWS = [
    row("good"),
    row("short", "Sad."),
    row("chinese", "他说话很慢，声音低沉，因此可以推断他很悲伤。"),
    row("astray", clues={"audio": "He smiles."}),
    row("disputed", labels_en=("happy",)),
    row("failed", "", labels_en=(), failed="labels: refused"),
    row("undisputed", labels_en=("happy",)),
]


@pytest.fixture
def built(tmp_path: Path) -> Path:
    """A folder as `mertools ov build coarse` leaves it."""
    path = tmp_path / "coarse" / "explanations.jsonl"
    write_explanations(path, ROWS)
    card = Card("A corpus", "EMER-Coarse", {"labels": ["namer"]}, {}, False, ["mertools ov build coarse"])
    corpus = {"manifest": "manifest.csv", "fingerprint": "f", "notice": "", "clips": len(ROWS)}
    write_record(path.parent, card, corpus, quality(ROWS), steps=["known"])
    return path


def test_what_is_left(built: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    others = {"one": "sad", "two": "gloomy"}
    for name, label in others.items():
        rows = [OpenLabels(one.name, (label,)) for one in ROWS if one.name != "undisputed"]
        write_labels(tmp_path / f"{name}.csv", rows)
    systems = [f"{name}={tmp_path / name}.csv" for name in others]
    assert ov_build_filter.main([str(built), "--systems", *systems, "--out", str(tmp_path / "kept")]) == 0
    kept = tmp_path / "kept" / "explanations.jsonl"
    assert [one.name for one in read_explanations(kept)] == ["good", "undisputed"]
    with (tmp_path / "kept" / "rejected.csv").open(newline="", encoding="utf-8") as file:
        rejected = [(found["name"], found["filter"], found["figure"]) for found in csv.DictReader(file)]
    assert rejected == [
        ("short", "length", "1"),
        ("chinese", "language", ""),
        ("chinese", "length", "1"),
        ("astray", "medium", "1"),
        ("disputed", "agreement", "0"),
        ("failed", "failed", ""),
    ]
    said = capsys.readouterr().out
    assert "5 clips are left out, 2 are kept" in said and "language\tdescription_en is in zh\t1\n" in said
    card = (tmp_path / "kept" / "DATA_CARD.md").read_text(encoding="utf-8")
    assert "mertools ov build coarse\nmertools ov build filter" in card and "2 of 2 clips explained" in card

    assert ov_build_split.main([str(kept), "--test", "1"]) == 0
    result = read_result(tmp_path / "kept")
    assert (result["steps"], result["rejected"]) == (["known"], 5)
    with pytest.raises(InputError, match="holds the explanations that are to be filtered"):
        ov_build_filter.main([str(built), "--out", str(built.parent)])
    with pytest.raises(InputError, match="--words 9 3: the least is more than the most"):
        ov_build_filter.main([str(built), "--words", "9", "3", "--out", str(tmp_path / "x")])
    with pytest.raises(InputError, match="wanted a name and a file"):
        ov_build_filter.main([str(built), "--systems", "one.csv", "--out", str(tmp_path / "x")])


def test_splits_are_marked_and_said_to_be_ours(built: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert ov_build_split.main([str(built), "--test", "2"]) == 0
    splits = {one.name: one.split for one in read_explanations(built)}
    assert sorted(splits.values()) == ["", "test", "test", "train", "train", "train", "train"]
    assert splits["failed"] == ""
    card = built.with_name("DATA_CARD.md")
    assert "The split is ours, drawn by seed 0" in card.read_text(encoding="utf-8")
    assert "The split is ours" in capsys.readouterr().out
    # A third of six, and the note about the first split goes.
    assert ov_build_split.main([str(built), "--test", "33%", "--seed", "1"]) == 0
    assert card.read_text(encoding="utf-8").count("The split is ours") == 1
    assert sum(one.split == "test" for one in read_explanations(built)) == 2

    theirs = built.with_name("theirs.csv")
    theirs.write_text("name,split\n" + "".join(f"{one.name},val\n" for one in ROWS if not one.failed))
    assert ov_build_split.main([str(built), "--file", str(theirs)]) == 0
    assert {one.split for one in read_explanations(built)} == {"val", ""}
    theirs.write_text("name,split\nsomebody,test\n")
    before = built.read_bytes()
    with pytest.raises(InputError, match=r"1 clips that have no explanation .*; 6 explained clips missing"):
        ov_build_split.main([str(built), "--file", str(theirs)])
    assert built.read_bytes() == before


def test_files_without_their_record_are_refused(tmp_path: Path) -> None:
    write_explanations(tmp_path / "explanations.jsonl", ROWS)
    with pytest.raises(InputError, match=r"holds no result\.json"):
        ov_build_filter.main([str(tmp_path / "explanations.jsonl"), "--out", str(tmp_path / "kept")])
    with pytest.raises(SystemExit):
        ov_build_split.main([str(tmp_path / "explanations.jsonl"), "--test", "many"])
