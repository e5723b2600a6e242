"""The papers' numbers as a report reads them."""

from __future__ import annotations

from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mertools.report.reference import PrintedScore, parse_score, read_table

HUNDREDTHS = st.integers(0, 10_000).map(lambda hundredths: hundredths / 100)


@pytest.mark.parametrize(
    ("cell", "score"),
    [
        ("52.86±0.23", PrintedScore(52.86, 0.23)),
        ("49.59", PrintedScore(49.59, None)),
        ("05.87", PrintedScore(5.87)),
        ("10.0", PrintedScore(10.0)),
        ("0.00±0.00", PrintedScore(0.0, 0.0)),
    ],
)
def test_a_printed_score(cell: str, score: PrintedScore) -> None:
    assert parse_score(cell) == score


@given(value=HUNDREDTHS, std=st.none() | HUNDREDTHS)
def test_a_score_survives_printing(value: float, std: float | None) -> None:
    cell = f"{value:.2f}" + ("" if std is None else f"±{std:.2f}")
    assert parse_score(cell) == PrintedScore(value, std)


@pytest.mark.parametrize("cell", ["", "–", "115,595", "1169/115595", "52.86±", "±0.23", "52.86 ± 0.23", "Top1"])
def test_what_is_no_score_is_refused(cell: str) -> None:
    with pytest.raises(ValueError, match="no printed score"):
        parse_score(cell)


def test_rows_come_in_the_printed_order() -> None:
    first, *_, last = read_table("mer2024-table4")
    assert (first["feature"], first["train_val_waf"], first["average_waf"]) == ("videomae-base", "52.86±0.23", "49.59")
    assert (last["feature"], last["modality"], last["average_acc"]) == ("baichuan-13b", "text", "54.39")


def test_without_the_folder_nothing_is_known(tmp_path: Path) -> None:
    assert read_table("mer2024-table4", tmp_path / "absent") == []


def test_a_table_that_no_paper_has_is_our_fault(tmp_path: Path) -> None:
    with pytest.raises(FileNotFoundError):
        read_table("mer2024-table99", tmp_path)
