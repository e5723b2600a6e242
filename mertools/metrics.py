"""Pure functions from labels and predictions to scores, with bootstrap intervals.

Labels are class numbers of a LabelSet. All scores are fractions. The challenge ranks by the weighted average F1 (WAF)
and reports accuracy beside it (MER2024 §3.4).
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

from mertools.randomness import generator


def confusion_matrix(truth: np.ndarray, predicted: np.ndarray, classes: int) -> np.ndarray:
    """Counts (classes, classes): rows are true classes, columns predicted ones. Both inputs are (N,) class numbers."""
    cells = np.asarray(truth, dtype=np.int64) * classes + np.asarray(predicted, dtype=np.int64)
    return np.bincount(cells, minlength=classes * classes).reshape(classes, classes)


def class_f1(confusion: np.ndarray) -> np.ndarray:
    """F1 of each class, (..., C, C) to (..., C); 0 for a class that is neither true nor predicted."""
    correct = np.diagonal(confusion, axis1=-2, axis2=-1)
    either = confusion.sum(axis=-1) + confusion.sum(axis=-2)
    return _ratio(2 * correct, either)


def waf(confusion: np.ndarray) -> np.ndarray:
    """Weighted average F1: class F1 weighted by the true classes' counts; (..., C, C) to (...)."""
    support = confusion.sum(axis=-1)
    return _ratio((class_f1(confusion) * support).sum(axis=-1), support.sum(axis=-1))


def acc(confusion: np.ndarray) -> np.ndarray:
    """Accuracy; (..., C, C) to (...)."""
    return _ratio(np.trace(confusion, axis1=-2, axis2=-1), confusion.sum(axis=(-2, -1)))


def uar(confusion: np.ndarray) -> np.ndarray:
    """Unweighted average recall over the classes that occur; (..., C, C) to (...)."""
    support = confusion.sum(axis=-1)
    recall = _ratio(np.diagonal(confusion, axis1=-2, axis2=-1), support)
    return _ratio(recall.sum(axis=-1), (support > 0).sum(axis=-1))


METRICS: dict[str, Callable[[np.ndarray], np.ndarray]] = {"waf": waf, "acc": acc, "uar": uar}


@dataclass(frozen=True)
class Estimate:
    """A score with its bootstrap interval at 95 %, and the number of clips it was computed on."""

    value: float
    low: float
    high: float
    n: int


def estimate(
    metric: str,
    truth: np.ndarray,
    predicted: np.ndarray,
    classes: int,
    seed: int,
    folds: np.ndarray | None = None,
    resamples: int = 1000,
) -> Estimate:
    """The score named `metric` with a percentile bootstrap interval over clips.

    With `folds` (N,) the score is the mean of the folds' scores, as in the challenge's cross-validation, and clips are
    drawn again within each fold. `truth` and `predicted` are (N,) class numbers.
    """
    score = METRICS[metric]
    truth, predicted = np.asarray(truth), np.asarray(predicted)
    folds = np.zeros(len(truth), dtype=np.int64) if folds is None else folds
    values, resampled = [], []
    for fold in np.unique(folds):
        confusion = confusion_matrix(truth[folds == fold], predicted[folds == fold], classes)
        values.append(float(score(confusion)))
        # Drawing n clips with replacement is drawing their cells of the confusion matrix from a multinomial.
        n = int(confusion.sum())
        draws = generator(seed, "bootstrap", metric, int(fold)).multinomial(n, confusion.ravel() / n, size=resamples)
        resampled.append(score(draws.reshape(resamples, classes, classes)))
    low, high = np.quantile(np.mean(resampled, axis=0), [0.025, 0.975])
    return Estimate(float(np.mean(values)), float(low), float(high), len(truth))


def _ratio(numerator: np.ndarray, denominator: np.ndarray) -> np.ndarray:
    """`numerator / denominator`, 0 where the denominator is 0."""
    denominator = np.asarray(denominator)
    return np.divide(numerator, denominator, out=np.zeros(denominator.shape, dtype=float), where=denominator != 0)
