"""Two ways of drawing from a list that the demo corpus' parts share."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TypeVar

import numpy as np

T = TypeVar("T")


def one_of(rng: np.random.Generator, options: Sequence[T]) -> T:
    """One of the options, each as likely as any other."""
    return options[rng.integers(len(options))]


def dealt(rng: np.random.Generator, options: Sequence[T], count: int) -> list[T]:
    """`count` of the options from shuffled decks of them: each comes as often as any other, give or take one."""
    decks = [rng.permutation(len(options)) for _ in range(-(-count // len(options)))]
    return [options[index] for deck in decks for index in deck][:count]
