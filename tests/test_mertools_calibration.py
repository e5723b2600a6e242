"""The expected calibration error, on known values and against its definition."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from mertools.calibration import (
    COLDEST,
    WARMEST,
    at_temperature,
    best_temperature,
    expected_calibration_error,
)
from mertools.errors import InputError


def test_known_values() -> None:
    probabilities = np.array([[0.9, 0.1], [0.9, 0.1], [0.4, 0.6], [0.3, 0.7]])
    found = expected_calibration_error(probabilities, np.array([0, 1, 1, 1]), bins=10)
    # (0.8, 0.9]: two clips, half right; (0.5, 0.6] and (0.6, 0.7]: one each, right.
    assert found.error == pytest.approx((2 * 0.4 + 0.4 + 0.3) / 4)
    assert [(entry.clips, entry.accuracy) for entry in found.bins[5:9]] == [(1, 1), (1, 1), (0, 0), (2, 0.5)]
    assert found.bins[8].confidence == pytest.approx(0.9)


@given(st.integers(1, 80), st.integers(2, 6), st.integers(1, 20), st.integers(0, 2**32))
def test_against_the_definition(n: int, classes: int, bins: int, seed: int) -> None:
    chance = np.random.default_rng(seed)
    probabilities = chance.dirichlet(np.ones(classes), n)
    truth = chance.integers(0, classes, n)
    found = expected_calibration_error(probabilities, truth, bins)
    confidence, right = probabilities.max(axis=1), probabilities.argmax(axis=1) == truth
    error = 0.0
    for entry in found.bins:
        inside = (entry.low < confidence) & (confidence <= entry.high)
        assert entry.clips == inside.sum()
        if inside.any():
            assert entry.confidence == pytest.approx(confidence[inside].mean())
            assert entry.accuracy == pytest.approx(right[inside].mean())
            error += inside.sum() / n * abs(entry.accuracy - entry.confidence)
    assert found.error == pytest.approx(error) and 0 <= found.error <= 1
    assert (found.bins[0].low, found.bins[-1].high, len(found.bins)) == (0, 1, bins)


def test_certain_and_right_is_calibrated() -> None:
    assert expected_calibration_error(np.eye(3), np.arange(3)).error == 0
    assert expected_calibration_error(np.eye(3), np.array([1, 2, 0])).error == 1


@pytest.mark.parametrize(
    ("probabilities", "message"),
    [
        (np.empty((0, 2)), "at least one clip"),
        (np.array([[1.5, -0.5]]), r"got -0.5 to 1.5"),
        (np.array([[np.nan, 0.5]]), "within 0 and 1"),
    ],
)
def test_what_is_no_probability_is_refused(probabilities: np.ndarray, message: str) -> None:
    with pytest.raises(InputError, match=message):
        expected_calibration_error(probabilities, np.zeros(len(probabilities), dtype=np.int64))


def test_the_temperature_undoes_what_made_probabilities_too_sure() -> None:
    rng = np.random.default_rng(0)
    honest = rng.dirichlet(np.ones(4), size=4000)
    truth = np.array([rng.choice(4, p=row) for row in honest])
    too_sure = at_temperature(honest, 1 / 3)
    temperature = best_temperature(too_sure, truth)
    assert temperature == pytest.approx(3, rel=0.1)
    before, after = (
        expected_calibration_error(p, truth).error for p in (too_sure, at_temperature(too_sure, temperature))
    )
    assert after < 0.03 < before
    assert at_temperature(too_sure, 3) == pytest.approx(honest)


def test_a_temperature_has_bounds_and_needs_clips() -> None:
    sure = np.array([[1.0, 0.0], [0.0, 1.0]])
    assert best_temperature(np.array([[0.9, 0.1]]), np.array([0])) == pytest.approx(COLDEST)
    assert best_temperature(sure, np.array([1, 0])) == pytest.approx(WARMEST)
    with pytest.raises(InputError, match="at least one clip with a label"):
        best_temperature(np.empty((0, 2)), np.array([], dtype=int))
