"""Scores agree with scikit-learn; intervals contain what they should."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from sklearn.metrics import accuracy_score, f1_score, recall_score

from mertools.metrics import METRICS, acc, class_f1, confusion_matrix, estimate, uar, waf

CLASSES = 6
labelled = st.lists(st.tuples(st.integers(0, CLASSES - 1), st.integers(0, CLASSES - 1)), min_size=1, max_size=60)


@given(labelled)
def test_scores_agree_with_scikit_learn(pairs: list[tuple[int, int]]) -> None:
    truth, predicted = np.array(pairs).T
    confusion = confusion_matrix(truth, predicted, CLASSES)
    f1 = f1_score(truth, predicted, labels=range(CLASSES), average=None, zero_division=0)
    np.testing.assert_allclose(class_f1(confusion), f1, atol=1e-12)
    weighted = f1_score(truth, predicted, average="weighted", zero_division=0)
    assert waf(confusion) == pytest.approx(weighted, abs=1e-12)
    assert acc(confusion) == pytest.approx(accuracy_score(truth, predicted), abs=1e-12)
    recall = recall_score(truth, predicted, labels=np.unique(truth), average="macro", zero_division=0)
    assert uar(confusion) == pytest.approx(recall, abs=1e-12)


def test_majority_class_baseline_of_the_challenge() -> None:
    """Train&Val of MER2024 has 5,030 clips, 1,248 of them neutral: always `neutral` scores WAF 9.86, ACC 24.81."""
    truth = np.repeat(np.arange(6), [1248, 1208, 1038, 730, 616, 190])
    confusion = confusion_matrix(truth, np.zeros_like(truth), 6)
    assert round(100 * float(waf(confusion)), 2) == 9.86
    assert round(100 * float(acc(confusion)), 2) == 24.81


@given(labelled, st.sampled_from(sorted(METRICS)))
def test_an_interval_holds_its_value_and_repeats(pairs: list[tuple[int, int]], metric: str) -> None:
    truth, predicted = np.array(pairs).T
    first = estimate(metric, truth, predicted, CLASSES, seed=0, resamples=50)
    assert 0 <= first.low <= first.high <= 1
    assert first == estimate(metric, truth, predicted, CLASSES, seed=0, resamples=50)
    if (truth == predicted).all():
        assert (first.value, first.low, first.high) == (1, 1, 1)


def test_with_folds_the_value_is_the_mean_of_the_folds_scores() -> None:
    truth, predicted = np.array([0, 0, 1, 1, 0, 1]), np.array([0, 0, 1, 1, 1, 0])
    folds = np.array([0, 0, 0, 0, 1, 1])
    assert estimate("acc", truth, predicted, 2, seed=0, folds=folds).value == pytest.approx((1 + 0) / 2)
    assert estimate("acc", truth, predicted, 2, seed=0).value == pytest.approx(4 / 6)


def test_the_interval_narrows_with_more_clips() -> None:
    rng = np.random.default_rng(0)
    widths = []
    for n in (50, 5000):
        truth = rng.integers(0, 3, n)
        predicted = np.where(rng.random(n) < 0.7, truth, rng.integers(0, 3, n))
        score = estimate("waf", truth, predicted, 3, seed=0)
        assert score.low < score.value < score.high
        widths.append(score.high - score.low)
    assert widths[1] < widths[0] / 5
