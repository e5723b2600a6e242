"""What is to be seen and heard in a medium that was sent to a language model."""

from __future__ import annotations

from io import BytesIO

import av
import numpy as np

from mertools.ov.chat import Medium


def colours(medium: Medium) -> list[str]:
    """Of a picture, or of each of a video's."""
    with av.open(BytesIO(medium.content)) as container:
        pictures = [frame.to_ndarray(format="rgb24").mean((0, 1)) for frame in container.decode(video=0)]
    return ["red" if red > blue + 100 else "blue" if blue > red + 100 else "?" for red, _, blue in pictures]


def loudest_hertz(medium: Medium) -> float:
    """The strongest pitch of a medium's sound, 0 in silence."""
    with av.open(BytesIO(medium.content)) as container:
        rate = container.streams.audio[0].rate
        frames = [frame.to_ndarray().ravel().astype(float) for frame in container.decode(audio=0)]
    samples = np.concatenate(frames)
    if np.abs(samples).max() < 1e-3:
        return 0.0
    return float(np.fft.rfftfreq(len(samples), 1 / rate)[np.abs(np.fft.rfft(samples)).argmax()])
