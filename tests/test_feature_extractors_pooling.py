"""Pooling counts what the mask shows, and nothing else."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp

from feature_extractors.pooling import masked_mean

FRAMES = hnp.arrays(
    np.float32, hnp.array_shapes(min_dims=2, max_dims=4, max_side=5), elements=st.floats(-1e3, 1e3, width=32)
)


@given(FRAMES, st.randoms(use_true_random=False))
def test_only_what_the_mask_shows_counts(frames: np.ndarray, random) -> None:
    mask = np.array([random.random() < 0.5 for _ in range(frames[..., 0].size)]).reshape(frames.shape[:-1])
    mask.flat[random.randrange(mask.size)] = True
    hidden = frames.copy()
    hidden[~mask] = np.nan
    pooled = masked_mean(hidden, mask)
    assert pooled.shape == frames.shape[-1:] and pooled.dtype == np.float32
    np.testing.assert_allclose(pooled, frames[mask].mean(axis=0, dtype=np.float64), rtol=1e-6, atol=1e-6)


@given(FRAMES)
def test_without_a_mask_everything_counts(frames: np.ndarray) -> None:
    np.testing.assert_array_equal(masked_mean(frames), masked_mean(frames, np.ones(frames.shape[:-1], bool)))


def test_many_frames_lose_no_precision() -> None:
    frames = np.full((1_000_000, 1), 0.1, np.float32)
    assert masked_mean(frames)[0] == np.float32(0.1)


def test_nothing_to_pool_is_an_error() -> None:
    with pytest.raises(ValueError, match="no frame to take a mean of"):
        masked_mean(np.zeros((0, 3), np.float32))
    with pytest.raises(ValueError, match="no frame to take a mean of"):
        masked_mean(np.zeros((2, 3), np.float32), np.zeros(2, bool))
    with pytest.raises(ValueError, match=r"the mask is \(3,\), the frames \(2, 3\): wanted \(2,\)"):
        masked_mean(np.zeros((2, 3), np.float32), np.ones(3, bool))
