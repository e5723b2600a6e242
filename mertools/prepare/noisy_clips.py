"""Write the noisy clips of a recipe as files, as the challenge released them.

Worker processes read each clip under its noise, as extraction does, and encode it again. What is written stands in a
journal beside the clips: a run that is killed goes on where it was, and a changed clip or recipe is written anew.
"""

from __future__ import annotations

import json
import os
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import filelock
import numpy as np

from feature_extractors.runner import TIME_LIMIT_SECONDS, Preparation, Progress, Tally, Task
from mertools.clip import Clip
from mertools.clip_rows import OK
from mertools.errors import InputError
from mertools.media import (
    DEFAULT_FRAME_RATE,
    FrameStream,
    MissingMedium,
    Sound,
    UnreadableMedia,
    read_audio,
    write_clip,
    write_sound,
)
from noise.corruption import Noise, uncropped

JOURNAL = "noise.journal.jsonl"
CLIPS = "clips"
"""The folder of the noisy clips, beside the journal."""

HIGHEST_FRAME_RATE = 240.0
"""More frames a second than this are broken time stamps."""

WRITER = "writer"


@dataclass(frozen=True)
class Written:
    """What became of one clip: its file, None where there is none; whether all was read; what there is to say."""

    path: Path | None
    complete: bool
    remark: str = ""


def write_noisy(
    clips: Sequence[Clip],
    noise: Noise,
    folder: Path,
    *,
    workers: int,
    time_limit: float = TIME_LIMIT_SECONDS,
    progress: Progress = lambda done, total, failed: None,
) -> dict[str, Written]:
    """Write the noisy `clips` into `folder` / CLIPS: by name what became of each.

    H.264 and AAC in mp4 with the frame rate of the clip, its sound mono at 16 kHz; FLAC for a clip without video. Clips
    that are written already are not written again, unless their media or their noise have changed.

    Raises InputError where the recipe lacks clips, and where another process is writing into `folder`.
    """
    noise.check(clips)
    clips = uncropped(clips)
    (folder / CLIPS).mkdir(parents=True, exist_ok=True)
    lock = filelock.FileLock(folder / ".noise.lock", timeout=0)
    try:
        lock.acquire()
    except filelock.Timeout:
        raise InputError(f"Another process is writing into {folder}. Wait for it, or give another --out.") from None
    with lock:
        known = _known(folder / JOURNAL)
        entries = {clip.name: _entry(clip, noise) for clip in clips}
        written = {clip.name: _kept(folder, known.get(clip.name), entries[clip.name]) for clip in clips}
        todo = [clip for clip in clips if written[clip.name] is None]
        tally = Tally(len(todo), progress)
        tally.tell()
        tasks = (Task(clip, (WRITER,), noise.of(clip)) for clip in todo)
        with Preparation({WRITER: Writer(folder / CLIPS)}, min(workers, len(todo)), time_limit) as preparation:
            for task, results in preparation.run(tasks):
                result = results[WRITER]
                one = result.item if result.status == OK else Written(None, False, result.reason)
                written[task.clip.name] = one
                if one.complete:
                    _remember(folder / JOURNAL, {**entries[task.clip.name], **_stated(one)})
                tally.add(1, not one.complete)
    return {clip.name: written[clip.name] for clip in clips}


def noisy_row(clip: Clip, written: Written, folder: Path) -> Clip:
    """The manifest's row of the noisy `clip`; where it could not be written it names a file that is not there."""
    path = written.path or folder / CLIPS / f"{clip.name}.{'mp4' if clip.video else 'flac'}"
    has_sound_alone = path.suffix == ".flac"
    return replace(
        clip,
        video=None if has_sound_alone or not (clip.video or clip.sound) else path,
        audio=path if has_sound_alone and clip.sound else None,
        faces=None,
        faces_order="rgb",
    )


class Writer:
    """Reads a clip and writes it again; it stands where an encoder stands in `Preparation`, which makes it noisy."""

    modality = "text"
    """Which medium the preparation's key is of: the one whose key costs nothing to compute."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder

    def prepare(self, clip: Clip) -> Written:
        """Raises MissingMedium or UnreadableMedia for a clip of which neither sound nor video can be read."""
        path, report = self._folder / f"{clip.name}.mp4", _Report()
        sound, has_video = None, False
        with report.of("sound"):
            sound = _sound(clip)
            report.add(sound.problem)
        with report.of("video"):
            stream = _frames(clip)
            rate = frame_rate(stream.times)
            write_clip(path, steady(stream, rate), rate, sound and sound.samples)
            report.add(stream.problem)
            has_video = True
        if sound is None and not has_video:
            raise (MissingMedium if report.complete else UnreadableMedia)(report.remark)
        if not has_video:
            path = path.with_suffix(".flac")
            write_sound(path, sound.samples, sound.sample_rate)
        return Written(path, report.complete, report.remark)


@dataclass
class _Report:
    """What one reading of a clip met with; `complete` unless a medium that is there could not be read."""

    remarks: list[str] = field(default_factory=list)
    complete: bool = True

    @property
    def remark(self) -> str:
        return "; ".join(dict.fromkeys(self.remarks))

    def add(self, problem: str | None) -> None:
        if problem:
            self.remarks.append(problem)

    @contextmanager
    def of(self, medium: str) -> Iterator[None]:
        """What goes wrong with `medium` meanwhile is noted, and ends nothing but this."""
        try:
            yield
        except (MissingMedium, UnreadableMedia) as error:
            self.complete &= isinstance(error, MissingMedium)
            self.add(f"no {medium}: {error}")


def _sound(clip: Clip) -> Sound:
    if clip.sound is None:
        raise MissingMedium("none named")
    return read_audio(clip.sound)


def _frames(clip: Clip) -> FrameStream:
    if clip.video is None:
        raise MissingMedium("none named")
    return FrameStream(clip.video)


def frame_rate(times: np.ndarray) -> float:
    """Frames a second of a clip whose frames are shown at `times` (T,); the mean where it varies."""
    span = float(times[-1] - times[0])
    return min((len(times) - 1) / span, HIGHEST_FRAME_RATE) if span > 0 else float(DEFAULT_FRAME_RATE)


def steady(frames: Iterable[tuple[float, np.ndarray]], frames_per_second: float) -> Iterator[np.ndarray]:
    """Images at a steady rate from time 0 on: for each the frame that is shown half-way to the next.

    Where the rate is that of `frames`, (time, image) pairs, each is given once; the first one stands for what is before
    it. Sound and picture stay together that way when a rate varies or the picture begins late.
    """
    count, shown = 0, None
    for time, image in frames:
        shown = image if shown is None else shown
        while (count + 0.5) / frames_per_second < time:
            yield shown
            count += 1
        shown = image
    if shown is not None:
        yield shown


def _entry(clip: Clip, noise: Noise) -> dict[str, Any]:
    """What decides about the file of a noisy clip."""
    own = replace(noise.recipe, clips={clip.name: noise.recipe.clips[clip.name]})
    try:
        keys = [clip.media_key(modality) for modality in ("audio", "video")]
    except OSError:
        keys = []
    return {"name": clip.name, "media": keys, "noise": own.fingerprint}


def _stated(written: Written) -> dict[str, str]:
    return {"file": written.path.name, "remark": written.remark}


def _kept(folder: Path, known: Mapping[str, Any] | None, wanted: Mapping[str, Any]) -> Written | None:
    """What the journal says about a clip, where it still holds."""
    if known is None or any(known.get(key) != value for key, value in wanted.items()):
        return None
    path = folder / CLIPS / known["file"]
    return Written(path, True, known["remark"]) if path.exists() else None


def _known(journal: Path) -> dict[str, dict[str, Any]]:
    try:
        lines = journal.read_text(encoding="utf-8").splitlines()
    except FileNotFoundError:
        return {}
    entries = {}
    for line in lines:
        try:
            entry = json.loads(line)
        except ValueError:
            # The line that was being written when a run was killed.
            continue
        entries[entry["name"]] = entry
    return entries


def _remember(journal: Path, entry: Mapping[str, Any]) -> None:
    with journal.open("a", encoding="utf-8") as file:
        # A line break first: the last line may have been cut off.
        file.write(f"\n{json.dumps(entry, ensure_ascii=False)}")
        file.flush()
        os.fsync(file.fileno())
