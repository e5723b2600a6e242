"""Scores of sets of labels: how well the predicted sets of clips cover the true ones, with bootstrap intervals.

What is known of a clip is its overlap, three numbers: how many classes its true and its predicted set have in common,
how many are predicted, how many are true. A measure may look at a clip in several views (the emotion wheels): overlaps
are (N, V, 3). All scores are fractions.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Sequence
from dataclasses import dataclass

import numpy as np

from mertools.bootstrap import bootstrap
from mertools.intervals import RESAMPLES, Estimate
from mertools.metrics import ratio


@dataclass(frozen=True)
class SetMeasure:
    """Names of M scores, and what gives them: sums over clips (..., V, 3) to scores (..., M).

    Summed are each clip's precision and recall, and the number of clips that count in the view.
    """

    names: tuple[str, ...]
    score: Callable[[np.ndarray], np.ndarray]


def overlap(true: Collection[str], predicted: Collection[str]) -> tuple[int, int, int]:
    """The overlap of one clip in one view: common, predicted and true classes."""
    true, predicted = set(true), set(predicted)
    return len(true & predicted), len(predicted), len(true)


def set_estimates(
    overlaps: np.ndarray, measure: SetMeasure, seed: int, resamples: int = RESAMPLES
) -> dict[str, Estimate]:
    """The scores of `measure` with their intervals from `overlaps` (N, V, 3), N at least 1.

    A clip without a true class does not count in that view; one without a predicted class has precision and recall 0.
    """
    views = overlaps.shape[1]

    def count(clips: np.ndarray) -> np.ndarray:
        return _summands(clips.reshape(-1, views, 3))

    found = bootstrap(overlaps.reshape(len(overlaps), -1), count, measure.score, None, resamples, seed, "sets")
    return {
        name: Estimate(float(found.values[m]), *found.interval(m), len(overlaps))
        for m, name in enumerate(measure.names)
    }


def _summands(overlaps: np.ndarray) -> np.ndarray:
    """Precision, recall and 1 for each clip and view, all 0 where the view has no true class; (n, V, 3) to itself."""
    common, predicted, true = np.moveaxis(overlaps, -1, 0)
    counts = true > 0
    return np.stack([counts * ratio(common, predicted), ratio(common, true), counts], axis=-1)


def _means(sums: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Mean precision and recall of each view, 0 for a view in which no clip counts; (..., V, 3) to two of (..., V)."""
    return ratio(sums[..., 0], sums[..., 2]), ratio(sums[..., 1], sums[..., 2])


def _set_level(sums: np.ndarray) -> np.ndarray:
    accuracy, recall = (mean.mean(axis=-1) for mean in _means(sums))
    return np.stack([(accuracy + recall) / 2, accuracy, recall], axis=-1)


def _wheel_level(sums: np.ndarray) -> np.ndarray:
    precision, recall = _means(sums)
    f1 = ratio(2 * precision * recall, precision + recall)
    return np.stack([score.mean(axis=-1) for score in (f1, precision, recall)], axis=-1)


def _hit_level(sums: np.ndarray) -> np.ndarray:
    m_score, hit_rate = _means(sums)
    return np.stack([hit_rate.mean(axis=-1), m_score.mean(axis=-1)], axis=-1)


SET_LEVEL = SetMeasure(("avg", "accuracy", "recall"), _set_level)
"""Set-level accuracy and recall, clip by clip and then averaged, and the mean of the two (MER2024, eq. 4 to 6)."""

WHEEL_LEVEL = SetMeasure(("f1", "precision", "recall"), _wheel_level)
"""The emotion-wheel score of MER2025 and MER2026: F1 of mean precision and mean recall, then averaged over views."""

HIT_LEVEL = SetMeasure(("hit_rate", "m_score"), _hit_level)
"""MER-UniBench's scores of corpora with one label a clip, averaged over views: whether the true class is among the
predicted ones, and one over the number of predicted candidates where it is. Predicted sets hold candidates alone."""


def overlaps_of(
    true: Sequence[Sequence[Collection[str]]], predicted: Sequence[Sequence[Collection[str]]]
) -> np.ndarray:
    """The overlaps (N, V, 3) of N clips whose true and predicted classes are given view by view."""
    return np.array(
        [[overlap(*view) for view in zip(*clip, strict=True)] for clip in zip(true, predicted, strict=True)],
        dtype=np.int64,
    )
