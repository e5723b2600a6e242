"""What a language model is given of a clip beside text: its sound as WAV, its pictures as JPEG frames or as the file.

The sound is always a part of its own: servers ignore the sound of a video they are sent, without a word.
"""

from __future__ import annotations

import mimetypes
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from mertools.clip import Clip
from mertools.errors import InputError
from mertools.media import (
    SAMPLE_RATE,
    FrameStream,
    MissingMedium,
    UnreadableMedia,
    check_video,
    evenly,
    read_audio,
    sound_seconds,
    wav_of,
)
from mertools.ov.chat import Medium
from mertools.ov.takes import Takes


@dataclass(frozen=True)
class Preparation:
    """How media are prepared: `frames` evenly spaced ones, with no side longer than `longest_side` pixels, as JPEG."""

    frames: int = 8
    longest_side: int = 768
    jpeg_quality: int = 90


@dataclass(frozen=True)
class ClipMedia:
    """The media of one question: `load` decodes them, `key` tells them apart without decoding."""

    clip: Clip
    perceived: str
    takes: Takes
    preparation: Preparation = Preparation()

    @property
    def key(self) -> str:
        """A digest of the clip's files, and how they are prepared."""
        parts = []
        if "audio" in self.perceived:
            parts.append(f"wav {SAMPLE_RATE} {self.clip.media_key('audio')}")
        if "video" in self.perceived:
            how = self.preparation
            form = "file" if self.takes.video else f"jpeg {how.frames} {how.longest_side} {how.jpeg_quality}"
            parts.append(f"{form} {_file_key(self.clip)}")
        return "; ".join(parts)

    def load(self) -> Sequence[Medium]:
        """The media, decoded; raises MissingMedium or UnreadableMedia with the reason why there are none."""
        media = []
        if "video" in self.perceived:
            path = _pictures_of(self.clip)
            media += [_video_file(path)] if self.takes.video else _frames(path, self.preparation)
        if "audio" in self.perceived:
            media.append(Medium("audio", wav_of(read_audio(_sound_of(self.clip)).samples), "audio/wav"))
        return media


def lacking(clip: Clip, perceived: str) -> str:
    """Why `clip` cannot be perceived as `audio`, `video` or `audio-video`, by its files' headers; "" where it can."""
    try:
        if "audio" in perceived:
            sound_seconds(_sound_of(clip))
        if "video" in perceived:
            check_video(_pictures_of(clip))
    except (MissingMedium, UnreadableMedia) as error:
        return str(error)
    return ""


def check_takes(takes: Takes, perceived: str, model: str) -> None:
    """Raises InputError where a model cannot be given what it is to perceive."""
    if "audio" in perceived and not takes.audio:
        raise InputError(f"The model {model!r} takes no sound: ask it with --from video, or name another with --model.")
    if "video" in perceived and not (takes.images or takes.video):
        raise InputError(f"The model {model!r} takes no pictures: ask it with --from audio, or another with --model.")


def _sound_of(clip: Clip) -> Path:
    if clip.sound is None:
        raise MissingMedium("the clip has no sound")
    return clip.sound


def _pictures_of(clip: Clip) -> Path:
    if clip.video is None:
        raise MissingMedium("the clip has no video")
    return clip.video


def _file_key(clip: Clip) -> str:
    """The digest of the video file, also where the clip has ready face crops, which are not what is sent."""
    return Clip(clip.name, video=clip.video).media_key("video")


def _video_file(path: Path) -> Medium:
    kind = mimetypes.guess_type(path.name)[0] or ""
    return Medium("video", path.read_bytes(), kind if kind.startswith("video/") else "video/mp4")


def _frames(path: Path, how: Preparation) -> Iterator[Medium]:
    import cv2

    for _, image in FrameStream(path, evenly(how.frames)):
        scale = how.longest_side / max(image.shape[:2])
        if scale < 1:
            height, width = (max(1, round(side * scale)) for side in image.shape[:2])
            image = cv2.resize(image, (width, height), interpolation=cv2.INTER_AREA)
        _, content = cv2.imencode(".jpg", image[..., ::-1], [cv2.IMWRITE_JPEG_QUALITY, how.jpeg_quality])
        yield Medium("image", content.tobytes(), "image/jpeg")
