"""Feature files -> the aligned arrays a fusion works on."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
from torch import Tensor

from fusion.models.model import FeatureShape
from mertools.clip import Clip
from mertools.clip_rows import FAILED
from mertools.errors import InputError
from mertools.feature_store import Features, Provenance, feature_names, read_features
from mertools.registry import hint

MODALITIES = {"A": "audio", "V": "video", "T": "text"}
SMALLEST = float(np.finfo(np.float32).tiny)

LIMIT = 5.0
"""Deviations from the mean at which `--scale limited` stops: clean features get there once in 400 times, if at all."""


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
class Data:
    """The features of all clips side by side, on one device.

    `values` (N, D) float32 holds the features' components in the order of `shapes`, zero where a clip lacks a feature;
    `present` (N, F) says which features each clip has.
    """

    shapes: Mapping[str, FeatureShape]
    values: Tensor
    present: Tensor

    @classmethod
    def of(cls, inputs: Mapping[str, Inputs], device: str, copies: Sequence[Mapping[str, Inputs]] = ()) -> Data:
        """The features `inputs`, moved to `device`; the rows of `copies`, of the same features, stand below theirs."""
        shapes, blocks = _shapes(inputs), [inputs, *copies]
        present = np.concatenate([np.stack([block[name].mask for name in shapes], axis=1) for block in blocks])
        values = np.zeros((len(present), sum(shape.dim for shape in shapes.values())), dtype=np.float32)
        columns = np.cumsum([0, *(shape.dim for shape in shapes.values())])
        begin = 0
        for block in blocks:
            for place, name in enumerate(shapes):
                one = block[name]
                part = values[begin : begin + len(one.mask), columns[place] : columns[place + 1]]
                np.copyto(part, one.values, where=one.mask[:, None])
            begin += len(one.mask)
        return cls(shapes, torch.from_numpy(values).to(device), torch.from_numpy(present).to(device))

    @classmethod
    def without_clips(cls, inputs: Mapping[str, Inputs], device: str) -> Data:
        """The shapes of `inputs` and the device alone, for what does not train and should not fill the memory."""
        shapes = _shapes(inputs)
        dim = sum(shape.dim for shape in shapes.values())
        present = torch.zeros(0, len(shapes), dtype=torch.bool, device=device)
        return cls(shapes, torch.zeros(0, dim, device=device), present)

    @property
    def dims(self) -> list[int]:
        """The dimension of each feature."""
        return [shape.dim for shape in self.shapes.values()]


@dataclass(frozen=True)
class Scaling:
    """What makes each component of `Data.values` vary alike: `mean` (D,) and `factor` (D,), one over the deviation.

    What would lie further than `limit` from 0 then comes to lie there.
    """

    mean: Tensor
    factor: Tensor
    limit: float = math.inf

    @classmethod
    def fit(cls, data: Data, rows: np.ndarray, limit: float = math.inf) -> Scaling:
        """To mean 0 and deviation 1 over the clips `rows` that have the feature; what never varies keeps its scale."""
        rows = torch.from_numpy(rows).to(data.values.device)
        means, deviations = [], []
        for values, present in zip(data.values[rows].split(data.dims, dim=1), data.present[rows].T, strict=True):
            values = values[present].double()
            if not len(values):
                means.append(values.new_zeros(values.shape[1]))
                deviations.append(values.new_ones(values.shape[1]))
                continue
            mean, deviation = values.mean(dim=0), values.std(dim=0, correction=0)
            # Rounding leaves a constant component with a tiny deviation, by which dividing would blow noise up. Tiny
            # against the mean: a component may be small as a whole. One over less than SMALLEST is no float32.
            constant = deviation <= (1e-6 * mean.abs()).clamp(min=SMALLEST)
            means.append(mean)
            deviations.append(torch.where(constant, 1.0, deviation))
        return cls(torch.cat(means).float(), (1 / torch.cat(deviations)).float(), limit)

    @classmethod
    def none(cls, data: Data) -> Scaling:
        """Leaves every component as it is."""
        return cls(torch.zeros_like(data.values[0]), torch.ones_like(data.values[0]))


@dataclass(frozen=True)
class Variant:
    """Other features of the same names for some clips of the corpus (noisy ones), on which networks are scored too.

    `inputs` count all clips, like the features that the networks are trained on; `clips` are the names of those that
    the variant holds.
    """

    name: str
    inputs: Mapping[str, Inputs]
    clips: frozenset[str]


def _shapes(inputs: Mapping[str, Inputs]) -> dict[str, FeatureShape]:
    return {name: FeatureShape(one.provenance.modality, one.values.shape[1]) for name, one in inputs.items()}


def load_variant(
    name: str, folder: Path, trained: Mapping[str, Inputs], clips: Sequence[Clip], extract: str
) -> Variant:
    """Read the features `trained` once more, from `folder`, which may hold a part of the clips.

    Raises InputError for features of another encoder, source, revision or dimension, and where no clip is in all of
    them.
    """
    files = _read_again(f"--also {name}", folder, trained, extract)
    known = frozenset.intersection(*(frozenset(found.names) for found in files.values()))
    rows = [row for row, clip in enumerate(clips) if clip.name in known]
    if not rows:
        raise InputError(f"--also {name}: no clip of the corpus is in all features of {folder}.")
    inputs = {}
    for feature, found in files.items():
        part = _align(found, [clips[row] for row in rows], extract)
        values = np.zeros((len(clips), part.values.shape[1]), dtype=part.values.dtype)
        mask = np.zeros(len(clips), dtype=bool)
        values[rows], mask[rows] = part.values, part.mask
        inputs[feature] = Inputs(part.provenance, values, mask, part.failed)
    return Variant(name, inputs, frozenset(clips[row].name for row in rows))


def load_copy(folder: Path, trained: Mapping[str, Inputs], clips: Sequence[Clip], extract: str) -> dict[str, Inputs]:
    """Read the features `trained` of the training clips `clips` once more, from `folder`: noisy ones, to train on too.

    Raises InputError for features of another encoder, source, revision or dimension, and where a clip lacks.
    """
    option = f"--train-also {folder}"
    copy = {}
    for feature, found in _read_again(option, folder, trained, extract).items():
        try:
            copy[feature] = _align(found, clips, extract.format(feature=feature))
        except InputError as error:
            raise InputError(f"{option}: {error}") from None
    return copy


def _read_again(option: str, folder: Path, trained: Mapping[str, Inputs], extract: str) -> dict[str, Features]:
    """The files in `folder` of the features `trained`; `option` named the folder.

    Raises InputError for features of another encoder, source, revision or dimension.
    """
    files = {feature: _read(folder, feature, extract) for feature in trained}
    for feature, found in files.items():
        for what in ("encoder", "source", "revision"):
            expected, got = (getattr(one.provenance, what) for one in (trained[feature], found))
            if expected != got:
                raise InputError(
                    f"{option}: feature {feature!r} in {folder} is of {what} {got}, the one in use of {expected}."
                )
        expected, got = trained[feature].values.shape[1], found.utterance.shape[1]
        if expected != got:
            raise InputError(
                f"{option}: feature {feature!r} in {folder} has {got} dimensions, the one in use {expected}."
            )
    return files


def load_inputs(folder: Path, names: Sequence[str], clips: Sequence[Clip], extract: str) -> dict[str, Inputs]:
    """Read the features `names` from `folder` and align them with `clips`.

    `extract` is the command that extracts them, for messages; `{feature}` in it stands for the name.

    Raises InputError for a feature without a file, one that lacks clips, and one that no clip has.
    """
    return {name: _align(_read(folder, name, extract), clips, extract.format(feature=name)) for name in names}


def _read(folder: Path, name: str, extract: str) -> Features:
    available = feature_names(folder)
    path = folder / f"{name}.h5"
    # An unfinished extraction is not an unknown feature: reading it says what to do.
    if name not in available and not path.with_suffix(".parts").exists():
        extract_it = extract.format(feature=name)
        raise InputError(f"{folder} has no feature {name!r}. {hint(name, available)} Or run: {extract_it}")
    return read_features(path)


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
