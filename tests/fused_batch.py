"""Small features, masks and models of the fusion, and their parameters as NumPy sees them."""

from __future__ import annotations

import numpy as np
import torch

from fusion.models.model import FeatureShape, FusionModel

CLASSES, HIDDEN, BATCH = 6, 8, 4

SHAPES = {
    1: {"a": FeatureShape("audio", 7)},
    2: {"v.b": FeatureShape("video", 5), "a": FeatureShape("audio", 7)},
    3: {"a": FeatureShape("audio", 7), "v": FeatureShape("video", 5), "t": FeatureShape("text", 3)},
    18: {f"f{n}": FeatureShape(("audio", "video", "text")[n // 6], n + 1) for n in range(18)},
}
"""By the number of features; a name with a dot, and an order that is no model's own, are among them."""


def make_model(model: type[FusionModel], shapes: dict[str, FeatureShape], seed: int = 0) -> FusionModel:
    torch.manual_seed(seed)
    return model(shapes, CLASSES, HIDDEN)


def make_batch(shapes: dict[str, FeatureShape]) -> tuple[dict[str, torch.Tensor], dict[str, torch.Tensor]]:
    """Features and masks of a batch that lacks nothing."""
    torch.manual_seed(len(shapes))
    features = {name: torch.randn(BATCH, shape.dim) for name, shape in shapes.items()}
    return features, {name: torch.ones(BATCH, dtype=torch.bool) for name in shapes}


def in_numpy(tensors: dict[str, torch.Tensor]) -> dict[str, np.ndarray]:
    """The same numbers as float64."""
    return {name: tensor.detach().numpy().astype(np.float64) for name, tensor in tensors.items()}
