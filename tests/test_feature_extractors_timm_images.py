"""EVA-02 against timm called directly."""

from __future__ import annotations

import shutil
from collections.abc import Mapping
from pathlib import Path

import numpy as np
import pytest
import torch
from tiny_video import WIDTH, encode, encoder, folder, rgb

from mertools.clip import Clip
from mertools.errors import InputError
from mertools.libraries import timm

RECIPES = pytest.mark.parametrize("recipe", ["mer2024", "masked"])


@RECIPES
def test_eva02_is_timms_pooled_output(recipe: str, tiny_sources: Mapping[str, str], crop_clips: list[Clip]) -> None:
    from PIL import Image

    path = folder(tiny_sources, "eva02-base")
    model = timm().create_model(f"local-dir:{path}", pretrained=True).eval()
    transform = timm().data.create_transform(**timm().data.resolve_model_data_config(model))
    for clip, encoding in zip(crop_clips, encode(encoder("eva02-base", tiny_sources, recipe), crop_clips), strict=True):
        inputs = torch.stack([transform(Image.fromarray(picture)) for picture in np.ascontiguousarray(rgb(clip))])
        with torch.no_grad():
            np.testing.assert_allclose(encoding.frames, model(inputs).numpy(), atol=1e-5)


def test_eva02_as_its_pre_training_left_it(
    tiny_sources: Mapping[str, str], crop_clips: list[Clip], tmp_path: Path
) -> None:
    import safetensors.torch

    whole = folder(tiny_sources, "eva02-base")
    weights = safetensors.torch.load_file(whole / "model.safetensors")
    renamed = {name.replace("fc_norm", "norm"): value for name, value in weights.items()}
    assert renamed.keys() != weights.keys()
    safetensors.torch.save_file({**renamed, "mask_token": torch.zeros(1, 1, WIDTH)}, tmp_path / "model.safetensors")
    shutil.copy(whole / "config.json", tmp_path)
    (wanted,) = encode(encoder("eva02-base", tiny_sources), crop_clips[:1])
    (got,) = encode(encoder("eva02-base", {"eva02-base": f"path:{tmp_path}"}), crop_clips[:1])
    np.testing.assert_array_equal(got.frames, wanted.frames)
    del renamed["norm.weight"]
    safetensors.torch.save_file(renamed, tmp_path / "model.safetensors")
    with pytest.raises(InputError, match=r"lacks 2 weights of eva02_base_patch14_224 \(first: fc_norm.bias\)"):
        encoder("eva02-base", {"eva02-base": f"path:{tmp_path}"})
