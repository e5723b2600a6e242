"""Features scaled by who is speaking: what differs between speakers, and not between their emotions, taken off.

Each component of a feature has mean 0 and deviation 1 over all clips of a speaker, those without labels among them. The
spectrum of a voice and the shape of a face tell speakers apart better than emotions.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace

import numpy as np

from fusion.inputs import Inputs
from mertools.clip import Clip
from mertools.corpus import group_of

FEWEST = 5
"""Clips of a group from which on it is scaled by itself; of fewer, a deviation would say little."""


def scaled_by(inputs: Mapping[str, Inputs], clips: Sequence[Clip], column: str) -> dict[str, Inputs]:
    """The features `inputs` of `clips`, scaled within each group of clips that share `column` of the manifest.

    Groups of fewer than FEWEST clips with a feature are scaled by all clips' mean and deviation.

    Raises InputError for a clip without a value in that column.
    """
    groups = np.unique([group_of(clip, column, "--scale-by") for clip in clips], return_inverse=True)[1]
    return {name: _scaled(one, groups) for name, one in inputs.items()}


def _scaled(one: Inputs, groups: np.ndarray) -> Inputs:
    values = np.zeros(one.values.shape, dtype=np.float32)
    everyone = _mean_and_deviation(one.values[one.mask])
    for group in np.unique(groups[one.mask]):
        own = one.mask & (groups == group)
        mean, deviation = _mean_and_deviation(one.values[own]) if own.sum() >= FEWEST else everyone
        values[own] = (one.values[own] - mean) / deviation
    return replace(one, values=values)


def _mean_and_deviation(values: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Of each component of `values` (N, D), (D,); what does not vary has a deviation of 1."""
    values = values.astype(np.float64)
    mean, deviation = values.mean(axis=0), values.std(axis=0)
    # Rounding leaves a constant component with a tiny deviation, by which dividing would blow noise up.
    constant = deviation <= np.maximum(1e-6 * np.abs(mean), np.finfo(np.float32).tiny)
    return mean, np.where(constant, 1.0, deviation)
