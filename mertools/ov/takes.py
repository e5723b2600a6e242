"""What a language model takes beside text."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class Takes:
    """The media that may stand in a question to one model.

    `video` is a video file's pictures: servers drop its sound unnoticed, so that sound is always sent apart, as
    `audio`. A model that takes `images` alone gets the video as frames.
    """

    images: bool = False
    video: bool = False
    audio: bool = False


EVERYTHING = Takes(images=True, video=True, audio=True)
