"""The recordings that noise is made of: MUSAN (Snyder et al. 2015, arXiv:1510.08484), or a corpus' own clips."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from mertools.clip import Clip
from mertools.errors import InputError
from mertools.media import MissingMedium, UnreadableMedia, read_audio_part
from noise.audio import rms
from noise.recipe import CORPUS, MUSAN_KINDS, Voice

SUFFIXES = (".wav", ".flac", ".mp3", ".ogg", ".opus", ".m4a")

BABBLE_VOICES = 3
"""How many people of the corpus talk at once: with one, a clip would hold two utterances of equal claim."""


@dataclass(frozen=True)
class Recording:
    """A file relative to the recordings' folder, with slashes, and who talks in it; "" where that does not matter."""

    file: str
    talker: str = ""


@dataclass(frozen=True)
class Recordings:
    """What noise is drawn from: files in `folder`, of which `voices` sound at once."""

    folder: Path
    kind: str
    voices: int
    files: tuple[Recording, ...]


def musan(folder: Path, kind: str) -> Recordings:
    """The recordings below `folder`, sorted: MUSAN's subset `kind`, MUSAN itself, or any folder of recordings.

    Raises InputError for a folder that is not there, that is another subset of MUSAN, or that holds no recordings.
    """
    folder = subset(folder, kind)
    paths = (path for path in folder.rglob("*") if path.suffix.lower() in SUFFIXES and not path.name.startswith("."))
    files = tuple(Recording(name) for name in sorted(path.relative_to(folder).as_posix() for path in paths))
    if not files:
        raise InputError(f"{folder} holds no recordings ({', '.join(SUFFIXES)}). Name MUSAN's folder {kind!r}.")
    return Recordings(folder, kind, 1, files)


def subset(folder: Path, kind: str) -> Path:
    """The folder of MUSAN's subset `kind`: `folder`, or the one of that name in it. Raises InputError."""
    if not folder.is_dir():
        raise InputError(f"There is no folder {folder} of recordings. MUSAN is at openslr.org/17.")
    if (folder / kind).is_dir():
        return (folder / kind).resolve()
    others = [other for other in MUSAN_KINDS if other != kind]
    found = [other for other in others if folder.resolve().name == other or (folder / other).is_dir()]
    if found:
        raise InputError(
            f"{folder} holds MUSAN's {' and '.join(found)}, wanted its subset {kind!r}. Name the folder of {kind!r}, "
            f"or ask for another kind with --noise-kind."
        )
    return folder.resolve()


def babble(clips: Sequence[Clip], folder: Path) -> Recordings:
    """The clips' own sound, whose files lie in `folder`. Raises InputError where all are of one speaker."""
    folder = folder.resolve()
    heard = sorted((_relative(clip, folder), talker(clip)) for clip in clips if clip.sound is not None)
    talkers = {name for _, name in heard}
    if len(talkers) < 2:
        raise InputError(f"Babble needs clips of two speakers or more, got {len(talkers)}. Name MUSAN with --speech.")
    return Recordings(folder, CORPUS, min(BABBLE_VOICES, len(talkers) - 1), tuple(Recording(*one) for one in heard))


def talker(clip: Clip) -> str:
    """Who talks in `clip`; where the manifest does not say, somebody of its own."""
    return clip.speaker or f"clip/{clip.name}"


def read_voice(folder: Path, voice: Voice, count: int, sample_rate: int) -> np.ndarray:
    """`count` samples (N,) of recordings one after the other, from the first one again where they end before.

    Raises UnreadableMedia, with the file, where one cannot be read.
    """
    parts, have = [], 0
    for piece in voice:
        seconds = (count - have) / sample_rate
        try:
            part = read_audio_part(folder / piece.file, piece.offset_seconds, seconds, sample_rate).samples
        except (MissingMedium, UnreadableMedia) as error:
            raise UnreadableMedia(f"the noise {piece.file} cannot be read: {error}") from None
        parts.append(part)
        have += len(part)
        if have >= count:
            break
    return np.resize(np.concatenate(parts), count) if have else np.zeros(count, np.float32)


def read_noise(folder: Path, voices: Sequence[Voice], count: int, sample_rate: int) -> np.ndarray:
    """`count` samples (N,) of all voices at once, each as loud as the others; silent ones are left out.

    Raises what `read_voice` does.
    """
    read = [read_voice(folder, voice, count, sample_rate) for voice in voices]
    return np.sum([samples / rms(samples) for samples in read if samples.any()] or [np.zeros(count)], axis=0)


def _relative(clip: Clip, folder: Path) -> str:
    return clip.sound.resolve().relative_to(folder).as_posix()
