"""What every fusion model is: features and masks by name in; logits, weights and an embedding out."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Mapping
from dataclasses import dataclass
from typing import ClassVar

import torch
from torch import Tensor, nn


@dataclass(frozen=True)
class FeatureShape:
    """What a model is told of a feature: its modality (`audio`, `video` or `text`) and its dimension."""

    modality: str
    dim: int


@dataclass(frozen=True)
class Fused:
    """What a fusion model gives for a batch: logits (B, C), weights (B, F) of the features, embedding (B, d).

    The weights stand in the order in which the model was given its features.
    """

    logits: Tensor
    weights: Tensor
    embedding: Tensor


class FusionModel(nn.Module, ABC):
    """A network over any number of features, of which a clip may lack some.

    It runs under `torch.func.vmap` with stacked parameters: nothing branches on data, nothing is indexed by a mask, and
    chance comes in. Dropout decides about `dropped` components a clip; the caller draws what is kept, so one module
    serves every rate.
    """

    search_space: ClassVar[dict[str, tuple[float, ...]]] = {
        "hidden": (64, 128, 256),
        "learning_rate": (1e-3, 1e-4),
        "dropout": (0.2, 0.3, 0.4, 0.5),
    }
    """MER2024 §3.3. A model with other hyper-parameters has its own."""

    dropped: int
    """How many components of a clip dropout decides about."""

    def __init__(self, features: Mapping[str, FeatureShape], classes: int, hidden: int) -> None:
        """`features` are the shapes by name, in the order of the weights; `hidden` is d."""
        super().__init__()
        self.features = tuple(features)

    @abstractmethod
    def forward(self, features: Mapping[str, Tensor], masks: Mapping[str, Tensor], keep: Tensor | None = None) -> Fused:
        """Fuse a batch.

        `features` holds (B, D) by name, `masks` (B,) booleans, False where the clip lacks the feature, whose values are
        then without influence. `keep` (B, dropped) is 0 where dropout at rate p removes a component and 1 / (1 - p)
        where it keeps it; None at inference.
        """

    def mask(self, masks: Mapping[str, Tensor]) -> Tensor:
        """The masks side by side, (B, F)."""
        return torch.stack([masks[name] for name in self.features], dim=1)
