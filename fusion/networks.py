"""networks.safetensors: the networks of a system's folds on disk, with all that is needed to use them again."""

from __future__ import annotations

import json
import math
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
import torch
from safetensors import SafetensorError, safe_open
from safetensors.torch import save_file
from torch import Tensor

from fusion.cross_validation import Problem
from fusion.inputs import Data, Inputs, Scaling
from fusion.models import MODELS
from fusion.models.model import FeatureShape, FusionModel
from fusion.training import Material, Network, Trained, from_module, predict, to_module
from mertools.errors import InputError
from mertools.feature_store import Provenance
from mertools.predictions import Predictions

SCHEMA = 1
ABOUT = "mertools-networks"
"""The one text in the file beside its tensors: with several, safetensors would write them in any order."""
MEAN, FACTOR, OFFSET = "scaling.mean", "scaling.factor", "offset"
ORIGIN = ("encoder", "source", "revision", "recipe", "level")
"""What features must share with those that the networks were trained on."""


@dataclass(frozen=True)
class SavedNetworks:
    """The networks of a system, one a fold, with their labels and the features they read.

    `origins` says by feature where the features of the training clips came from.
    """

    model: type[FusionModel]
    shapes: Mapping[str, FeatureShape]
    origins: Mapping[str, Mapping[str, str]]
    labels: tuple[str, ...]
    networks: tuple[Network, ...]

    def check(self, inputs: Mapping[str, Inputs]) -> None:
        """Raises InputError where `inputs` are other features than those trained on."""
        for name, shape in self.shapes.items():
            found = inputs[name]
            if found.values.shape[1] != shape.dim:
                dim = found.values.shape[1]
                raise InputError(f"Feature {name!r} has {dim} dimensions, the networks were trained on {shape.dim}.")
            self.check_origin(name, found.provenance)

    def check_origin(self, name: str, provenance: Provenance) -> None:
        """Raises InputError where the feature `name` comes from elsewhere than what was trained on."""
        for what, expected in self.origins[name].items():
            got = str(getattr(provenance, what))
            if got != expected:
                raise InputError(
                    f"Feature {name!r} is of {what} {got}, the networks were trained on {expected}. "
                    "Extract it as the training clips were."
                )

    def predict(
        self, inputs: Mapping[str, Inputs], names: Sequence[str], device: str, held_out: np.ndarray | None = None
    ) -> Predictions:
        """What the networks say together of the clips `names`, the rows of `inputs`: the mean of their logits.

        `held_out` (N,) is the fold that a training clip was held out in, whose network alone answers for it; -1 for
        other clips.
        """
        data = Data.of({name: inputs[name] for name in self.shapes}, device)
        material = Material(self.model, data, np.full(len(names), -1), len(self.labels))
        networks = [
            Network(
                network.hidden,
                {name: value.to(device) for name, value in network.parameters.items()},
                replace(
                    network.scaling, mean=network.scaling.mean.to(device), factor=network.scaling.factor.to(device)
                ),
                network.offset.to(device),
            )
            for network in self.networks
        ]
        fused = predict(material, networks, np.arange(len(names)))
        logits, weights = (_answers(each, held_out) for each in (fused.logits, fused.weights))
        probabilities = torch.softmax(logits.double(), dim=1)
        return Predictions(tuple(names), probabilities.cpu().numpy(), weights.cpu().numpy(), tuple(self.shapes))


def _answers(of_networks: Tensor, held_out: np.ndarray | None) -> Tensor:
    """Of `of_networks` (S, N, X) the mean over networks, (N, X); for a clip held out in a fold, that of its network."""
    together = of_networks.mean(dim=0)
    if held_out is None:
        return together
    folds = torch.from_numpy(held_out).to(of_networks.device)
    alone = of_networks[folds.clamp(min=0), torch.arange(len(folds), device=folds.device)]
    return torch.where((folds >= 0).unsqueeze(1), alone, together)


def save_networks(
    path: Path, material: Material, inputs: Mapping[str, Inputs], networks: Sequence[Network], labels: Sequence[str]
) -> None:
    """Write networks that were trained on `material`; parameters have the shapes and names of the model's own."""
    tensors = {}
    for fold, network in enumerate(networks):
        state = to_module(material, network).state_dict()
        extra = {MEAN: network.scaling.mean, FACTOR: network.scaling.factor, OFFSET: network.offset}
        tensors |= {f"fold{fold}.{name}": value.contiguous().cpu() for name, value in (state | extra).items()}
    about = {
        "schema": SCHEMA,
        "model": next(name for name, model in MODELS.items() if model is material.model),
        "hidden": networks[0].hidden,
        "folds": len(networks),
        "limit": None if networks[0].scaling.limit == math.inf else networks[0].scaling.limit,
        "labels": list(labels),
        "features": {name: asdict(shape) for name, shape in material.data.shapes.items()},
        "origins": _origins(inputs),
    }
    save_file(tensors, path, metadata={ABOUT: json.dumps(about, ensure_ascii=False)})


def trained_networks(problem: Problem, networks: Sequence[Trained], labels: Sequence[str]) -> SavedNetworks:
    """The networks of a problem's folds as they would come back from disk."""
    return SavedNetworks(
        problem.material.model,
        problem.material.data.shapes,
        _origins(problem.inputs),
        tuple(labels),
        tuple(one.network for one in networks),
    )


def _origins(inputs: Mapping[str, Inputs]) -> dict[str, dict[str, str]]:
    return {name: {what: str(getattr(one.provenance, what)) for what in ORIGIN} for name, one in inputs.items()}


def load_networks(path: Path) -> SavedNetworks:
    """Read what `save_networks` wrote; raises InputError for anything else."""
    try:
        with safe_open(path, framework="pt") as file:
            metadata = file.metadata() or {}
            tensors = {name: file.get_tensor(name) for name in file.keys()}  # noqa: SIM118 (not a mapping)
    except FileNotFoundError:
        raise InputError(f"There are no networks {path}: its run did not finish, or kept none.") from None
    except (SafetensorError, OSError) as error:
        raise InputError(f"{path} cannot be read as safetensors: {error}") from None
    try:
        about = json.loads(metadata[ABOUT])
        if about["schema"] != SCHEMA:
            raise InputError(f"{path} has schema {about['schema']}, this version reads {SCHEMA}.")
        return _saved(about, tensors)
    except (KeyError, TypeError, ValueError, RuntimeError) as error:
        raise InputError(f"{path} does not hold the networks of a run ({error}). Give a run's own file.") from None


def _saved(about: Mapping[str, Any], tensors: Mapping[str, torch.Tensor]) -> SavedNetworks:
    """The networks in `tensors`; raises what a file by others may lead to."""
    shapes = {name: FeatureShape(**shape) for name, shape in about["features"].items()}
    model = MODELS[about["model"]]
    limit = math.inf if about.get("limit") is None else float(about["limit"])
    networks = []
    for fold in range(about["folds"]):
        prefix = f"fold{fold}."
        own = {name.removeprefix(prefix): value for name, value in tensors.items() if name.startswith(prefix)}
        scaling, offset = Scaling(own.pop(MEAN), own.pop(FACTOR), limit), own.pop(OFFSET)
        network = model(shapes, len(about["labels"]), about["hidden"])
        network.load_state_dict(own)
        networks.append(Network(about["hidden"], from_module(network), scaling, offset))
    return SavedNetworks(model, shapes, about["origins"], tuple(about["labels"]), tuple(networks))
