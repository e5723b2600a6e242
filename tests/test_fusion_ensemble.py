"""Ensemble selection finds complementary systems, and its nested score never sees its own fold."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from fusion.ensemble import METHODS, greedy_selection, nested_weights, soft_vote, vote
from mertools.metrics import confusion_matrix, waf

CLASSES = 3


def systems(seed: int, count: int = 4, n: int = 60) -> tuple[np.ndarray, np.ndarray]:
    """Probabilities (count, n, CLASSES) that lean towards the truth, the more the later the system; and targets."""
    chance = np.random.default_rng(seed)
    targets = chance.integers(0, CLASSES, n)
    lean = np.eye(CLASSES)[targets] * np.linspace(0, 1, count)[:, None, None]
    return lean + chance.dirichlet(np.ones(CLASSES), (count, n)), targets


def score(probabilities: np.ndarray, targets: np.ndarray) -> float:
    return float(waf(confusion_matrix(targets, probabilities.argmax(axis=1), CLASSES)))


@given(st.integers(0, 2**32), st.integers(1, 5))
def test_selection_is_at_least_as_good_as_the_best_system(seed: int, count: int) -> None:
    probabilities, targets = systems(seed, count)
    weights = greedy_selection(probabilities, targets)
    assert weights.shape == (count,) and (weights >= 0).all() and weights.sum() == pytest.approx(1)
    # Rounding may part what was tied in the sum that selection saw.
    assert score(vote(weights, probabilities), targets) >= max(score(one, targets) for one in probabilities) - 0.05


def test_selection_joins_systems_that_know_different_things() -> None:
    """Each of two systems knows half of the clips; the third is a coin."""
    chance = np.random.default_rng(0)
    targets = chance.integers(0, CLASSES, 200)
    truth, coin = np.eye(CLASSES)[targets], chance.dirichlet(np.ones(CLASSES), (3, 200))
    knows = np.array([np.arange(200) < 100, np.arange(200) >= 100, np.zeros(200, dtype=bool)])
    probabilities = np.where(knows[:, :, None], truth, np.full(CLASSES, 1 / 3) + 0.05 * coin)
    weights = greedy_selection(probabilities, targets)
    assert weights[:2] == pytest.approx([0.5, 0.5]) and weights[2] == 0
    assert score(vote(weights, probabilities), targets) == 1


def test_a_better_system_weighs_more() -> None:
    probabilities, targets = systems(0)
    weights = greedy_selection(probabilities, targets)
    assert weights.argmax() == 3
    assert soft_vote(probabilities, targets) == pytest.approx([0.25] * 4)


@pytest.mark.parametrize("method", METHODS)
def test_a_folds_weights_do_not_see_its_labels(method: str) -> None:
    probabilities, targets = systems(1)
    folds = np.arange(len(targets)) % 3
    weights = nested_weights(METHODS[method], probabilities, targets, folds)
    lies = np.where(folds == 2, (targets + 1) % CLASSES, targets)
    told_lies = nested_weights(METHODS[method], probabilities, lies, folds)
    np.testing.assert_array_equal(weights[2], told_lies[2])
    assert weights.shape == (3, 4)


def test_chance_is_not_taken_for_skill() -> None:
    """Twenty systems that know nothing: chosen and scored on the same clips they look good, nested they do not."""
    chance = np.random.default_rng(0)
    targets, folds = chance.integers(0, CLASSES, 150), np.arange(150) % 5
    probabilities = chance.dirichlet(np.ones(CLASSES), (20, 150))
    fooled = score(vote(greedy_selection(probabilities, targets), probabilities), targets)
    weights = nested_weights(greedy_selection, probabilities, targets, folds)
    honest = score(vote(weights[folds], probabilities), targets)
    assert fooled > 0.45 and honest < 0.42


def test_votes_are_means() -> None:
    values = np.arange(12.0).reshape(2, 3, 2)
    np.testing.assert_allclose(vote(np.array([0.25, 0.75]), values), 0.25 * values[0] + 0.75 * values[1])
    by_clip = np.array([[1, 0], [0, 1], [0.5, 0.5]])
    np.testing.assert_allclose(vote(by_clip, values)[:2], [values[0, 0], values[1, 1]])
