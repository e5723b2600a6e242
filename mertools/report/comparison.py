"""Our numbers beside a paper's: how far apart two are, and whether two lists are in the same order."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass

from mertools.report.reference import PrintedScore

STANDARD_DEVIATIONS = 3
LIMIT_POINTS = 2.0
"""A larger difference is one whatever the deviations: chance alone does not explain it."""


@dataclass(frozen=True)
class Comparison:
    """One number against the paper's.

    `difference` is ours minus the paper's and `tolerance` what chance allows, both in points of per cent.
    """

    difference: float
    tolerance: float

    @property
    def within(self) -> bool:
        """Whether the difference is no larger than chance allows; a number that is not wants an explanation."""
        return abs(self.difference) <= self.tolerance


def compare(value: float, std: float | None, printed: PrintedScore) -> Comparison:
    """Our score, a fraction with its standard deviation, against a printed one in per cent.

    Chance is allowed three standard deviations of the difference, and two points at the most. A deviation that is not
    known adds nothing; where neither is, the two points alone count.
    """
    # 0.5686 has no exact binary fraction: without rounding, two points above 54.86 would be more than two points.
    difference = round(100 * value - printed.value, 9)
    known = [deviation for deviation in (None if std is None else 100 * std, printed.std) if deviation is not None]
    tolerance = min(STANDARD_DEVIATIONS * math.hypot(*known), LIMIT_POINTS) if known else LIMIT_POINTS
    return Comparison(difference, tolerance)


def rank_correlation(ours: Mapping[str, float], papers: Mapping[str, float]) -> float | None:
    """Spearman's rank correlation, -1 to 1, over the features that both have a score of; equal scores share a rank.

    None where fewer than two features are left, or all scores of one side are equal: there is no order to compare.
    """
    import pandas as pd

    ranks = pd.DataFrame({"ours": ours, "papers": papers}, dtype=float).dropna().rank()
    if (ranks.nunique() < 2).any():
        return None
    return float(ranks["ours"].corr(ranks["papers"]))
