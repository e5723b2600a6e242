"""Cuts are moved onto pauses of speech, and no further than a little."""

from __future__ import annotations

import numpy as np
import pytest

from mertools.prepare.pauses import levels, on_pause

RATE = 16_000


def test_a_cut_inside_a_word_moves_to_the_pause_beside_it() -> None:
    sound = 1e-4 * np.random.default_rng(0).standard_normal(4 * RATE)
    sound[1 * RATE : 2 * RATE] += 0.2 * np.sin(np.arange(RATE))
    sound[round(2.2 * RATE) : 3 * RATE] += 0.2 * np.sin(np.arange(round(0.8 * RATE)))
    level = levels(sound, RATE)
    assert on_pause(2.1, level) == 2.1
    assert on_pause(0.5, level) == 0.5
    assert 0.9 < on_pause(1.05, level) < 1.0
    assert 2.0 < on_pause(1.92, level) < 2.1
    # No pause is in reach: the cut hardly moves.
    assert on_pause(1.5, level) == pytest.approx(1.5, abs=0.15)
    assert on_pause(9.0, level) == 9.0
