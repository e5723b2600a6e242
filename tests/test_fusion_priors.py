"""Class frequencies of a pool without labels."""

from __future__ import annotations

import numpy as np
import pytest

from fusion.priors import adjusted, black_box_priors, class_frequencies, em_priors
from mertools.errors import InputError

CLASSES, CLIPS, CASES = 6, 2000, 200
CENTRES = 1.6 * np.random.default_rng(1).normal(size=(CLASSES, 4))


def drawn(rng: np.random.Generator, priors: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Clips of classes as frequent as `priors`: the classes, and what an ideal classifier of equal priors says."""
    truth = rng.choice(CLASSES, size=CLIPS, p=priors)
    points = CENTRES[truth] + rng.normal(size=(CLIPS, CENTRES.shape[1]))
    distances = ((points[:, None] - CENTRES) ** 2).sum(axis=2)
    return truth, np.exp(-distances / 2) / np.exp(-distances / 2).sum(axis=1, keepdims=True)


def test_simulated_shifts_are_found() -> None:
    rng = np.random.default_rng(0)
    equal = np.full(CLASSES, 1 / CLASSES)
    truth, held_out = drawn(rng, equal)
    assert 0.6 < (held_out.argmax(axis=1) == truth).mean() < 0.95, "a task neither trivial nor hopeless"
    errors, naive = {"bbse": [], "em": []}, []
    for _ in range(CASES):
        priors = rng.dirichlet(np.ones(CLASSES))
        pool_truth, pool = drawn(rng, priors)
        real = class_frequencies(pool_truth, CLASSES)
        errors["bbse"].append(np.abs(black_box_priors(held_out, truth, pool) - real).mean())
        errors["em"].append(np.abs(em_priors(pool, equal) - real).mean())
        naive.append(np.abs(pool.mean(axis=0) - real).mean())
    for name, found in errors.items():
        assert max(found) < 0.05, f"{name}: also the worst of the cases"
        assert np.mean(found) < np.mean(naive) / 2, f"{name}: better than the mean answer"


def test_adjusted_probabilities_are_those_of_the_other_priors() -> None:
    priors = np.array([0.5, 0.3, 0.1, 0.05, 0.03, 0.02])
    truth, pool = drawn(np.random.default_rng(2), priors)
    equal = np.full(CLASSES, 1 / CLASSES)
    shifted = adjusted(pool, equal, priors)
    assert shifted.sum(axis=1) == pytest.approx(1)
    assert (shifted.argmax(axis=1) == truth).mean() > (pool.argmax(axis=1) == truth).mean()
    assert adjusted(shifted, priors, equal) == pytest.approx(pool, abs=1e-6)


def test_a_class_that_nobody_showed_stays_at_zero() -> None:
    pool = np.array([[0.9, 0.1, 0.0], [0.2, 0.8, 0.0]])
    assert em_priors(pool, np.array([0.5, 0.5, 0.0]))[2] == 0
    assert black_box_priors(pool, np.array([0, 1]), pool) == pytest.approx([0.5, 0.5, 0])


def test_an_empty_pool_is_refused() -> None:
    for estimate in (lambda: em_priors(np.empty((0, 2)), np.ones(2)), lambda: black_box_priors(*_nothing())):
        with pytest.raises(InputError, match="at least one clip in the pool, got none"):
            estimate()


def _nothing() -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    return np.array([[1.0, 0.0]]), np.array([0]), np.empty((0, 2))
