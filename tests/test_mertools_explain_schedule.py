"""The learning rate: a straight rise, then a cosine from its very end to the smallest rate at the last step."""

from __future__ import annotations

from dataclasses import replace
from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mertools.explain.configuration import DataSet, Stage
from mertools.explain.schedule import learning_rate

STAGE = Stage("any", (DataSet("none"),), epochs=4, steps_an_epoch=25, warmup_steps=40)


def test_it_rises_over_epochs_and_falls_to_the_smallest_rate() -> None:
    rates = [learning_rate(STAGE, step) for step in range(STAGE.steps)]
    assert rates[0] == STAGE.warmup_learning_rate
    assert rates[40] == max(rates) == pytest.approx(STAGE.learning_rate)
    assert rates[-1] == pytest.approx(STAGE.min_learning_rate)
    assert rates[:41] == sorted(rates[:41])
    assert rates[40:] == sorted(rates[40:], reverse=True)
    assert rates[20] == pytest.approx((STAGE.warmup_learning_rate + STAGE.learning_rate) / 2)


@given(warmup=st.integers(0, 300), epochs=st.integers(1, 5), steps=st.integers(1, 30))
def test_it_never_jumps(warmup: int, epochs: int, steps: int) -> None:
    stage = replace(STAGE, warmup_steps=warmup, epochs=epochs, steps_an_epoch=steps)
    rates = [learning_rate(stage, step) for step in range(stage.steps)]
    assert all(0 < rate < stage.learning_rate * 1.001 for rate in rates)
    fall = stage.steps - 1 - min(warmup, stage.steps)
    largest = max(stage.learning_rate / max(min(warmup, stage.steps), 1), 2 * stage.learning_rate / max(fall, 1))
    assert all(abs(after - before) <= largest for before, after in pairwise(rates))
