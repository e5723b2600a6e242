"""The network that the organisers released with MER2024, which is not the paper's (docs/choices.md)."""

from __future__ import annotations

from collections.abc import Mapping

import torch
from torch import Tensor, nn

from fusion.models.model import FeatureShape, Fused, FusionModel

PLACES = {
    frozenset({"audio"}): ("audio", "audio", "audio"),
    frozenset({"text"}): ("text", "text", "text"),
    frozenset({"video"}): ("video", "video", "video"),
    frozenset({"audio", "video"}): ("audio", "video", "video"),
    frozenset({"audio", "text"}): ("audio", "text", "text"),
    frozenset({"text", "video"}): ("text", "text", "video"),
    frozenset({"audio", "text", "video"}): ("audio", "text", "video"),
}
"""By the modalities in use, what stands in the network's three places: audio, text and video, in this order."""


class AttentionRelease(FusionModel):
    """Three layers a branch, and attention over all branches together, which is not normalised.

    With fewer than three modalities one of them is read by several branches, each with layers of its own; with N
    features of a modality its place holds N branches. Dropout acts on what each branch reads and on what the attention
    reads. A feature's weight is the sum of its branches'; it may be negative, and the weights do not sum to 1.

    The released network knows no masks: it reads a zero vector where a clip lacks a feature. Here the branch's output
    is zero. Where nothing is lacking the two are equal.
    """

    def __init__(self, features: Mapping[str, FeatureShape], classes: int, hidden: int) -> None:
        super().__init__(features, classes, hidden)
        self.branches = branches(features)
        width = len(self.branches) * hidden
        self.encoders = nn.ModuleList(mlp(features[name].dim, hidden) for name in self.branches)
        self.attention = nn.Sequential(mlp(width, hidden), nn.Linear(hidden, len(self.branches)))
        self.head = nn.Linear(hidden, classes)
        self.dropped_parts = [*(features[name].dim for name in self.branches), width]
        self.dropped = sum(self.dropped_parts)

    def forward(self, features: Mapping[str, Tensor], masks: Mapping[str, Tensor], keep: Tensor | None = None) -> Fused:
        """Fuse a batch, see `FusionModel.forward`."""
        read = [features[name] for name in self.branches]
        mask = torch.stack([masks[name] for name in self.branches], dim=1)  # (B, branches)
        if keep is not None:
            *keep_read, keep_encoded = keep.split(self.dropped_parts, dim=1)
            read = [values * kept for values, kept in zip(read, keep_read, strict=True)]
        h = torch.stack([encoder(values) for encoder, values in zip(self.encoders, read, strict=True)], dim=1)
        h = torch.where(mask.unsqueeze(-1), h, 0)  # (B, branches, hidden)
        encoded = h.flatten(1)
        if keep is not None:
            encoded = encoded * keep_encoded
        attention = self.attention(encoded) * mask  # (B, branches)
        embedding = (attention.unsqueeze(-1) * h).sum(dim=1)
        return Fused(self.head(embedding), self.weights(attention), embedding)

    def weights(self, attention: Tensor) -> Tensor:
        """The attention (B, branches) by feature, (B, F)."""
        of_branches = list(zip(self.branches, attention.unbind(dim=1), strict=True))
        return torch.stack([sum(a for branch, a in of_branches if branch == name) for name in self.features], dim=1)


def branches(features: Mapping[str, FeatureShape]) -> tuple[str, ...]:
    """The feature that each branch reads."""
    places = PLACES[frozenset(shape.modality for shape in features.values())]
    return tuple(name for place in places for name, shape in features.items() if shape.modality == place)


def mlp(dim: int, hidden: int) -> nn.Sequential:
    """Three linear layers, each with ReLU."""
    layers = [nn.Linear(dim, hidden), nn.ReLU()]
    for _ in range(2):
        layers += [nn.Linear(hidden, hidden), nn.ReLU()]
    return nn.Sequential(*layers)
