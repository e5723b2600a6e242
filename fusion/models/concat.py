"""Fusion by concatenation: the plain baseline that attention has to beat."""

from __future__ import annotations

from collections.abc import Mapping

import torch
from torch import Tensor, nn

from fusion.models.model import FeatureShape, Fused, FusionModel
from fusion.models.projections import Projections


class Concat(FusionModel):
    """Project each feature to `hidden` dimensions, concatenate, mix the whole to `hidden` dimensions, classify.

    The projections and their dropout are those of `Attention`; what a clip lacks is zero. Between concatenation and
    classifier stands one linear layer with ReLU: without it the logits would be a sum of what each feature says alone.
    Concatenation weighs nothing; the weights are uniform over the features that the clip has.
    """

    def __init__(self, features: Mapping[str, FeatureShape], classes: int, hidden: int) -> None:
        super().__init__(features, classes, hidden)
        self.projections = Projections(features.values(), hidden)
        self.mix = nn.Linear(len(features) * hidden, hidden)
        self.head = nn.Linear(hidden, classes)
        self.dropped = len(features) * hidden

    def forward(self, features: Mapping[str, Tensor], masks: Mapping[str, Tensor], keep: Tensor | None = None) -> Fused:
        """Fuse a batch, see `FusionModel.forward`."""
        mask = self.mask(masks)
        h = self.projections([features[name] for name in self.features], mask, keep)  # (B, F, hidden)
        embedding = torch.relu(self.mix(h.flatten(1)))
        weights = mask / mask.sum(dim=1, keepdim=True).clamp(min=1)
        return Fused(self.head(embedding), weights, embedding)
