"""VGGish's network: a VGG with one channel in, four poolings and three fully connected layers."""

from __future__ import annotations

import torch
from torch import nn

STAGES = ((64,), (128,), (256, 256), (512, 512))
"""Channels of the convolutions before each pooling."""


class VggishNetwork(nn.Module):
    """Pieces of spectrogram in, 128 numbers each out; 72,141,184 parameters.

    Layers carry the numbers under which the converted weights for torch are published (`features.0.weight`, …,
    `embeddings.4.bias`).
    """

    def __init__(self) -> None:
        super().__init__()
        layers: list[nn.Module] = []
        width = 1
        for stage in STAGES:
            for channels in stage:
                layers += [nn.Conv2d(width, channels, 3, padding=1), nn.ReLU()]
                width = channels
            layers.append(nn.MaxPool2d(2))
        self.features = nn.Sequential(*layers)
        self.embeddings = nn.Sequential(
            nn.Linear(6 * 4 * 512, 4096), nn.ReLU(), nn.Linear(4096, 4096), nn.ReLU(), nn.Linear(4096, 128)
        )

    def forward(self, examples: torch.Tensor) -> torch.Tensor:
        """(B, 1, 96, 64) -> (B, 128)."""
        maps = self.features(examples)  # (B, 512, 6, 4)
        # The original has channels last, and its weights follow.
        return self.embeddings(maps.permute(0, 2, 3, 1).flatten(1))
