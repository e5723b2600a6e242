"""Frames -> one vector for the utterance."""

from __future__ import annotations

import numpy as np


def masked_mean(frames: np.ndarray, mask: np.ndarray | None = None) -> np.ndarray:
    """The mean vector (D,) float32 of `frames` (..., D) over every position where `mask` (...,) is True.

    Leading axes (time, token, patch) count alike; without a mask every position counts. Masked positions may hold
    anything, NaN included. The sum is taken in double precision.

    Raises ValueError where the mask has another shape or leaves nothing.
    """
    positions = frames.reshape(-1, frames.shape[-1])  # (P, D)
    if mask is not None:
        if mask.shape != frames.shape[:-1]:
            raise ValueError(f"the mask is {mask.shape}, the frames {frames.shape}: wanted {frames.shape[:-1]}")
        positions = positions[mask.reshape(-1).astype(bool)]
    if not len(positions):
        raise ValueError("no frame to take a mean of")
    return positions.mean(axis=0, dtype=np.float64).astype(np.float32)
