"""A system: some features, the configuration chosen for them, and what it says of every clip."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np

from fusion.cross_validation import Problem, average, out_of_fold
from fusion.inputs import MODALITIES
from fusion.search import Search, Trial, search
from mertools.clip import Clip
from mertools.predictions import Predictions


@dataclass(frozen=True)
class System:
    """A searched fusion of the features of `problem`.

    `out_of_fold` speaks of the training clips, `others` of all others, both in the corpus' order.
    """

    problem: Problem
    search: Search
    out_of_fold: Predictions
    others: Predictions

    @property
    def features(self) -> tuple[str, ...]:
        return tuple(self.problem.inputs)

    @property
    def modalities(self) -> str:
        """The letters of the modalities used, in the order A, V, T."""
        used = {feature.letter for feature in self.problem.inputs.values()}
        return "".join(letter for letter in MODALITIES if letter in used)


def fit(
    problem: Problem, clips: Sequence[Clip], draws: int, progress: Callable[[Trial, float], None] | None = None
) -> System:
    """Search a configuration for `problem` and predict every clip of `clips`, the rows that `problem` counts."""
    found = search(problem, draws, progress)
    train = set(problem.train.tolist())
    rows = np.array([row for row in range(len(clips)) if row not in train], dtype=np.int64)
    return System(
        problem,
        found,
        out_of_fold(problem, found.best, [clips[row].name for row in problem.train]),
        average(problem, found.best, rows, [clips[row].name for row in rows]),
    )
