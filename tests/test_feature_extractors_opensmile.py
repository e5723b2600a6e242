"""eGeMAPS is what openSMILE's own package gives, for every sound that can be analysed."""

from __future__ import annotations

import warnings
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
import pytest
from tiny_audio import write_wav

from feature_extractors.catalog import CATALOG
from feature_extractors.encoder import Encoding, Settings, build
from mertools.clip import Clip
from mertools.media import MissingMedium, UnreadableMedia, read_audio

if TYPE_CHECKING:
    import pandas as pd

RATE = 16_000


def voice(seconds: float, pitch_hz: float = 120.0, loudness: float = 0.3) -> np.ndarray:
    """A buzz with a pitch, and a little noise."""
    times = np.arange(round(seconds * RATE)) / RATE
    buzz = sum(np.sin(2 * np.pi * pitch_hz * k * times) / k for k in range(1, 20))
    return loudness * (buzz / 2 + 0.01 * np.random.default_rng(0).normal(size=len(times)))


def encode(path: Path, recipe: str = "mer2024") -> Encoding:
    encoder = build(CATALOG["egemaps"], Settings(recipe=recipe))
    item = encoder.prepare(Clip("clip", audio=path))
    encoder.load("cpu")
    (encoding,) = encoder.encode([item])
    return encoding


def reference(samples: np.ndarray, level: str, version: str) -> pd.DataFrame:
    import opensmile

    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        smile = opensmile.Smile(opensmile.FeatureSet[f"eGeMAPS{version}"], opensmile.FeatureLevel[level])
    return smile.process_signal(samples, RATE)


@pytest.mark.parametrize(("recipe", "version", "descriptors_count"), [("mer2024", "v01a", 23), ("masked", "v02", 25)])
def test_equals_the_package_and_carries_its_names(
    recipe: str, version: str, descriptors_count: int, tmp_path: Path
) -> None:
    path = write_wav(tmp_path / "voice.wav", voice(1.5))
    samples = read_audio(path).samples
    functionals, descriptors = (reference(samples, level, version) for level in ("Functionals", "LowLevelDescriptors"))
    encoding = encode(path, recipe)
    assert encoding.frames.shape[1] == descriptors_count
    np.testing.assert_array_equal(encoding.utterance, functionals.to_numpy()[0])
    np.testing.assert_array_equal(encoding.frames, descriptors.to_numpy())
    starts = descriptors.index.get_level_values("start").total_seconds()
    np.testing.assert_allclose(encoding.times, starts, atol=1e-9)
    provenance = build(CATALOG["egemaps"], Settings(recipe=recipe)).provenance("frame")
    assert provenance.columns == tuple(functionals.columns) and len(provenance.columns) == 88
    assert provenance.frame_columns == {"frames": tuple(descriptors.columns)}


def test_pitch_is_found(tmp_path: Path) -> None:
    columns = build(CATALOG["egemaps"]).columns
    pitch = columns.index("F0semitoneFrom27.5Hz_sma3nz_amean")
    for pitch_hz in (110.0, 220.0):
        encoding = encode(write_wav(tmp_path / "voice.wav", voice(1.0, pitch_hz)))
        assert encoding.utterance[pitch] == pytest.approx(12 * np.log2(pitch_hz / 27.5), abs=0.2)


def test_full_scale_is_not_wrapped_around(tmp_path: Path) -> None:
    square_wave = np.sign(voice(1.0))
    path = write_wav(tmp_path / "loud.wav", square_wave)
    loud = encode(path).utterance
    softer = encode(write_wav(tmp_path / "softer.wav", square_wave * 0.99)).utterance
    np.testing.assert_allclose(loud, softer, rtol=0.02, atol=0.1)


def test_no_warning_reaches_the_user(tmp_path: Path) -> None:
    path = write_wav(tmp_path / "voice.wav", voice(0.5))
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        encode(path)


@pytest.mark.parametrize("milliseconds", [60, 61, 100, 250])
def test_short_sound_gives_finite_features(tmp_path: Path, milliseconds: int) -> None:
    encoding = encode(write_wav(tmp_path / "short.wav", voice(milliseconds / 1000)))
    assert encoding.utterance.shape == (88,) and len(encoding.frames) == len(encoding.times) > 0
    assert np.isfinite(encoding.utterance).all() and np.isfinite(encoding.frames).all()


def test_what_cannot_be_analysed_says_why(tmp_path: Path) -> None:
    too_short = "the sound is too short: 59 ms, wanted at least 60 ms"
    with pytest.raises(MissingMedium, match=f"^{too_short}$"):
        encode(write_wav(tmp_path / "short.wav", voice(0.059)))
    with pytest.raises(MissingMedium, match=r"^the sound is silent$"):
        encode(write_wav(tmp_path / "silent.wav", np.zeros(RATE)))
    (tmp_path / "page.wav").write_text("<html>not found</html>")
    with pytest.raises(UnreadableMedia, match=r"page\.wav"):
        encode(tmp_path / "page.wav")


def test_one_clip_leaves_nothing_behind_for_the_next(tmp_path: Path) -> None:
    path, other = write_wav(tmp_path / "a.wav", voice(0.8)), write_wav(tmp_path / "b.wav", voice(0.6, 200.0))
    alone = encode(path).utterance
    encode(other)
    np.testing.assert_array_equal(encode(path).utterance, alone)
