"""What chance decides about a clip's noise (MER2024, section 2.2).

A draw depends on the seed, the clip's name and length, and the list of recordings: clip 12 gets the same noise alone or
among 115,595, in one process or in eight.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from mertools.clip import Clip
from mertools.errors import InputError
from mertools.media import SAMPLE_RATE, MissingMedium, UnreadableMedia, check_video, sound_seconds
from mertools.randomness import generator
from noise.audio import SILENCE, rms
from noise.augment import draw_augmentations
from noise.blur import FACTORS
from noise.recipe import ClipNoise, Piece, Voice
from noise.recordings import Recording, Recordings, read_voice, talker

SNR_DB = 5, 10
"""Lowest and highest ratio of speech to noise."""

TRIES = 1_000
"""Recordings that are tried for one voice before the folder is given up."""

SPARE_SECONDS = 0.1
"""By so much the noise is longer than the clip's header says that its sound is."""


@dataclass(frozen=True)
class Drawn:
    """What a clip gets, and remarks about media it lacks and recordings that were passed over."""

    noise: ClipNoise
    remarks: tuple[str, ...]


def draw(clip: Clip, recordings: Recordings, seed: int, continuous: bool = False, augmented: bool = False) -> Drawn:
    """The noise of `clip`: a ratio in SNR_DB, whole decibels unless `continuous`, recordings, and a factor of blur.

    Recordings are drawn until they are longer than the clip, and a crop of its length is drawn from them, again where
    it is silent. With `augmented` the sound goes through audiomentations too; all else is the same as without. Raises
    InputError where TRIES recordings give no sound.
    """
    rng = generator(seed, "noise", clip.name)
    low, high = SNR_DB
    snr_db = round(float(rng.uniform(low, high)), 4) if continuous else int(rng.integers(low, high + 1))
    factor = int(rng.choice(FACTORS))
    remarks: list[str] = []
    voices = _draw_voices(rng, clip, recordings, remarks)
    has_video = _has_video(clip, bool(voices), remarks)
    augmentations = draw_augmentations(seed, clip.name) if augmented and voices else ()
    noise = ClipNoise(snr_db if voices else None, voices, factor if has_video else None, augmentations)
    return Drawn(noise, tuple(dict.fromkeys(remarks)))


def _draw_voices(rng: np.random.Generator, clip: Clip, recordings: Recordings, remarks: list[str]) -> tuple[Voice, ...]:
    """The voices beside that of `clip`, each of somebody else; none for a clip without sound."""
    try:
        if clip.sound is None:
            raise MissingMedium("no audio")
        seconds = sound_seconds(clip.sound) + SPARE_SECONDS
    except (MissingMedium, UnreadableMedia) as error:
        remarks.append(f"blur only: {error}")
        return ()
    taken = {talker(clip)}
    return tuple(draw_voice(rng, recordings, taken, seconds, remarks) for _ in range(recordings.voices))


def _has_video(clip: Clip, has_noise: bool, remarks: list[str]) -> bool:
    try:
        if clip.video is None:
            raise MissingMedium("no video")
        check_video(clip.video)
    except (MissingMedium, UnreadableMedia) as error:
        remarks.append(f"noise only: {error}" if has_noise else str(error))
        return False
    return True


def draw_voice(
    rng: np.random.Generator, recordings: Recordings, taken: set[str], seconds: float, remarks: list[str]
) -> Voice:
    """Recordings for `seconds` by nobody in `taken`, which is told who begins; `remarks` hear of those passed over.

    Raises InputError where TRIES recordings give no sound.
    """
    drawn: list[tuple[Recording, float]] = []
    for _ in range(TRIES):
        recording = recordings.files[rng.integers(len(recordings.files))]
        if recording.talker in taken:
            continue
        try:
            drawn.append((recording, sound_seconds(recordings.folder / recording.file)))
            spare = sum(length for _, length in drawn) - seconds
            if spare < 0:
                continue
            voice = _from(drawn, float(rng.uniform(0, spare)))
            if rms(read_voice(recordings.folder, voice, round(seconds * SAMPLE_RATE), SAMPLE_RATE)) >= SILENCE:
                # Who goes on where the first recording ends may talk elsewhere too: a corpus has only so many people.
                taken.update(filter(None, [drawn[0][0].talker]))
                return voice
            remarks.append(f"passed over: {recording.file} is silent from {voice[0].offset_seconds:g} s on")
        except (MissingMedium, UnreadableMedia) as error:
            remarks.append(f"passed over: {error}")
        drawn = []
    raise InputError(
        f"{TRIES} recordings drawn from {recordings.folder} give no noise of {seconds:.1f} s"
        f"{f' ({remarks[-1]})' if remarks else ''}. Name a folder of audible recordings with --speech."
    )


def _from(drawn: Sequence[tuple[Recording, float]], begin_seconds: float) -> Voice:
    """The recordings and their seconds, one after the other, from `begin_seconds` on."""
    pieces = []
    for recording, length in drawn:
        if begin_seconds < length:
            pieces.append(Piece(recording.file, round(max(begin_seconds, 0.0), 4)))
        begin_seconds -= length
    return tuple(pieces)
