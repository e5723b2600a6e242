"""The papers' tables of labels: every row of every table, in both languages."""

from __future__ import annotations

import pytest

from mertools.report.printed_labels import METRICS, TABLES, PrintedLabels

ROWS = {
    "mer2024-table6": 17,
    "affectgpt-table1": 22,
    "affectgpt-table2": 5,
    "affectgpt-table6": 21,
    "affectgpt-table7": 21,
    "affectgpt-table8": 21,
}


@pytest.mark.parametrize("name", TABLES)
def test_every_row_has_a_name_and_its_scores(name: str) -> None:
    for language in ("en", "zh") if TABLES[name].bilingual else ("en",):
        rows = list(PrintedLabels(name, language).rows(list(METRICS)))
        assert len(rows) == len({what for what, _ in rows}) == ROWS[name]
        assert all(len(scores) == 3 for _, scores in rows)


def test_languages_are_other_columns() -> None:
    of = {
        language: dict(PrintedLabels("affectgpt-table2", language).rows(["recall", "avg"])) for language in ("en", "zh")
    }
    who = "Qwen2-7B translates, GPT-3.5 disambiguates"
    assert of["en"][who] == ["66.76±0.00", "58.22±0.11"]
    assert of["zh"][who] == ["60.36±0.32", "56.65±0.27"]
