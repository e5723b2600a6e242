"""From films to pieces, and from kept pieces to clips (MER2024 §2.1)."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path

import numpy as np

from feature_extractors.runner import Preparation, Task
from mertools.clip import Clip
from mertools.clip_rows import OK
from mertools.errors import InputError
from mertools.faces import FaceDetector
from mertools.media import MissingMedium, Sound, UnreadableMedia, check_video, cut_clip, read_audio
from mertools.prepare.face_identity import FaceIdentity
from mertools.prepare.film_measuring import Film, Journal, Looker, measure, part_of
from mertools.prepare.pauses import levels, on_pause
from mertools.prepare.pieces import DAMAGED, Limits, Piece, Stretch, Verdict, judge, merged
from mertools.prepare.speech import speech
from mertools.prepare.subtitles import SUFFIXES, film_subtitles, read_subtitles
from mertools.prepare.voices import Voices

AUTO, SUBTITLES, SPEECH = "auto", "subtitles", "speech"
WAYS = (AUTO, SUBTITLES, SPEECH)
"""What films are cut by."""

CUTTER = "cutter"

Progress = Callable[[int, int, int], None]


@dataclass(frozen=True)
class Manner:
    """How films are measured; with other values all is measured anew."""

    detector: FaceDetector
    identity: FaceIdentity
    voices: Voices
    by: str = AUTO
    language: str = "chinese"
    looks_per_second: float = 2.0

    def settings(self, subtitles: Path | None) -> str:
        """All of it in a line, with a digest of the subtitle file."""
        digest = hashlib.sha256(subtitles.read_bytes()).hexdigest() if subtitles else ""
        names = [self.detector.name, self.identity.name, self.voices.name, self.by, self.language]
        return json.dumps([*names, self.looks_per_second, digest])


@dataclass(frozen=True)
class Cutting:
    """What became of one film: its pieces with a verdict each, and `notes` on what was not used of it, and why."""

    film: Film
    pieces: list[tuple[Piece, Verdict]] = field(default_factory=list)
    notes: list[str] = field(default_factory=list)


def subtitle_file(film: Path, given: Path | None, by: str) -> Path | None:
    """The subtitles that are given for a film, or lie beside it under its name; None where there are none."""
    if by == SPEECH:
        return None
    beside = (film.with_suffix(suffix) for suffix in SUFFIXES)
    return given or next((path for path in beside if path.is_file()), None)


def open_films(paths: Sequence[Path], subtitles: Sequence[Path], manner: Manner, journal: Journal) -> list[Film]:
    """The films to be cut. Raises InputError where they cannot be told apart, or are others than the journal's."""
    names = [path.stem for path in paths]
    if doubled := {name for name in names if names.count(name) > 1}:
        raise InputError(f"Several films are called {min(doubled)!r}: clips are named after films. Rename one.")
    if forgotten := set(journal.films) - set(names):
        raise InputError(
            f"The output folder holds pieces of {min(forgotten)!r} too. Name that film as well, or give another --out."
        )
    films = []
    for place, path in enumerate(paths):
        if not path.is_file():
            raise InputError(f"There is no film {path}.")
        file = subtitle_file(path, subtitles[place] if subtitles else None, manner.by)
        if file is not None and not file.is_file():
            raise InputError(f"There are no subtitles {file}.")
        key = Clip(path.stem, video=path).media_key("video")
        if journal.films.get(path.stem, key) != key:
            raise InputError(f"The output folder holds pieces of another film {path.stem!r}. Give another --out.")
        films.append(Film(path, key, manner.settings(file)))
    return films


def find_pieces(
    film: Film,
    subtitles: Path | None,
    manner: Manner,
    limits: Limits,
    journal: Journal,
    *,
    workers: int,
    time_limit: float,
    progress: Progress,
) -> Cutting:
    """Measure one film, as far as `journal` does not know it, and judge its pieces.

    A film that cannot be cut at all has no pieces and a note that says why.
    """
    known = journal.stretches(film)
    sound = None
    if known is None:
        try:
            check_video(film.path)
            sound = read_audio(film.path)
            known = _find_stretches(film.path, subtitles, sound, manner)
        except (MissingMedium, UnreadableMedia) as error:
            return Cutting(film, notes=[f"not cut: {error}"])
        journal.remember_stretches(film, *known)
    stretches, notes = known
    by_voice = [place for place, one in enumerate(stretches) if not one.subtitle and not one.subtitle_english]
    unheard = {part_of(film, stretches[place]).name: place for place in by_voice}
    unheard = [place for name, place in unheard.items() if name not in journal.seen(film)]
    voices = {}
    if unheard:
        voices = manner.voices.embed(sound or read_audio(film.path), {place: stretches[place] for place in unheard})
    looker = Looker(manner.detector, manner.identity, manner.looks_per_second)
    seen = measure(film, stretches, voices, looker, journal, workers=workers, time_limit=time_limit, progress=progress)
    pieces = [Piece(film.name, *pair) for pair in zip(stretches, seen, strict=True)]
    return Cutting(film, [(piece, judge(piece, limits)) for piece in merged(pieces, limits)], list(notes))


def _find_stretches(
    film: Path, subtitles: Path | None, sound: Sound, manner: Manner
) -> tuple[list[Stretch], list[str]]:
    notes = [f"the sound: {sound.problem}"] if sound.problem else []
    read = None
    if subtitles is not None:
        try:
            read = read_subtitles(subtitles, manner.language, sound.duration_seconds)
        except InputError as error:
            # One film's subtitles are no reason not to cut the others.
            raise UnreadableMedia(str(error)) from error
    elif manner.by != SPEECH:
        read = film_subtitles(film, manner.language, sound.duration_seconds)
    if read is None and manner.by == SUBTITLES:
        raise MissingMedium("it has no subtitles")
    if read is None:
        stretches = speech(sound)
        return stretches, [*notes, *([] if stretches else ["no speech was found"])]
    level = levels(sound.samples, sound.sample_rate)
    return _moved(read.stretches, level), [*notes, *read.notes]


def _moved(stretches: Iterable[Stretch], level: np.ndarray) -> list[Stretch]:
    """Stretches whose ends lie on pauses; those that follow each other still do."""
    moved: list[Stretch] = []
    for stretch in stretches:
        begin, end = on_pause(stretch.begin, level), on_pause(stretch.end, level)
        if moved and begin < moved[-1].end:
            begin = moved[-1].end
        if begin < end:
            moved.append(replace(stretch, begin=begin, end=end))
        else:
            moved.append(stretch)
    return moved


class Cutter:
    """Writes the clip of a piece; it stands where an encoder stands in `Preparation`."""

    modality = "video"

    def __init__(self, folder: Path) -> None:
        self._folder = folder

    def prepare(self, clip: Clip) -> None:
        """Cut the part of `clip` between its columns `begin` and `end`; raises what `cut_clip` does."""
        path = self._folder / f"{clip.name}.mp4"
        cut_clip(clip.video, float(clip.columns["begin"]), float(clip.columns["end"]), path)


def write_clips(
    cuttings: Sequence[Cutting], folder: Path, *, workers: int, time_limit: float, progress: Progress
) -> list[Cutting]:
    """Have exactly the clips of kept pieces in `folder`; gives the cuttings, with pieces that failed as rejected.

    Clips that are there are not cut again; those of pieces that are not kept any more are removed.
    """
    films = {cutting.film.name: cutting.film for cutting in cuttings}
    kept = {piece.name: piece for cutting in cuttings for piece, verdict in cutting.pieces if not verdict.reason}
    folder.mkdir(parents=True, exist_ok=True)
    for path in folder.glob("*.mp4"):
        if path.stem not in kept:
            path.unlink()
    todo = [
        replace(part_of(films[piece.film], piece.stretch), name=name)
        for name, piece in kept.items()
        if not (folder / f"{name}.mp4").exists()
    ]
    failures: dict[str, str] = {}
    progress(0, len(todo), 0)
    with Preparation({CUTTER: Cutter(folder)}, min(workers, len(todo)), time_limit) as preparation:
        for done, (task, results) in enumerate(preparation.run(Task(clip, (CUTTER,)) for clip in todo), start=1):
            if results[CUTTER].status != OK:
                failures[task.clip.name] = results[CUTTER].reason
            progress(done, len(todo), len(failures))
    return [
        replace(
            cutting,
            pieces=[
                (piece, Verdict(DAMAGED, failures[piece.name]) if piece.name in failures else verdict)
                for piece, verdict in cutting.pieces
            ],
        )
        for cutting in cuttings
    ]
