"""Rank features by what each does alone in train cross-validation, and take the best of each modality.

The paper ranks by the average over train and both test sets (Table 4), which has seen the test labels; this ranking has
not (docs/choices.md).
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from fusion.inputs import MODALITIES


@dataclass(frozen=True)
class Ranked:
    """A feature with its cross-validated WAF alone and the interval of that."""

    modality: str
    feature: str
    waf: float
    low: float
    high: float


def rank(scores: Mapping[str, list[dict[str, Any]]], modality_of: Mapping[str, str]) -> list[Ranked]:
    """All features, best first, from the `scores` of each alone (by feature name)."""
    ranked = []
    for feature, rows in scores.items():
        row = next(row for row in rows if row["split"] == "train" and row["metric"] == "waf")
        ranked.append(Ranked(modality_of[feature], feature, row["value"], row["low"], row["high"]))
    return sorted(ranked, key=lambda entry: (-entry.waf, entry.feature))


def top(count: int, ranking: list[Ranked]) -> list[str]:
    """The `count` best features of each modality, in the order audio, video, text; fewer where there are fewer."""
    return [
        entry.feature
        for modality in MODALITIES.values()
        for entry in [entry for entry in ranking if entry.modality == modality][:count]
    ]
