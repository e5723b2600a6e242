"""Resamples against what is known in closed form."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from mertools.bootstrap import Bootstrap, bootstrap


def share_of_ones(
    clips: np.ndarray, folds: np.ndarray | None = None, resamples: int = 4000, seed: int = 0
) -> Bootstrap:
    """The bootstrap of the share of ones among `clips` (N,)."""
    return bootstrap(
        clips[:, np.newaxis],
        lambda rows: np.eye(2)[rows[:, 0]],
        lambda counts: counts[..., 1:] / counts.sum(axis=-1, keepdims=True),
        folds,
        resamples,
        seed,
        "test",
    )


def test_a_share_has_the_spread_and_the_skewness_of_its_binomial() -> None:
    clips = (np.arange(80) < 16).astype(np.int64)
    found = share_of_ones(clips)
    assert found.values == pytest.approx([0.2])
    assert found.drawn.mean() == pytest.approx(0.2, abs=0.003)
    assert found.drawn.std() == pytest.approx((0.2 * 0.8 / 80) ** 0.5, rel=0.05)
    skewness = (1 - 2 * 0.2) / (0.2 * 0.8) ** 0.5
    assert found.acceleration == pytest.approx([skewness / 6 / 80**0.5])


def test_the_interval_of_a_skewed_score_leans_to_its_longer_side() -> None:
    found = share_of_ones((np.arange(80) < 16).astype(np.int64))
    percentile = np.quantile(found.drawn[:, 0], [0.025, 0.975])
    low, high = found.interval(0)
    assert low >= percentile[0] and high >= percentile[1] and (low, high) != tuple(percentile)
    even = share_of_ones((np.arange(80) < 40).astype(np.int64))
    assert even.interval(0) == pytest.approx(np.quantile(even.drawn[:, 0], [0.025, 0.975]))


def test_clips_are_drawn_within_their_fold() -> None:
    """In each of two folds all clips are alike: drawn again they stay what they are."""
    folds = np.arange(20) % 2
    found = share_of_ones(folds, folds, resamples=50)
    assert (found.drawn == 0.5).all() and found.interval(0) == (0.5, 0.5)
    assert share_of_ones(folds, resamples=50).drawn.std() > 0


def test_draws_depend_on_the_seed_alone() -> None:
    clips = np.arange(30) % 2
    first = share_of_ones(clips, seed=1, resamples=20)
    np.testing.assert_array_equal(first.drawn, share_of_ones(clips, seed=1, resamples=20).drawn)
    np.testing.assert_array_equal(first.drawn, share_of_ones(clips[::-1], seed=1, resamples=20).drawn)
    assert (first.drawn != share_of_ones(clips, seed=2, resamples=20).drawn).any()


@given(st.floats(-0.1, 0.1), st.floats(-1 / 6, 1 / 6), st.integers(0, 2**32))
def test_p_says_what_the_interval_says(shift: float, acceleration: float, seed: int) -> None:
    drawn = np.random.default_rng(seed).normal(shift, 0.05, size=(2000, 1))
    found = Bootstrap(np.array([shift]), drawn, np.array([acceleration]))
    low, high = found.interval(0)
    p = found.p_value(0)
    assert 0 < p <= 1
    if abs(p - 0.05) > 0.005:  # an end of the interval lies between two resamples
        assert (p < 0.05) == (not low <= 0 <= high)
