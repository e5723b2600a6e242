"""What is measured on clips: properties of the voice and of the face, against how they are spread over a corpus."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

import numpy as np

VOICE = {
    "loudness": "loudness_sma3_amean",
    "pitch": "F0semitoneFrom27.5Hz_sma3nz_amean",
    "melody": "F0semitoneFrom27.5Hz_sma3nz_stddevNorm",
    "rate": "VoicedSegmentsPerSec",
    "pauses": "MeanUnvoicedSegmentLength",
    "clarity": "HNRdBACF_sma3nz_amean",
}
"""Properties of a voice and the functionals of eGeMAPS that measure them (Eyben et al. 2016).

Voiced segments a second are its pseudo syllable rate, the mean length of what is unvoiced approximates pauses; clarity
is the ratio of harmonics to noise.
"""


class Reference:
    """How signals are spread over reference clips."""

    def __init__(self, clips: Iterable[Mapping[str, float]]) -> None:
        """`clips` holds the numbers measured on each by signal."""
        values: dict[str, list[float]] = {}
        for clip in clips:
            for signal, value in clip.items():
                values.setdefault(signal, []).append(value)
        self._values = {signal: np.sort(numbers) for signal, numbers in values.items()}

    @property
    def signals(self) -> tuple[str, ...]:
        """What was measured; nothing where there were no clips."""
        return tuple(self._values)

    def percentile(self, signal: str, value: float) -> float:
        """How many of 100 reference clips have a smaller number than `value`; those with just that one count half."""
        values = self._values[signal]
        below, upto = np.searchsorted(values, value, "left"), np.searchsorted(values, value, "right")
        return float(100 * (below + upto) / (2 * len(values)))


@dataclass(frozen=True)
class Stretch:
    """Part of a clip in which one expression is the strongest, in seconds.

    `end` is when the next one begins, and the time of the last frame where none does.
    """

    expression: str
    begin: float
    end: float


def voice_signals(functionals: Sequence[float], columns: Sequence[str]) -> dict[str, float]:
    """The properties of one clip's voice from its eGeMAPS functionals (D,), whose names are `columns`.

    Raises ValueError where a functional is not among them.
    """
    return {signal: float(functionals[columns.index(column)]) for signal, column in VOICE.items()}


def face_signals(probabilities: np.ndarray, expressions: Sequence[str]) -> dict[str, float]:
    """The mean probability of each expression over the frames (T, E) of one clip."""
    return dict(zip(expressions, probabilities.mean(axis=0).tolist(), strict=True))


def stretches(probabilities: np.ndarray, times: np.ndarray, expressions: Sequence[str]) -> list[Stretch]:
    """Which expression is the strongest when, (T, E) at `times` (T,): the clip cut where that changes."""
    strongest = probabilities.argmax(axis=1)
    begins = [0, *(np.flatnonzero(np.diff(strongest)) + 1).tolist()]
    ends = [*times[begins[1:]].tolist(), float(times[-1])]
    return [
        Stretch(expressions[strongest[begin]], float(times[begin]), end)
        for begin, end in zip(begins, ends, strict=True)
    ]
