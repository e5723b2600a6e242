"""Clips as raters get them: small enough for many on one page, in what every browser plays, without the file's past."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from mertools.clip import Clip
from mertools.media import FrameStream, MissingMedium, Sound, read_audio, write_clip, write_sound

if TYPE_CHECKING:
    from collections.abc import Iterable

HEIGHT = 480
"""The most lines of a picture: enough to read a face by."""

FRAME_RATE = 30.0
SAMPLE_RATE = 44_100
CRF = 26

MEDIA_TYPES = {".mp4": "video/mp4", ".flac": "audio/flac"}


def write_small_clip(clip: Clip, stem: Path) -> Path | None:
    """Write what there is to see and hear of `clip` as `stem`.mp4 or, without a picture, `stem`.flac; gives its path.

    None for a clip of text alone. Always encoded anew: the file's own tags may tell what a rater is not to know. Raises
    UnreadableMedia where picture or sound are damaged beyond reading, MissingMedium where a named file lacks them.
    """
    from mertools.prepare.noisy_clips import frame_rate, steady

    sound = _sound(clip)
    if clip.video is None:
        if sound is None:
            return None
        path = stem.with_suffix(".flac")
        write_sound(path, sound.samples, sound.sample_rate)
        return path
    frames = FrameStream(clip.video)
    rate = min(frame_rate(frames.times), FRAME_RATE)
    path = stem.with_suffix(".mp4")
    write_clip(path, _small(steady(frames, rate)), rate, sound and sound.samples, SAMPLE_RATE, CRF)
    return path


def _sound(clip: Clip) -> Sound | None:
    try:
        return read_audio(clip.sound, SAMPLE_RATE) if clip.sound else None
    except MissingMedium:
        if clip.audio:
            raise
        # A video without sound is still to be seen.
        return None


def _small(images: Iterable[np.ndarray]) -> Iterator[np.ndarray]:
    import cv2

    for image in images:
        height, width = image.shape[:2]
        if height <= HEIGHT:
            yield image
        else:
            yield cv2.resize(image, (round(width * HEIGHT / height), HEIGHT), interpolation=cv2.INTER_AREA)
