"""How far people agree who judged the same things: Krippendorff's alpha."""

from __future__ import annotations

import numpy as np

LEVELS = ("nominal", "ordinal", "interval")
"""Levels of measurement: whether choices are merely different, are in an order, or are equal steps apart."""


def krippendorff_alpha(choices: np.ndarray, level: str) -> float | None:
    """Agreement of M people on N things: 1 is perfect, 0 what chance would give, below 0 worse than chance.

    `choices` (M, N) holds numbers, NaN where a person was not asked or did not answer; `level` is one of LEVELS.

    None where there is nothing to tell: nothing was judged by two people, or all choices are the same.

    Source: Krippendorff, "Computing Krippendorff's Alpha-Reliability", 2011.
    """
    import krippendorff

    given = ~np.isnan(choices)
    # Things that one person alone has judged say nothing of agreement.
    pairable = np.where(given.sum(axis=0) >= 2, choices, np.nan)
    if len(np.unique(pairable[~np.isnan(pairable)])) < 2:
        return None
    return float(krippendorff.alpha(pairable, level_of_measurement=level))
