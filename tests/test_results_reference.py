"""The papers' tables in results/reference/, held against the papers' text cell for cell."""

from __future__ import annotations

import os
import re
from dataclasses import dataclass
from decimal import Decimal
from pathlib import Path

import pytest

from feature_extractors.catalog import CATALOG
from mertools.report.reference import FOLDER, read_table

TABLES = {
    "mer2024": (1, 4, 5, 6),
    "affectgpt": (1, 2, 3, 4, 6, 7, 8),
    "microemo": (1, 2),
    "emer": (1, 2),
}
NAMES = [f"{paper}-table{number}" for paper, numbers in TABLES.items() for number in numbers]
EVERY_TABLE = pytest.mark.parametrize("name", NAMES)

HEADS = {
    "Feature": "label",
    "# Top": "label",
    "Model": "model",
    "Models": "model",
    "L": "l",
    "V": "v",
    "A": "a",
    "Avg": "avg",
    "Train&Val": "train_val",
    "MER-SEMI": "mer_semi",
    "MER-NOISE": "mer_noise",
    "Average": "average",
    "WAF (↑)": "waf",
    "ACC (↑)": "acc",
    "English": "english",
    "Chinese": "chinese",
    "Translate": "translate",
    "Disambiguate": "disambiguate",
    "Dataset": "dataset",
    "Split": "split",
    "# of samples": "samples",
    "Stage1": "stage1",
    "Stage2": "stage2",
    "Pretrained Weights": "pretrained_weights",
    "Random Weights": "random_weights",
    "MER2023": "mer2023",
    "MER2024": "mer2024",
    "Clue Overlap": "clue_overlap",
    "Label Overlap": "label_overlap",
    "Human Evaluate": "human_evaluate",
    **dict.fromkeys(("Accuracy _s", "Accuracy <sub>S</sub>", "$Accuracy_S$"), "accuracy_s"),
    **dict.fromkeys(("Recall _s", "Recalls _s", "$Recall_S$"), "recall_s"),
}
"""The printed heads, as the text has them, and what the columns are called."""

OURS = ("modality", "feature", "modalities", "top", "erratum")
"""Columns that no paper prints."""

AVERAGES = {
    "avg": ("accuracy_s", "recall_s"),
    "average_waf": ("train_val_waf", "mer_semi_waf", "mer_noise_waf"),
    "average_acc": ("train_val_acc", "mer_semi_acc", "mer_noise_acc"),
}
"""By the end of a printed average's column, what it is the mean of (MER2024, equation 6 and Table 4)."""


@pytest.fixture(scope="session")
def papers_folder() -> Path:
    """The folder of the papers' text named by MERTOOLS_PAPERS; tests that need it skip without it."""
    folder = os.environ.get("MERTOOLS_PAPERS")
    if not folder:
        pytest.skip("MERTOOLS_PAPERS is not set: no papers to hold the tables against")
    return Path(folder)


@dataclass(frozen=True)
class Printed:
    """A table as its paper prints it: heads in one or two lines, rows between headings that span the table."""

    columns: list[str]
    rows: list[dict[str, str]]


def printed_table(text: str, number: int) -> Printed:
    """Table `number` of a paper: the lines of cells, parted by tabs, that follow its caption."""
    block = re.search(rf"^Table {number}: [^\n]*\n\n((?:[^\n]*\t[^\n]*(?:\n|\Z))+)", text, re.MULTILINE)[1]
    lines = [[cell.strip() for cell in line.split("\t")] for line in block.splitlines()]
    first, *rest = lines
    # Heads under heads: their line begins with the place below the first head.
    second = rest.pop(0) if rest[0][0] == "" else [""] * len(first)
    columns = heads(first, second)
    rows, group, above = [], None, ""
    for cells in rest:
        if len(columns) > 2 and not any(cells[1:]):
            group = cells[0]
            continue
        parts = [part for cell, head in zip(cells, first, strict=True) for part in split_like(head, cell)]
        assert not any(parts[len(columns) :])
        # A cell over several rows stands in the first of them.
        above = parts[0] = parts[0] or above
        row = dict(zip(columns, parts, strict=False))
        rows.append(row if group is None else {"group": group, **row})
    return Printed(columns if group is None else ["group", *columns], rows)


def heads(first: list[str], second: list[str]) -> list[str]:
    """The columns' names from one or two lines of heads; a head of the first spans the empty places after it."""
    columns, span = [], ""
    for upper, lower in zip(first, second, strict=True):
        span = upper or span
        if lower:
            columns.append(f"{HEADS[span]}_{HEADS[lower]}")
        elif upper == "# of samples (labeled/whole)":
            columns.append(f"{columns[-1]}_samples")
        else:
            columns += [HEADS[part] for part in split_like(upper, upper)] if upper else []
    return columns


def split_like(head: str, cell: str) -> list[str]:
    """The cells of a place: three where the text has run the columns L, V and A together."""
    return cell.split(" ") if head == "L V A" and cell else [cell]


@EVERY_TABLE
def test_every_printed_cell_is_in_its_place_and_no_other(name: str, papers_folder: Path) -> None:
    paper, number = name.split("-table")
    printed = printed_table((papers_folder / f"{paper}.txt").read_text(encoding="utf-8"), int(number))
    ours = [{column: cell for column, cell in row.items() if column not in OURS} for row in read_table(name)]
    assert [list(row) for row in ours] == [printed.columns] * len(ours)
    assert ours == printed.rows


def test_the_text_is_read_right(papers_folder: Path) -> None:
    """Cells looked up by hand, so that a slip of the parser is not taken for what is printed."""
    mer2024 = (papers_folder / "mer2024.txt").read_text(encoding="utf-8")
    last = printed_table(mer2024, 4).rows[-1]
    assert last["group"] == "Lexical Modality" and last["label"] == "Baichuan-13B [31]"
    assert (last["train_val_waf"], last["mer_noise_acc"], last["average_acc"]) == ("54.86±0.12", "51.90±0.21", "54.39")
    affectgpt = (papers_folder / "affectgpt.txt").read_text(encoding="utf-8")
    last = printed_table(affectgpt, 8).rows[-1]
    assert (last["model"], last["l"], last["v"], last["a"]) == ("EMER (Multi)", "✓", "✓", "✓")
    assert (last["english_avg"], last["chinese_recall_s"]) == ("79.31±0.19", "87.20±0.00")
    assert printed_table(affectgpt, 3).rows[2] == {"dataset": "EMER-Fine", "split": "test", "samples": "66"}


def test_the_folder_holds_these_tables() -> None:
    assert sorted(path.stem for path in FOLDER.glob("*.csv")) == sorted(NAMES)
    assert [len(read_table(name)) for name in NAMES] == [4, 36, 24, 17, 22, 5, 4, 6, 21, 21, 21, 23, 4, 7, 11]


@EVERY_TABLE
def test_errata_are_the_averages_that_contradict_their_parts(name: str) -> None:
    """Printed to two places, an average is off its printed parts' mean by a hundredth at the most."""
    for row in read_table(name):
        errata = []
        for column in row:
            for average, parts in AVERAGES.items():
                if column == average or column.endswith(f"_{average}"):
                    prefix = column.removesuffix(average)
                    mean = sum(number(row[prefix + part]) for part in parts) / len(parts)
                    if abs(mean - number(row[column])) > Decimal("0.01"):
                        errata.append(f"{column}: mean of parts {mean:.3f}")
        assert row["erratum"] == "; ".join(errata), row


def number(cell: str) -> Decimal:
    return Decimal(cell.partition("±")[0])


def test_unimodal_rows_are_those_of_the_catalog() -> None:
    rows = read_table("mer2024-table4")
    assert len({row["feature"] for row in rows}) == 36
    for row in rows:
        card = CATALOG[row["feature"]]
        assert re.sub(r" \[\d+\]$", "", row["label"]) == card.label
        assert row["modality"] == card.modality


def test_multimodal_rows_are_every_combination_and_top() -> None:
    rows = read_table("mer2024-table5")
    assert [(row["modalities"], int(row["top"])) for row in rows] == [
        (modalities, top) for modalities in ("AV", "AT", "VT", "AVT") for top in range(1, 7)
    ]
    for row in rows:
        assert (row["group"], row["label"]) == ("+".join(row["modalities"]), f"Top{row['top']}")
