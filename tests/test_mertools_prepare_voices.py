"""The front end of the speaker encoder, by Resemblyzer's parameters; the weights are not needed for it."""

from __future__ import annotations

import numpy as np

from mertools.prepare.voices import mel_power, partial_starts


def test_partial_utterances_are_those_of_resemblyzer() -> None:
    # By its compute_partial_slices(samples, 1.3, 0.75): 77 spectrogram frames apart.
    assert partial_starts(8_000) == [0]
    assert partial_starts(32_000) == [0, 77]
    assert partial_starts(40_000) == [0, 77]
    assert partial_starts(80_000) == [0, 77, 154, 231, 308]


def test_a_tone_lies_in_its_band() -> None:
    tone = np.sin(2 * np.pi * 1000 * np.arange(16_000) / 16_000)
    mels = mel_power(tone).numpy()
    assert mels.shape == (101, 40)
    # Slaney's scale is linear up to 1000 Hz, which is 15 of the 45.25 mels up to 8000 Hz.
    assert mels[50].argmax() in (12, 13)
