"""Scores agree with scikit-learn."""

from __future__ import annotations

import numpy as np
import pytest
from sklearn.metrics import precision_recall_fscore_support

from mertools.metrics import METRICS, acc, all_scores, class_f1, confusion_matrix, metric_names, uar, waf


def test_scores_agree_with_scikit_learn() -> None:
    """A thousand corpora of up to 8 classes, many of which are never true, never predicted, or neither."""
    chance = np.random.default_rng(0)
    for _ in range(1000):
        classes, n = int(chance.integers(2, 9)), int(chance.integers(1, 200))
        occurring, guessed = (chance.choice(classes, chance.integers(1, classes + 1)) for _ in range(2))
        truth = chance.choice(occurring, n)
        predicted = np.where(chance.random(n) < chance.random(), truth, chance.choice(guessed, n))
        confusion = confusion_matrix(truth, predicted, classes)
        options = {"labels": range(classes), "zero_division": 0}
        _, recall, f1, support = precision_recall_fscore_support(truth, predicted, **options)
        np.testing.assert_allclose(class_f1(confusion), f1, rtol=0, atol=1e-12)
        assert uar(confusion) == pytest.approx(recall[support > 0].mean(), abs=1e-12)
        # The weighted recall is the accuracy.
        _, accuracy, weighted, _ = precision_recall_fscore_support(truth, predicted, average="weighted", **options)
        assert waf(confusion) == pytest.approx(weighted, abs=1e-12)
        assert acc(confusion) == pytest.approx(accuracy, abs=1e-12)


def test_majority_class_baseline_of_the_challenge() -> None:
    """Train&Val of MER2024 has 5,030 clips, 1,248 of them neutral: always `neutral` scores WAF 9.86, ACC 24.81."""
    truth = np.repeat(np.arange(6), [1248, 1208, 1038, 730, 616, 190])
    confusion = confusion_matrix(truth, np.zeros_like(truth), 6)
    assert round(100 * float(waf(confusion)), 2) == 9.86
    assert round(100 * float(acc(confusion)), 2) == 24.81


def test_all_scores_are_the_single_ones_by_name() -> None:
    confusions = np.random.default_rng(0).integers(0, 9, size=(5, 3, 3))
    labels = ("neutral", "angry", "happy")
    named = dict(zip(metric_names(labels), all_scores(confusions).T, strict=True))
    assert list(named) == ["waf", "acc", "uar", "f1_neutral", "f1_angry", "f1_happy"]
    for metric, score in METRICS.items():
        np.testing.assert_array_equal(named[metric], score(confusions))
    np.testing.assert_array_equal(named["f1_angry"], class_f1(confusions)[:, 1])
