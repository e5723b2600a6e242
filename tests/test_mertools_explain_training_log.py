"""The logs of a run: cut back to where it goes on from, and smoothed without bias."""

from __future__ import annotations

from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mertools.explain.training_log import EpochLog, StepLog, read_epochs, read_steps, smoothed


def test_steps_beyond_the_saved_one_are_written_anew(tmp_path: Path) -> None:
    path = tmp_path / "steps.csv"
    log = StepLog(path)
    for number, step in ((0, 0), (0, 1), (1, 0), (1, 1)):
        log.add(number, "ab"[number], step, 1 / 3 + step, 1e-5)
    with path.open("a") as file:
        file.write("1,b,2,0.3")  # cut off by a kill
    assert [(row["number"], row["step"]) for row in read_steps(path)] == [(0, 0), (0, 1), (1, 0), (1, 1)]
    again = StepLog(path, number=1, step=1)
    again.add(1, "b", 1, 0.5, 1e-5)
    assert [row["loss"] for row in read_steps(path)] == [1 / 3, 1 / 3 + 1, 1 / 3, 0.5]


def test_epochs_up_to_the_saved_step_are_kept(tmp_path: Path) -> None:
    path = tmp_path / "epochs.jsonl"
    log = EpochLog(path)
    for step in (0, 3, 6):
        log.add({"number": 0, "stage": "a", "epoch": step // 3, "step": step, "loss": 1.0})
    kept = EpochLog(path, 0, 3, writes=False)
    assert (kept.has(0, 3), kept.has(0, 6), len(kept.of(0)), len(read_epochs(path))) == (True, False, 2, 3)
    EpochLog(path, 0, 3)
    assert len(read_epochs(path)) == 2


@given(st.lists(st.floats(-10, 10), min_size=1, max_size=30), st.floats(0, 0.99))
def test_a_moving_average_stays_between_its_values(values: list[float], weight: float) -> None:
    found = smoothed(values, weight)
    assert len(found) == len(values)
    assert found[0] == pytest.approx(values[0])
    assert all(min(values) - 1e-6 <= value <= max(values) + 1e-6 for value in found)
