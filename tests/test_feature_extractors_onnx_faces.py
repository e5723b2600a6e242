"""Expression networks in ONNX files get what their card says, and give what it promises."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

import numpy as np
import pytest
import torch
from tiny_video import encode, encoder, folder, rgb

from feature_extractors.catalog import CATALOG
from feature_extractors.encoder import Settings, build
from mertools.clip import Clip
from mertools.errors import InputError

RECIPES = pytest.mark.parametrize("recipe", ["mer2024", "masked"])


@pytest.mark.parametrize("name", ["emonet", "senet-fer2013", "resnet-fer2013", "manet-rafdb"])
@RECIPES
def test_onnx_networks_get_faces_as_their_card_says(
    name: str, recipe: str, tiny_sources: Mapping[str, str], crop_clips: list[Clip]
) -> None:
    onnx = pytest.importorskip("onnx")
    pytest.importorskip("onnxruntime")
    from onnx import numpy_helper
    from PIL import Image
    from torch.nn import functional

    weights = [
        torch.tensor(numpy_helper.to_array(tensor))
        for tensor in onnx.load(folder(tiny_sources, name)).graph.initializer
    ]
    for clip, encoding in zip(crop_clips, encode(encoder(name, tiny_sources, recipe), crop_clips), strict=True):
        images = [Image.fromarray(picture) for picture in np.ascontiguousarray(rgb(clip))]
        if name == "emonet":
            faces = np.stack([image.resize((256, 256), Image.BILINEAR) for image in images]) / 255
        elif name == "manet-rafdb":
            faces = np.stack([image.resize((224, 224), Image.BILINEAR) for image in images]) / 255
        else:
            faces = np.stack([image.resize((256, 256), Image.BILINEAR).crop((16, 16, 240, 240)) for image in images])
            faces = faces - np.array([131.0912, 103.8827, 91.4953])
        maps = torch.tensor(faces.transpose(0, 3, 1, 2), dtype=torch.float32)
        for index, weight in enumerate(weights):
            maps = functional.relu(functional.conv2d(maps, weight, stride=1 if index else 16))
        wanted = maps.mean((2, 3)).numpy()
        assert encoding.frames.shape == (len(images), CATALOG[name].dim)
        np.testing.assert_allclose(encoding.frames, wanted, atol=1e-5 * abs(wanted).max())


def test_an_onnx_file_of_another_network_is_refused(tiny_sources: Mapping[str, str], tmp_path: Path) -> None:
    pytest.importorskip("onnxruntime")
    with pytest.raises(InputError, match=r"gives \(2, 512\) for two faces; .*\(2, 1024\) was wanted"):
        encoder("manet-rafdb", {"manet-rafdb": tiny_sources["senet-fer2013"]})
    with pytest.raises(InputError, match=r"does not take faces \(N, 3, 256, 256\)"):
        encoder("emonet", {"emonet": tiny_sources["senet-fer2013"]})
    (tmp_path / "broken.onnx").write_bytes(b"not a network")
    with pytest.raises(InputError, match="cannot be loaded as an ONNX network"):
        encoder("emonet", {"emonet": f"path:{tmp_path / 'broken.onnx'}"})
    with pytest.raises(
        InputError,
        match=r"does not exist.* emonet needs an ONNX file of your own \(docs/export.md .*--weights emonet=path:FILE",
    ):
        build(CATALOG["emonet"], Settings("dlib")).load("cpu")
