"""Which stored frames are read."""

from __future__ import annotations

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from mertools.explain.sampling import sample


@given(st.integers(1, 60), st.integers(1, 12), st.sampled_from(["pick", "mean"]))
def test_at_most_so_many_in_order(total: int, count: int, how: str) -> None:
    times = np.arange(total) * 0.04
    frames, chosen = sample(np.arange(total)[:, None] * np.ones(3), times, count, how)
    assert len(frames) == len(chosen) == min(total, count)
    assert (np.diff(chosen) > 0).all()
    # A frame's number is its time, here: means of one are means of the other.
    np.testing.assert_allclose(frames[:, 0] * 0.04, chosen)


def test_one_of_each_stretch_or_its_mean() -> None:
    times, frames = np.arange(9) / 10, np.arange(9.0)
    frames[2] = 8
    assert sample(frames, times, 3, "pick")[0].tolist() == [1, 4, 7]
    assert sample(frames, times, 3, "mean")[0].tolist() == [3, 4, 7]


def test_a_stretch_without_frames_has_the_nearest() -> None:
    times = np.array([0.0, 0.1, 0.2, 3.0])
    assert sample(np.arange(4.0), times, 3, "mean")[0].tolist() == [1.0, 2.0, 3.0]
    assert sample(np.arange(4.0), times, 3, "pick")[0].tolist() == [2.0, 2.0, 3.0]
