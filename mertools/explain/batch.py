"""Batch: what one step of training or one generation reads, and how examples become one."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, TypeVar

import torch

if TYPE_CHECKING:
    from mertools.explain.template import Encoded

IGNORED = -100
"""The label of a token that no loss is computed on."""

T = TypeVar("T", "Batch", "MediaInput")


@dataclass(frozen=True)
class MediaInput:
    """The frames of one medium of B clips, padded to T frames and U utterance windows.

    `frames` (B, T, D), or (B, T, P, D) where a frame has patches; `times` (B, T) seconds; `mask` (B, T) is True for
    frames that are there, and all False for a clip that lacks the medium. T is at least 1. `windows` (B, U, 2) are
    beginnings and ends in seconds, `window_mask` (B, U) which of them are there. `regions` (B, T, R, P) says which
    patches show which part of the face, all False in a frame without one.
    """

    frames: torch.Tensor
    times: torch.Tensor
    mask: torch.Tensor
    windows: torch.Tensor | None = None
    window_mask: torch.Tensor | None = None
    regions: torch.Tensor | None = None

    def to(self, device: torch.device | str) -> MediaInput:
        """The same on `device`."""
        return _moved(self, device)


@dataclass(frozen=True)
class Batch:
    """B examples, padded on the left to L tokens, so that answers end together and generation continues them.

    `input_ids`, `attention_mask` and `labels` are (B, L); labels are IGNORED but on the answer. `slots` has by medium
    where its tokens stand, (B, L) bool; the token ids there mean nothing. `media` has the frames by branch.
    """

    input_ids: torch.Tensor
    attention_mask: torch.Tensor
    labels: torch.Tensor
    slots: Mapping[str, torch.Tensor]
    media: Mapping[str, MediaInput]

    def to(self, device: torch.device | str) -> Batch:
        """The same on `device`."""
        media = {name: one.to(device) for name, one in self.media.items()}
        slots = {name: one.to(device) for name, one in self.slots.items()}
        return replace(_moved(self, device), media=media, slots=slots)


def collate(encoded: Sequence[Encoded], media: Mapping[str, MediaInput], pad_id: int) -> Batch:
    """One batch of tokenised examples and of their media, which `stack_media` gives."""
    length = max(len(one.input_ids) for one in encoded)

    def padded(rows: Sequence[Sequence[int]], value: int) -> torch.Tensor:
        return torch.tensor([[value] * (length - len(row)) + list(row) for row in rows])

    return Batch(
        input_ids=padded([one.input_ids for one in encoded], pad_id),
        attention_mask=padded([[1] * len(one.input_ids) for one in encoded], 0),
        labels=padded([one.labels for one in encoded], IGNORED),
        slots={
            name: padded([[medium == name for medium in one.media] for one in encoded], False)
            for name in dict.fromkeys(medium for one in encoded for medium in one.media if medium)
        },
        media=media,
    )


def stack_media(clips: Sequence[MediaInput]) -> MediaInput:
    """Clips, each a MediaInput of B = 1 of its own length, as one: padded with zeros behind what is there.

    Windows and regions are stacked where any clip has them; others then have none of them.
    """
    frames = max(one.frames.shape[1] for one in clips)
    windows = max((one.windows.shape[1] for one in clips if one.windows is not None), default=0)
    regions = next((one.regions.shape[2:] for one in clips if one.regions is not None), None)
    return MediaInput(
        frames=torch.cat([_lengthened(one.frames, frames) for one in clips]),
        times=torch.cat([_lengthened(one.times, frames) for one in clips]),
        mask=torch.cat([_lengthened(one.mask, frames) for one in clips]),
        windows=torch.cat([_lengthened(_or(one.windows, (1, 0, 2)), windows) for one in clips]) if windows else None,
        window_mask=(
            torch.cat([_lengthened(_or(one.window_mask, (1, 0)).bool(), windows) for one in clips]) if windows else None
        ),
        regions=(
            torch.cat([_lengthened(_or(one.regions, (1, 0, *regions)).bool(), frames) for one in clips])
            if regions is not None
            else None
        ),
    )


def _or(tensor: torch.Tensor | None, shape: tuple[int, ...]) -> torch.Tensor:
    return torch.zeros(shape) if tensor is None else tensor


def _lengthened(tensor: torch.Tensor, length: int) -> torch.Tensor:
    """(1, n, …) -> (1, length, …)."""
    lacking = tensor.new_zeros((1, length - tensor.shape[1], *tensor.shape[2:]))
    return torch.cat([tensor, lacking], dim=1)


def _moved(value: T, device: torch.device | str) -> T:
    tensors = {name: item.to(device) for name, item in vars(value).items() if isinstance(item, torch.Tensor)}
    return replace(value, **tensors)
