"""VideoMAE against transformers called directly, and its authors' checkpoints against their network."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

import numpy as np
import pytest
import torch
from tiny_video import LAYERS, WIDTH, encode, encoder, folder, rgb

from feature_extractors.catalog import CATALOG
from mertools.clip import Clip
from mertools.libraries import image_processor, transformers

RECIPES = pytest.mark.parametrize("recipe", ["mer2024", "masked"])
ADAPTED = ("videomae-base-voxceleb2", "videomae-base-mer2023")


@pytest.mark.parametrize(
    ("recipe", "chosen"),
    [
        (
            "mer2024",
            {
                3: [0, 1] + 14 * [2],
                20: [0, 1, 2, 3, 5, 6, 7, 8, 10, 11, 12, 13, 15, 16, 17, 18],
                90: [int(i * 90 / 16) for i in range(16)],
            },
        ),
        (
            "masked",
            {
                3: 5 * [0] + 6 * [1] + 5 * [2],
                20: [0, 1, 3, 4, 5, 6, 8, 9, 10, 11, 13, 14, 15, 16, 18, 19],
                90: [int((i + 0.5) * 90 / 16) for i in range(16)],
            },
        ),
    ],
)
def test_videomae_is_the_mean_of_patches_by_pair(
    recipe: str, chosen: dict[int, list[int]], tiny_sources: Mapping[str, str], crop_clips: list[Clip]
) -> None:
    path = folder(tiny_sources, "videomae-base")
    model = transformers().VideoMAEModel.from_pretrained(path).eval()
    for clip, encoding in zip(
        crop_clips, encode(encoder("videomae-base", tiny_sources, recipe), crop_clips), strict=True
    ):
        picked = chosen[len(rgb(clip))]
        inputs = image_processor(path)(list(rgb(clip)[picked]), return_tensors="pt")
        with torch.no_grad():
            tokens = model(**inputs).last_hidden_state  # (1, 8 * 4, D)
        np.testing.assert_allclose(encoding.frames, tokens.reshape(8, 4, WIDTH).mean(1).numpy(), atol=1e-5)
        np.testing.assert_allclose(encoding.times, np.array(picked).reshape(8, 2).mean(1) / 25)


@pytest.mark.parametrize("name", ADAPTED)
@RECIPES
def test_adapted_videomae_against_the_authors_network(
    name: str, recipe: str, tiny_sources: Mapping[str, str], crop_clips: list[Clip]
) -> None:
    import cv2

    side = CATALOG[name].recipe(recipe)["resolution"]
    weights = torch.load(folder(tiny_sources, name), weights_only=False)["model"]
    weights = {key.removeprefix("encoder."): value for key, value in weights.items() if key.startswith("encoder.")}
    for clip, encoding in zip(
        crop_clips[::2], encode(encoder(name, tiny_sources, recipe), crop_clips[::2]), strict=True
    ):
        pictures = rgb(clip)[::4] if recipe == "masked" else rgb(clip)[::4, :, :, ::-1]
        last = len(pictures) - 1
        if last < 16:
            picked = [[min(i, last) for i in range(16)] if recipe == "mer2024" else _spread(last + 1)]
        else:
            picked = [list(range(16)), list(range(last - 15, last + 1))]
        wanted = []
        for view in picked:
            images = np.stack([cv2.resize(np.ascontiguousarray(pictures[i]), (side, side)) for i in view])
            wanted.append(_reference_videomae(weights, images))
        np.testing.assert_allclose(encoding.frames.mean(0), np.mean(wanted, axis=(0, 1)), atol=1e-5)
        assert encoding.frames.shape == (8 * len(picked), WIDTH)


def _spread(have: int) -> list[int]:
    return [int((i + 0.5) * have / 16) for i in range(16)]


def _reference_videomae(weights: dict[str, torch.Tensor], images: np.ndarray) -> np.ndarray:
    """VideoMAE's encoder by its paper: tokens (8 * patches, D), normalised."""
    from torch.nn import functional

    mean, std = torch.tensor([0.485, 0.456, 0.406]), torch.tensor([0.229, 0.224, 0.225])
    video = ((torch.from_numpy(images).float() / 255 - mean) / std).permute(3, 0, 1, 2)[None]
    kernel = weights["patch_embed.proj.weight"]
    x = functional.conv3d(video, kernel, weights["patch_embed.proj.bias"], stride=kernel.shape[2:])
    x = x.flatten(2).transpose(1, 2)[0]  # (N, D)
    positions = np.arange(len(x))[:, None] / 10000 ** (2 * (np.arange(WIDTH) // 2) / WIDTH)
    positions[:, 0::2], positions[:, 1::2] = np.sin(positions[:, 0::2]), np.cos(positions[:, 1::2])
    x = x + torch.from_numpy(positions).float()

    def norm(x: torch.Tensor, name: str) -> torch.Tensor:
        return functional.layer_norm(x, (WIDTH,), *(weights[f"{name}.{k}"] for k in ("weight", "bias")), 1e-6)

    def linear(x: torch.Tensor, name: str) -> torch.Tensor:
        return x @ weights[f"{name}.weight"].T + weights[f"{name}.bias"]

    for index in range(LAYERS):
        block = f"blocks.{index}"
        q_bias, v_bias = (weights[f"{block}.attn.{part}_bias"] for part in "qv")
        biases = torch.cat([q_bias, torch.zeros(WIDTH), v_bias])
        qkv = norm(x, f"{block}.norm1") @ weights[f"{block}.attn.qkv.weight"].T + biases
        q, k, v = (part.reshape(len(x), 2, 64).transpose(0, 1) for part in qkv.chunk(3, dim=-1))
        attended = (q @ k.transpose(1, 2) / 8).softmax(-1) @ v
        x = x + linear(attended.transpose(0, 1).reshape(len(x), WIDTH), f"{block}.attn.proj")
        hidden = functional.gelu(linear(norm(x, f"{block}.norm2"), f"{block}.mlp.fc1"))
        x = x + linear(hidden, f"{block}.mlp.fc2")
    return norm(x, "norm").numpy()


def test_adapted_videomae_from_a_folder(
    tmp_path: Path, tiny_sources: Mapping[str, str], crop_clips: list[Clip]
) -> None:
    one = encoder("videomae-base-voxceleb2", tiny_sources)
    one._model.save_pretrained(tmp_path)
    other = encoder("videomae-base-voxceleb2", {"videomae-base-voxceleb2": f"path:{tmp_path}"})
    for a, b in zip(encode(one, crop_clips), encode(other, crop_clips), strict=True):
        np.testing.assert_allclose(a.frames, b.frames, atol=1e-6)
