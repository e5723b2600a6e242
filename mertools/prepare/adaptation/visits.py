"""The endless order in which clips are visited, and their views as batches of tensors, read by worker processes."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import cached_property, lru_cache

import numpy as np
import torch

from feature_extractors.cards.card import Recipe
from feature_extractors.face_source import FaceSource
from mertools.clip import Clip
from mertools.media import MissingMedium, UnreadableMedia
from mertools.prepare.adaptation.views import draw, tube_mask, view
from mertools.randomness import generator


@dataclass(frozen=True)
class Batch:
    """Views of B clips: `pixels` (B, frames, 3, S, S) uint8 and `hidden` (B, tokens) bool.

    `problem` says which clip could not be read, and why; there are no tensors then.
    """

    pixels: torch.Tensor | None
    hidden: torch.Tensor | None
    problem: str = ""


class Visits(torch.utils.data.Dataset):
    """What is shown at each place of the order; goes to worker processes as it is.

    Place p is of visit p // N: each clip comes once a visit, in an order drawn for it. `patches` are those of a frame,
    `pairs` the pairs of frames.
    """

    def __init__(
        self, clips: Sequence[Clip], faces: FaceSource, recipe: Recipe, patches: int, pairs: int, seed: int
    ) -> None:
        self._clips = clips
        self._faces = faces
        self._recipe = recipe
        self._patches = patches
        self._pairs = pairs
        self._seed = seed

    def at(self, place: int) -> tuple[int, Clip]:
        """The visit and the clip at a place."""
        visit, index = divmod(place, len(self._clips))
        return visit, self._clips[_order(self._seed, visit, len(self._clips))[index]]

    def __getitems__(self, places: Sequence[int]) -> Batch:
        pixels, hidden = [], []
        for place in places:
            visit, clip = self.at(place)
            drawn = draw(self._seed, visit, clip.name, self._patches)
            try:
                pixels.append(view(clip, self._faces, self._recipe, drawn))
            except (MissingMedium, UnreadableMedia) as error:
                return Batch(None, None, f"clip {clip.name!r}: {error}")
            hidden.append(tube_mask(drawn.hidden, self._pairs))
        return Batch(torch.from_numpy(np.stack(pixels)), torch.from_numpy(np.stack(hidden)))


@dataclass(frozen=True)
class Places:
    """The places of one process' batches from step `first` to `last`, which is not included.

    A step takes `parts` batches of `size` from each of `processes` processes: the same places, however it is divided.
    """

    first: int
    last: int
    parts: int
    size: int
    process: int
    processes: int

    @cached_property
    def batches(self) -> range:
        """The numbers of the batches, over all processes."""
        step = self.parts * self.processes
        return range(self.first * step + self.process, self.last * step, self.processes)

    def __iter__(self) -> Iterator[list[int]]:
        for batch in self.batches:
            yield list(range(batch * self.size, (batch + 1) * self.size))

    def __len__(self) -> int:
        return len(self.batches)


def reader(visits: Visits, places: Places, workers: int) -> torch.utils.data.DataLoader:
    """The batches at `places`, read ahead by `workers` processes; with 0 by this one."""
    return torch.utils.data.DataLoader(
        visits,
        batch_sampler=places,
        num_workers=workers,
        collate_fn=_as_it_is,
        # Not forked: an HDF5 file that this process has open must not be read by another.
        multiprocessing_context="spawn" if workers else None,
        prefetch_factor=2 if workers else None,
    )


def _as_it_is(batch: Batch) -> Batch:
    return batch


@lru_cache(maxsize=2)
def _order(seed: int, visit: int, count: int) -> np.ndarray:
    return generator(seed, "adapt order", visit).permutation(count)
