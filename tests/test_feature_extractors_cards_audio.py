"""Every acoustic card goes from its weights on disk to a feature file."""

from __future__ import annotations

import sys
from pathlib import Path

import numpy as np
import pytest
import tiny_audio
import torch

from feature_extractors.cards.audio import AUDIO
from feature_extractors.encoder import Encoder, Settings, build
from feature_extractors.runner import extract
from mertools.clip import Clip
from mertools.clip_rows import MISSING, OK
from mertools.feature_store import read_features

DIMS = {"egemaps": 88, "vggish": 128, "imagebind-audio": 32}
WITHOUT_TIMES = {("whisper-base", "mer2024"), ("whisper-large", "mer2024")}


@pytest.fixture(scope="module")
def clips(tmp_path_factory: pytest.TempPathFactory) -> list[Clip]:
    folder = tmp_path_factory.mktemp("clips")
    heard = [Clip(path.stem, audio=path) for path in tiny_audio.clips(folder, (1.2, 1.7))]
    silent = tiny_audio.write_wav(folder / "silent.wav", np.zeros(tiny_audio.RATE))
    return [*heard, Clip("silent", audio=silent), Clip("without", subtitle="nothing to hear")]


@pytest.fixture
def settings(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setitem(sys.modules, "funasr", tiny_audio.funasr())

    def make(name: str, recipe: str) -> Settings:
        if name not in tiny_audio.CHECKPOINTS:
            return Settings(recipe=recipe)
        (tmp_path / name).mkdir()
        return Settings(recipe=recipe, sources={name: tiny_audio.CHECKPOINTS[name](tmp_path / name)})

    return make


def encoded(encoder: Encoder, clip: Clip) -> np.ndarray:
    (encoding,) = encoder.encode([encoder.prepare(clip)])
    return encoding.frames


def test_every_card_that_wants_weights_has_a_tiny_checkpoint() -> None:
    assert set(tiny_audio.CHECKPOINTS) == set(AUDIO) - {"egemaps"}


@pytest.mark.parametrize("recipe", ["mer2024", "masked"])
@pytest.mark.parametrize("name", AUDIO)
def test_a_corpus_becomes_a_feature_file(name: str, recipe: str, clips: list[Clip], settings, tmp_path: Path) -> None:
    encoder = build(AUDIO[name], settings(name, recipe))
    (outcome,) = extract(clips, [encoder], tmp_path / "features", level="frame", workers=0, device="cpu")
    assert [(row.status, row.reason) for row in outcome.rows] == [
        (OK, ""),
        (OK, ""),
        (MISSING, "the sound is silent"),
        (MISSING, "no audio"),
    ]
    features = read_features(outcome.path)
    assert features.utterance.shape == (4, DIMS.get(name, 16)) and np.isfinite(features.utterance).all()
    assert not np.allclose(features.utterance[0], features.utterance[1]), "the sound decides"
    again = build(AUDIO[name], encoder.settings)
    for one in (encoder, again):
        one.load("cpu")
    np.testing.assert_array_equal(encoded(again, clips[1]), encoded(encoder, clips[1]))
    (encoding,) = again.encode([again.prepare(clips[1])])
    assert (encoding.times is None) == ((name, recipe) in WITHOUT_TIMES)
    if encoding.times is not None:
        assert len(encoding.times) == len(encoding.frames) and encoding.times[0] == 0


@pytest.mark.parametrize("name", AUDIO)
def test_sixteen_clips_at_once_equal_each_alone(name: str, settings, tmp_path: Path) -> None:
    encoder = build(AUDIO[name], settings(name, "masked"))
    encoder.load("cpu")
    paths = tiny_audio.clips(tmp_path, tuple(np.linspace(0.3, 1.4, 16)))
    items = [encoder.prepare(Clip(path.stem, audio=path)) for path in paths]
    for item, encoding in zip(items, encoder.encode(items), strict=True):
        (alone,) = encoder.encode([item])
        np.testing.assert_allclose(encoding.frames, alone.frames, atol=1e-4, rtol=1e-4)


@pytest.mark.parametrize("name", tiny_audio.CHECKPOINTS)
def test_half_precision_costs_little(name: str, clips: list[Clip], settings) -> None:
    encoder = build(AUDIO[name], settings(name, "masked"))
    encoder.load("cpu")
    full = encoded(encoder, clips[1])
    with torch.autocast("cpu", torch.bfloat16):
        half = encoded(encoder, clips[1])
    assert half.dtype == np.float32
    assert np.linalg.norm(half - full) < 0.05 * np.linalg.norm(full)
