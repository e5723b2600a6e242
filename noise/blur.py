"""Pictures that have lost detail and kept their size."""

from __future__ import annotations

import numpy as np

FACTORS = (1, 2, 4)
"""By how much the challenge scales pictures down (MER2024, section 2.2); 1 leaves them as they are."""

PYRAMID, RESIZE = "pyramid", "resize"
WAYS = (PYRAMID, RESIZE)


def blur(frame: np.ndarray, factor: int, way: str = PYRAMID) -> np.ndarray:
    """`frame` (H, W, 3) uint8 scaled down by `factor` (1, 2 or 4) and up again to its own size.

    `pyramid` halves and doubles with a Gaussian filter, as the challenge's released code does; `resize` averages areas
    and interpolates linearly, the plainest reading of the paper's words.
    """
    if factor == 1:
        return frame
    return _by_pyramid(frame, factor) if way == PYRAMID else _by_resizing(frame, factor)


def _by_pyramid(frame: np.ndarray, factor: int) -> np.ndarray:
    import cv2

    if factor == 1:
        return frame
    smaller = _by_pyramid(cv2.pyrDown(frame), factor // 2)
    # Told the size, as doubling would make an odd side longer.
    return cv2.pyrUp(smaller, dstsize=(frame.shape[1], frame.shape[0]))


def _by_resizing(frame: np.ndarray, factor: int) -> np.ndarray:
    import cv2

    height, width = frame.shape[:2]
    smaller = cv2.resize(frame, (-(-width // factor), -(-height // factor)), interpolation=cv2.INTER_AREA)
    return cv2.resize(smaller, (width, height), interpolation=cv2.INTER_LINEAR)
