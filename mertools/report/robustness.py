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

import numpy as np

Cell = tuple[float, int]
Scores = Mapping[Cell, float]

CLEAN: Cell = (math.inf, 1)
CHALLENGE_DB = 5, 10
"""Lowest and highest ratio in MER-NOISE (MER2024, section 2.2)."""

AUDIO, VIDEO, BOTH, CHALLENGE = "audio", "video", "both", "challenge"
"""Parts of a grid: cells with noise in the sound alone, in the pictures alone, in both; and those that are noisy as
MER-NOISE is, 5 to 10 dB, blurred or not."""


@dataclass(frozen=True)
class Robustness:
    """What noise leaves of the clean score.

    `by_snr`, `by_blur` and `grid` are shares of the clean score: the mean height under the curve over SNR without blur,
    under the curve over octaves of blur without noise, and over all cells; None where the grid has no such curve or the
    clean score is 0.
    """

    by_snr: float | None
    by_blur: float | None
    grid: float | None


def robustness(scores: Scores) -> Robustness:
    """The robustness of a system with these scores, of which that of CLEAN must be one."""
    clean = scores[CLEAN]
    sound = {snr_db: score for (snr_db, blur), score in scores.items() if blur == 1 and snr_db < math.inf}
    pictures = {blur: score for (snr_db, blur), score in scores.items() if snr_db == math.inf}
    return Robustness(
        by_snr=_share(_mean_height(sound.items()), clean) if sound else None,
        by_blur=_share(_mean_height((math.log2(blur), score) for blur, score in pictures.items()), clean)
        if len(pictures) > 1
        else None,
        grid=_share(fmean(scores.values()), clean),
    )


def loss_weights(cells: Sequence[Cell]) -> dict[Cell | str, np.ndarray]:
    """By what the scores of `cells` are multiplied to sum up to what noise takes: the clean score less that of a cell,
    or less the mean over the cells of a part (AUDIO and so on) that the grid has."""
    low, high = CHALLENGE_DB
    parts: dict[Cell | str, list[Cell]] = {cell: [cell] for cell in cells} | {
        AUDIO: [cell for cell in cells if cell[0] < math.inf and cell[1] == 1],
        VIDEO: [cell for cell in cells if cell[0] == math.inf and cell[1] > 1],
        BOTH: [cell for cell in cells if cell[0] < math.inf and cell[1] > 1],
        CHALLENGE: [cell for cell in cells if low <= cell[0] <= high],
    }
    return {
        part: np.array([(cell == CLEAN) - (cell in noisy) / len(noisy) for cell in cells])
        for part, noisy in parts.items()
        if noisy
    }


def carried_by(lost: Mapping[str, float]) -> str | None:
    """AUDIO or VIDEO, whichever alone loses more of the clean score; None where neither loses. `lost` is by part."""
    alone = {part: lost[part] for part in (AUDIO, VIDEO) if lost.get(part, 0) > 0}
    return max(alone, key=alone.__getitem__) if alone else None


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
