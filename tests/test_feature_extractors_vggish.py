"""VGGish reads the right pieces of spectrogram, and its network is the published one."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import tiny_audio
import torch
from torch.nn import functional

from feature_extractors.catalog import CATALOG
from feature_extractors.encoder import Encoder, Settings, build
from feature_extractors.log_mel import audioset_log_mel
from mertools.clip import Clip
from mertools.errors import InputError
from mertools.media import read_audio


@pytest.fixture(scope="module")
def source(tmp_path_factory: pytest.TempPathFactory) -> str:
    return tiny_audio.vggish(tmp_path_factory.mktemp("vggish"))


@pytest.fixture(scope="module")
def vggish(source: str) -> Encoder:
    encoder = build(CATALOG["vggish"], Settings(sources={"vggish": source}))
    encoder.load("cpu")
    return encoder


def direct(source: str, example: np.ndarray) -> np.ndarray:
    """The embedding of one (96, 64) example, layer by layer, flattened as TensorFlow lays out channels."""
    weights = torch.load(source.removeprefix("path:"))
    maps = torch.from_numpy(example)[None, None]
    for number in (0, 3, 6, 8, 11, 13):
        parameters = weights[f"features.{number}.weight"], weights[f"features.{number}.bias"]
        maps = functional.relu(functional.conv2d(maps, *parameters, padding=1))
        if number != 6 and number != 11:
            maps = functional.max_pool2d(maps, 2, 2)
    vector = torch.from_numpy(np.moveaxis(maps[0].numpy(), 0, -1).reshape(-1).copy())
    for number in (0, 2, 4):
        vector = weights[f"embeddings.{number}.weight"] @ vector + weights[f"embeddings.{number}.bias"]
        if number != 4:
            vector = functional.relu(vector)
    return vector.numpy()


def test_examples_of_096_s_every_half_second(vggish: Encoder, source: str, tmp_path: Path) -> None:
    for path, count in zip(tiny_audio.clips(tmp_path), (3, 19, 19, 31), strict=True):
        item = vggish.prepare(Clip("clip", audio=path))
        spectrogram = audioset_log_mel(read_audio(path).samples)
        assert item.images.shape == (count, 96, 64)
        for i in (0, count - 1):
            np.testing.assert_array_equal(item.images[i], spectrogram[50 * i : 50 * i + 96])
    (encoding,) = vggish.encode([vggish.prepare(Clip("clip", audio=tmp_path / "clip0.wav"))])
    assert encoding.frames.shape == (3, 128) and (encoding.frames < 0).any(), "before the non-linearity"
    np.testing.assert_allclose(encoding.times, [0, 0.5, 1.0])
    for i, frame in enumerate(encoding.frames):
        example = audioset_log_mel(read_audio(tmp_path / "clip0.wav").samples)[50 * i :][:96]
        np.testing.assert_allclose(frame, direct(source, example), atol=1e-5, rtol=1e-5)


def test_a_clip_below_a_second_is_repeated(vggish: Encoder, tmp_path: Path) -> None:
    path = tiny_audio.write_wav(tmp_path / "short.wav", tiny_audio.voice(0.4))
    samples = read_audio(path).samples
    item = vggish.prepare(Clip("short", audio=path))
    expected = audioset_log_mel(np.concatenate([samples] * 3))
    np.testing.assert_array_equal(item.images[0], expected[:96])
    assert len(item.images) == 1


def test_weights_that_do_not_fit_are_refused(source: str, tmp_path: Path) -> None:
    with pytest.raises(InputError, match=r"does not exist .* vggish needs AudioSet's weights .*--weights vggish=path:"):
        build(CATALOG["vggish"]).load("cpu")
    weights = torch.load(source.removeprefix("path:"))
    del weights["embeddings.4.bias"]
    torch.save(weights, tmp_path / "weights.pth")
    for own in (tmp_path / "weights.pth", tmp_path):
        encoder = build(CATALOG["vggish"], Settings(sources={"vggish": f"path:{own}"}))
        with pytest.raises(InputError, match=r"does not hold the weights of vggish: Missing key.*embeddings\.4\.bias"):
            encoder.load("cpu")
    torch.save(weights, tmp_path / "more.pth")
    with pytest.raises(InputError, match=r"a folder with 2 files of weights \(more\.pth, weights\.pth\); name the one"):
        encoder.load("cpu")
