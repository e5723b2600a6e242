"""mini-Xception (Arriaga, Valdenegro-Toro & Plöger 2017, "Real-time Convolutional Neural Networks for Emotion and
Gender Classification"), read from the Keras file in which its weights are published.

The layers follow the file's own description of the network; Keras itself is not needed.
"""

from __future__ import annotations

import itertools
from collections.abc import Iterator
from pathlib import Path

import h5py
import numpy as np
import torch
from torch import nn
from torch.nn import functional

from mertools.errors import InputError

CHANNELS = (8, 16, 32, 64, 128)
CLASSES = 7

TENSORS = {
    "kernel": ("weight", (3, 2, 0, 1)),
    "depthwise_kernel": ("weight", (2, 3, 0, 1)),
    "pointwise_kernel": ("weight", (3, 2, 0, 1)),
    "bias": ("bias", (0,)),
    "gamma": ("weight", (0,)),
    "beta": ("bias", (0,)),
    "moving_mean": ("running_mean", (0,)),
    "moving_variance": ("running_var", (0,)),
}
"""Keras' name of a tensor -> torch's, and the order in which torch has its axes."""


class MiniXception(nn.Module):
    """Grey faces in, features and class probabilities out; 58,423 parameters with the normalisations' statistics."""

    def __init__(self) -> None:
        super().__init__()
        width = CHANNELS[0]
        self.stem = nn.Sequential(
            *(nn.Conv2d(1, width, 3, bias=False), _normalisation(width), nn.ReLU()),
            *(nn.Conv2d(width, width, 3, bias=False), _normalisation(width), nn.ReLU()),
        )
        self.blocks = nn.Sequential(*(Block(*pair) for pair in itertools.pairwise(CHANNELS)))
        self.classifier = nn.Conv2d(CHANNELS[-1], CLASSES, 3, padding=1)

    def forward(self, faces: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
        """Features (B, 16, 128) and probabilities (B, 7) of `faces` (B, 1, 64, 64) in [-1, 1].

        The features are what the class layer sees at each of its 4 x 4 positions, row by row.
        """
        maps = self.blocks(self.stem(faces))  # (B, 128, 4, 4)
        scores = self.classifier(maps).mean(dim=(2, 3))
        return maps.flatten(2).transpose(1, 2), scores.softmax(dim=1)


class Block(nn.Module):
    """Two separable convolutions and a pooling that halves the map, beside a strided 1 x 1 convolution."""

    def __init__(self, width_in: int, width_out: int) -> None:
        super().__init__()
        self.first = _separable(width_in, width_out)
        self.first_norm = _normalisation(width_out)
        self.second = _separable(width_out, width_out)
        self.second_norm = _normalisation(width_out)
        self.shortcut = nn.Conv2d(width_in, width_out, 1, stride=2, bias=False)
        self.shortcut_norm = _normalisation(width_out)

    def forward(self, maps: torch.Tensor) -> torch.Tensor:
        """(B, width_in, S, S) -> (B, width_out, ceil(S / 2), ceil(S / 2))."""
        deep = functional.relu(self.first_norm(self.first(maps)))
        deep = max_pool_same(self.second_norm(self.second(deep)))
        return deep + self.shortcut_norm(self.shortcut(maps))


def max_pool_same(maps: torch.Tensor) -> torch.Tensor:
    """3 x 3 maximum with stride 2 and Keras' padding `same`: what an even size lacks is added after it, not before."""
    before, after = (1, 1) if maps.shape[-1] % 2 else (0, 1)
    return functional.max_pool2d(functional.pad(maps, (before, after) * 2, value=-torch.inf), 3, stride=2)


def read_network(path: Path) -> MiniXception:
    """The network with the weights of the Keras file at `path`, for inference.

    Raises InputError for a file with other tensors than the network's: none may stay as it was initialised, and none
    of the file's may be left over.
    """
    weights = _read_tensors(path)
    state = {}
    for layer, module in _layers():
        for name in [name for name in weights if name[0] == layer]:
            target, axes = TENSORS[name[1]]
            part = {"depthwise_kernel": ".0", "pointwise_kernel": ".1"}.get(name[1], "")
            state[f"{module}{part}.{target}"] = torch.from_numpy(weights.pop(name).transpose(axes).copy())
    network = MiniXception()
    try:
        network.load_state_dict(state)
    except RuntimeError as error:
        raise InputError(f"{path} holds other weights than mini-Xception's: {error}") from error
    if weights:
        raise InputError(f"{path} holds weights that mini-Xception has no place for: {sorted(weights)}")
    return network.eval().requires_grad_(False)


def _read_tensors(path: Path) -> dict[tuple[str, str], np.ndarray]:
    """The tensors of a Keras file by (layer, tensor)."""
    tensors = {}
    with h5py.File(path) as file:
        for layer, group in file["model_weights"].items():
            for name in group.attrs["weight_names"]:
                name = name.decode() if isinstance(name, bytes) else name
                tensors[layer, name.rpartition("/")[2].removesuffix(":0")] = group[name][:]
    return tensors


def _layers() -> Iterator[tuple[str, str]]:
    """The file's name of each layer with weights, and the module's."""
    yield from {"conv2d_1": "stem.0", "batch_normalization_1": "stem.1"}.items()
    yield from {"conv2d_2": "stem.3", "batch_normalization_2": "stem.4"}.items()
    for block in range(len(CHANNELS) - 1):
        # Keras numbers layers of a kind as they were made; the shortcut of a block was made first.
        yield f"separable_conv2d_{2 * block + 1}", f"blocks.{block}.first"
        yield f"batch_normalization_{3 * block + 4}", f"blocks.{block}.first_norm"
        yield f"separable_conv2d_{2 * block + 2}", f"blocks.{block}.second"
        yield f"batch_normalization_{3 * block + 5}", f"blocks.{block}.second_norm"
        yield f"conv2d_{block + 3}", f"blocks.{block}.shortcut"
        yield f"batch_normalization_{3 * block + 3}", f"blocks.{block}.shortcut_norm"
    yield f"conv2d_{len(CHANNELS) + 2}", "classifier"


def _separable(width_in: int, width_out: int) -> nn.Sequential:
    return nn.Sequential(
        nn.Conv2d(width_in, width_in, 3, padding=1, groups=width_in, bias=False),
        nn.Conv2d(width_in, width_out, 1, bias=False),
    )


def _normalisation(width: int) -> nn.BatchNorm2d:
    return nn.BatchNorm2d(width, eps=1e-3)
