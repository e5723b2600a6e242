"""Measure the stretches of a film: how many faces its pictures show, and of whom. Worker processes decode.

What is measured goes to a journal at once, so that a run which is killed goes on where it was, and so that pieces can
be judged anew by other limits without decoding anything.
"""

from __future__ import annotations

import hashlib
import json
import os
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from feature_extractors.runner import Preparation, Prepared, Task
from mertools.clip import Clip
from mertools.clip_rows import OK
from mertools.errors import InputError
from mertools.faces import FaceDetector
from mertools.media import FramePart
from mertools.prepare.face_identity import FaceIdentity
from mertools.prepare.pieces import Seen, Stretch, vectors

LOOKER = "looker"


@dataclass(frozen=True)
class Film:
    """A film to be cut. `key` changes with its content; `settings` are what its measurements depend on."""

    path: Path
    key: str
    settings: str

    @property
    def name(self) -> str:
        return self.path.stem

    @property
    def digest(self) -> str:
        return hashlib.sha256(f"{self.key}\x1f{self.settings}".encode()).hexdigest()[:16]


class Looker:
    """Looks at the pictures of a stretch; it stands where an encoder stands in `Preparation`."""

    modality = "video"

    def __init__(self, detector: FaceDetector, identity: FaceIdentity, looks_per_second: float) -> None:
        self._detector = detector
        self._identity = identity
        self._looks_per_second = looks_per_second

    def prepare(self, clip: Clip) -> Seen:
        """What the part of `clip` between its columns `begin` and `end` shows; raises what a FramePart does."""
        begin, end = float(clip.columns["begin"]), float(clip.columns["end"])
        count = max(1, round((end - begin) * self._looks_per_second))
        part = FramePart(clip.video, begin, count, count / (end - begin))
        faces, identities = [], []
        for image in part:
            boxes = self._detector.detect(image)
            faces.append(len(boxes))
            if len(boxes) == 1:
                identities.append(self._identity.embed(image, boxes[0]))
        return Seen(tuple(faces), vectors(identities), problem=part.problem or "")


def part_of(film: Film, stretch: Stretch) -> Clip:
    """A stretch as what worker processes take."""
    times = {"begin": f"{stretch.begin:.3f}", "end": f"{stretch.end:.3f}"}
    return Clip("-".join([film.name, *times.values()]), video=film.path, columns=times)


def measure(
    film: Film,
    stretches: Sequence[Stretch],
    voices: Mapping[int, np.ndarray],
    looker: Looker,
    journal: Journal,
    *,
    workers: int,
    time_limit: float,
    progress: Callable[[int, int, int], None] = lambda done, total, failed: None,
) -> list[Seen]:
    """What each stretch shows; those that `journal` knows are not looked at again.

    `voices` are the speakers' embeddings by the place of the stretch. Raises InputError where the journal cannot be
    written.
    """
    known = journal.seen(film)
    parts = {part_of(film, stretch).name: place for place, stretch in enumerate(stretches)}
    todo = [part_of(film, stretches[place]) for name, place in parts.items() if name not in known]
    failed = 0
    progress(0, len(todo), failed)
    with Preparation({LOOKER: looker}, min(workers, len(todo)), time_limit) as preparation:
        tasks = (Task(clip, (LOOKER,)) for clip in todo)
        for done, (task, results) in enumerate(preparation.run(tasks), start=1):
            seen = _seen(results[LOOKER], voices.get(parts[task.clip.name], np.zeros(0)))
            if results[LOOKER].status == OK:
                # What failed is tried again next time: a worker may have been short of time or memory.
                journal.remember(film, task.clip.name, seen)
            known[task.clip.name] = seen
            failed += bool(seen.problem)
            progress(done, len(todo), failed)
    return [known[name] for name in parts]


def _seen(prepared: Prepared, voice: np.ndarray) -> Seen:
    if prepared.status != OK:
        return Seen(voice=voice, problem=prepared.reason)
    seen = prepared.item
    return Seen(seen.faces, seen.identities, voice, seen.problem)


class Journal:
    """What was found in films so far: a file of JSON lines that is only ever appended to.

    A line is a film's stretches with notes, or what one stretch shows. Lines of a film that has changed since, or that
    was measured otherwise, do not count. Raises InputError for a file that cannot be read or written.
    """

    def __init__(self, path: Path) -> None:
        self._path = path
        self._films: dict[str, Any] = {}
        self._seen: dict[str, dict[str, Seen]] = {}
        self._keys: dict[str, str] = {}
        try:
            lines = path.read_text(encoding="utf-8").splitlines()
        except FileNotFoundError:
            lines = []
        except (OSError, UnicodeDecodeError) as error:
            raise InputError(f"{path} cannot be read: {error}. Delete it to measure all films again.") from None
        for line in lines:
            try:
                entry = json.loads(line)
            except ValueError:
                # The line that was being written when a run was killed.
                continue
            self._take(entry)

    @property
    def films(self) -> Mapping[str, str]:
        """The keys of the films that were begun, by name."""
        return self._keys

    def stretches(self, film: Film) -> tuple[list[Stretch], list[str]] | None:
        """The stretches of a film and the notes on them; None where they are not known."""
        entry = self._films.get(film.digest)
        return None if entry is None else ([Stretch(*values) for values in entry["stretches"]], entry["notes"])

    def seen(self, film: Film) -> dict[str, Seen]:
        """What is known of the stretches of a film, by the names that `part_of` gives."""
        return dict(self._seen.get(film.digest, {}))

    def remember_stretches(self, film: Film, stretches: Sequence[Stretch], notes: Sequence[str]) -> None:
        """Note how a film is cut, before anything is measured."""
        values = [[round(s.begin, 3), round(s.end, 3), s.subtitle, s.subtitle_english, s.turns] for s in stretches]
        self._append(
            {"digest": film.digest, "film": film.name, "key": film.key, "stretches": values, "notes": list(notes)}
        )

    def remember(self, film: Film, part: str, seen: Seen) -> None:
        """Note what a stretch shows."""
        self._append(
            {
                "digest": film.digest,
                "part": part,
                "faces": list(seen.faces),
                "identities": np.round(seen.identities, 4).tolist(),
                "voice": np.round(seen.voice, 4).tolist(),
                "problem": seen.problem,
            }
        )

    def _append(self, entry: dict) -> None:
        try:
            self._path.parent.mkdir(parents=True, exist_ok=True)
            with self._path.open("a", encoding="utf-8") as file:
                # A line break first: the last line may have been cut off.
                file.write(f"\n{json.dumps(entry, ensure_ascii=False)}")
                file.flush()
                os.fsync(file.fileno())
        except OSError as error:
            raise InputError(f"Cannot write {self._path}: {error.strerror}. Name another place with --out.") from None
        self._take(entry)

    def _take(self, entry: dict) -> None:
        if "stretches" in entry:
            self._films[entry["digest"]] = entry
            self._keys[entry["film"]] = entry["key"]
            return
        seen = Seen(
            tuple(entry["faces"]), vectors(entry["identities"]), np.array(entry["voice"], float), entry["problem"]
        )
        self._seen.setdefault(entry["digest"], {})[entry["part"]] = seen
