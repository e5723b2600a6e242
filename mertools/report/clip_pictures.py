"""A clip at a glance: a few of its frames as small JPEGs and a line of its loudness, both as text for a page."""

from __future__ import annotations

import base64
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from mertools.clip import Clip
from mertools.faces import read_crops
from mertools.media import MissingMedium, UnreadableMedia, evenly, read_audio, read_frames

FRAMES = 5
FRAME_WIDTH, FRAME_HEIGHT = 192, 128
"""Frames fit into this: sharp at the size they are shown in, on a phone too."""
JPEG_QUALITY = 72
WIDE = 1.4
"""From this ratio of width to height on pictures are wide."""

LOUDNESS_STEPS = 120
QUIETEST_DB = -60.0


@dataclass(frozen=True)
class Picture:
    """One frame: when it is shown, in seconds from the clip's start, and its JPEG as a data URI, of so many pixels."""

    time: float
    uri: str
    width: int
    height: int


@dataclass(frozen=True)
class Glance:
    """`pictures` and `loudness` (the outline of an SVG of LOUDNESS_STEPS by 1) of a clip of `seconds`.

    `problems` say why either is lacking.
    """

    pictures: tuple[Picture, ...]
    loudness: str
    seconds: float | None
    problems: tuple[str, ...]

    @property
    def is_wide(self) -> bool:
        """Whether the pictures are of a film's shape: in a row as narrow as one of faces nothing could be seen."""
        return bool(self.pictures) and self.pictures[0].width > WIDE * self.pictures[0].height


def glance(clip: Clip) -> Glance:
    """What can be shown of the media of a clip; a medium that cannot be read is a problem told, no error."""
    pictures, loudness, seconds, problems = (), "", None, []
    try:
        pictures = film_strip(clip)
    except (MissingMedium, UnreadableMedia) as error:
        problems.append(f"No pictures: {error}.")
    try:
        sound = read_audio(_path(clip.sound, "sound"))
        loudness, seconds = outline(loudness_levels(sound.samples)), sound.duration_seconds
    except (MissingMedium, UnreadableMedia) as error:
        problems.append(f"No sound: {error}.")
    return Glance(pictures, loudness, seconds, tuple(problems))


def film_strip(clip: Clip) -> tuple[Picture, ...]:
    """FRAMES frames evenly spaced in time, of the video or else of the ready face crops; fewer of a shorter clip.

    Raises MissingMedium and UnreadableMedia as reading them does.
    """
    if clip.video is None and clip.faces is not None:
        track = read_crops(clip.faces, clip.faces_order, evenly(FRAMES))
        times, images = track.times, track.crops
    else:
        frames = read_frames(_path(clip.video, "video"), evenly(FRAMES))
        times, images = frames.times, frames.images
    return tuple(picture(time, image) for time, image in zip(times.tolist(), images, strict=True))


def picture(time: float, image: np.ndarray) -> Picture:
    """An (H, W, 3) uint8 RGB image as a Picture, scaled down to fit FRAME_WIDTH by FRAME_HEIGHT."""
    import cv2

    height, width = image.shape[:2]
    scale = min(FRAME_WIDTH / width, FRAME_HEIGHT / height, 1.0)
    size = max(1, round(width * scale)), max(1, round(height * scale))
    small = cv2.resize(image, size, interpolation=cv2.INTER_AREA)
    _, content = cv2.imencode(".jpg", small[..., ::-1], [cv2.IMWRITE_JPEG_QUALITY, JPEG_QUALITY])
    return Picture(time, f"data:image/jpeg;base64,{base64.b64encode(content.tobytes()).decode()}", *size)


def loudness_levels(samples: np.ndarray) -> np.ndarray:
    """The loudness (LOUDNESS_STEPS,) of equal parts of a sound (N,): 0 at -60 dB of full scale, 1 at 0 dB."""
    levels = []
    for part in np.array_split(samples, LOUDNESS_STEPS):
        power = np.mean(np.square(part, dtype=np.float64)) if len(part) else 0.0
        levels.append(10 * np.log10(power) if power > 0 else QUIETEST_DB)
    return np.clip(1 - np.array(levels) / QUIETEST_DB, 0.0, 1.0)


def outline(levels: np.ndarray) -> str:
    """The path of an area under `levels` (N,), in an SVG of N by 1 with its origin on top."""
    return "M0 1" + "".join(f"V{1 - level:.2f}H{step}" for step, level in enumerate(levels, start=1)) + "V1Z"


def _path(path: Path | None, medium: str) -> Path:
    if path is None:
        raise MissingMedium(f"the manifest names no {medium}")
    return path
