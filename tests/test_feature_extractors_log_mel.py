"""Both spectrograms are what transformers' own, independently written one gives for the same definitions."""

from __future__ import annotations

import numpy as np
import pytest
from tiny_audio import RATE, voice

from feature_extractors.log_mel import audioset_log_mel, kaldi_log_mel, mel_filters
from mertools.libraries import transformers


@pytest.fixture(scope="module")
def audio_utils():
    return transformers().audio_utils


def test_audioset(audio_utils) -> None:
    samples = voice(1.3).astype(np.float32)
    expected = audio_utils.spectrogram(
        samples.astype(np.float64),
        audio_utils.window_function(400, "hann", periodic=True),
        frame_length=400,
        hop_length=160,
        fft_length=512,
        power=1.0,
        center=False,
        mel_filters=audio_utils.mel_filter_bank(
            257, 64, 125, 7500, RATE, norm=None, mel_scale="kaldi", triangularize_in_mel_space=True
        ),
        mel_floor=0.0,
    )
    got = audioset_log_mel(samples)
    assert got.shape == (1 + (len(samples) - 400) // 160, 64) and got.dtype == np.float32
    np.testing.assert_allclose(got, np.log(expected + 0.01).T, atol=1e-5)


def test_kaldi(audio_utils) -> None:
    samples = voice(2.0).astype(np.float32)
    expected = audio_utils.spectrogram(
        samples.astype(np.float64),
        audio_utils.window_function(400, "hann", periodic=False),
        frame_length=400,
        hop_length=160,
        fft_length=512,
        power=2.0,
        center=False,
        preemphasis=0.97,
        remove_dc_offset=True,
        mel_filters=audio_utils.mel_filter_bank(
            257, 128, 20, 8000, RATE, norm=None, mel_scale="kaldi", triangularize_in_mel_space=True
        ),
        mel_floor=1.192092955078125e-07,
        log_mel="log",
    )
    got = kaldi_log_mel(samples)
    assert got.shape == (198, 128)
    np.testing.assert_allclose(got, expected.T, atol=1e-4)


def test_silence_is_the_floor() -> None:
    assert np.unique(kaldi_log_mel(np.zeros(400))) == pytest.approx(np.log(np.finfo(np.float32).eps))
    assert np.unique(audioset_log_mel(np.zeros(400))) == pytest.approx(np.log(0.01))


def test_a_tone_is_in_its_band() -> None:
    tone = np.sin(2 * np.pi * 1000 * np.arange(RATE) / RATE)
    band = kaldi_log_mel(tone).mean(axis=0).argmax()
    assert mel_filters(128, 20, 8000)[32, band] == mel_filters(128, 20, 8000)[32].max(), "bin 32 is 1000 Hz"
