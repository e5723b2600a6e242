"""The audio trunk of ImageBind (Girdhar et al. 2023), a vision transformer over a spectrogram."""

from __future__ import annotations

import torch
from torch import nn
from torch.nn import functional

from feature_extractors.encoder import Encoder
from feature_extractors.weights import fill, read_state
from mertools.errors import InputError

PATCH, STRIDE = 16, 10
HEAD_WIDTH = 64
SCALE = 20.0
"""The length of the network's vectors; fixed in training."""

PARTS = {
    "modality_preprocessors.audio.cls_token": "cls_token",
    "modality_preprocessors.audio.rgbt_stem.proj.": "patches.",
    "modality_preprocessors.audio.rgbt_stem.norm_layer.": "patches_norm.",
    "modality_preprocessors.audio.pos_embedding_helper.pos_embed": "positions",
    "modality_trunks.audio.": "",
    "modality_heads.audio.0.": "norm.",
    "modality_heads.audio.2.": "projection.",
}
"""Beginnings of the published names, and ours."""


class ImageBindTrunk(nn.Module):
    """Scaled spectrograms in, vectors of length 20 out.

    The published network has `width` 768, 12 blocks of 12 heads, 229 positions and vectors of 1024. Biases of keys and
    values add a position that every other one attends to.
    """

    def __init__(self, width: int, blocks: int, positions: int, dim: int) -> None:
        super().__init__()
        self.cls_token = nn.Parameter(torch.empty(1, 1, width))
        self.positions = nn.Parameter(torch.empty(1, positions, width))
        self.patches = nn.Conv2d(1, width, PATCH, STRIDE, bias=False)
        self.patches_norm = nn.LayerNorm(width)
        self.blocks = nn.ModuleList([Block(width) for _ in range(blocks)])
        self.norm = nn.LayerNorm(width, eps=1e-6)
        self.projection = nn.Linear(width, dim, bias=False)

    def forward(self, spectrograms: torch.Tensor) -> torch.Tensor:
        """(B, 1, 128, 204) -> (B, dim)."""
        patches = self.patches_norm(self.patches(spectrograms).flatten(2).transpose(1, 2))  # (B, 12 x 19, width)
        tokens = torch.cat([self.cls_token.expand(len(patches), -1, -1), patches], dim=1) + self.positions
        for block in self.blocks:
            tokens = block(tokens)
        return SCALE * functional.normalize(self.projection(self.norm(tokens[:, 0])), dim=-1)


class Block(nn.Module):
    """Attention and two layers, each behind a norm and beside a shortcut; modules bear the published names."""

    def __init__(self, width: int) -> None:
        super().__init__()
        self.norm_1 = nn.LayerNorm(width, eps=1e-6)
        self.attn = nn.MultiheadAttention(width, width // HEAD_WIDTH, add_bias_kv=True, batch_first=True)
        self.norm_2 = nn.LayerNorm(width, eps=1e-6)
        self.mlp = nn.ModuleDict({"fc1": nn.Linear(width, 4 * width), "fc2": nn.Linear(4 * width, width)})

    def forward(self, tokens: torch.Tensor) -> torch.Tensor:
        """(B, T, width) -> (B, T, width)."""
        normed = self.norm_1(tokens)
        tokens = tokens + self.attn(normed, normed, normed, need_weights=False)[0]
        return tokens + self.mlp["fc2"](functional.gelu(self.mlp["fc1"](self.norm_2(tokens))))


def read_network(encoder: Encoder) -> nn.Module:
    """The audio trunk with the weights of `encoder`'s source, for inference: ImageBind's published file, or its audio
    part alone. Sizes are the file's own.

    Raises InputError where the file lacks a weight, or is another network's.
    """
    state = read_state(encoder, own_name)
    try:
        network = ImageBindTrunk(
            width=state["cls_token"].shape[-1],
            blocks=1 + max(int(name.split(".")[1]) for name in state if name.startswith("blocks.")),
            positions=state["positions"].shape[1],
            dim=state["projection.weight"].shape[0],
        )
    except (KeyError, ValueError) as error:
        raise InputError(
            f"{encoder.source} does not hold ImageBind's audio trunk (no {error}). Wanted: {encoder.card.needs}."
        ) from error
    return fill(network, state, encoder)


def own_name(published: str) -> str | None:
    """Our name of a published weight; None for those of other senses, and for the scale, which is fixed."""
    for beginning, own in PARTS.items():
        if published.startswith(beginning):
            return own + published.removeprefix(beginning)
    return None
