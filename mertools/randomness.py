"""Generators for (seed, names). Nothing else in the suite draws random numbers.

A generator depends on the seed and the names alone, never on the order of calls: clip 12 gets the same draws alone or
among 115,595, in one process or in eight.
"""

from __future__ import annotations

import hashlib
import random
from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    import torch


def seed_for(seed: int, *names: str | int) -> int:
    """A 63-bit integer that is a pure function of `seed` and `names`."""
    # The separator cannot occur in a clip's name, so ("ab", "c") and ("a", "bc") differ.
    text = "\x1f".join([str(seed), *map(str, names)])
    return int.from_bytes(hashlib.sha256(text.encode()).digest()[:8], "big") >> 1


def generator(seed: int, *names: str | int) -> np.random.Generator:
    """A NumPy generator for (seed, names)."""
    return np.random.default_rng(seed_for(seed, *names))


def torch_generator(seed: int, *names: str | int) -> torch.Generator:
    """A torch generator on the CPU for (seed, names)."""
    import torch

    return torch.Generator().manual_seed(seed_for(seed, *names))


@contextmanager
def global_generators(seed: int, *names: str | int) -> Iterator[None]:
    """While this lasts, Python's and NumPy's global generators start from (seed, names): for a library that draws from
    nothing else.

    They are given back as they were. Nothing else may draw from them meanwhile, in other threads either.
    """
    before, before_numpy = random.getstate(), np.random.get_state()
    start = seed_for(seed, *names)
    random.seed(start)
    np.random.seed(start % 2**32)
    try:
        yield
    finally:
        random.setstate(before)
        np.random.set_state(before_numpy)
