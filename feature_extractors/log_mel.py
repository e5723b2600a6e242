"""Log-mel spectrograms by the two definitions that published networks were trained on, of 16 kHz sound."""

from __future__ import annotations

import numpy as np

SAMPLE_RATE = 16_000
WINDOW, HOP, FFT = 400, 160, 512
"""Samples of an analysis window (25 ms), between windows (10 ms), and of the Fourier transform."""


def audioset_log_mel(samples: np.ndarray) -> np.ndarray:
    """The spectrogram (frames, 64) float32 that VGGish reads (Hershey et al. 2017), of `samples` (N,) in [-1, 1].

    Magnitudes behind a periodic Hann window, 64 bands from 125 to 7500 Hz, log(x + 0.01).
    """
    hann = 0.5 - 0.5 * np.cos(2 * np.pi * np.arange(WINDOW) / WINDOW)
    magnitudes = np.abs(np.fft.rfft(_windows(samples) * hann, FFT))
    return np.log(magnitudes @ mel_filters(64, 125, 7500) + 0.01).astype(np.float32)


def kaldi_log_mel(samples: np.ndarray, bands: int = 128) -> np.ndarray:
    """Kaldi's filter-bank energies (frames, bands) float32 with a Hann window and no dither, of `samples` (N,).

    Each window loses its mean and is pre-emphasised by 0.97; powers, bands from 20 to 8000 Hz, natural logarithm, at
    least that of float32's epsilon.
    """
    windows = _windows(samples)
    windows = windows - windows.mean(axis=1, keepdims=True)
    # The sample before a window's first counts as equal to it.
    windows = windows - 0.97 * np.concatenate([windows[:, :1], windows[:, :-1]], axis=1)
    hann = 0.5 - 0.5 * np.cos(2 * np.pi * np.arange(WINDOW) / (WINDOW - 1))
    powers = np.abs(np.fft.rfft(windows * hann, FFT)) ** 2
    energies = powers @ mel_filters(bands, 20, SAMPLE_RATE / 2)
    return np.log(np.maximum(energies, np.finfo(np.float32).eps)).astype(np.float32)


def mel_filters(bands: int, lowest_hz: float, highest_hz: float) -> np.ndarray:
    """Weights (257, bands) of the Fourier transform's bins: triangles of equal width on the mel scale, peak 1."""
    edges = np.linspace(_mel(lowest_hz), _mel(highest_hz), bands + 2)
    bins = _mel(np.arange(FFT // 2 + 1) * SAMPLE_RATE / FFT)[:, None]
    rising = (bins - edges[:-2]) / (edges[1:-1] - edges[:-2])
    falling = (edges[2:] - bins) / (edges[2:] - edges[1:-1])
    return np.maximum(np.minimum(rising, falling), 0)


def _mel(frequency_hz: float | np.ndarray) -> np.ndarray:
    return 1127 * np.log1p(np.asarray(frequency_hz) / 700)


def _windows(samples: np.ndarray) -> np.ndarray:
    """All whole windows (frames, WINDOW) float64 of `samples`; raises ValueError where there is none."""
    return np.lib.stride_tricks.sliding_window_view(samples.astype(np.float64), WINDOW)[::HOP]
