"""Scores of sets of labels: pencil results, bounds, and what must not matter."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from mertools.set_metrics import HIT_LEVEL, SET_LEVEL, WHEEL_LEVEL, SetMeasure, overlap, overlaps_of, set_estimates

CLASSES = st.lists(st.sampled_from("abcdef"), max_size=6)
CLIPS = st.lists(st.tuples(CLASSES, CLASSES), min_size=1, max_size=8)


def scores(clips: list, measure: SetMeasure = SET_LEVEL, views: int = 1) -> dict[str, float]:
    """The scores of clips given as (true, predicted), the same in each view."""
    overlaps = overlaps_of([[true] * views for true, _ in clips], [[predicted] * views for _, predicted in clips])
    return {name: found.value for name, found in set_estimates(overlaps, measure, 0, resamples=20).items()}


def test_by_pencil() -> None:
    clips = [
        (["a", "b"], ["a", "c", "d"]),  # 1 of 3 predicted, 1 of 2 true
        (["a"], []),  # nothing predicted: 0 and 0
        (["a", "b", "c"], ["c", "c", "b"]),  # a duplicate counts once: 2 of 2, 2 of 3
        ([], ["a"]),  # nothing true: does not count
    ]
    accuracy, recall = (1 / 3 + 0 + 1) / 3, (1 / 2 + 0 + 2 / 3) / 3
    assert scores(clips) == pytest.approx({"avg": (accuracy + recall) / 2, "accuracy": accuracy, "recall": recall})
    wheel = {"f1": 2 * accuracy * recall / (accuracy + recall), "precision": accuracy, "recall": recall}
    assert scores(clips, WHEEL_LEVEL, views=3) == pytest.approx(wheel)


def test_the_wheels_f1_is_of_each_views_means() -> None:
    """Two views, of which the second knows no true class of the second clip."""
    overlaps = np.array([[[1, 2, 1], [1, 1, 1]], [[0, 1, 2], [0, 1, 0]]])
    found = set_estimates(overlaps, WHEEL_LEVEL, 0, resamples=20)
    first = 2 * 0.25 * 0.5 / 0.75
    assert found["f1"].value == pytest.approx((first + 1) / 2)
    assert found["precision"].value == pytest.approx((0.25 + 1) / 2)
    assert found["recall"].value == pytest.approx((0.5 + 1) / 2)


def test_hit_rate_and_its_share_of_candidates() -> None:
    found = scores([(["a"], ["a", "b"]), (["a"], ["b"]), (["a"], ["a"]), ([], ["a"])], HIT_LEVEL)
    assert found == pytest.approx({"hit_rate": 2 / 3, "m_score": (1 / 2 + 0 + 1) / 3})


@pytest.mark.parametrize("measure", [SET_LEVEL, WHEEL_LEVEL, HIT_LEVEL], ids=lambda measure: measure.names[0])
def test_nothing_predicted_or_nothing_in_common_is_zero(measure: SetMeasure) -> None:
    for clips in ([(["a"], [])], [(["a"], ["b"])], [([], [])]):
        assert set(scores(clips, measure, views=2).values()) == {0.0}


def test_intervals_hold_their_mean() -> None:
    chance = np.random.default_rng(0)
    clips = [(chance.choice(list("abcd"), 2), chance.choice(list("abcd"), 2)) for _ in range(200)]
    overlaps = overlaps_of([[true] for true, _ in clips], [[predicted] for _, predicted in clips])
    for found in set_estimates(overlaps, SET_LEVEL, seed=0).values():
        assert found.low < found.value < found.high and found.high - found.low < 0.2 and found.n == 200
    # A mean of 200 clips: the interval is about that of the normal distribution.
    accuracy = overlaps[:, 0, 0] / overlaps[:, 0, 1]
    half = 1.96 * accuracy.std() / np.sqrt(200)
    found = set_estimates(overlaps, SET_LEVEL, seed=0)["accuracy"]
    assert (found.high - found.low) / 2 == pytest.approx(half, rel=0.1)


@settings(deadline=None)
@given(CLIPS, st.randoms(use_true_random=False))
def test_order_and_duplicates_play_no_part_and_scores_are_fractions(clips: list, chance) -> None:
    shuffled = [(chance.sample(true + true, 2 * len(true)), predicted[::-1] + predicted) for true, predicted in clips]
    for measure in (SET_LEVEL, WHEEL_LEVEL, HIT_LEVEL):
        found = scores(clips, measure, views=2)
        assert found == pytest.approx(scores(shuffled, measure, views=2))
        assert found == pytest.approx(scores(clips[::-1], measure, views=2))
        assert all(0 <= value <= 1 for value in found.values())


@settings(deadline=None)
@given(st.lists(CLASSES.filter(bool), min_size=1, max_size=8))
def test_truth_against_itself_is_one(truth: list) -> None:
    for measure in (SET_LEVEL, WHEEL_LEVEL):
        assert set(scores([(true, true) for true in truth], measure).values()) == {1.0}


@given(CLASSES, CLASSES)
def test_overlap_is_symmetric(true: list, predicted: list) -> None:
    common, of_predicted, of_true = overlap(true, predicted)
    assert overlap(predicted, true) == (common, of_true, of_predicted)
