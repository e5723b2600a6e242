"""Which patches of a picture show which part of the face: MicroEmo's masks (§3.2)."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence

import numpy as np

from mertools.errors import InputError
from mertools.explain.configuration import CANONICAL, LocalAttention
from mertools.registry import look_up

MEDIAPIPE, DLIB = "mediapipe", "dlib"

OUTLINES: Mapping[str, Mapping[str, tuple[int, ...]]] = {
    # MediaPipe's face mesh (468 points, 478 with irises): points whose convex hull is the part.
    MEDIAPIPE: {
        "left brow": (276, 282, 283, 285, 293, 295, 296, 300, 334, 336),
        "right brow": (46, 52, 53, 55, 63, 65, 66, 70, 105, 107),
        "left eye": (249, 263, 362, 373, 374, 380, 381, 382, 384, 385, 386, 387, 388, 390, 398, 466),
        "right eye": (7, 33, 133, 144, 145, 153, 154, 155, 157, 158, 159, 160, 161, 163, 173, 246),
        "nose": (6, 48, 64, 98, 115, 168, 2, 97, 220, 278, 294, 326, 327, 344, 440),
        "lips": (0, 17, 37, 39, 40, 61, 84, 91, 146, 181, 185, 267, 269, 270, 291, 314, 321, 375, 405, 409),
        "face": (
            *(10, 21, 54, 58, 67, 93, 103, 109, 127, 132, 136, 148, 149, 150, 152, 162, 172, 176, 234, 251),
            *(284, 288, 297, 323, 332, 338, 356, 361, 365, 377, 378, 379, 389, 397, 400, 454),
        ),
        "forehead": (10, 67, 103, 109, 297, 332, 338, 107, 66, 105, 9, 336, 296, 334),
    },
    # The 68 points of iBUG 300-W, which dlib's predictor gives; they end at the brows.
    DLIB: {
        "left brow": (22, 23, 24, 25, 26),
        "right brow": (17, 18, 19, 20, 21),
        "left eye": (42, 43, 44, 45, 46, 47),
        "right eye": (36, 37, 38, 39, 40, 41),
        "nose": (27, 31, 32, 33, 34, 35),
        "lips": (48, 49, 50, 51, 52, 53, 54, 55, 56, 57, 58, 59),
        "face": tuple(range(27)),
        "forehead": (19, 20, 21, 27, 22, 23, 24),
    },
}
"""By scheme of landmarks: the points of each part, as our own table."""

BOXES = {
    "left brow": (0.54, 0.24, 0.82, 0.35),
    "right brow": (0.18, 0.24, 0.46, 0.35),
    "left eye": (0.55, 0.34, 0.79, 0.46),
    "right eye": (0.21, 0.34, 0.45, 0.46),
    "nose": (0.39, 0.38, 0.61, 0.64),
    "lips": (0.32, 0.66, 0.68, 0.82),
    "face": (0.12, 0.12, 0.88, 0.92),
    "forehead": (0.24, 0.08, 0.76, 0.27),
}
"""Left, top, right and bottom of each part in a crop of a frontal face with a margin of 0.15 (`mertools.faces`)."""

SAMPLES = 16
"""How finely a patch is looked at: so many points a side."""


def clip_regions(
    local: LocalAttention, patches: int, frames: int, points: np.ndarray | None, scheme: str
) -> np.ndarray:
    """Which patches show which region, (T, R, P) bool, of `frames` T frames of `patches` P each.

    `points` (T, N, 2) are x and y in [0, 1] of the picture that was encoded, NaN in frames without a face, in the order
    of `scheme`; None, and the scheme `canonical`, for crops of faces. P is a square, or one more where a class token
    stands first: that is of no region. Frames without a face have none, unless one near them has.

    Raises InputError for patches that are no square, and for an unknown scheme.
    """
    side = math.isqrt(patches)
    if side * side not in (patches, patches - 1):
        raise InputError(f"Local attention needs patches in a square, with or without a class token, not {patches}.")
    if scheme == CANONICAL:
        one = _patch_masks([_corners(BOXES[region]) for region in local.regions], side, local)
        grids = np.repeat(one[None], frames, axis=0)
    else:
        outlines = look_up("scheme of landmarks", scheme, OUTLINES)
        grids = np.stack(
            [_patch_masks([face[list(outlines[region])] for region in local.regions], side, local) for face in points]
        )
    masks = grids.reshape(frames, len(local.regions), -1)
    if patches > side * side:
        masks = np.pad(masks, ((0, 0), (0, 0), (1, 0)))
    return borrowed(masks, local.nearest_frames)


def borrowed(masks: np.ndarray, within: int) -> np.ndarray:
    """`masks` (T, R, P), where a frame without any region has those of the nearest frame with some, at most `within`
    frames away."""
    has = np.flatnonzero(masks.any(axis=(1, 2)))
    if not len(has):
        return masks
    distances = np.abs(np.arange(len(masks))[:, None] - has[None])  # (T, frames with a face)
    nearest = has[distances.argmin(axis=1)]
    return np.where((distances.min(axis=1) <= within)[:, None, None], masks[nearest], False)


def _patch_masks(outlines: Sequence[np.ndarray], side: int, local: LocalAttention) -> np.ndarray:
    """The patches (R, side, side) bool that convex hulls of points (K, 2) in [0, 1] cover far enough."""
    import cv2

    masks = np.zeros((len(outlines), side, side), dtype=bool)
    near = np.ones((2 * local.dilation + 1,) * 2, dtype=np.uint8)
    for mask, outline in zip(masks, outlines, strict=True):
        if not np.isfinite(outline).all():
            continue
        fine = np.zeros((side * SAMPLES, side * SAMPLES), dtype=np.uint8)
        corners = np.round(outline * side * SAMPLES - 0.5).astype(np.int32)
        cv2.fillConvexPoly(fine, cv2.convexHull(corners), 1)
        share = fine.reshape(side, SAMPLES, side, SAMPLES).mean(axis=(1, 3))
        if share.any():
            # A part smaller than a patch is seen too: where most of it is.
            covered = share >= min(local.overlap, share.max())
            mask[:] = cv2.dilate(covered.astype(np.uint8), near).astype(bool)
    return masks


def _corners(box: tuple[float, float, float, float]) -> np.ndarray:
    left, top, right, bottom = box
    return np.array([(left, top), (right, top), (right, bottom), (left, bottom)])
