"""The attention fusion of the paper (MER2024 §3.1, equations 1 to 3), over any number of features."""

from __future__ import annotations

from collections.abc import Mapping

import torch
from torch import Tensor, nn

from fusion.models.model import FeatureShape, Fused, FusionModel
from fusion.models.projections import Projections

# Low enough that a masked feature gets no weight, high enough that no infinity enters a gradient.
MASKED_SCORE = -1e4


class Attention(FusionModel):
    """Project each feature to `hidden` dimensions, weigh the projections by attention, classify their sum.

    One, three or eighteen features are the same model. Dropout acts on the projections. The weights are those of
    equation 3: they sum to 1 over the features that the clip has.
    """

    def __init__(self, features: Mapping[str, FeatureShape], classes: int, hidden: int) -> None:
        super().__init__(features, classes, hidden)
        self.projections = Projections(features.values(), hidden)
        self.score = nn.Linear(hidden, 1)
        self.head = nn.Linear(hidden, classes)
        self.dropped = len(features) * hidden

    def forward(self, features: Mapping[str, Tensor], masks: Mapping[str, Tensor], keep: Tensor | None = None) -> Fused:
        """Fuse a batch, see `FusionModel.forward`."""
        mask = self.mask(masks)
        h = self.projections([features[name] for name in self.features], mask, keep)  # (B, F, hidden), eq. 1 and 2
        # Not as a matrix product: with one column that one is computed differently alone and in a stack.
        scores = torch.where(mask, (h * self.score.weight[0]).sum(dim=2) + self.score.bias, MASKED_SCORE)
        # A clip that lacks every feature gets no weight at all: its logits are the head's bias.
        weights = torch.softmax(scores, dim=1) * mask  # eq. 3
        embedding = (weights.unsqueeze(-1) * h).sum(dim=1)  # z = h alpha
        return Fused(self.head(embedding), weights, embedding)
