"""Rank features by what each does alone in cross-validation, and take the best of each modality.

The paper ranks by the average over train and both test sets (Table 4), which has seen the test labels; this ranking has
not (docs/choices.md).
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from fusion.inputs import MODALITIES


@dataclass(frozen=True)
class Ranked:
    """A feature with the WAF it reaches alone."""

    modality: str
    feature: str
    waf: float


def rank(wafs: Mapping[str, float], modality_of: Mapping[str, str]) -> list[Ranked]:
    """All features, best first; equals by name."""
    ranked = [Ranked(modality_of[feature], feature, waf) for feature, waf in wafs.items()]
    return sorted(ranked, key=lambda entry: (-entry.waf, entry.feature))


def top(count: int, ranking: Sequence[Ranked], letters: str = "".join(MODALITIES)) -> list[str]:
    """The `count` best features of each modality of `letters`, in the order A, V, T; fewer where there are fewer.

    Those of one modality stand by name: rankings that agree on the best features are then asking for one system.
    """
    return [
        feature
        for letter, modality in MODALITIES.items()
        if letter in letters
        for feature in sorted([entry.feature for entry in ranking if entry.modality == modality][:count])
    ]
