"""How a system's score falls as its clips become noisy, in a few numbers. Scores are WAFs as fractions.

A cell is (`snr_db`, `blur`): the ratio of speech to noise, infinite for none, and the factor pictures are scaled down
by, 1 for none. All functions take the score of every cell of a grid.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from itertools import pairwise
from statistics import fmean

Cell = tuple[float, int]
Scores = Mapping[Cell, float]

CLEAN: Cell = (math.inf, 1)
CHALLENGE_DB = 5, 10
"""Lowest and highest ratio in MER-NOISE (MER2024, section 2.2)."""

AUDIO, VIDEO, BOTH = "audio", "video", "both"


@dataclass(frozen=True)
class Robustness:
    """What noise leaves of the clean score, and what it costs.

    `by_snr`, `by_blur` and `grid` are shares of the clean score: the mean height under the curve over SNR without blur,
    under the curve over octaves of blur without noise, and over all cells; None where the grid has no such curve or the
    clean score is 0. `lost` is the clean score minus the mean over the cells with noise in the sound alone (`audio`),
    in the pictures alone (`video`) and in both, where there are such cells. `carried_by` is `audio` or `video`,
    whichever loses more alone; None where neither loses.
    """

    by_snr: float | None
    by_blur: float | None
    grid: float | None
    lost: Mapping[str, float]
    carried_by: str | None


def robustness(scores: Scores) -> Robustness:
    """The robustness of a system with these scores, of which that of CLEAN must be one."""
    clean = scores[CLEAN]
    sound = {snr_db: score for (snr_db, blur), score in scores.items() if blur == 1 and snr_db < math.inf}
    pictures = {blur: score for (snr_db, blur), score in scores.items() if snr_db == math.inf}
    parts = {
        AUDIO: sound.values(),
        VIDEO: [score for blur, score in pictures.items() if blur > 1],
        BOTH: [score for (snr_db, blur), score in scores.items() if blur > 1 and snr_db < math.inf],
    }
    lost = {part: clean - fmean(of_part) for part, of_part in parts.items() if of_part}
    alone = {part: lost[part] for part in (AUDIO, VIDEO) if lost.get(part, 0) > 0}
    return Robustness(
        by_snr=_share(_mean_height(sound.items()), clean) if sound else None,
        by_blur=_share(_mean_height((math.log2(blur), score) for blur, score in pictures.items()), clean)
        if len(pictures) > 1
        else None,
        grid=_share(fmean(scores.values()), clean),
        lost=lost,
        carried_by=max(alone, key=alone.__getitem__) if alone else None,
    )


def challenge_loss(scores: Scores) -> float | None:
    """The clean score minus the mean over the cells that are noisy as MER-NOISE is: 5 to 10 dB, blurred or not.

    None where the grid has no ratio in that range.
    """
    low, high = CHALLENGE_DB
    noisy = [score for (snr_db, _), score in scores.items() if low <= snr_db <= high]
    return scores[CLEAN] - fmean(noisy) if noisy else None


def _mean_height(points: Iterable[tuple[float, float]]) -> float:
    """The area under the polyline through (x, y), by trapezoids, over its width; of one point its own height."""
    ordered: Sequence[tuple[float, float]] = sorted(points)
    if len(ordered) == 1:
        return ordered[0][1]
    steps = pairwise(ordered)
    area = sum((right - left) * (a + b) / 2 for (left, a), (right, b) in steps)
    return area / (ordered[-1][0] - ordered[0][0])


def _share(score: float, clean: float) -> float | None:
    return score / clean if clean else None
