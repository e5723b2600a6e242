"""ImageBind's ear reads eight windows a clip, and its network does what the weights' names say."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import tiny_audio
import torch
from tiny_audio import RATE

from feature_extractors.catalog import CATALOG
from feature_extractors.encoder import Encoder, Settings, build
from feature_extractors.imagebind import spectrogram
from feature_extractors.log_mel import kaldi_log_mel
from mertools.clip import Clip
from mertools.errors import InputError
from mertools.media import read_audio


@pytest.fixture(scope="module")
def source(tmp_path_factory: pytest.TempPathFactory) -> str:
    return tiny_audio.imagebind(tmp_path_factory.mktemp("imagebind"))


@pytest.fixture(scope="module")
def imagebind(source: str) -> Encoder:
    return loaded(source)


def loaded(source: str) -> Encoder:
    encoder = build(CATALOG["imagebind-audio"], Settings(sources={"imagebind-audio": source}))
    encoder.load("cpu")
    return encoder


def direct(source: str, image: np.ndarray) -> np.ndarray:
    """The vector of one spectrogram (128, 204), in NumPy and double precision."""
    weights = {key: value.double().numpy() for key, value in torch.load(source.removeprefix("path:")).items()}

    def norm(x: np.ndarray, name: str, eps: float) -> np.ndarray:
        x = (x - x.mean(-1, keepdims=True)) / np.sqrt(x.var(-1, keepdims=True) + eps)
        return x * weights[f"{name}.weight"] + weights[f"{name}.bias"]

    def gelu(x: np.ndarray) -> np.ndarray:
        return x * (1 + torch.erf(torch.from_numpy(x / np.sqrt(2))).numpy()) / 2

    before = "modality_preprocessors.audio"
    kernels = weights[f"{before}.rgbt_stem.proj.weight"][:, 0]  # (width, 16, 16)
    patches = [
        [(kernels * image[y : y + 16, x : x + 16]).sum((1, 2)) for x in range(0, 189, 10)] for y in range(0, 113, 10)
    ]
    patches = norm(np.array(patches).reshape(12 * 19, -1), f"{before}.rgbt_stem.norm_layer", 1e-5)
    x = np.concatenate([weights[f"{before}.cls_token"][0], patches])
    x = x + weights[f"{before}.pos_embedding_helper.pos_embed"][0]
    for block in range(6):
        name = f"modality_trunks.audio.blocks.{block}"
        states = norm(x, f"{name}.norm_1", 1e-6) @ weights[f"{name}.attn.in_proj_weight"].T
        query, key, value = np.split(states + weights[f"{name}.attn.in_proj_bias"], 3, axis=-1)
        key = np.concatenate([key, weights[f"{name}.attn.bias_k"][0]])
        value = np.concatenate([value, weights[f"{name}.attn.bias_v"][0]])
        heads = []
        for head in (slice(0, 64), slice(64, 128)):
            scores = np.exp(query[:, head] @ key[:, head].T / 8)
            heads.append(scores / scores.sum(-1, keepdims=True) @ value[:, head])
        mixed = np.concatenate(heads, axis=-1) @ weights[f"{name}.attn.out_proj.weight"].T
        x = x + mixed + weights[f"{name}.attn.out_proj.bias"]
        inner = norm(x, f"{name}.norm_2", 1e-6) @ weights[f"{name}.mlp.fc1.weight"].T + weights[f"{name}.mlp.fc1.bias"]
        x = x + gelu(inner) @ weights[f"{name}.mlp.fc2.weight"].T + weights[f"{name}.mlp.fc2.bias"]
    vector = weights["modality_heads.audio.2.weight"] @ norm(x[0], "modality_heads.audio.0", 1e-6)
    return 20 * vector / np.linalg.norm(vector)


def test_eight_windows_from_beginning_to_end(imagebind: Encoder, source: str, tmp_path: Path) -> None:
    paths = tiny_audio.clips(tmp_path)
    encodings = imagebind.encode([imagebind.prepare(Clip(path.stem, audio=path)) for path in paths])
    for path, encoding in zip(paths, encodings, strict=True):
        samples = read_audio(path).samples
        assert encoding.frames.shape == (8, 32)
        np.testing.assert_allclose(np.linalg.norm(encoding.frames, axis=1), 20, rtol=1e-5)
        np.testing.assert_allclose(encoding.times, np.linspace(0, len(samples) / RATE - 2, 8), atol=1 / RATE)
        start = round(encoding.times[5] * RATE)
        expected = direct(source, spectrogram(samples[start : start + 2 * RATE]))
        np.testing.assert_allclose(encoding.frames[5], expected, atol=1e-4, rtol=1e-4)
    np.testing.assert_array_equal(encodings[0].frames, np.repeat(encodings[0].frames[:1], 8, axis=0))


def test_the_spectrogram_is_scaled_and_padded() -> None:
    samples = tiny_audio.voice(2.0) + 0.1
    got = spectrogram(samples)
    expected = (kaldi_log_mel(samples - samples.mean()).T + 4.268) / 9.138
    assert got.shape == (128, 204) and got.dtype == np.float32
    np.testing.assert_allclose(got[:, :198], expected, atol=1e-6)
    np.testing.assert_allclose(got[:, 198:], 4.268 / 9.138, rtol=1e-6)


def test_weights_that_do_not_fit_are_refused(source: str, tmp_path: Path) -> None:
    weights = torch.load(source.removeprefix("path:"))
    own = tmp_path / "imagebind.pth"
    torch.save({key: value for key, value in weights.items() if "blocks.3.attn.bias_k" not in key}, own)
    with pytest.raises(InputError, match=r"does not hold the weights of imagebind-audio: .*blocks\.3\.attn\.bias_k"):
        loaded(f"path:{own}")
    torch.save({"modality_preprocessors.vision.cls_token": torch.zeros(1)}, own)
    with pytest.raises(InputError, match=r"does not hold ImageBind's audio trunk .*imagebind_huge\.pth"):
        loaded(f"path:{own}")
