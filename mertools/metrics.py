"""Pure functions from labels and predictions to scores.

Labels are class numbers of a LabelSet. All scores are fractions. The challenge ranks by the weighted average F1 (WAF)
and reports accuracy beside it (MER2024 §3.4).
"""

from __future__ import annotations

from collections.abc import Callable, Sequence

import numpy as np


def confusion_matrix(truth: np.ndarray, predicted: np.ndarray, classes: int) -> np.ndarray:
    """Counts (classes, classes): rows are true classes, columns predicted ones. Both inputs are (N,) class numbers."""
    cells = np.asarray(truth, dtype=np.int64) * classes + np.asarray(predicted, dtype=np.int64)
    return np.bincount(cells, minlength=classes * classes).reshape(classes, classes)


def class_f1(confusion: np.ndarray) -> np.ndarray:
    """F1 of each class, (..., C, C) to (..., C); 0 for a class that is neither true nor predicted."""
    correct = np.diagonal(confusion, axis1=-2, axis2=-1)
    either = confusion.sum(axis=-1) + confusion.sum(axis=-2)
    return ratio(2 * correct, either)


def waf(confusion: np.ndarray) -> np.ndarray:
    """Weighted average F1: class F1 weighted by the true classes' counts; (..., C, C) to (...)."""
    support = confusion.sum(axis=-1)
    return ratio((class_f1(confusion) * support).sum(axis=-1), support.sum(axis=-1))


def acc(confusion: np.ndarray) -> np.ndarray:
    """Accuracy; (..., C, C) to (...)."""
    return ratio(np.trace(confusion, axis1=-2, axis2=-1), confusion.sum(axis=(-2, -1)))


def uar(confusion: np.ndarray) -> np.ndarray:
    """Unweighted average recall over the classes that occur; (..., C, C) to (...)."""
    support = confusion.sum(axis=-1)
    recall = ratio(np.diagonal(confusion, axis1=-2, axis2=-1), support)
    return ratio(recall.sum(axis=-1), (support > 0).sum(axis=-1))


METRICS: dict[str, Callable[[np.ndarray], np.ndarray]] = {"waf": waf, "acc": acc, "uar": uar}


def metric_names(labels: Sequence[str]) -> tuple[str, ...]:
    """The metrics of a classifier of `labels`: those of METRICS, then the F1 of each class as `f1_<class>`."""
    return (*METRICS, *(f"f1_{label}" for label in labels))


def all_scores(confusion: np.ndarray) -> np.ndarray:
    """Every metric at once, in the order of `metric_names`; (..., C, C) to (..., M)."""
    summaries = [score(confusion)[..., np.newaxis] for score in METRICS.values()]
    return np.concatenate([*summaries, class_f1(confusion)], axis=-1)


def ratio(numerator: np.ndarray, denominator: np.ndarray) -> np.ndarray:
    """`numerator / denominator`, 0 where the denominator is 0."""
    denominator = np.asarray(denominator)
    return np.divide(numerator, denominator, out=np.zeros(denominator.shape, dtype=float), where=denominator != 0)
