"""Scores with bootstrap intervals: where the same classifier's score on all clips of the kind may lie."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from mertools.bootstrap import bootstrap
from mertools.metrics import all_scores, metric_names, ratio

RESAMPLES = 1000


@dataclass(frozen=True)
class Estimate:
    """A score with its bootstrap interval at 95 %, and the number of clips it was computed on."""

    value: float
    low: float
    high: float
    n: int


def mean_estimate(sums: np.ndarray, seed: int, *names: str, resamples: int = RESAMPLES) -> Estimate:
    """The mean of numbers that clips were given, with its interval over clips.

    `sums` is (N, 2), N at least 1: the sum of each clip's numbers and how many they are, so that a clip is drawn with
    all of them. Draws depend on `seed` and `names`.
    """
    found = bootstrap(sums, lambda rows: rows, _mean_of_sums, None, resamples, seed, *names)
    return Estimate(float(found.values[0]), *found.interval(0), len(sums))


def _mean_of_sums(sums: np.ndarray) -> np.ndarray:
    """Sums and counts (..., 2) -> means (..., 1)."""
    # The bootstrap looks at a sample without one of its clips, which may be all there is.
    return ratio(sums[..., :1], sums[..., 1:])


def estimates(
    truth: np.ndarray,
    predicted: np.ndarray,
    labels: Sequence[str],
    seed: int,
    folds: np.ndarray | None = None,
    resamples: int = RESAMPLES,
) -> dict[str, Estimate]:
    """Every metric of `metric_names(labels)` with its interval, all from one set of resamples.

    `truth` and `predicted` are (N,) class numbers of `labels`, N at least 1. With `folds` (N,) a score is the mean of
    the folds' scores, as in the challenge's cross-validation, and clips are drawn again within each fold; without them
    it is pooled over all clips.
    """
    classes = len(labels)

    def count(answers: np.ndarray) -> np.ndarray:
        return np.eye(classes**2)[answers[:, 0] * classes + answers[:, 1]].reshape(-1, classes, classes)

    clips = np.column_stack([truth, predicted])
    found = bootstrap(clips, count, all_scores, folds, resamples, seed, "bootstrap")
    return {
        metric: Estimate(float(found.values[m]), *found.interval(m), len(clips))
        for m, metric in enumerate(metric_names(labels))
    }
