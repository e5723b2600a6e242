"""The sound of a clip as the acoustic encoders take it."""

from __future__ import annotations

import numpy as np

from feature_extractors.encoder import Encoder
from mertools.clip import Clip
from mertools.media import SAMPLE_RATE, MissingMedium, Sound, read_audio

SHORTEST_SECONDS = 0.025
"""What one frame sees of the networks here, whether a convolutional front end makes it or a spectrogram's window."""


class SoundEncoder(Encoder):
    """An encoder of a clip's whole sound at 16 kHz, as it is."""

    def prepare(self, clip: Clip) -> Sound:
        return read_sound(clip, SAMPLE_RATE, SHORTEST_SECONDS)

    def length(self, item: Sound) -> int:
        return len(item.samples)


def read_sound(clip: Clip, sample_rate: int, shortest_seconds: float) -> Sound:
    """The sound of `clip`, at `sample_rate`.

    Raises MissingMedium where there is none, where it is silent, and where it is shorter than `shortest_seconds`, with
    which the encoder has its first frame; UnreadableMedia where it cannot be decoded.
    """
    if clip.sound is None:
        raise MissingMedium("no audio")
    sound = read_audio(clip.sound, sample_rate)
    if sound.duration_seconds < shortest_seconds:
        raise MissingMedium(
            f"the sound is too short: {sound.duration_seconds * 1000:.0f} ms, "
            f"wanted at least {shortest_seconds * 1000:.0f} ms"
        )
    if not sound.samples.any():
        raise MissingMedium("the sound is silent")
    return sound


def window_starts(samples: int, count: int, length: int) -> list[int]:
    """The first samples of `count` windows of `length` samples, evenly spaced from the sound's beginning to its end.

    They overlap where the sound is short, and all begin at 0 where it is not longer than one.
    """
    return np.linspace(0, max(samples - length, 0), count).astype(int).tolist()
