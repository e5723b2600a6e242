"""Train one network a fold, and join what the folds say of clips they did not see."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import torch

from fusion.inputs import IDENTITY, Inputs, Scaler
from fusion.models.model import FeatureShape, FusionModel
from fusion.training import Trained, build_network, predict, train
from mertools.predictions import Predictions
from mertools.randomness import torch_generator


@dataclass(frozen=True)
class Problem:
    """A fusion to be trained: one system's features for all clips, of which `train` are the training clips' rows.

    `targets` (len(train),) are class numbers, `folds` (len(train),) the fold each training clip is held out in.
    """

    model: type[FusionModel]
    inputs: Mapping[str, Inputs]
    train: np.ndarray
    targets: np.ndarray
    folds: np.ndarray
    classes: int
    epochs: int
    scaled: bool
    seed: int
    device: str

    @property
    def shapes(self) -> dict[str, FeatureShape]:
        """What the model is told of each feature, by name."""
        return {
            name: FeatureShape(feature.provenance.modality, feature.values.shape[1])
            for name, feature in self.inputs.items()
        }

    def only(self, names: Iterable[str]) -> Problem:
        """The same clips, folds and settings with the features `names` alone."""
        return replace(self, inputs={name: self.inputs[name] for name in names})


@dataclass(frozen=True)
class FoldNetwork:
    """The network of one fold with the scaler fitted on its training clips."""

    trained: Trained
    scaler: Scaler


@dataclass(frozen=True)
class CrossValidation:
    """One configuration over all folds; `waf` is the mean of the folds' best-epoch scores (estimate `cv-paper`)."""

    configuration: Mapping[str, Any]
    networks: tuple[FoldNetwork, ...]
    waf: float


def cross_validate(problem: Problem, configuration: Mapping[str, Any]) -> CrossValidation:
    """Train `configuration` on each fold's complement and choose its epoch on the fold.

    The result is a function of the problem's seed, its features' names and the configuration alone.
    """
    names = (*problem.inputs, *(f"{key}={value}" for key, value in sorted(configuration.items())))
    networks = []
    for fold in range(int(problem.folds.max()) + 1):
        inside, held_out = problem.train[problem.folds != fold], problem.train[problem.folds == fold]
        scaler = Scaler.fit(problem.inputs, inside) if problem.scaled else IDENTITY
        batch = scaler.batch(problem.inputs, problem.device)
        network = build_network(
            problem.model, problem.shapes, problem.classes, configuration, problem.seed, *names, f"fold {fold}"
        ).to(problem.device)
        trained = train(
            network,
            batch.rows(torch.from_numpy(inside).to(problem.device)),
            torch.from_numpy(problem.targets[problem.folds != fold]).to(problem.device),
            batch.rows(torch.from_numpy(held_out).to(problem.device)),
            problem.targets[problem.folds == fold],
            problem.classes,
            float(configuration["learning_rate"]),
            float(configuration["dropout"]),
            problem.epochs,
            torch_generator(problem.seed, "training", *names, f"fold {fold}"),
        )
        networks.append(FoldNetwork(trained, scaler))
    return CrossValidation(configuration, tuple(networks), float(np.mean([n.trained.waf for n in networks])))


def out_of_fold(problem: Problem, result: CrossValidation, names: Sequence[str]) -> Predictions:
    """What each training clip's held-out network says of it. `names` are the training clips'."""
    probabilities = np.zeros((len(problem.train), problem.classes))
    weights = np.zeros((len(problem.train), len(problem.inputs)))
    for fold, network in enumerate(result.networks):
        rows = problem.folds == fold
        probabilities[rows] = _softmax(network.trained.held_out.logits)
        weights[rows] = network.trained.held_out.weights.cpu().numpy()
    return Predictions(tuple(names), probabilities, weights, tuple(problem.inputs))


def average(problem: Problem, result: CrossValidation, rows: np.ndarray, names: Sequence[str]) -> Predictions:
    """What the folds' networks say of the clips `rows` together: the mean of their logits (as released)."""
    logits, weights = [], []
    for network in result.networks:
        batch = network.scaler.batch(problem.inputs, problem.device).rows(torch.from_numpy(rows).to(problem.device))
        fused = predict(network.trained.network, batch)
        logits.append(fused.logits)
        weights.append(fused.weights)
    mean_weights = torch.stack(weights).mean(dim=0).cpu().numpy()
    return Predictions(tuple(names), _softmax(torch.stack(logits).mean(dim=0)), mean_weights, tuple(problem.inputs))


def _softmax(logits: torch.Tensor) -> np.ndarray:
    return torch.softmax(logits.double(), dim=1).cpu().numpy()
