"""Krippendorff's alpha, held against the worked example of its author and against what agreement means."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from mertools.agreement import LEVELS, krippendorff_alpha

_ = np.nan
WORKED_EXAMPLE = np.array(
    [
        [1, 2, 3, 3, 2, 1, 4, 1, 2, _, _, _],
        [1, 2, 3, 3, 2, 2, 4, 1, 2, 5, _, 3],
        [_, 3, 3, 3, 2, 3, 4, 2, 2, 5, 1, _],
        [1, 2, 3, 3, 2, 4, 4, 1, 2, 5, 1, _],
    ]
)
"""Four observers, twelve units (Krippendorff, "Computing Krippendorff's Alpha-Reliability", section C)."""

EVERY_LEVEL = pytest.mark.parametrize("level", LEVELS)
CHOICES = arrays(float, st.tuples(st.integers(2, 5), st.integers(1, 8)), elements=st.sampled_from([1.0, 2, 3, 4, _]))


@pytest.mark.parametrize(("level", "alpha"), [("nominal", 0.743), ("ordinal", 0.815), ("interval", 0.849)])
def test_the_worked_example(level: str, alpha: float) -> None:
    assert round(krippendorff_alpha(WORKED_EXAMPLE, level), 3) == alpha


@EVERY_LEVEL
def test_people_of_one_mind_agree_perfectly(level: str) -> None:
    assert krippendorff_alpha(np.array([[1.0, 2, 3, 4]] * 3), level) == 1


@EVERY_LEVEL
@pytest.mark.parametrize(
    "choices",
    [
        [[1, 2, 3]],
        [[1, _, 3], [_, 2, _]],
        [[2, 2, 2], [2, 2, 2]],
        # Only the first thing was judged by both.
        [[1, 2, _], [1, _, 3]],
        [[_, _], [_, _]],
    ],
    ids=["one person", "no thing judged twice", "one choice", "one choice where two judged", "nobody answered"],
)
def test_where_nothing_can_be_told_there_is_no_number(choices: list[list[float]], level: str) -> None:
    assert krippendorff_alpha(np.array(choices, dtype=float), level) is None


@EVERY_LEVEL
@given(choices=CHOICES, seed=st.integers(0, 9))
def test_neither_the_order_of_people_nor_that_of_things_matters(choices: np.ndarray, level: str, seed: int) -> None:
    rng = np.random.default_rng(seed)
    shuffled = rng.permutation(rng.permutation(choices, axis=0), axis=1)
    assert krippendorff_alpha(shuffled, level) == pytest.approx(krippendorff_alpha(choices, level))


@given(choices=CHOICES)
def test_it_is_never_more_than_one(choices: np.ndarray) -> None:
    for level in LEVELS:
        alpha = krippendorff_alpha(choices, level)
        assert alpha is None or alpha <= 1
