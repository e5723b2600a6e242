"""Blur takes detail and nothing else."""

from __future__ import annotations

import cv2
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from noise.blur import FACTORS, PYRAMID, RESIZE, WAYS, blur


def picture(height: int, width: int, seed: int = 0) -> np.ndarray:
    return np.random.default_rng(seed).integers(0, 256, (height, width, 3), dtype=np.uint8)


def detail(frame: np.ndarray) -> float:
    return float(np.abs(np.diff(frame.astype(float), axis=1)).mean())


@settings(max_examples=50, deadline=None)
@given(st.integers(1, 65), st.integers(1, 65), st.sampled_from(FACTORS), st.sampled_from(WAYS))
def test_size_and_input_are_kept(height: int, width: int, factor: int, way: str) -> None:
    frame = picture(height, width)
    before = frame.copy()
    blurred = blur(frame, factor, way)
    assert blurred.shape == frame.shape and blurred.dtype == np.uint8
    np.testing.assert_array_equal(frame, before)


@pytest.mark.parametrize("way", WAYS)
def test_a_larger_factor_takes_more(way: str) -> None:
    frame = picture(120, 161)
    np.testing.assert_array_equal(blur(frame, 1, way), frame)
    assert detail(frame) > 2 * detail(blur(frame, 2, way)) > 2 * detail(blur(frame, 4, way))
    grey = np.full((33, 47, 3), 90, np.uint8)
    np.testing.assert_array_equal(blur(grey, 4, way), grey)


def test_on_even_sizes_it_is_the_released_pyramid() -> None:
    frame = picture(64, 96)
    expected = cv2.pyrUp(cv2.pyrUp(cv2.pyrDown(cv2.pyrDown(frame))))
    np.testing.assert_array_equal(blur(frame, 4, PYRAMID), expected)


def test_nothing_moves() -> None:
    """A symmetric picture stays symmetric: the way down and the way up agree where pixels lie."""
    frame = picture(64, 64)
    frame = np.concatenate([frame, frame[:, ::-1]], axis=1)
    blurred = blur(frame, 4, RESIZE).astype(int)
    assert np.abs(blurred - blurred[:, ::-1]).max() <= 1
