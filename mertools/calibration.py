"""Are probabilities what they say? The expected calibration error, the table behind a reliability diagram, and the
temperature that mends them."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from mertools.errors import InputError

COLDEST, WARMEST = 0.05, 20.0
"""Temperatures end here: a classifier that is never wrong on the clips at hand would have 0."""
HALVINGS = 60


@dataclass(frozen=True)
class Bin:
    """The clips whose confidence lies in (low, high]: how many, how confident, how often right (0 without clips)."""

    low: float
    high: float
    clips: int
    confidence: float
    accuracy: float


@dataclass(frozen=True)
class Calibration:
    """The expected calibration error, a fraction, and the bins it is summed over."""

    error: float
    bins: tuple[Bin, ...]


def expected_calibration_error(probabilities: np.ndarray, truth: np.ndarray, bins: int = 15) -> Calibration:
    """How far confidence and accuracy lie apart, over `bins` of equal width (Guo et al. 2017, equation 3).

    `probabilities` is (N, C), `truth` (N,) class numbers; a clip's confidence is its highest probability.

    Raises InputError without clips, and for probabilities outside 0 to 1.
    """
    probabilities, truth = np.asarray(probabilities, dtype=float), np.asarray(truth)
    if not len(truth):
        raise InputError("Calibration needs at least one clip with a label, got none.")
    if not ((probabilities >= 0) & (probabilities <= 1)).all():
        raise InputError(f"Probabilities lie within 0 and 1, got {probabilities.min():g} to {probabilities.max():g}.")
    confidence, right = probabilities.max(axis=1), probabilities.argmax(axis=1) == truth
    edges = np.linspace(0, 1, bins + 1)
    # A confidence on an edge belongs to the bin below it.
    bin_of_clip = np.searchsorted(edges[1:-1], confidence, side="left")
    clips = np.bincount(bin_of_clip, minlength=bins)
    mean_confidence = np.bincount(bin_of_clip, confidence, bins) / np.maximum(clips, 1)
    accuracy = np.bincount(bin_of_clip, right, bins) / np.maximum(clips, 1)
    table = tuple(
        Bin(float(edges[i]), float(edges[i + 1]), int(clips[i]), float(mean_confidence[i]), float(accuracy[i]))
        for i in range(bins)
    )
    return Calibration(float((clips * np.abs(accuracy - mean_confidence)).sum() / len(truth)), table)


def best_temperature(probabilities: np.ndarray, truth: np.ndarray) -> float:
    """The temperature under which the labels of clips that were not trained on are likeliest (Guo et al. 2017, §4.2).

    `probabilities` is (N, C), `truth` (N,) class numbers. It lies within COLDEST and WARMEST.

    Raises InputError without clips.
    """
    logits, truth = _logits(probabilities), np.asarray(truth)
    if not len(truth):
        raise InputError("A temperature needs at least one clip with a label, got none.")

    def slope(inverse: float) -> float:
        """How the negative log likelihood changes with 1 / T; it grows, since the likelihood is concave in 1 / T."""
        scaled = _softmax(logits * inverse)
        return float(((scaled * logits).sum(axis=1) - logits[np.arange(len(truth)), truth]).sum())

    low, high = 1 / WARMEST, 1 / COLDEST
    for _ in range(HALVINGS):
        middle = (low + high) / 2
        low, high = (low, middle) if slope(middle) > 0 else (middle, high)
    return 2 / (low + high)


def at_temperature(probabilities: np.ndarray, temperature: float) -> np.ndarray:
    """The probabilities (N, C) whose logits are divided by `temperature`: above 1 they are less sure."""
    return _softmax(_logits(probabilities) / temperature)


def _logits(probabilities: np.ndarray) -> np.ndarray:
    # A float64 that is exactly 0 has no logarithm.
    return np.log(np.maximum(np.asarray(probabilities, dtype=float), np.finfo(float).tiny))


def _softmax(logits: np.ndarray) -> np.ndarray:
    powers = np.exp(logits - logits.max(axis=1, keepdims=True))
    return powers / powers.sum(axis=1, keepdims=True)
