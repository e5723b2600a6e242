"""Where speech pauses: cuts are moved there, so that no word is cut in two."""

from __future__ import annotations

import numpy as np

STEP_SECONDS = 0.01
WINDOW_SECONDS = 0.05
REACH_SECONDS = 0.15
"""How far a cut may be moved: what people who time subtitles are off by, and less than a syllable."""

AS_QUIET_DB = 6.0
"""What is within this of the quietest moment in reach is a pause as well."""


def levels(samples: np.ndarray, sample_rate: int) -> np.ndarray:
    """How loud the sound is around every STEP_SECONDS, in dB of full scale, (T,)."""
    step = round(STEP_SECONDS * sample_rate)
    energy = np.square(samples[: len(samples) // step * step].reshape(-1, step)).mean(axis=1)
    window = np.ones(round(WINDOW_SECONDS / STEP_SECONDS))
    return 10 * np.log10(np.convolve(energy, window / len(window), mode="same") + 1e-10)


def on_pause(time: float, level: np.ndarray) -> float:
    """The moment nearest to `time`, in seconds, at which the sound is as quiet as it gets within REACH_SECONDS."""
    first = max(round((time - REACH_SECONDS) / STEP_SECONDS), 0)
    near = level[first : round((time + REACH_SECONDS) / STEP_SECONDS) + 1]
    if not len(near):
        return time
    moments = (first + np.flatnonzero(near <= near.min() + AS_QUIET_DB) + 0.5) * STEP_SECONDS
    nearest = float(moments[np.argmin(np.abs(moments - time))])
    return time if abs(nearest - time) <= STEP_SECONDS else nearest
