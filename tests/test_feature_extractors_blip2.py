"""BLIP-2's image side against the whole model."""

from __future__ import annotations

import json
import shutil
from collections.abc import Mapping
from pathlib import Path

import numpy as np
import pytest
import torch
from tiny_video import WIDTH, encode, encoder, folder

from mertools.clip import Clip
from mertools.errors import InputError
from mertools.libraries import image_processor, transformers
from mertools.media import read_frames

RECIPES = pytest.mark.parametrize("recipe", ["mer2024", "masked"])


@RECIPES
def test_blip2_is_the_whole_models_image_side(
    recipe: str, tiny_sources: Mapping[str, str], frame_clips: list[Clip]
) -> None:
    path = folder(tiny_sources, "blip2-qformer")
    model = transformers().Blip2ForConditionalGeneration.from_pretrained(path).eval()
    chosen = {
        "mer2024": {"3": [0, 1] + 6 * [2], "20": [0, 2, 5, 7, 10, 12, 15, 17]},
        "masked": {"3": [0, 1, 2], "20": [1, 3, 6, 8, 11, 13, 16, 18]},
    }
    patches = encode(encoder("eva-clip-g", {"eva-clip-g": f"path:{path}"}, recipe), frame_clips)
    queries = encode(encoder("blip2-qformer", tiny_sources, recipe), frame_clips)
    for clip, seen, gathered in zip(frame_clips, patches, queries, strict=True):
        picked = chosen[recipe][clip.name]
        images = read_frames(clip.video).images
        inputs = image_processor(path)([images[i] for i in picked], return_tensors="pt")
        with torch.no_grad():
            vision = model.vision_model(**inputs).last_hidden_state
            output = model.qformer(
                query_embeds=model.query_tokens.expand(len(picked), -1, -1), encoder_hidden_states=vision
            ).last_hidden_state
        assert seen.frames.shape == (len(picked), 17, WIDTH) and gathered.frames.shape == (len(picked), 32, 48)
        np.testing.assert_allclose(seen.frames, vision.numpy(), atol=1e-5)
        np.testing.assert_allclose(gathered.frames, output.numpy(), atol=1e-5)
        np.testing.assert_allclose(seen.times, np.array(picked) / 25, atol=1e-3)


def test_blip2_needs_only_the_files_of_its_image_side(tiny_sources: Mapping[str, str], tmp_path: Path) -> None:
    whole = folder(tiny_sources, "eva-clip-g")
    index = json.loads((whole / "model.safetensors.index.json").read_text())["weight_map"]
    needed = {file for name, file in index.items() if name.startswith("vision_model.")}
    assert needed < set(index.values())
    for file in [*whole.glob("*.json"), *(whole / name for name in needed)]:
        shutil.copy(file, tmp_path)
    encoder("eva-clip-g", {"eva-clip-g": f"path:{tmp_path}"})
    (tmp_path / min(needed)).unlink()
    with pytest.raises(InputError, match=r"lacks model-0.*, which its index names"):
        encoder("eva-clip-g", {"eva-clip-g": f"path:{tmp_path}"})
