"""What else a recording goes through before anybody hears it: audiomentations, for noisy copies to train on.

Filters, gain and distortion of microphones and lines; nothing that moves pitch or time, by which emotion is told. The
challenge's noise has none of this: it is there so that a network does not learn one channel by heart.

audiomentations draws (from Python's global generator or NumPy's, by transform) and applies in two steps: what was
drawn stands in the recipe, and applying it is a pure function.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from types import ModuleType

import numpy as np

from mertools.errors import InputError
from mertools.media import SAMPLE_RATE
from mertools.randomness import global_generators

CHANCE = 0.5
"""The probability that a clip gets a transform."""

TRANSFORMS: dict[str, dict[str, float]] = {
    "HighPassFilter": {"min_cutoff_freq": 20, "max_cutoff_freq": 400},
    "LowPassFilter": {"min_cutoff_freq": 3000, "max_cutoff_freq": 7500},
    "PeakingFilter": {"min_center_freq": 100, "max_center_freq": 6000, "min_gain_db": -12, "max_gain_db": 12},
    "Gain": {"min_gain_db": -10, "max_gain_db": 10},
    "TanhDistortion": {"min_distortion": 0.01, "max_distortion": 0.3},
}
"""What a clip may get, in this order. Frequencies are in hertz."""

APPLIED = "should_apply"
"""The parameter by which audiomentations knows whether a transform does anything."""


@dataclass(frozen=True)
class Augmentation:
    """One of TRANSFORMS with what was drawn for it, by the names that audiomentations gives its parameters."""

    transform: str
    parameters: Mapping[str, float]


def draw_augmentations(seed: int, clip: str) -> tuple[Augmentation, ...]:
    """What happens to the sound of the clip of that name. Raises InputError without audiomentations."""
    drawn = []
    with global_generators(seed, "augmentations", clip):
        for name, bounds in TRANSFORMS.items():
            transform = getattr(_audiomentations(), name)(p=CHANCE, **bounds)
            transform.randomize_parameters(np.zeros(1, np.float32), SAMPLE_RATE)
            if transform.parameters[APPLIED]:
                parameters = {key: value for key, value in transform.parameters.items() if key != APPLIED}
                drawn.append(Augmentation(name, parameters))
    return tuple(drawn)


def augment(samples: np.ndarray, sample_rate: int, augmentations: Sequence[Augmentation]) -> np.ndarray:
    """`samples` (N,) float32 after one transform upon another, scaled down where they would leave [-1, 1]."""
    for one in augmentations:
        transform = getattr(_audiomentations(), one.transform)(p=1.0, **TRANSFORMS[one.transform])
        transform.parameters = {APPLIED: True, **one.parameters}
        transform.freeze_parameters()
        samples = transform(samples, sample_rate)
    return (samples / max(1.0, float(np.abs(samples).max(initial=0)))).astype(np.float32)


def version() -> str:
    """What a recipe says of who draws and applies: `audiomentations-0.43.1`. Raises InputError without it."""
    return f"audiomentations-{_audiomentations().__version__}"


def _audiomentations() -> ModuleType:
    try:
        import audiomentations
    except ImportError:
        raise InputError(
            "Augmented copies need the package audiomentations. Install it: pip install 'mertools[augment]'"
        ) from None
    return audiomentations
