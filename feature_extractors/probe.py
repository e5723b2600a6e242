"""The probe: a few generated clips that are the same on every machine, and what an encoder makes of them.

Two installations whose encoders give the same vectors for it have the same weights and the same recipe. Sounds, faces
and sentences are the same to the bit wherever they are made; the video, which encoders of whole pictures read, is so
where the same release of PyAV encodes it.
"""

from __future__ import annotations

import wave
from collections.abc import Sequence
from pathlib import Path

import numpy as np

from feature_extractors.encoder import Encoder
from feature_extractors.pooling import masked_mean
from mertools.clip import Clip
from mertools.media import SAMPLE_RATE, write_clip

SOUND_SECONDS = (3.0, 9.99, 12.3)
"""Shorter than the 10-second chunks of the released speech encoders, just within one, and longer."""

FACE_COUNTS = (12, 40)
"""Faces a clip: fewer and more than the 16 frames that most visual encoders choose."""

FACE_SIZE, FRAMES_PER_SECOND = 112, 25

SCENE_HEIGHT, SCENE_WIDTH = 180, 320

SENTENCE, SENTENCE_ENGLISH = "今天天气真好,我们出去走走吧。", "The weather is lovely today, let us go for a walk."


def write_probe(folder: Path, modality: str) -> list[Clip]:
    """Write the probe clips that encoders of `modality` read into `folder`."""
    if modality == "audio":
        return [_sound_clip(folder, seconds) for seconds in SOUND_SECONDS]
    if modality == "video":
        return [_face_clip(folder, count) for count in FACE_COUNTS]
    return [Clip("sentence", subtitle=SENTENCE, subtitle_english=SENTENCE_ENGLISH)]


def answer(encoder: Encoder, clips: Sequence[Clip]) -> dict[str, np.ndarray]:
    """The utterance vector (D,) that the loaded `encoder` gives each clip, by name; one at a time, without a batch."""
    vectors = {}
    for clip in clips:
        (encoding,) = encoder.encode([encoder.prepare(clip)])
        vectors[clip.name] = masked_mean(encoding.frames) if encoding.utterance is None else encoding.utterance
    return vectors


def sound(seconds: float) -> np.ndarray:
    """Samples (N,) int16 at SAMPLE_RATE that resemble speech: syllables of a gliding voice, with breath between."""
    times = np.arange(round(seconds * SAMPLE_RATE)) / SAMPLE_RATE
    pitch = 140 + 35 * np.sin(2 * np.pi * 0.4 * times) + 10 * np.sin(2 * np.pi * 1.7 * times)  # Hz
    phase = 2 * np.pi * np.cumsum(pitch) / SAMPLE_RATE
    # The first two formants of a vowel that wanders between [a] and [i].
    first, second = 500 + 200 * np.sin(2 * np.pi * 0.9 * times), 1600 - 500 * np.sin(2 * np.pi * 0.9 * times)
    voice = np.zeros_like(times)
    for harmonic in range(1, 25):
        hertz = harmonic * pitch
        gain = 1 / (1 + ((hertz - first) / 120) ** 2) + 0.5 / (1 + ((hertz - second) / 180) ** 2) + 0.02
        voice += gain * np.sin(harmonic * phase)
    syllables = np.clip(np.sin(2 * np.pi * 3.1 * times), 0, None) ** 0.5
    samples = 0.15 * voice * syllables + 0.003 * _noise(len(times))
    return np.round(np.clip(samples, -1, 1) * 32767).astype(np.int16)


def faces(count: int) -> np.ndarray:
    """Drawn faces (T, S, S, 3) uint8 RGB that speak, blink and turn a little."""
    rows, columns = np.mgrid[:FACE_SIZE, :FACE_SIZE]
    images = np.empty((count, FACE_SIZE, FACE_SIZE, 3), dtype=np.uint8)
    for number, image in enumerate(images):
        turn = number % 9 - 4
        image[:] = np.stack([columns, rows, 180 - rows], axis=-1)
        ellipses = [
            (56, 56 + turn // 2, 48, 38, (224, 180, 150)),
            (44, 40 + turn, 1 + 4 * (number % 7 > 0), 7, (40, 30, 30)),
            (44, 72 + turn, 1 + 4 * (number % 7 > 0), 7, (40, 30, 30)),
            (60, 56 + turn, 9, 4, (200, 150, 120)),
            (82, 56 + turn, 2 + number % 6, 14, (150, 40, 50)),
        ]
        for row, column, height, width, colour in ellipses:
            inside = ((rows - row) * width) ** 2 + ((columns - column) * height) ** 2 <= (height * width) ** 2
            image[inside] = colour
    return images


def scenes(count: int) -> np.ndarray:
    """Drawn pictures (T, H, W, 3) uint8 RGB of a room, through which the pictures of `faces` move."""
    rows, columns = np.mgrid[:SCENE_HEIGHT, :SCENE_WIDTH]
    room = np.stack([90 + columns // 4, 120 + rows // 3, 150 - columns // 8], axis=-1).astype(np.uint8)
    room[20:80, 230:300] = 200, 220, 250  # a window
    room[165:] = 110, 80, 50  # the floor
    images = np.repeat(room[None], count, axis=0)
    for number, (image, face) in enumerate(zip(images, faces(count), strict=True)):
        left = 20 + 4 * number
        image[50 : 50 + FACE_SIZE, left : left + FACE_SIZE] = face
    return images


def _sound_clip(folder: Path, seconds: float) -> Clip:
    path = folder / f"sound_{seconds:.2f}s.wav"
    with wave.open(str(path), "wb") as file:
        file.setparams((1, 2, SAMPLE_RATE, 0, "NONE", ""))
        file.writeframes(sound(seconds).astype("<i2").tobytes())
    return Clip(path.stem, audio=path)


def _face_clip(folder: Path, count: int) -> Clip:
    """Crops for the encoders of faces, and the scene that they are crops of for those of whole pictures."""
    crops = folder / f"faces_{count}.npy"
    np.save(crops, faces(count))
    video = crops.with_suffix(".mp4")
    write_clip(video, scenes(count), FRAMES_PER_SECOND)
    return Clip(crops.stem, faces=crops, video=video)


def _noise(count: int) -> np.ndarray:
    """White noise (count,) in [-1, 1): SplitMix64 of the sample's number, for NumPy's own draws may change."""
    state = np.arange(1, count + 1, dtype=np.uint64) * np.uint64(0x9E3779B97F4A7C15)
    state = (state ^ (state >> np.uint64(30))) * np.uint64(0xBF58476D1CE4E5B9)
    state = (state ^ (state >> np.uint64(27))) * np.uint64(0x94D049BB133111EB)
    state ^= state >> np.uint64(31)
    return (state >> np.uint64(11)).astype(np.float64) / 2.0**52 - 1
