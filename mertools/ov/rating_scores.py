"""What raters' answers come to: a mean for each system with its interval, and how far the raters agree (EMER §6.2)."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from mertools.agreement import LEVELS, krippendorff_alpha
from mertools.errors import InputError
from mertools.intervals import RESAMPLES, mean_estimate
from mertools.ov.rating import VALUES, Key

Ratings = Mapping[str, Mapping[str, int]]
"""By rater and item a number from 1 to 4."""


@dataclass(frozen=True)
class SystemScore:
    """The mean rating of a system, 1 to 4, with its 95 % interval over clips.

    `counts` says how often each choice was made, from 1 to 4.
    """

    system: str
    mean: float
    low: float
    high: float
    clips: int
    counts: tuple[int, ...]


@dataclass(frozen=True)
class RaterCounts:
    """How one rater used the four choices, from 1 to 4."""

    rater: str
    mean: float
    counts: tuple[int, ...]


def as_numbers(answers: Mapping[str, Mapping[str, str]]) -> Ratings:
    """Answers as they are written down, as numbers."""
    return {rater: {item: int(answer) for item, answer in given.items()} for rater, given in answers.items()}


def system_scores(key: Key, ratings: Ratings, resamples: int = RESAMPLES) -> list[SystemScore]:
    """The score of each system, in the key's order: the mean of all ratings of its descriptions.

    The interval is the bootstrap's over clips, each drawn with all its ratings: ratings of one clip are no independent
    observations. Raises InputError for a system of which nothing was rated.
    """
    return [_system_score(key, system, ratings, resamples) for system in key.systems]


def _system_score(key: Key, system: str, ratings: Ratings, resamples: int) -> SystemScore:
    given = {
        item.clip: [of_rater[item.id] for of_rater in ratings.values() if item.id in of_rater]
        for item in key.items
        if item.system == system
    }
    clips = np.array([(sum(rated), len(rated)) for rated in given.values() if rated])  # (N, 2: sum, number)
    if not len(clips):
        raise InputError(f"Nothing of {system!r} was rated.")
    found = mean_estimate(clips, key.seed, "ratings", resamples=resamples)
    counts = _counts([rating for rated in given.values() for rating in rated])
    return SystemScore(system, found.value, found.low, found.high, len(clips), counts)


def rater_counts(ratings: Ratings) -> list[RaterCounts]:
    """How each rater rated; raters without a rating are left out."""
    return [
        RaterCounts(rater, float(np.mean(list(given.values()))), _counts(list(given.values())))
        for rater, given in ratings.items()
        if given
    ]


def _counts(ratings: Sequence[int]) -> tuple[int, ...]:
    counted = Counter(ratings)
    return tuple(counted[int(value)] for value in VALUES)


def agreement(key: Key, ratings: Ratings) -> dict[str, float | None]:
    """Krippendorff's alpha over all items at each level of measurement; None where there is nothing to tell."""
    table = np.array([[given.get(item.id, np.nan) for item in key.items] for given in ratings.values()], dtype=float)
    return {level: krippendorff_alpha(table, level) for level in LEVELS}


def item_means(ratings: Ratings) -> dict[str, float]:
    """The mean rating of each item that was rated."""
    of_item: dict[str, list[int]] = {}
    for given in ratings.values():
        for item, rating in given.items():
            of_item.setdefault(item, []).append(rating)
    return {item: float(np.mean(rated)) for item, rated in of_item.items()}
