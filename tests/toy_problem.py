"""A small fusion problem in memory: four features of three modalities, some lacking, a model with a small space."""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from fusion.cross_validation import Problem
from fusion.inputs import Data, Inputs
from fusion.models.attention import Attention
from fusion.models.model import FusionModel
from fusion.training import Configuration, Material, Training
from mertools.clip import Clip
from mertools.corpus import stratified_folds
from mertools.feature_store import Provenance

CLASSES = 3
LABELS = ("neutral", "angry", "happy")
DIMS = {"a1": ("audio", 5), "a2": ("audio", 3), "v1": ("video", 7), "t1": ("text", 4)}
CONFIGURATION = Configuration(hidden=8, learning_rate=1e-2, dropout=0.3)


class Small(Attention):
    """The attention fusion, searched among small networks."""

    search_space = {"hidden": (4, 8), "learning_rate": (1e-2, 1e-3), "dropout": (0.2, 0.5)}  # noqa: RUF012


def make_clips(train: int, others: int) -> list[Clip]:
    splits = ["train"] * train + ["semi"] * others
    return [
        Clip(f"clip_{number:04d}", subtitle="x", split=split, label=LABELS[number % CLASSES])
        for number, split in enumerate(splits)
    ]


def make_inputs(count: int, seed: int = 0, skill: float = 1.0, lacking: float = 0.2) -> dict[str, Inputs]:
    """Features that tell the class (the clip's number modulo CLASSES), by `skill`; each clip lacks some."""
    rng = np.random.default_rng(seed)
    inputs = {}
    for name, (modality, dim) in DIMS.items():
        centres = skill * rng.normal(size=(CLASSES, dim))
        values = centres[np.arange(count) % CLASSES] + rng.normal(size=(count, dim))
        mask = rng.random(count) >= lacking
        provenance = Provenance(name, modality, "Toy", "path:/toy", "1", "mean")
        inputs[name] = Inputs(provenance, np.where(mask[:, None], values, 0).astype(np.float32), mask, 0)
    return inputs


def make_copy(inputs: dict[str, Inputs], train: int, seed: int = 0) -> dict[str, Inputs]:
    """The first `train` clips of `inputs` in noise, which costs some of them a feature."""
    rng = np.random.default_rng((seed, 1))
    copy = {}
    for name, one in inputs.items():
        mask = one.mask[:train] & (rng.random(train) >= 0.1)
        noisy = one.values[:train] + rng.normal(size=(train, one.values.shape[1]))
        copy[name] = replace(one, values=np.where(mask[:, None], noisy, 0).astype(np.float32), mask=mask)
    return copy


def make_problem(
    model: type[FusionModel] = Small,
    *,
    train: int = 90,
    others: int = 15,
    folds: int = 3,
    inputs: dict[str, Inputs] | None = None,
    targets: np.ndarray | None = None,
    seed: int = 0,
    redrawn: bool = False,
    copies: int = 0,
    **training: object,
) -> Problem:
    """The problem of `make_clips`, or of other `targets`, with so many `copies` of each training clip; `training` are
    fields of Training."""
    clips = make_clips(train, others)
    inputs = inputs or make_inputs(len(clips))
    if targets is None:
        targets = np.where(np.arange(len(clips)) < train, np.arange(len(clips)) % CLASSES, -1)
    labelled = [replace(clips[row], label=LABELS[targets[row]]) for row in range(train)]

    def draw_folds(seed: int) -> np.ndarray:
        return stratified_folds(labelled, folds, seed)

    problem = Problem(
        inputs=inputs,
        material=Material(model, Data.of(inputs, "cpu"), targets, CLASSES),
        train=np.arange(train),
        folds=draw_folds(seed),
        draw_folds=draw_folds,
        training=Training(**{"epochs": 3, **training}),
        seed=seed,
        redrawn=redrawn,
        copies=tuple(make_copy(inputs, train, number) for number in range(copies)),
    )
    return problem.only(inputs)
