"""Which of a clip's stored frames an explainer reads."""

from __future__ import annotations

from typing import Literal

import numpy as np


def sample(
    frames: np.ndarray, times: np.ndarray, count: int, how: Literal["pick", "mean"]
) -> tuple[np.ndarray, np.ndarray]:
    """At most `count` of `frames` (T, …) at `times` (T,), with their times, evenly spaced in time.

    The clip is cut into `count` stretches of the same length; a frame stands for the time around it. `pick` takes of
    each stretch the frame nearest to its middle, `mean` the mean of its frames, or the nearest where it has none. Fewer
    frames than wanted are all taken.
    """
    if len(frames) <= count:
        return frames, times
    half = (times[-1] - times[0]) / (len(times) - 1) / 2
    edges = np.linspace(times[0] - half, times[-1] + half, count + 1)
    middles = (edges[:-1] + edges[1:]) / 2
    nearest = np.abs(times[None] - middles[:, None]).argmin(axis=1)
    if how == "pick":
        return frames[nearest], times[nearest]
    stretch = np.searchsorted(edges[1:-1], times, side="right")  # (T,) in 0 … count - 1
    inside = [np.flatnonzero(stretch == number) for number in range(count)]
    inside = [rows if len(rows) else nearest[[number]] for number, rows in enumerate(inside)]
    means = np.stack([frames[rows].mean(axis=0) for rows in inside])
    return means, np.array([times[rows].mean() for rows in inside])
