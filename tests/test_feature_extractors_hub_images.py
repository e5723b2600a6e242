"""CLIP and DINOv2 against transformers called directly."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

import numpy as np
import pytest
import torch
from tiny_video import WIDTH, encode, encoder, folder, rgb

from feature_extractors.catalog import CATALOG
from feature_extractors.encoder import Settings, build
from mertools.clip import Clip
from mertools.errors import InputError
from mertools.libraries import image_processor, transformers

RECIPES = pytest.mark.parametrize("recipe", ["mer2024", "masked"])


@RECIPES
def test_clip_is_the_projected_class_token_of_all_frames(
    recipe: str, tiny_sources: Mapping[str, str], crop_clips: list[Clip]
) -> None:
    path = folder(tiny_sources, "clip-large")
    model = transformers().CLIPModel.from_pretrained(path).eval()
    for clip, encoding in zip(crop_clips, encode(encoder("clip-large", tiny_sources, recipe), crop_clips), strict=True):
        inputs = image_processor(path)(list(rgb(clip)), return_tensors="pt")
        with torch.no_grad():
            wanted = model.get_image_features(**inputs).pooler_output
        assert encoding.frames.shape == (len(rgb(clip)), 48)
        np.testing.assert_allclose(encoding.frames, wanted.numpy(), atol=1e-5)
        np.testing.assert_allclose(encoding.times, np.arange(len(rgb(clip))) / 25)


def test_dinov2_sums_all_tokens_before_the_last_normalisation(
    tiny_sources: Mapping[str, str], crop_clips: list[Clip]
) -> None:
    path = folder(tiny_sources, "dinov2-large")
    model = transformers().Dinov2Model.from_pretrained(path).eval()
    chosen = {3: [0, 1, 2] + 61 * [2], 20: [*range(20), *(44 * [19])], 90: [int(i * 90 / 64) for i in range(64)]}
    for clip, encoding in zip(crop_clips, encode(encoder("dinov2-large", tiny_sources), crop_clips), strict=True):
        inputs = image_processor(path)(list(rgb(clip)[chosen[len(rgb(clip))]]), return_tensors="pt")
        tokens = []
        hook = model.encoder.layer[-1].register_forward_hook(
            lambda _, __, output, seen=tokens: seen.append(output if isinstance(output, torch.Tensor) else output[0])
        )
        with torch.no_grad():
            model(**inputs)
        hook.remove()
        assert tokens[0].shape == (64, 17, WIDTH)
        np.testing.assert_allclose(encoding.frames, tokens[0].sum(1).numpy(), rtol=1e-5, atol=1e-4)


def test_dinov2_masked_is_the_mean_of_patches(tiny_sources: Mapping[str, str], crop_clips: list[Clip]) -> None:
    path = folder(tiny_sources, "dinov2-large")
    model = transformers().Dinov2Model.from_pretrained(path).eval()
    short, _, long = encode(encoder("dinov2-large", tiny_sources, "masked"), crop_clips)
    assert short.frames.shape == (3, WIDTH) and long.frames.shape == (64, WIDTH)
    assert (np.diff(long.times) > 0).all() and long.times[-1] > 88 / 25 - 0.01
    with torch.no_grad():
        tokens = model(**image_processor(path)(list(rgb(crop_clips[0])), return_tensors="pt")).last_hidden_state
    np.testing.assert_allclose(short.frames, tokens[:, 1:].mean(1).numpy(), atol=1e-5)


def test_a_checkpoint_that_lacks_weights_is_refused(tmp_path: Path, tiny_sources: Mapping[str, str]) -> None:
    with pytest.raises(InputError, match=r"holds a network of type 'dinov2', and clip-base is one of type 'clip' or"):
        encoder("clip-base", {"clip-base": tiny_sources["dinov2-large"]})
    with pytest.raises(
        InputError,
        match=r"does not exist.* videomae-base-mer2023 needs the challenge's checkpoint .*--weights videomae",
    ):
        build(CATALOG["videomae-base-mer2023"], Settings("dlib")).load("cpu")
    file = torch.load(folder(tiny_sources, "videomae-base-mer2023"), weights_only=False)
    del file["model"]["encoder.norm.weight"]
    torch.save(file, tmp_path / "lacking.pth")
    with pytest.raises(
        InputError, match=r"lacks 1 weights that videomae-base-mer2023 needs \(first: layernorm.weight\)"
    ):
        encoder("videomae-base-mer2023", {"videomae-base-mer2023": f"path:{tmp_path / 'lacking.pth'}"})
    torch.save({"weight": torch.zeros(1)}, tmp_path / "other.pth")
    with pytest.raises(InputError, match="is no checkpoint of VideoMAE"):
        encoder("videomae-base-mer2023", {"videomae-base-mer2023": f"path:{tmp_path / 'other.pth'}"})
    with pytest.raises(InputError, match="is no folder in timm's format"):
        encoder("eva02-base", {"eva02-base": tiny_sources["dinov2-large"]})
