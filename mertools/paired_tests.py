"""Is one classifier better than another on the same clips? Paired bootstrap and McNemar's exact test."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from mertools.bootstrap import Bootstrap, bootstrap
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
    found = contrasts(truth, np.column_stack([a, b]), np.array([[-1, 1]]), labels, seed, metric, folds, resamples)
    return difference(found, 0, len(truth))


def contrasts(
    truth: np.ndarray,
    answers: np.ndarray,
    weights: np.ndarray,
    labels: Sequence[str],
    seed: int,
    metric: str = "waf",
    folds: np.ndarray | None = None,
    resamples: int = RESAMPLES,
) -> Bootstrap:
    """M weighted sums of K classifiers' scores on the same clips, which are drawn again together for all of them.

    `answers` (N, K) are class numbers, a column a classifier, and `weights` is (M, K): [[-1, 1]] is what the second
    scores above the first, [[1, -0.5, -0.5]] what the first scores above the others' mean. Other arguments are those of
    `paired_bootstrap`. Memory goes with `resamples` times the clips that are answered differently.

    Raises InputError for a metric that is not known.
    """
    names, classes = metric_names(labels), len(labels)
    look_up("metric", metric, dict.fromkeys(names))
    m = names.index(metric)

    def count(clips: np.ndarray) -> np.ndarray:
        cells = clips[:, :1] * classes + clips[:, 1:]
        return np.eye(classes**2)[cells].reshape(*cells.shape, classes, classes)

    def combine(confusions: np.ndarray) -> np.ndarray:
        return all_scores(confusions)[..., m] @ weights.T

    return bootstrap(np.column_stack([truth, answers]), count, combine, folds, resamples, seed, "paired bootstrap")


def difference(found: Bootstrap, m: int, n: int) -> Difference:
    """What score `m` of `found`, a difference on `n` clips, says."""
    return Difference(float(found.values[m]), *found.interval(m), found.p_value(m), n)


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
