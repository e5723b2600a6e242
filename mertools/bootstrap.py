"""Draw clips again with replacement: how far scores may lie from those on all clips of the kind.

The interval is the percentile interval corrected for skewness: the BCa interval of Efron ("Better bootstrap confidence
intervals", 1987) with its bias term z0 left at 0. Stratified folds hold classes more evenly than their resamples do;
z0 takes that for a bias of the score and moves the interval off it (docs/choices.md has the measured coverage).
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from statistics import NormalDist

import numpy as np

from mertools.randomness import generator

NORMAL = NormalDist()
TAILS = (0.025, 0.975)
"""The levels at which a 95 % interval ends."""


@dataclass(frozen=True)
class Bootstrap:
    """M scores and their resamples.

    `values` is (M,), `drawn` (R, M); `acceleration` (M,) is a sixth of the skewness of what single clips do to the
    scores, within ±1/6.
    """

    values: np.ndarray
    drawn: np.ndarray
    acceleration: np.ndarray

    def interval(self, m: int) -> tuple[float, float]:
        """The 95 % interval of score `m`."""
        ends = [NORMAL.inv_cdf(level) for level in TAILS]
        levels = [NORMAL.cdf(z / (1 - self.acceleration[m] * z)) for z in ends]
        low, high = np.quantile(self.drawn[:, m], levels)
        return float(low), float(high)

    def p_value(self, m: int) -> float:
        """The two-sided p of score `m` being 0: one less the level of the interval that ends at 0."""
        drawn = self.drawn[:, m]
        below = np.count_nonzero(drawn < 0) + np.count_nonzero(drawn == 0) / 2
        # Never quite 0 or 1: R resamples cannot tell.
        z = NORMAL.inv_cdf((below + 0.5) / (len(drawn) + 1))
        return min(1.0, 2 * NORMAL.cdf(-abs(z / (1 + self.acceleration[m] * z))))


def bootstrap(
    clips: np.ndarray,
    count: Callable[[np.ndarray], np.ndarray],
    score: Callable[[np.ndarray], np.ndarray],
    folds: np.ndarray | None,
    resamples: int,
    seed: int,
    *names: str,
) -> Bootstrap:
    """Score `clips` and their resamples; with `folds` (N,) the mean of the folds' scores, drawn within each fold.

    `clips` (N, K) holds what is known of each clip, `count` turns rows of it (n, K) into what each adds to the counts,
    (n, ...), and `score` turns counts (..., ...) into scores (..., M). Draws depend on `seed` and `names`.
    """
    folds = np.zeros(len(clips), dtype=np.int64) if folds is None else np.asarray(folds)
    values, drawn, cubes, squares = [], [], 0.0, 0.0
    for fold in np.unique(folds):
        # Clips alike are drawn together, from a multinomial: 115,595 clips cost what 200 do.
        kinds, clips_of_kind = np.unique(clips[folds == fold], axis=0, return_counts=True)
        each, n = count(kinds).astype(float), int(clips_of_kind.sum())
        draws = generator(seed, *names, int(fold)).multinomial(n, clips_of_kind / n, size=resamples)
        whole = np.tensordot(clips_of_kind, each, axes=1)
        values.append(score(whole))
        drawn.append(score(np.tensordot(draws, each, axes=1)))
        # What a clip of each kind does to the score, but for a constant: the score without it, turned round.
        influence = -score(whole - each)
        influence -= clips_of_kind @ influence / n
        cubes, squares = cubes + clips_of_kind @ influence**3, squares + clips_of_kind @ influence**2
    # By the jackknife over clips: sum of cubes / 6 (sum of squares)^1.5.
    acceleration = np.divide(cubes, 6 * squares**1.5, out=np.zeros(len(cubes)), where=squares > 0)
    return Bootstrap(np.mean(values, axis=0), np.mean(drawn, axis=0), acceleration)
