"""Each feature in the same number of dimensions (MER2024 §3.1, equations 1 and 2)."""

from __future__ import annotations

from collections.abc import Iterable

import torch
from torch import Tensor, nn

from fusion.models.model import FeatureShape


class Projections(nn.ModuleList):
    """One linear layer and ReLU a feature, from its dimension to `hidden`."""

    def __init__(self, shapes: Iterable[FeatureShape], hidden: int) -> None:
        # Module names may not contain dots, feature names may: the projections are numbered.
        super().__init__(nn.Linear(shape.dim, hidden) for shape in shapes)

    def forward(self, features: Iterable[Tensor], mask: Tensor, keep: Tensor | None) -> Tensor:
        """Project `features`, each (B, D), to (B, F, hidden): zero where `mask` (B, F) is False.

        `keep` (B, F * hidden) multiplies the components.
        """
        projected = [torch.relu(projection(values)) for projection, values in zip(self, features, strict=True)]
        h = torch.stack(projected, dim=1)
        if keep is not None:
            h = h * keep.reshape(h.shape)
        return torch.where(mask.unsqueeze(-1), h, 0)
