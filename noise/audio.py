"""Speech and noise mixed at a speech-to-noise ratio."""

from __future__ import annotations

import numpy as np

SILENCE = 1e-4
"""Root mean square below which noise is taken to be silent: three steps of 16-bit sound, hiss if it were scaled up."""


def rms(samples: np.ndarray) -> float:
    """The root mean square of `samples` (N,), pauses included; 0 of no samples."""
    return float(np.sqrt(np.mean(np.square(samples, dtype=np.float64)))) if len(samples) else 0.0


def mix_at_snr(speech: np.ndarray, noise: np.ndarray, snr_db: float) -> tuple[np.ndarray, float]:
    """`scale * (speech + gain * noise)` (N,) float32, and `scale`.

    `gain` makes the root mean square of `speech` exceed that of the noise by `snr_db` decibels over the whole clip, as
    in the challenge; `scale` is below 1 only where the mixture would leave [-1, 1]. Both are (N,), mono, of one sample
    rate. Silent speech has no ratio to anything: it comes back as it is.

    Raises ValueError where the lengths differ and where the noise is silent.
    """
    if speech.shape != noise.shape:
        raise ValueError(f"speech {speech.shape} and noise {noise.shape} differ in length")
    if not noise.any():
        raise ValueError("the noise is silent")
    gain = rms(speech) / rms(noise) * 10 ** (-snr_db / 20)
    mixture = speech.astype(np.float64) + gain * noise.astype(np.float64)
    scale = min(1.0, 1 / max(float(np.abs(mixture).max()), 1e-300))
    return (scale * mixture).astype(np.float32), scale
