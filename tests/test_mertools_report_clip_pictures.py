from __future__ import annotations

import base64
from pathlib import Path

import cv2
import numpy as np
import pytest

from mertools.clip import Clip
from mertools.media import write_clip, write_sound
from mertools.report.clip_pictures import (
    FRAME_HEIGHT,
    FRAME_WIDTH,
    FRAMES,
    LOUDNESS_STEPS,
    glance,
    loudness_levels,
    outline,
    picture,
)

SECONDS = 2
TONE = np.sin(2 * np.pi * 220 * np.arange(SECONDS * 16_000) / 16_000).astype(np.float32)


def decoded(uri: str) -> np.ndarray:
    """The picture (H, W, 3) RGB in a data URI."""
    head, _, content = uri.partition(",")
    assert head == "data:image/jpeg;base64"
    return cv2.imdecode(np.frombuffer(base64.b64decode(content), np.uint8), cv2.IMREAD_COLOR)[..., ::-1]


@pytest.mark.parametrize(("height", "width"), [(720, 1280), (1280, 720), (64, 64), (1, 3000)])
def test_a_picture_fits_its_box_and_keeps_its_colour(height: int, width: int) -> None:
    red = np.zeros((height, width, 3), np.uint8)
    red[..., 0] = 200
    made = picture(0.0, red)
    small = decoded(made.uri)
    assert small.shape[:2] == (made.height, made.width)
    assert small.shape[0] <= min(FRAME_HEIGHT, height) and small.shape[1] <= min(FRAME_WIDTH, width)
    assert np.abs(small.mean(axis=(0, 1)) - (200, 0, 0)).max() < 12


def test_a_clip_shows_frames_over_all_its_time_and_its_loudness(tmp_path: Path) -> None:
    images = [np.full((48, 64, 3), 5 * number, np.uint8) for number in range(50)]
    write_clip(tmp_path / "a.mp4", images, 25, TONE * np.linspace(0, 1, len(TONE)))
    seen = glance(Clip("a", video=tmp_path / "a.mp4"))
    assert seen.problems == () and not seen.is_wide
    assert [round(shown.time, 1) for shown in seen.pictures] == [0.2, 0.6, 1.0, 1.4, 1.8]
    shades = [decoded(shown.uri).mean() for shown in seen.pictures]
    assert len(shades) == FRAMES and shades == sorted(shades)
    assert seen.seconds == pytest.approx(SECONDS, abs=0.1)
    assert seen.loudness.startswith("M0 1V") and seen.loudness.count("H") == LOUDNESS_STEPS


def test_ready_crops_stand_for_a_video_that_is_not_there(tmp_path: Path) -> None:
    np.save(tmp_path / "faces.npy", np.full((7, 32, 32, 3), (250, 0, 0), np.uint8))
    write_sound(tmp_path / "a.flac", TONE)
    clip = Clip("a", audio=tmp_path / "a.flac", faces=tmp_path / "faces.npy", faces_order="bgr")
    seen = glance(clip)
    assert seen.problems == () and len(seen.pictures) == FRAMES
    assert decoded(seen.pictures[0].uri)[16, 16].argmax() == 2


def test_what_cannot_be_read_is_told(tmp_path: Path) -> None:
    seen = glance(Clip("a", video=tmp_path / "absent.mp4"))
    assert seen.pictures == () and seen.loudness == ""
    assert seen.problems == ("No pictures: absent.mp4 does not exist.", "No sound: absent.mp4 does not exist.")
    assert glance(Clip("a", subtitle="words")).problems[0] == "No pictures: the manifest names no video."


def test_loudness_is_in_decibels_of_full_scale() -> None:
    # A full sine has a power of 1/2, -3.01 dB: of the 60 dB shown 95 % are left.
    assert loudness_levels(TONE) == pytest.approx(np.full(LOUDNESS_STEPS, 1 - 3.01 / 60), abs=0.01)
    assert loudness_levels(TONE / 10) == pytest.approx(np.full(LOUDNESS_STEPS, 1 - 23.01 / 60), abs=0.01)
    for nothing in (np.zeros(16_000, np.float32), np.zeros(3, np.float32)):
        assert (loudness_levels(nothing) == 0).all()


def test_the_outline_is_closed_at_the_bottom() -> None:
    assert outline(np.array([0.0, 1.0, 0.25])) == "M0 1V1.00H1V0.00H2V0.75H3V1Z"
