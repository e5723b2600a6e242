"""Feature files -> the aligned arrays a fusion works on."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
from torch import Tensor

from mertools.clip import Clip
from mertools.clip_rows import FAILED
from mertools.errors import InputError
from mertools.feature_store import Features, Provenance, feature_names, read_features
from mertools.registry import look_up

MODALITIES = {"A": "audio", "V": "video", "T": "text"}


@dataclass(frozen=True)
class Inputs:
    """One feature's utterance vectors for a list of clips: `values` (N, D) float32, `mask` (N,) False where lacking."""

    provenance: Provenance
    values: np.ndarray
    mask: np.ndarray
    failed: int

    @property
    def letter(self) -> str:
        """A, V or T."""
        return next(letter for letter, modality in MODALITIES.items() if modality == self.provenance.modality)


@dataclass(frozen=True)
class Scaler:
    """Mean and standard deviation by feature, of the clips they were fitted on; the identity where empty."""

    mean: Mapping[str, np.ndarray]
    std: Mapping[str, np.ndarray]

    @classmethod
    def fit(cls, inputs: Mapping[str, Inputs], rows: np.ndarray) -> Scaler:
        """Fit on the clips `rows` that have the feature; a component that never varies is left at its scale."""
        mean, std = {}, {}
        for name, feature in inputs.items():
            values = feature.values[rows][feature.mask[rows]].astype(np.float64)
            mean[name] = values.mean(axis=0) if len(values) else np.zeros(feature.values.shape[1])
            std[name] = values.std(axis=0) if len(values) else np.ones(feature.values.shape[1])
            # Rounding leaves a constant component with a tiny deviation; dividing by it would blow noise up.
            std[name][std[name] <= 1e-6 * np.maximum(1.0, np.abs(mean[name]))] = 1.0
        return cls(mean, std)

    def batch(self, inputs: Mapping[str, Inputs], device: str) -> Batch:
        """All clips of `inputs` scaled, as tensors on `device`; what a clip lacks stays zero."""
        features, masks = {}, {}
        for name, feature in inputs.items():
            values = feature.values
            if name in self.mean:
                values = (values - self.mean[name]) / self.std[name]
            values = np.where(feature.mask[:, None], values, 0).astype(np.float32)
            features[name] = torch.from_numpy(values).to(device)
            masks[name] = torch.from_numpy(feature.mask).to(device)
        return Batch(features, masks)


IDENTITY = Scaler({}, {})


@dataclass(frozen=True)
class Batch:
    """Features (B, D) and masks (B,) by name, on one device."""

    features: dict[str, Tensor]
    masks: dict[str, Tensor]

    def rows(self, index: Tensor | slice) -> Batch:
        """The clips at `index`; a slice copies nothing."""
        return Batch(
            {name: values[index] for name, values in self.features.items()},
            {name: mask[index] for name, mask in self.masks.items()},
        )


def load_inputs(folder: Path, names: Sequence[str], clips: Sequence[Clip], extract: str) -> dict[str, Inputs]:
    """Read the features `names` from `folder` and align them with `clips`.

    `extract` is the command that extracts them, for messages; `{feature}` in it stands for the name.

    Raises InputError for a feature without a file, one that lacks clips, and one that no clip has.
    """
    available = dict.fromkeys(feature_names(folder))
    inputs = {}
    for name in names:
        path, extract_it = folder / f"{name}.h5", extract.format(feature=name)
        # An unfinished extraction is not an unknown feature: reading it says what to do.
        if name not in available and not path.with_suffix(".parts").exists():
            try:
                look_up("feature", name, available)
            except InputError as error:
                raise InputError(f"{folder} has no feature {name!r}. {error} Or run: {extract_it}") from None
        inputs[name] = _align(read_features(path), clips, extract_it)
    return inputs


def _align(features: Features, clips: Sequence[Clip], extract: str) -> Inputs:
    name = features.provenance.feature
    row_of_name = {clip: row for row, clip in enumerate(features.names)}
    lacking = [clip.name for clip in clips if clip.name not in row_of_name]
    if lacking:
        raise InputError(
            f"Feature {name!r} lacks {len(lacking)} of {len(clips)} clips (first: {lacking[0]}). Run: {extract}"
        )
    rows = np.array([row_of_name[clip.name] for clip in clips])
    mask = features.mask[rows]
    if not mask.any():
        raise InputError(f"Feature {name!r}: none of the {len(clips)} clips is ok (first: {features.reason[rows[0]]}).")
    failed = sum(features.status[row] == FAILED for row in rows)
    return Inputs(features.provenance, features.utterance[rows], mask, failed)
