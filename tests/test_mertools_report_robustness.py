"""A few numbers for a whole grid: what they are on grids whose answer is known."""

from __future__ import annotations

import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from mertools.report.robustness import CLEAN, carried_by, loss_weights, robustness

RATIOS, BLURS = (math.inf, 20, 15, 10, 5, 0), (1, 2, 4)
CELLS = [(ratio, blur) for ratio in RATIOS for blur in BLURS]


def falling(by_ratio: float, by_blur: float) -> dict[tuple[float, int], float]:
    """A score of 0.8 that loses so much a step of 5 dB below 20 and a step of blur."""
    return {
        (ratio, blur): 0.8 - by_ratio * (0 if ratio == math.inf else (20 - ratio) / 5) - by_blur * math.log2(blur)
        for ratio, blur in CELLS
    }


def test_straight_lines() -> None:
    found = robustness(falling(0.1, 0.05))
    # From 0.8 at 20 dB to 0.4 at 0 dB, and from 0.8 to 0.7 over two octaves.
    assert found.by_snr == pytest.approx(0.6 / 0.8)
    assert found.by_blur == pytest.approx(0.75 / 0.8)
    lost = losses(falling(0.1, 0.05))
    assert {part: lost[part] for part in ("audio", "video", "both")} == pytest.approx(
        {"audio": 0.2, "video": 0.075, "both": 0.275}
    )
    assert lost[CLEAN] == 0 and lost[10, 2] == pytest.approx(0.25)
    assert carried_by(lost) == "audio"
    assert carried_by(losses(falling(0.0, 0.05))) == "video"
    assert carried_by(losses(falling(-0.01, 0.0))) is None


def losses(scores: dict[tuple[float, int], float]) -> dict:
    """What each cell and part loses of these scores."""
    values = np.array(list(scores.values()))
    return {part: float(weights @ values) for part, weights in loss_weights(list(scores)).items()}


def test_mer_noise_is_5_to_10_db_at_any_blur() -> None:
    assert losses(falling(0.1, 0.0))["challenge"] == pytest.approx((0.2 + 0.3) / 2)
    assert losses(falling(0.0, 0.05))["challenge"] == pytest.approx(0.05)
    assert "challenge" not in losses({CLEAN: 0.5, (0, 1): 0.4})


def test_a_grid_that_lacks_a_direction_has_no_number_for_it() -> None:
    scores = {CLEAN: 0.8, (5, 1): 0.4}
    sound_alone, lost = robustness(scores), losses(scores)
    assert (sound_alone.by_snr, sound_alone.by_blur) == (0.5, None)
    assert lost == pytest.approx({CLEAN: 0, (5, 1): 0.4, "audio": 0.4, "challenge": 0.4})
    nothing = robustness({CLEAN: 0.0})
    assert (nothing.by_snr, nothing.by_blur, nothing.grid) == (None, None, None)
    assert carried_by(losses({CLEAN: 0.0})) is None


@given(st.lists(st.floats(0.01, 1), min_size=len(CELLS), max_size=len(CELLS)), st.floats(0.1, 1))
def test_shares_know_no_scale_and_lie_between_the_extremes(values: list[float], factor: float) -> None:
    scores = dict(zip(CELLS, values, strict=True))
    found, scaled = (robustness({cell: k * value for cell, value in scores.items()}) for k in (1, factor))
    for one, two in ((found.by_snr, scaled.by_snr), (found.by_blur, scaled.by_blur), (found.grid, scaled.grid)):
        assert one == pytest.approx(two)
        assert min(values) / scores[CLEAN] - 1e-9 <= one <= max(values) / scores[CLEAN] + 1e-9
