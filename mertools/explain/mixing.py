"""Mixture: several sets of instructions drawn from by weight, where batch n depends on the seed and n alone."""

from __future__ import annotations

import functools
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from mertools.randomness import generator

BLOCK = 1024
"""How many batches' sets are drawn at once."""


@dataclass(frozen=True)
class Mixture:
    """Batches of `batch_size` items, each of one set, drawn by `weights`; `sizes` counts the items of the sets.

    A set is gone through in a new order each time, without an item left out or repeated in between, however long
    other sets are drawn in the meantime. `name` tells the mixtures of one seed apart.
    """

    sizes: tuple[int, ...]
    weights: tuple[float, ...]
    batch_size: int
    seed: int
    name: str

    def batch(self, number: int) -> tuple[int, list[int]]:
        """Batch `number`: its set, and its items' places in the set."""
        chosen = int(self._sets(number // BLOCK)[number % BLOCK])
        first = self.drawn(number)[chosen] * self.batch_size
        return chosen, [self._item(chosen, place) for place in range(first, first + self.batch_size)]

    def drawn(self, number: int) -> list[int]:
        """How many batches of each set come before batch `number`: the sampler's state, for a record."""
        block, rest = divmod(number, BLOCK)
        counts = np.array(self._before(block)) + self._counts(self._sets(block)[:rest])
        return counts.tolist()

    def _item(self, chosen: int, place: int) -> int:
        pass_, within = divmod(place, self.sizes[chosen])
        return int(_order(self.seed, self.name, chosen, pass_, self.sizes[chosen])[within])

    def _sets(self, block: int) -> np.ndarray:
        return _sets(self.seed, self.name, block, self.weights)

    def _before(self, block: int) -> tuple[int, ...]:
        counts = np.zeros(len(self.sizes), dtype=np.int64)
        for earlier in range(block):
            counts += self._counts(self._sets(earlier))
        return tuple(counts.tolist())

    def _counts(self, sets: np.ndarray) -> np.ndarray:
        return np.bincount(sets, minlength=len(self.sizes))


@functools.lru_cache(maxsize=1024)
def _sets(seed: int, name: str, block: int, weights: Sequence[float]) -> np.ndarray:
    shares = np.array(weights) / sum(weights)
    return generator(seed, "mixture", name, "sets", block).choice(len(weights), size=BLOCK, p=shares)


@functools.lru_cache(maxsize=16)
def _order(seed: int, name: str, chosen: int, pass_: int, size: int) -> np.ndarray:
    return generator(seed, "mixture", name, "order", chosen, pass_).permutation(size)
