"""Splits of explanations: drawn alike in any order, of the size asked for, or as a file says."""

from __future__ import annotations

from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mertools.errors import InputError
from mertools.ov.explanation_splits import draw_splits, read_splits, write_splits

NAMES = [f"clip_{number:03d}" for number in range(332)]


@given(st.permutations(NAMES[:40]), st.integers(0, 9))
def test_a_split_depends_on_seed_and_names_alone(names: list[str], seed: int) -> None:
    assert draw_splits(names, 8, seed) == draw_splits(sorted(names), 8, seed)


def test_the_papers_sizes() -> None:
    for count, test in ((100, 20), (332, 66)):
        splits = draw_splits(NAMES[:count], test, seed=0)
        assert sum(split == "test" for split in splits.values()) == test and len(splits) == count
        assert splits != draw_splits(NAMES[:count], test, seed=1)
    with pytest.raises(InputError, match="100 of 100 clips cannot be the test: wanted 1 to 99"):
        draw_splits(NAMES[:100], 100, 0)


def test_a_file_is_taken(tmp_path: Path) -> None:
    splits = draw_splits(NAMES, 66, 0)
    write_splits(tmp_path / "split.csv", splits, "mertools, seed 0")
    assert read_splits(tmp_path / "split.csv", NAMES) == splits
    assert (tmp_path / "split.csv").read_text().splitlines()[1].endswith(',"mertools, seed 0"')


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("name,split\na,train\nb,test\nx,test\ny,test\n", "2 clips that have no explanation \\(first: x\\)"),
        ("name,split\na,train\n", "1 explained clips missing \\(first: b\\)"),
        ("name,split\na,train\nb,test\nb,train\n", "1 clips twice"),
        ("name,split\na,train\nb,\n", "1 clips without a split \\(first: b\\)"),
        ("clip,split\na,train\n", "lacks the column name"),
    ],
)
def test_a_file_that_cannot_be_used(tmp_path: Path, text: str, said: str) -> None:
    (tmp_path / "theirs.csv").write_text(text)
    with pytest.raises(InputError, match=said):
        read_splits(tmp_path / "theirs.csv", ["a", "b"])
    with pytest.raises(InputError, match="There is no file of splits"):
        read_splits(tmp_path / "absent.csv", ["a"])
