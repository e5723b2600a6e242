"""Regions of the face as masks over patches."""

from __future__ import annotations

import numpy as np
import pytest

from mertools.errors import InputError
from mertools.explain.configuration import CANONICAL, REGIONS, LocalAttention
from mertools.explain.regions import BOXES, DLIB, MEDIAPIPE, OUTLINES, borrowed, clip_regions

EXACT = LocalAttention(dilation=0)


def dlib_face(left: float, top: float, size: float) -> np.ndarray:
    """68 points whose parts lie where a crop of a face has them, in a picture of side 1."""
    points = np.zeros((68, 2))
    for region in REGIONS[:6]:
        x0, y0, x1, y1 = BOXES[region]
        corners = np.array([(x0, y0), (x1, y0), (x1, y1), (x0, y1)])
        for number, point in enumerate(OUTLINES[DLIB][region]):
            points[point] = corners[number % 4]
    points[:17] = np.linspace((0.12, 0.3), (0.88, 0.3), 17)
    points[8] = (0.5, 0.92)
    return points * size + (left, top)


def test_every_scheme_has_every_region() -> None:
    for scheme, count in ((DLIB, 68), (MEDIAPIPE, 468)):
        assert tuple(OUTLINES[scheme]) == REGIONS
        for points in OUTLINES[scheme].values():
            assert len(set(points)) == len(points) >= 4 and min(points) >= 0 and max(points) < count
    assert tuple(BOXES) == REGIONS


def test_parts_lie_where_a_crop_has_them() -> None:
    masks = clip_regions(EXACT, 256, 2, None, CANONICAL).reshape(2, 8, 16, 16)
    assert np.array_equal(masks[0], masks[1])
    lips, left_eye, right_eye = (
        np.argwhere(masks[0, REGIONS.index(part)]) for part in ("lips", "left eye", "right eye")
    )
    assert lips[:, 0].min() >= 10 and left_eye[:, 0].max() <= 7
    # The person's left eye is on the right of the picture.
    assert left_eye[:, 1].min() > right_eye[:, 1].max()
    assert masks[0, REGIONS.index("face")].mean() > 0.5


def test_landmarks_move_the_masks_with_the_face() -> None:
    points = np.stack([dlib_face(0.0, 0.0, 0.5), dlib_face(0.5, 0.5, 0.5), np.full((68, 2), np.nan)])
    masks = clip_regions(LocalAttention(dilation=0, nearest_frames=0), 257, 3, points, DLIB)
    assert masks.shape == (3, 8, 257) and not masks[:, :, 0].any()
    grids = masks[:, :, 1:].reshape(3, 8, 16, 16)
    assert np.array_equal(grids[0, :, :8, :8], grids[1, :, 8:, 8:])
    assert grids[0, :, :8, :8].any(axis=(1, 2)).all() and not grids[0, :, 8:].any()
    assert not grids[2].any()


def test_overlap_and_dilation() -> None:
    few, many = (
        clip_regions(LocalAttention(dilation=0, overlap=share), 256, 1, None, CANONICAL) for share in (0.9, 0.1)
    )
    assert (few <= many).all() and few.sum() < many.sum()
    wide = clip_regions(LocalAttention(dilation=1, overlap=0.1), 256, 1, None, CANONICAL)
    assert (many <= wide).all() and many.sum() < wide.sum()


def test_only_the_wanted_regions() -> None:
    some = LocalAttention(regions=("lips", "left eye"), dilation=0)
    every = clip_regions(EXACT, 16, 1, None, CANONICAL)
    assert np.array_equal(clip_regions(some, 16, 1, None, CANONICAL)[0], every[0, [5, 2]])
    with pytest.raises(InputError, match=r"Unknown region of the face 'lip'\. Did you mean 'lips'"):
        LocalAttention(regions=("lip",))


def test_a_frame_without_a_face_borrows_a_near_ones() -> None:
    masks = np.zeros((6, 1, 3), dtype=bool)
    masks[1, 0, 0] = masks[5, 0, 2] = True
    near = borrowed(masks, 1)
    assert near.any(axis=(1, 2)).tolist() == [True, True, True, False, True, True]
    assert near[0, 0, 0] and near[2, 0, 0] and near[4, 0, 2]
    assert np.array_equal(borrowed(masks[:1], 3), masks[:1])


def test_patches_that_are_no_square() -> None:
    with pytest.raises(InputError, match="in a square, with or without a class token, not 12"):
        clip_regions(EXACT, 12, 1, None, CANONICAL)
    with pytest.raises(InputError, match="Unknown scheme of landmarks 'ibug'"):
        clip_regions(EXACT, 16, 1, np.zeros((1, 68, 2)), "ibug")
