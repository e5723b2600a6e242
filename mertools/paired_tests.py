"""Is one classifier better than another on the same clips? Paired bootstrap and McNemar's exact test."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from mertools.bootstrap import bootstrap
from mertools.metrics import all_scores, metric_names
from mertools.registry import look_up

RESAMPLES = 2000
"""More than an interval needs: p = 0.01 is twenty of these."""


@dataclass(frozen=True)
class Difference:
    """The second classifier's score less the first's, its 95 % interval, and the two-sided p of no difference."""

    value: float
    low: float
    high: float
    p: float
    n: int


@dataclass(frozen=True)
class McNemar:
    """The clips that only one of two classifiers gets right, and the two-sided p of both being right as often."""

    only_a: int
    only_b: int
    p: float


def paired_bootstrap(
    truth: np.ndarray,
    a: np.ndarray,
    b: np.ndarray,
    labels: Sequence[str],
    seed: int,
    metric: str = "waf",
    folds: np.ndarray | None = None,
    resamples: int = RESAMPLES,
) -> Difference:
    """How much `b` scores above `a`: both are scored on the same clips, drawn again together.

    `truth`, `a` and `b` are (N,) class numbers of `labels`; `metric` is one of `metric_names(labels)`. With `folds`
    (N,) a score is the mean of the folds' scores, and clips are drawn within each fold. p and interval agree: p is
    below 0.05 where the interval leaves 0 out.

    Raises InputError for a metric that is not known.
    """
    names, classes = metric_names(labels), len(labels)
    look_up("metric", metric, dict.fromkeys(names))

    def count(answers: np.ndarray) -> np.ndarray:
        cells = answers[:, :1] * classes + answers[:, 1:]
        return np.eye(classes**2)[cells].reshape(-1, 2, classes, classes)

    def gain(confusions: np.ndarray) -> np.ndarray:
        of_a, of_b = np.moveaxis(all_scores(confusions), -2, 0)
        return of_b - of_a

    clips = np.column_stack([truth, a, b])
    found, m = bootstrap(clips, count, gain, folds, resamples, seed, "paired bootstrap"), names.index(metric)
    return Difference(float(found.values[m]), *found.interval(m), found.p_value(m), len(clips))


def mcnemar(truth: np.ndarray, a: np.ndarray, b: np.ndarray) -> McNemar:
    """McNemar's exact test (1947) of whether `a` and `b` are right equally often; all inputs are (N,) class numbers.

    Of the clips that one alone gets right, each is equally likely either's: a binomial test.
    """
    right_a, right_b = np.asarray(a) == np.asarray(truth), np.asarray(b) == np.asarray(truth)
    only_a, only_b = int((right_a & ~right_b).sum()), int((right_b & ~right_a).sum())
    return McNemar(only_a, only_b, _even_coin(only_a, only_b))


def _even_coin(heads: int, tails: int) -> float:
    """The two-sided p of an even coin that fell like this, in whole numbers: exact for any number of throws."""
    throws, ways, tail = heads + tails, 1, 1
    for k in range(min(heads, tails)):
        ways = ways * (throws - k) // (k + 1)
        tail += ways
    return min(1.0, 2 * tail / 2**throws)
