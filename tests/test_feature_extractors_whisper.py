"""Whisper gives what transformers gives: two decoder states, or the encoder's states of the clip alone."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import tiny_audio
import torch
from safetensors.torch import load_file, save_file
from tiny_audio import RATE

from feature_extractors.catalog import CATALOG
from feature_extractors.encoder import Encoder, Encoding, Settings, build
from mertools.clip import Clip
from mertools.errors import InputError
from mertools.libraries import transformers
from mertools.media import read_audio


@pytest.fixture(scope="module")
def source(tmp_path_factory: pytest.TempPathFactory) -> str:
    return tiny_audio.whisper(tmp_path_factory.mktemp("whisper"))


@pytest.fixture(scope="module")
def clips(tmp_path_factory: pytest.TempPathFactory) -> list[Path]:
    return tiny_audio.clips(tmp_path_factory.mktemp("clips"))


def loaded(source: str, recipe: str, name: str = "whisper-base") -> Encoder:
    encoder = build(CATALOG[name], Settings(recipe=recipe, sources={name: source}))
    encoder.load("cpu")
    return encoder


def encode(encoder: Encoder, paths: list[Path]) -> list[Encoding]:
    return encoder.encode([encoder.prepare(Clip(path.stem, audio=path)) for path in paths])


def direct(source: str, path: Path):
    """transformers' own pass over one clip, with the decoder started twice."""
    library, folder = transformers(), source.removeprefix("path:")
    model = library.AutoModel.from_pretrained(folder).eval()
    inputs = library.AutoFeatureExtractor.from_pretrained(folder)(
        read_audio(path).samples, sampling_rate=RATE, return_tensors="pt"
    )
    tokens = torch.tensor([[1, 1]]) * model.config.decoder_start_token_id
    with torch.no_grad():
        return model(inputs.input_features, decoder_input_ids=tokens)


@pytest.mark.parametrize("name", ["whisper-base", "whisper-large"])
def test_mer2024_reads_two_decoder_states(name: str, source: str, clips: list[Path]) -> None:
    for path, encoding in zip(clips, encode(loaded(source, "mer2024", name), clips), strict=True):
        assert encoding.frames.shape == (2, 16) and encoding.times is None and encoding.utterance is None
        expected = direct(source, path).last_hidden_state[0].numpy()
        np.testing.assert_allclose(encoding.frames, expected, atol=1e-5, rtol=1e-5)


def test_masked_reads_the_encoder_up_to_the_clip_s_end(source: str, clips: list[Path]) -> None:
    encodings = encode(loaded(source, "masked"), clips)
    for path, encoding, count in zip(clips, encodings, (100, 500, 501, 800), strict=True):
        expected = direct(source, path).encoder_last_hidden_state[0, :count].numpy()
        assert encoding.frames.shape == (count, 16)
        np.testing.assert_allclose(encoding.frames, expected, atol=1e-5, rtol=1e-5)
        np.testing.assert_allclose(encoding.times, np.arange(count) * 0.02)
        assert not encoding.problem


@pytest.mark.parametrize("recipe", ["mer2024", "masked"])
def test_a_batch_changes_nothing(recipe: str, source: str, tmp_path: Path) -> None:
    paths = tiny_audio.clips(tmp_path, (0.03, 0.5, 3.0, 7.5))
    encoder = loaded(source, recipe)
    for path, encoding in zip(paths, encode(encoder, paths), strict=True):
        np.testing.assert_allclose(encoding.frames, encode(encoder, [path])[0].frames, atol=1e-5, rtol=1e-4)


def test_what_is_beyond_thirty_seconds_is_told(source: str, tmp_path: Path) -> None:
    path = tiny_audio.write_wav(tmp_path / "long.wav", tiny_audio.voice(31))
    (encoding,) = encode(loaded(source, "masked"), [path])
    assert len(encoding.frames) == 1500
    assert encoding.problem == "the sound lasts 31.0 s, of which the first 30 were read"


def test_a_checkpoint_that_does_not_fit_is_refused(tmp_path: Path) -> None:
    source = tiny_audio.whisper(tmp_path)
    with pytest.raises(InputError, match="holds a network of type 'whisper', and hubert-base is one of type 'hubert'"):
        loaded(source, "masked", "hubert-base")
    weights = load_file(tmp_path / "model.safetensors")
    del weights["model.decoder.layer_norm.bias"]
    save_file(weights, tmp_path / "model.safetensors", metadata={"format": "pt"})
    with pytest.raises(InputError, match=r"lacks 1 weights that whisper-base needs \(first: decoder.layer_norm.bias\)"):
        loaded(source, "masked")
    tiny_audio.whisper(tmp_path)
    (tmp_path / "preprocessor_config.json").unlink()
    with pytest.raises(InputError, match=r"has no preprocessor_config\.json, which describes the spectrogram"):
        loaded(source, "masked")
