"""The emotion wheels: small tables in the organisers' formats, and scores by pencil."""

from __future__ import annotations

import csv
import importlib.util
from pathlib import Path

import numpy as np
import pytest

from mertools.errors import InputError
from mertools.ov.labels import OpenLabels
from mertools.ov.scoring import score
from mertools.ov.wheel import LEVELS_OF, RUNS, WHEELS, cut, read_wheels
from mertools.set_metrics import WHEEL_LEVEL

FORMATS = [("joy", "joys,joyful"), ("glad", "gladly, gladder"), ("upset", "upsetting"), ("grief", "griefs")]
SYNONYMS = {"joy": "glad", "sad": "upset,grief", "grief": "", "hurt": "upset"}
# Cells are merged: an empty one holds what stands above it.
ROWS = [("happy", "joy", "bliss"), ("", "", "glee"), ("sad", "low", "grief"), ("", "hurt", "pain"), ("", "", "grief")]
SHORT = [("happy", "joy", "bliss")]
"""Of the five wheels the first four are ROWS; the last knows joy alone."""


def write_csv(path: Path, rows: list) -> None:
    with path.open("w", encoding="utf-8", newline="") as file:
        csv.writer(file).writerows(rows)


def tables() -> dict[str, list]:
    runs = [
        [cell for run in range(1, RUNS + 1) for cell in (word, synonyms if run == 3 else "")]
        for word, synonyms in SYNONYMS.items()
    ]
    header = [column for run in range(1, RUNS + 1) for column in (f"word_run{run}", f"synonym_run{run}")]
    levels = ["level1", "level2", "level3"]
    wheels = {wheel: [levels, *(SHORT if wheel == "wheel5" else ROWS)] for wheel in WHEELS}
    return {"format": [("name", "format"), *FORMATS], "synonym": [header, *runs], **wheels}


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    for name, rows in tables().items():
        write_csv(tmp_path / f"{name}.csv", rows)
    return tmp_path


def archive(path: Path, **replaced: object) -> Path:
    """The same tables as the organisers' archive of 2026 has them: dictionaries, pickled."""
    full = {
        "level1": {
            **dict.fromkeys(("happy", "joy", "bliss", "glee"), "happy"),
            **dict.fromkeys(("sad", "low", "grief", "hurt", "pain"), "sad"),
        },
        "level2": {
            **dict.fromkeys(("happy", "joy", "bliss", "glee"), "joy"),
            **{"sad": "hurt", "low": "low", "grief": "hurt", "hurt": "hurt", "pain": "hurt"},
        },
    }
    short = {
        "level1": dict.fromkeys(("happy", "joy", "bliss"), "happy"),
        "level2": dict.fromkeys(("happy", "joy", "bliss"), "joy"),
    }
    content = {
        "format_mapping": {
            **{form: ["joy"] for form in ("joy", "joys", "joyful")},
            **{form: ["glad"] for form in ("glad", "gladly", "gladder")},
            **{form: ["upset"] for form in ("upset", "upsetting")},
            **{form: ["grief"] for form in ("grief", "griefs")},
        },
        "raw_mapping": {
            **{"joy": ["joy"], "glad": ["joy"], "upset": ["sad", "hurt"], "grief": ["sad", "grief"]},
            **{"sad": ["sad"], "hurt": ["hurt"]},
        },
        "wheel_map_whole": {wheel: short if wheel == "wheel5" else full for wheel in WHEELS},
    }
    np.savez(path, **{key: np.array(value, dtype=object) for key, value in {**content, **replaced}.items()})
    return path


TRUTH = {
    "a": ("Joyful", "griefs"),
    "b": ("upsetting",),
    "c": ("neutral",),  # in no table: the clip counts in no view
    "d": ("gladly",),
}
PREDICTED = {
    "a": OpenLabels("a", ("JOY", "glad", "lamp")),  # glad is joy; lamp is dropped
    "b": OpenLabels("b", ("grief", "joys")),
    "c": OpenLabels("c", ("joy",)),
    "d": OpenLabels("d", ()),
}


@pytest.mark.parametrize("source", ["folder", "archive"])
def test_the_scores_of_both_years_by_pencil(folder: Path, source: str) -> None:
    path = folder if source == "folder" else archive(folder / "wheel_mapping.npz")
    # Level 1, wheels 1 to 4. a: {happy} of {happy, sad}; b: {sad, happy} of {sad}; d: nothing of {happy}.
    four = f1(precision=(1 + 1 / 2 + 0) / 3, recall=(1 / 2 + 1 + 0) / 3)
    # Wheel 5 knows no grief: a: {happy} of {happy}; b counts no more; d: nothing of {happy}.
    fifth = f1(precision=1 / 2, recall=1 / 2)
    level1 = (4 * four + fifth) / 5
    assert value(path, "2026") == pytest.approx(level1)
    # Level 2: grief stands first for its own sector, hurt (the last row's), as do upset (hurt comes first) and sad.
    assert value(path, "2025") == pytest.approx(level1)


def test_the_years_differ_where_the_levels_do(folder: Path) -> None:
    """`low` and `pain` are one sector on level 1 and two on level 2."""
    write_csv(folder / "format.csv", [("name", "format"), ("low", "lowly"), ("pain", "pains")])
    write_csv(folder / "synonym.csv", [[*tables()["synonym"][0]], ["low", "", "pain", "", *[""] * (2 * RUNS - 4)]])
    truth, predicted = {"a": ("lowly",)}, {"a": OpenLabels("a", ("pains",))}
    for year, wanted in (("2026", 4 / 5), ("2025", (4 / 5 + 0) / 2)):
        found = score(truth, predicted, read_wheels(folder, LEVELS_OF[year]), WHEEL_LEVEL, 0)
        assert found.estimates["f1"].value == pytest.approx(wanted)


def f1(precision: float, recall: float) -> float:
    return 2 * precision * recall / (precision + recall)


def value(path: Path, year: str) -> float:
    found = score(TRUTH, PREDICTED, read_wheels(path, LEVELS_OF[year]), WHEEL_LEVEL, 0)
    assert found.predicted.unknown == {"lamp": 1}
    return found.estimates["f1"].value


def test_nothing_in_common_is_zero_and_no_error(folder: Path) -> None:
    for labels in ((), ("lamp",), ("grief",)):
        found = score(
            {"a": ("joy",)}, {"a": OpenLabels("a", labels)}, read_wheels(folder, LEVELS_OF["2025"]), WHEEL_LEVEL, 0
        )
        assert {estimate.value for estimate in found.estimates.values()} == {0.0}


def test_labels_are_cut_as_the_scorer_cuts_them() -> None:
    assert cut(" Happy, Sad ") == ["happy", "sad"]
    assert cut("it's") == ["it", "s"]
    assert cut("at ease") == ["at ease"] and cut(" , ") == []


@pytest.mark.skipif(importlib.util.find_spec("openpyxl") is None, reason="needs the extra wheel (openpyxl)")
def test_spreadsheets_are_read_like_csv(tmp_path: Path) -> None:
    from openpyxl import Workbook

    for name, rows in tables().items():
        if name == "format":
            write_csv(tmp_path / "format.csv", rows)
            continue
        book = Workbook()
        for row in rows:
            book.active.append([cell or None for cell in row])
        book.save(tmp_path / f"{name}.xlsx")
    other = tmp_path / "csv"
    other.mkdir()
    for name, rows in tables().items():
        write_csv(other / f"{name}.csv", rows)
    for year in ("2025", "2026"):
        assert value(tmp_path, year) == value(other, year)


def test_what_is_no_wheel_is_refused(folder: Path) -> None:
    with pytest.raises(InputError, match="There are no wheels"):
        read_wheels(folder / "absent.npz", LEVELS_OF["2026"])
    for replaced, message in (
        ({"wheel_map_whole": {"wheel1": {"level1": {}}}}, "no dictionary for wheel1, level2"),
        ({"raw_mapping": ["joy"]}, "'raw_mapping' is no dictionary"),
    ):
        with pytest.raises(InputError, match=message):
            read_wheels(archive(folder / "w.npz", **replaced), LEVELS_OF["2026"])
    np.savez(folder / "w.npz", format_mapping=np.array({}, dtype=object))
    with pytest.raises(InputError, match="no array 'raw_mapping'"):
        read_wheels(folder / "w.npz", LEVELS_OF["2026"])
    write_csv(folder / "wheel3.csv", [("level1", "level2")])
    with pytest.raises(InputError, match=r"wheel3.csv has no column 'level3'"):
        read_wheels(folder, LEVELS_OF["2025"])
    (folder / "wheel3.csv").unlink()
    with pytest.raises(InputError, match=r"neither wheel3.csv nor wheel3.xlsx"):
        read_wheels(folder, LEVELS_OF["2025"])
    (folder / "wheel3.xlsx").write_bytes(b"no spreadsheet")
    with pytest.raises(InputError, match=r"wheel3.xlsx"):
        read_wheels(folder, LEVELS_OF["2025"])
