"""Where a film has speech, by Silero VAD, the toolkit of MER2024 §2.1."""

from __future__ import annotations

from mertools.errors import InputError
from mertools.media import SAMPLE_RATE, Sound
from mertools.prepare.pieces import Stretch

SHORTEST_PAUSE_SECONDS = 0.2
"""Speakers take turns after about this (Stivers et al. 2009); pauses of one voice are closed again by merging."""

PAD_SECONDS = 0.05
"""What a stretch has before and after its speech: consonants at its edges are quiet. In shorter pauses half each."""

LONGEST_SPEECH_SECONDS = 15.0
"""Speech without a pause is cut at the best place before."""


def speech(sound: Sound) -> list[Stretch]:
    """The stretches of speech in `sound`, in the order of time. Raises InputError where the package is absent."""
    try:
        import torch

        threads = torch.get_num_threads()
        import silero_vad
    except ImportError:
        raise InputError(
            "Voice activity needs the package silero-vad: pip install 'mertools[prepare]'. Or give --subtitles."
        ) from None
    # Importing it sets torch to one thread for good.
    torch.set_num_threads(threads)
    found = silero_vad.get_speech_timestamps(
        torch.from_numpy(sound.samples),
        silero_vad.load_silero_vad(),
        sampling_rate=SAMPLE_RATE,
        min_silence_duration_ms=round(1000 * SHORTEST_PAUSE_SECONDS),
        speech_pad_ms=round(1000 * PAD_SECONDS),
        max_speech_duration_s=LONGEST_SPEECH_SECONDS,
    )
    return [Stretch(one["start"] / SAMPLE_RATE, one["end"] / SAMPLE_RATE) for one in found]
