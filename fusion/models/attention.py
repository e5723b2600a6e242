"""The attention fusion of the paper (MER2024 §3.1, equations 1 to 3), over any number of features."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import ClassVar

import torch
from torch import Tensor, nn

# Low enough that a masked feature gets no weight, high enough that no infinity enters a gradient.
MASKED_SCORE = -1e4


@dataclass(frozen=True)
class Fused:
    """What a fusion model gives for a batch: logits (B, C), weights (B, F) of the features, embedding (B, d)."""

    logits: Tensor
    weights: Tensor
    embedding: Tensor


class Attention(nn.Module):
    """Project each feature to `hidden` dimensions, weigh the projections by attention, classify their sum.

    One, three or eighteen features are the same model. It runs under `torch.func.vmap`: nothing branches on data, the
    dropout rate is a buffer, and the dropout's uniform draws come from the caller.
    """

    search_space: ClassVar[dict[str, tuple[float, ...]]] = {
        "hidden": (64, 128, 256),
        "learning_rate": (1e-3, 1e-4),
        "dropout": (0.2, 0.3, 0.4, 0.5),
    }
    """MER2024 §3.3."""

    def __init__(self, dims: Mapping[str, int], classes: int, hidden: int, dropout: float) -> None:
        """`dims` gives each feature's dimension by name, in the order of the weights."""
        super().__init__()
        self.features = tuple(dims)
        self.hidden = hidden
        # Module names may not contain dots, feature names may: the projections are numbered.
        self.projections = nn.ModuleList(nn.Linear(dim, hidden) for dim in dims.values())
        self.score = nn.Linear(hidden, 1)
        self.head = nn.Linear(hidden, classes)
        self.register_buffer("dropout", torch.tensor(float(dropout)))

    def forward(
        self, features: Mapping[str, Tensor], masks: Mapping[str, Tensor], uniform: Tensor | None = None
    ) -> Fused:
        """Fuse a batch.

        `features` holds (B, D) by name, `masks` (B,) booleans, False where the clip lacks the feature. `uniform` (B, F,
        hidden) in [0, 1) are the draws that decide which components dropout removes; None at inference.
        """
        projected = [
            torch.relu(projection(features[name]))
            for name, projection in zip(self.features, self.projections, strict=True)
        ]
        h = torch.stack(projected, dim=1)  # (B, F, hidden), eq. 1 and 2
        if uniform is not None:
            h = h * (uniform >= self.dropout) / (1 - self.dropout)
        mask = torch.stack([masks[name] for name in self.features], dim=1)  # (B, F)
        scores = torch.where(mask, self.score(h).squeeze(-1), MASKED_SCORE)
        # A clip that lacks every feature gets no weight at all: its logits are the head's bias.
        weights = torch.softmax(scores, dim=1) * mask  # eq. 3
        embedding = (weights.unsqueeze(-1) * h).sum(dim=1)  # z = h alpha
        return Fused(self.head(embedding), weights, embedding)
