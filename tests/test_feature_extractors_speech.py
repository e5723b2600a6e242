"""Speech encoders give what transformers gives for the same sound, whatever shares the batch."""

from __future__ import annotations

import functools
import json
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import tiny_audio
import torch
from safetensors.torch import load_file, save_file
from tiny_audio import RATE

from feature_extractors.cards.card import Card
from feature_extractors.catalog import CATALOG
from feature_extractors.encoder import Encoder, Encoding, Settings, build
from feature_extractors.pooling import masked_mean
from mertools.clip import Clip
from mertools.errors import InputError
from mertools.libraries import transformers
from mertools.media import MissingMedium, read_audio

NAMES = ["wav2vec2-base", "wav2vec2-large", "hubert-base", "hubert-large"]
WINDOWS = "hubert-large-windows"


@pytest.fixture(scope="module")
def clips(tmp_path_factory: pytest.TempPathFactory) -> list[Path]:
    return tiny_audio.clips(tmp_path_factory.mktemp("clips"))


@pytest.fixture(scope="module")
def sources(tmp_path_factory: pytest.TempPathFactory) -> dict[str, str]:
    return {name: tiny_audio.CHECKPOINTS[name](tmp_path_factory.mktemp(name)) for name in [*NAMES, WINDOWS]}


def loaded(name: str | Card, source: str, recipe: str) -> Encoder:
    card = CATALOG[name] if isinstance(name, str) else name
    encoder = build(card, Settings(recipe=recipe, sources={card.name: source}))
    encoder.load("cpu")
    return encoder


def encode(encoder: Encoder, paths: list[Path]) -> list[Encoding]:
    return encoder.encode([encoder.prepare(Clip(path.stem, audio=path)) for path in paths])


@functools.cache
def reference(source: str) -> torch.nn.Module:
    return transformers().AutoModel.from_pretrained(source.removeprefix("path:")).eval()


def direct(source: str, samples: np.ndarray) -> np.ndarray:
    """The sum of the last four hidden states (T, D) of samples that are scaled already, by transformers alone.

    The last one is what the network gives, behind the final layer norm; transformers 5 lists it without that.
    """
    with torch.no_grad():
        output = reference(source)(torch.from_numpy(samples.astype(np.float32))[None], output_hidden_states=True)
    assert len(output.hidden_states) == 7
    return (sum(output.hidden_states[-4:-1]) + output.last_hidden_state)[0].numpy()


def scaled(samples: np.ndarray) -> np.ndarray:
    return (samples - samples.mean()) / np.sqrt(samples.var() + 1e-7)


@pytest.mark.parametrize("name", NAMES)
def test_mer2024_cuts_chunks_of_ten_seconds_and_averages_their_padding(
    name: str, clips: list[Path], sources: dict[str, str]
) -> None:
    encodings = encode(loaded(name, sources[name], "mer2024"), clips)
    for path, encoding, frames in zip(clips, encodings, (99, 499, 998, 998), strict=True):
        samples = scaled(read_audio(path).samples)
        chunks = [samples]
        if len(samples) > 10 * RATE:
            whole = np.zeros(20 * RATE)
            whole[: len(samples)] = samples
            chunks = np.split(whole, 2)
        expected = np.concatenate([direct(sources[name], chunk) for chunk in chunks])
        assert encoding.frames.shape == (frames, 16) and encoding.frames.dtype == np.float32
        np.testing.assert_allclose(encoding.frames, expected, atol=1e-5, rtol=1e-5)
        assert encoding.utterance is None, "the mean of all frames"
        assert encoding.times[:2] == pytest.approx([0, 0.02]) and len(encoding.times) == frames
        if frames == 998:
            assert encoding.times[499] == 10


@pytest.mark.parametrize("name", NAMES)
def test_masked_encodes_whole_clips(name: str, clips: list[Path], sources: dict[str, str]) -> None:
    for path, encoding in zip(clips, encode(loaded(name, sources[name], "masked"), clips), strict=True):
        samples = read_audio(path).samples
        expected = direct(sources[name], scaled(samples))
        np.testing.assert_allclose(encoding.frames, expected, atol=1e-5, rtol=1e-5)
        assert encoding.times[-1] + 0.025 <= len(samples) / RATE


@pytest.mark.parametrize("name", ["hubert-base", "hubert-large"])
def test_a_batch_of_chunks_changes_nothing(name: str, sources: dict[str, str], tmp_path: Path) -> None:
    paths = tiny_audio.clips(tmp_path, (0.5, 3.3, 12.0))
    encoder = loaded(name, sources[name], "mer2024")
    for path, encoding in zip(paths, encode(encoder, paths), strict=True):
        (alone,) = encode(encoder, [path])
        np.testing.assert_allclose(encoding.frames, alone.frames, atol=1e-5, rtol=1e-4)


@pytest.mark.parametrize("architecture", ["wavlm", "data2vec-audio"])
def test_a_card_is_all_that_a_relative_needs(architecture: str, clips: list[Path], tmp_path: Path) -> None:
    source = tiny_audio.speech(tmp_path, architecture, large=architecture == "wavlm")
    card = replace(CATALOG["hubert-large"], name="relative", architecture=architecture)
    for path, encoding in zip(clips, encode(loaded(card, source, "masked"), clips), strict=True):
        expected = direct(source, scaled(read_audio(path).samples))
        np.testing.assert_allclose(encoding.frames, expected, atol=2e-5, rtol=1e-4)


def test_windows_are_encoded_each_for_itself(clips: list[Path], sources: dict[str, str], tmp_path: Path) -> None:
    encodings = encode(loaded(WINDOWS, sources[WINDOWS], "masked"), clips)
    for path, encoding in zip(clips, encodings, strict=True):
        samples = read_audio(path).samples
        seconds = len(samples) / RATE
        assert encoding.frames.shape == (8, 16)
        np.testing.assert_allclose(encoding.times, np.linspace(0, seconds - 2, 8), atol=1 / RATE)
        for start, frame in zip(encoding.times, encoding.frames, strict=True):
            window = samples[round(start * RATE) :][: 2 * RATE]
            expected = direct(sources[WINDOWS], scaled(window)).mean(axis=0) / 4
            np.testing.assert_allclose(frame, expected, atol=1e-5, rtol=1e-5)
    short = tiny_audio.write_wav(tmp_path / "short.wav", tiny_audio.voice(1.2))
    samples = read_audio(short).samples
    (with_zeros,) = encode(loaded(WINDOWS, sources[WINDOWS], "mer2024"), [short])
    (as_it_is,) = encode(loaded(WINDOWS, sources[WINDOWS], "masked"), [short])
    padded = np.pad(samples, (0, 2 * RATE - len(samples)))
    for encoding, window in ((with_zeros, padded), (as_it_is, samples)):
        expected = direct(sources[WINDOWS], scaled(window)).mean(axis=0) / 4
        np.testing.assert_allclose(masked_mean(encoding.frames), expected, atol=1e-5, rtol=1e-5)


def test_what_cannot_be_encoded_says_why(tmp_path: Path) -> None:
    encoder = build(CATALOG["hubert-base"])
    with pytest.raises(MissingMedium, match=r"^no audio$"):
        encoder.prepare(Clip("empty"))
    for name, samples, reason in (
        ("short", tiny_audio.voice(0.02), "^the sound is too short: 20 ms, wanted at least 25 ms$"),
        ("silent", np.zeros(RATE), "^the sound is silent$"),
    ):
        path = tiny_audio.write_wav(tmp_path / f"{name}.wav", samples)
        with pytest.raises(MissingMedium, match=reason):
            encoder.prepare(Clip(name, audio=path))


def test_the_shortest_sound_has_one_frame(sources: dict[str, str], tmp_path: Path) -> None:
    path = tiny_audio.write_wav(tmp_path / "short.wav", tiny_audio.voice(0.025))
    for recipe in ("mer2024", "masked"):
        (encoding,) = encode(loaded("hubert-base", sources["hubert-base"], recipe), [path])
        assert encoding.frames.shape == (1, 16) and np.isfinite(encoding.frames).all()


def test_the_checkpoint_says_whether_sound_is_scaled(clips: list[Path], tmp_path: Path) -> None:
    source = tiny_audio.speech(tmp_path)
    settings = json.loads((tmp_path / "preprocessor_config.json").read_text())
    (tmp_path / "preprocessor_config.json").write_text(json.dumps({**settings, "do_normalize": False}))
    (encoding,) = encode(loaded("hubert-base", source, "masked"), clips[:1])
    expected = direct(source, read_audio(clips[0]).samples)
    np.testing.assert_allclose(encoding.frames, expected, atol=1e-5, rtol=1e-5)


def test_a_checkpoint_in_torch_s_format_with_the_old_names_is_read(clips: list[Path], tmp_path: Path) -> None:
    source = tiny_audio.speech(tmp_path)
    expected = direct(source, scaled(read_audio(clips[0]).samples))
    state = transformers().AutoModel.from_pretrained(tmp_path).state_dict()
    names = {"parametrizations.weight.original0": "weight_g", "parametrizations.weight.original1": "weight_v"}
    for new, old in names.items():
        state[f"encoder.pos_conv_embed.conv.{old}"] = state.pop(f"encoder.pos_conv_embed.conv.{new}")
    del state["masked_spec_embed"]
    (tmp_path / "model.safetensors").unlink()
    torch.save(state, tmp_path / "pytorch_model.bin")
    (encoding,) = encode(loaded("hubert-base", source, "masked"), clips[:1])
    np.testing.assert_allclose(encoding.frames, expected, atol=1e-5, rtol=1e-5)


def test_a_checkpoint_that_does_not_fit_is_refused(tmp_path: Path) -> None:
    source = tiny_audio.speech(tmp_path)
    with pytest.raises(
        InputError, match="holds a network of type 'hubert', and wav2vec2-base is one of type 'wav2vec2'"
    ):
        loaded("wav2vec2-base", source, "masked")
    weights = load_file(tmp_path / "model.safetensors")
    del weights["encoder.layers.4.layer_norm.bias"]
    save_file(weights, tmp_path / "model.safetensors", metadata={"format": "pt"})
    with pytest.raises(
        InputError, match=r"lacks 1 weights that hubert-base needs \(first: encoder.layers.4.layer_norm.bias\)"
    ):
        loaded("hubert-base", source, "masked")
    tiny_audio.speech(tmp_path, num_hidden_layers=3)
    with pytest.raises(InputError, match="has 3 layers, of which hubert-base reads the last 4"):
        loaded("hubert-base", source, "masked")
    tiny_audio.speech(tmp_path)
    (tmp_path / "preprocessor_config.json").unlink()
    with pytest.raises(InputError, match=r"has no preprocessor_config.json, which says how sound is scaled"):
        loaded("hubert-base", source, "masked")
