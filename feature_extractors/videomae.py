"""VideoMAE (Tong et al. 2022, arXiv:2203.12602): 16 frames at once, 8 pairs of them as frames of the feature.

Two sources of weights: a folder in transformers' format, and a training checkpoint in the layout of VideoMAE's authors,
of which the encoder is taken.
"""

from __future__ import annotations

import argparse
import json
from collections.abc import Mapping, Sequence
from dataclasses import replace
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from feature_extractors.cards.card import Recipe
from feature_extractors.checkpoint import assemble
from feature_extractors.encoder import Encoding
from feature_extractors.hub_images import HubImages
from feature_extractors.pictures import Pictures, fill
from mertools.clip import Clip
from mertools.errors import InputError
from mertools.libraries import transformers
from mertools.model_sources import load_weights

if TYPE_CHECKING:
    import torch

IMAGENET_MEAN, IMAGENET_STD = (0.485, 0.456, 0.406), (0.229, 0.224, 0.225)

ADAPTATION = "adaptation.json"
"""What `mertools adapt` writes into a checkpoint's folder: what it has learned from."""

BLOCK_NAMES = {
    "norm1": "layernorm_before",
    "norm2": "layernorm_after",
    "attn.proj": "attention.output.dense",
    "mlp.fc1": "intermediate.dense",
    "mlp.fc2": "output.dense",
}
"""A block's modules: the authors' name -> the one in transformers' published checkpoints."""


class VideoMae(HubImages):
    """One view of 16 frames a clip; a frame of the feature is the mean over a pair's patches (8, D)."""

    model_class = "VideoMAEModel"
    model_types = ("videomae",)
    at_once = 8

    def prepare(self, clip: Clip) -> Pictures:
        pictures = super().prepare(clip)
        return Pictures(pictures.images[None], _pairs(pictures.times[None]), pictures.problem)

    def encode(self, batch: Sequence[Pictures]) -> list[Encoding]:
        return [
            replace(encoding, frames=np.concatenate(encoding.frames), times=encoding.times.reshape(-1))
            for encoding in super().encode(batch)
        ]

    def represent(self, inputs: torch.Tensor) -> torch.Tensor:
        """Of clips (B, 16, 3, S, S) the pairs of frames (B, 8, D)."""
        tokens = self._model(pixel_values=inputs).last_hidden_state  # (B, 8 * patches, D)
        pairs = self._model.config.num_frames // self._model.config.tubelet_size
        return tokens.unflatten(1, (pairs, -1)).mean(dim=2)


class AdaptedVideoMae(VideoMae):
    """VideoMAE pre-trained further on faces: a first and a last view of 16 frames, their mean the clip's vector.

    A view's tokens are normalised and then averaged, all of them. The weights are the released `.pth`, or a folder in
    transformers' format. Where `mertools adapt` made it, the recipe says which splits it has seen.
    """

    @property
    def recipe(self) -> Recipe:
        return {**super().recipe, **self._seen}

    @cached_property
    def _seen(self) -> Recipe:
        if self.name not in self.settings.sources:
            return {}
        path = self.fetch().path / ADAPTATION
        if not path.is_file():
            return {}
        splits = json.loads(path.read_text(encoding="utf-8"))["splits"]
        return {"adapted_on": ", ".join(f"{count} of {split}" for split, count in splits.items())}

    def pixels(self, picture: np.ndarray) -> np.ndarray:
        import cv2

        size = self.recipe["resolution"]
        image = np.ascontiguousarray(picture)
        if image.shape[:2] != (size, size):
            image = cv2.resize(image, (size, size), interpolation=cv2.INTER_LINEAR)
        return image.transpose(2, 0, 1)

    def prepare(self, clip: Clip) -> Pictures:
        recipe = self.recipe
        times, images, problem = self._look(clip, recipe)
        window = recipe["window"]
        starts = dict.fromkeys(views(len(images), window, recipe["views"]))
        chosen = np.array([s + fill(len(images) - s, window, recipe["fill"]) for s in starts])  # (views, window)
        return Pictures(np.stack(images)[chosen], _pairs(times[chosen]), problem)

    @property
    def normalisation(self) -> tuple[Sequence[float], Sequence[float]]:
        return IMAGENET_MEAN, IMAGENET_STD

    def read(self) -> torch.nn.Module:
        path = self.fetch().path
        if path.is_dir():
            return self._of_this_size(super().read())
        weights, shape = read_checkpoint(path)
        library = transformers()
        config = library.VideoMAEConfig(
            **shape,
            image_size=self.recipe["resolution"],
            num_frames=self.recipe["window"],
            layer_norm_eps=1e-6,
            use_mean_pooling=False,
        )
        return assemble(self, library.VideoMAEModel, config, weights)

    def _of_this_size(self, network: torch.nn.Module) -> torch.nn.Module:
        got, wanted = network.config.image_size, self.recipe["resolution"]
        if got != wanted:
            raise InputError(
                f"{self.source} sees pictures of {got} pixels, and {self.name} shows {wanted}. Take a checkpoint that "
                f"`mertools adapt videomae --card {self.name}` made, or another of the features of adapted VideoMAEs."
            )
        return network


def views(have: int, window: int, count: int) -> list[int]:
    """Where `count` windows begin that spread over `have` frames, the first at its start and the last at its end."""
    step = max(have - window, 0) / max(count - 1, 1)
    return [int(index * step) for index in range(count)]


def _pairs(times: np.ndarray) -> np.ndarray:
    """The times of pairs of frames: (V, frames) -> (V, frames / 2)."""
    return times.reshape(len(times), -1, 2).mean(axis=2)


def read_checkpoint(path: Path) -> tuple[dict[str, torch.Tensor], dict[str, int]]:
    """The encoder of a checkpoint in the authors' layout, by transformers' names, and what its shapes say of it.

    Pre-training checkpoints hold it as `encoder.…` beside a decoder, others at the top; both may lie under `model` or
    `module`. The heads are of 64 dimensions, as in all of VideoMAE's sizes.

    Raises InputError for a file that is no such checkpoint, or holds a block's weight that has no place here.
    """
    import torch

    # Training scripts store their arguments beside the weights: a plain table of values.
    with torch.serialization.safe_globals([argparse.Namespace]):
        content = load_weights(path)
    content = content.get("model", content.get("module", content))
    weights = {name.removeprefix("module."): value for name, value in content.items()}
    if any(name.startswith("encoder.blocks.") for name in weights):
        weights = {name.removeprefix("encoder."): v for name, v in weights.items() if name.startswith("encoder.")}
    try:
        patches = weights["patch_embed.proj.weight"]  # (D, 3, frames, height, width)
        width, channels, tubelet, patch, _ = patches.shape
        shape = {
            "hidden_size": width,
            "num_channels": channels,
            "tubelet_size": tubelet,
            "patch_size": patch,
            "num_hidden_layers": 1 + max(int(name.split(".")[1]) for name in weights if name.startswith("blocks.")),
            "num_attention_heads": max(1, width // 64),
            "intermediate_size": len(weights["blocks.0.mlp.fc1.weight"]),
        }
        return _renamed(weights), shape
    except (KeyError, ValueError) as error:
        raise InputError(
            f"{path} is no checkpoint of VideoMAE ({error}). Wanted weights named as in patch_embed.proj.weight and "
            "blocks.0.attn.qkv.weight, or a folder in transformers' format."
        ) from error


def _renamed(weights: Mapping[str, torch.Tensor]) -> dict[str, torch.Tensor]:
    renamed = {}
    for name, value in weights.items():
        module, _, kind = name.rpartition(".")
        if module == "patch_embed.proj":
            renamed[f"embeddings.patch_embeddings.projection.{kind}"] = value
        elif module == "norm":
            renamed[f"layernorm.{kind}"] = value
        elif name.startswith("blocks."):
            _, index, inner = module.split(".", 2)
            layer = f"encoder.layer.{index}"
            if (inner, kind) == ("attn.qkv", "weight"):
                for part, one in zip(("query", "key", "value"), value.chunk(3), strict=True):
                    renamed[f"{layer}.attention.attention.{part}.weight"] = one.contiguous()
            elif inner == "attn" and kind in ("q_bias", "v_bias"):
                renamed[f"{layer}.attention.attention.{kind}"] = value
            else:
                renamed[f"{layer}.{BLOCK_NAMES[inner]}.{kind}"] = value
    return renamed
