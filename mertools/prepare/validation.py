"""Look at every clip of a corpus before any encoder does: what is unusable, what is odd, and why.

The media are read as extraction reads them, by the same functions, so what is said here is what extraction will find.
A modality that no clip of the corpus has is no problem of each clip: it is left out.
"""

from __future__ import annotations

import csv
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

import numpy as np

from feature_extractors.opensmile import LONGEST_FRAME_SECONDS
from feature_extractors.runner import Preparation, Task
from mertools.clip import Clip
from mertools.clip_rows import OK
from mertools.corpus import TRAIN
from mertools.emotions import LabelSet
from mertools.errors import InputError
from mertools.faces import FaceDetector, read_crops
from mertools.media import FrameStream, MissingMedium, UnreadableMedia, evenly, read_audio
from mertools.whole_files import whole_file

Level = Literal["error", "warning"]
ERROR: Level = "error"
WARNING: Level = "warning"

SHORTEST_SECONDS, LONGEST_SECONDS = 2.0, 16.0
"""The lengths that the corpus was built with (MER2024 §2.1)."""

DURATION_TOLERANCE_SECONDS = 0.1
"""Containers round a clip's end up to whole audio blocks and video frames."""

FRAMES_SEARCHED = 16
"""A face is looked for in as many frames as `face-expression` reads, and in the same ones."""

QUIET_PEAK = 1e-3
"""-60 dB of full scale: no voice."""

HEADER = ("name", "level", "modality", "problem", "reason")

PROBE = "probe"


@dataclass(frozen=True)
class Problem:
    """Something wrong with one clip.

    An `error` makes the clip unusable for `modality` (`audio`, `video`, `text`, or `label`); a `warning` does not.
    `kind` is the same few words for all clips that share the problem, `reason` tells it of this one.
    """

    level: Level
    modality: str
    kind: str
    reason: str


def validate(
    clips: Sequence[Clip],
    labels: LabelSet,
    detector: FaceDetector,
    workers: int,
    progress: Callable[[int, int, int], None] = lambda done, total, troubled: None,
) -> Iterator[tuple[Clip, list[Problem]]]:
    """Each clip with its problems, in the manifest's order; `workers` processes look, 0 or 1 means this one.

    `progress` is told how many clips are done, how many there are, and how many have an error.
    """
    probe = Probe(modalities(clips), labels, detector)
    done = errors = 0
    progress(0, len(clips), 0)
    with Preparation({PROBE: probe}, min(workers, len(clips))) as preparation:
        for task, results in preparation.run(Task(clip, (PROBE,)) for clip in clips):
            result = results[PROBE]
            # The probe catches what media do; anything else is a crash in a media library.
            problems = result.item if result.status == OK else [Problem(ERROR, "", "cannot be probed", result.reason)]
            done += 1
            errors += any(problem.level == ERROR for problem in problems)
            progress(done, len(clips), errors)
            yield task.clip, problems


def modalities(clips: Sequence[Clip]) -> frozenset[str]:
    """The modalities that at least one of the clips has by its manifest."""
    has = {
        "audio": any(clip.sound for clip in clips),
        "video": any(clip.faces or clip.video for clip in clips),
        "text": any(clip.text for clip in clips),
    }
    return frozenset(modality for modality, present in has.items() if present)


class Probe:
    """Finds the problems of a clip; it stands where an encoder stands in `Preparation`."""

    modality = "text"
    """Which medium the preparation's key is of: the one whose key costs nothing to compute."""

    def __init__(self, modalities: frozenset[str], labels: LabelSet, detector: FaceDetector) -> None:
        self._modalities = modalities
        self._labels = labels
        self._detector = detector

    def prepare(self, clip: Clip) -> list[Problem]:
        """The problems of `clip`, errors first."""
        problems, durations = self._label(clip), []
        for modality, look in (("audio", self._sound), ("video", self._picture), ("text", self._text)):
            if modality in self._modalities:
                seconds = look(clip, problems)
                durations += [seconds] if seconds else []
        if durations:
            problems += _duration(max(durations))
        return sorted(problems, key=lambda problem: problem.level != ERROR)

    def _label(self, clip: Clip) -> list[Problem]:
        if not clip.label:
            if clip.split == TRAIN:
                return [Problem(ERROR, "label", "no label", "a clip of split 'train' has no label")]
            return []
        try:
            self._labels.canonical(clip.label)
        except InputError as error:
            return [Problem(ERROR, "label", "unknown label", str(error))]
        return []

    def _sound(self, clip: Clip, problems: list[Problem]) -> float | None:
        """Append what is wrong with the clip's sound; gives its length in seconds."""
        if clip.sound is None:
            problems.append(Problem(ERROR, "audio", "no sound", "the manifest names neither audio nor video"))
            return None
        try:
            sound = read_audio(clip.sound)
        except MissingMedium as error:
            problems.append(Problem(ERROR, "audio", "no sound", str(error)))
            return None
        except UnreadableMedia as error:
            problems.append(Problem(ERROR, "audio", "unreadable sound", str(error)))
            return None
        peak = float(np.abs(sound.samples).max())
        if sound.duration_seconds < LONGEST_FRAME_SECONDS:
            milliseconds = f"{sound.duration_seconds * 1000:.0f} ms"
            problems.append(Problem(ERROR, "audio", "hardly any sound", f"the sound is too short: {milliseconds}"))
        elif peak == 0:
            problems.append(Problem(ERROR, "audio", "silence", "the sound is silent"))
        elif peak < QUIET_PEAK:
            reason = f"the sound never exceeds {20 * np.log10(peak):.0f} dB of full scale"
            problems.append(Problem(WARNING, "audio", "nearly silent", reason))
        if sound.problem:
            problems.append(Problem(WARNING, "audio", "damaged sound", sound.problem))
        return sound.duration_seconds

    def _picture(self, clip: Clip, problems: list[Problem]) -> float | None:
        """Append what is wrong with the clip's faces; gives the video's length in seconds where it was read."""
        try:
            if clip.faces is not None:
                track = read_crops(clip.faces, clip.faces_order, evenly(FRAMES_SEARCHED))
                if track.problem:
                    problems.append(Problem(WARNING, "video", "damaged face crops", track.problem))
                return None
            if clip.video is None:
                problems.append(Problem(ERROR, "video", "no video", "the manifest names neither video nor faces"))
                return None
            return self._video(clip.video, problems)
        except MissingMedium as error:
            kind = "no video" if clip.faces is None else "no face crops"
            problems.append(Problem(ERROR, "video", kind, str(error)))
        except UnreadableMedia as error:
            kind = "unreadable video" if clip.faces is None else "unreadable face crops"
            problems.append(Problem(ERROR, "video", kind, str(error)))
        return None

    def _video(self, path: Path, problems: list[Problem]) -> float | None:
        times = np.zeros(0)

        def choose(all_times: np.ndarray) -> np.ndarray:
            nonlocal times
            times = all_times
            return evenly(FRAMES_SEARCHED)(all_times)

        stream = FrameStream(path, choose)
        # All chosen frames are decoded, so that damage is noticed; detection, which costs more, ends with a face.
        found = seen = 0
        for _, image in stream:
            seen += 1
            found = found or bool(self._detector.detect(image))
        if not found:
            problems.append(Problem(ERROR, "video", "no face", f"no face in any of {seen} frames"))
        if stream.problem:
            problems.append(Problem(WARNING, "video", "damaged video", stream.problem))
        if len(times) == 1:
            problems.append(Problem(WARNING, "video", "a single frame", f"{path.name} has a single frame"))
            return None
        return float(times[-1] + np.median(np.diff(times)))

    def _text(self, clip: Clip, problems: list[Problem]) -> None:
        if not clip.text.strip():
            problems.append(Problem(ERROR, "text", "no subtitle", "no subtitle"))


def _duration(seconds: float) -> list[Problem]:
    wanted = f"wanted {SHORTEST_SECONDS:g} to {LONGEST_SECONDS:g} s"
    if seconds < SHORTEST_SECONDS - DURATION_TOLERANCE_SECONDS:
        return [Problem(WARNING, "", f"shorter than {SHORTEST_SECONDS:g} s", f"{seconds:.2f} s long, {wanted}")]
    if seconds > LONGEST_SECONDS + DURATION_TOLERANCE_SECONDS:
        return [Problem(WARNING, "", f"longer than {LONGEST_SECONDS:g} s", f"{seconds:.2f} s long, {wanted}")]
    return []


def write_problems(path: Path, found: Sequence[tuple[Clip, Sequence[Problem]]]) -> None:
    """Write validation.csv, atomically: one row a problem, in the manifest's order; raises InputError."""
    try:
        with whole_file(path) as file:
            writer = csv.writer(file, lineterminator="\n")
            writer.writerow(HEADER)
            for clip, problems in found:
                writer.writerows([clip.name, p.level, p.modality, p.kind, p.reason] for p in problems)
    except OSError as error:
        raise InputError(f"Cannot write {path}: {error.strerror}. Name another place with --out.") from None
