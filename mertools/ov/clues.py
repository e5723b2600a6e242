"""clues.jsonl: what was noticed of clips, by medium, whoever noticed it."""

from __future__ import annotations

import hashlib
import json
import sqlite3
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

from mertools.errors import InputError
from mertools.ov.json_lines import read_objects, write_objects
from mertools.ov.prompts import ONE_STEP_STYLES

MODALITIES = ("audio", "video", "audio-video")


@dataclass(frozen=True)
class Clue:
    """What one source says of one clip.

    `modality` is one of MODALITIES; `source` says where `text` comes from; `failed` is the reason why there is none, ""
    where nothing failed. An empty text without a failure is a source that noticed nothing.
    """

    name: str
    modality: str
    text: str
    source: Mapping[str, Any] = field(default_factory=dict, hash=False)
    failed: str = ""


def read_clues(path: Path) -> Iterator[Clue]:
    """The clues of a file in its order; raises InputError, with the line, for what is no clue."""
    source: Mapping[str, Any] = {}
    for number, row in read_objects(path, {"name": str, "modality": str, "text": str}):
        if row["modality"] not in MODALITIES:
            raise InputError(
                f"{path}, line {number}, 'modality': got {row['modality']!r}, wanted {' or '.join(MODALITIES)}."
            )
        # All rows of a file mostly have one source: it is kept once, not 115,595 times.
        source = source if row.get("source") == source else row.get("source") or {}
        yield replace(_clue(row), source=source)


def write_clues(path: Path, clues: Iterable[Clue]) -> None:
    """Write `clues` as they come, atomically."""
    write_objects(path, map(_object, clues))


def _clue(row: Mapping[str, Any]) -> Clue:
    return Clue(row["name"], row["modality"], row["text"], row.get("source") or {}, row.get("failed") or "")


def _object(clue: Clue) -> dict[str, Any]:
    row = {"name": clue.name, "modality": clue.modality, "text": clue.text, "source": dict(clue.source)}
    return row | ({"failed": clue.failed} if clue.failed else {})


@dataclass(frozen=True)
class ClipClues:
    """All clues of one clip, whichever models and media they come from."""

    clues: tuple[Clue, ...] = ()

    @property
    def usable(self) -> tuple[Clue, ...]:
        """The clues with a text, those of the sound first and those of the picture after them."""
        found = [clue for clue in self.clues if clue.text and not clue.failed]
        return tuple(sorted(found, key=lambda clue: MODALITIES.index(clue.modality)))

    @property
    def text(self) -> str:
        """The usable clues one below the other, as the paper combines several models (AffectGPT §3.1)."""
        return "\n".join(clue.text for clue in self.usable)

    def text_of(self, modality: str) -> str:
        """The usable clues that were perceived in `modality`, or in it and another."""
        return "\n".join(clue.text for clue in self.usable if modality in clue.modality.split("-"))

    @property
    def perceived(self) -> str:
        """What the usable clues were perceived in, one of MODALITIES."""
        media = {medium for clue in self.usable for medium in clue.modality.split("-")}
        return "-".join(sorted(media)) or "audio-video"

    @property
    def failed(self) -> str:
        """Why there is no clue, where there should be one; "" where one is usable or none failed."""
        if self.usable:
            return ""
        return "; ".join(f"{clue.modality} clue: {clue.failed}" for clue in self.clues if clue.failed)

    @property
    def are_descriptions(self) -> bool:
        """Whether every usable clue has taken account of the subtitle already."""
        return bool(self.usable) and all(clue.source.get("style") in ONE_STEP_STYLES for clue in self.usable)


def clues_by_clip(paths: Sequence[Path]) -> Mapping[str, ClipClues]:
    """The clues of several files by clip, those of a clip in the order of the files.

    They lie on disk, in whatever order the files have them, so that a corpus of any size takes no memory. Raises
    InputError for a clue that stands in them twice, source included: one of the files is a copy.
    """
    return _Shelf(paths)


class _Shelf(Mapping[str, ClipClues]):
    """Clues by clip in a temporary database, which goes when this does."""

    def __init__(self, paths: Sequence[Path]) -> None:
        self._rows = sqlite3.connect("")
        self._rows.execute(
            "CREATE TABLE clues (place INTEGER PRIMARY KEY, name TEXT, digest TEXT, clue TEXT, UNIQUE (name, digest))"
        )
        with self._rows:
            for path in paths:
                self._fill(path)

    def _fill(self, path: Path) -> None:
        for clue in read_clues(path):
            text = json.dumps(_object(clue))
            digest = hashlib.sha256(text.encode()).hexdigest()[:16]
            try:
                self._rows.execute("INSERT INTO clues (name, digest, clue) VALUES (?, ?, ?)", (clue.name, digest, text))
            except sqlite3.IntegrityError:
                message = f"{path}: clip {clue.name!r} has the same clue of {clue.modality} twice."
                raise InputError(message) from None

    def __getitem__(self, name: str) -> ClipClues:
        found = self._rows.execute("SELECT clue FROM clues WHERE name = ? ORDER BY place", (name,)).fetchall()
        if not found:
            raise KeyError(name)
        return ClipClues(tuple(_clue(json.loads(text)) for (text,) in found))

    def __contains__(self, name: object) -> bool:
        return self._rows.execute("SELECT 1 FROM clues WHERE name = ? LIMIT 1", (name,)).fetchone() is not None

    def __iter__(self) -> Iterator[str]:
        for (name,) in self._rows.execute("SELECT name FROM clues GROUP BY name ORDER BY min(place)"):
            yield name

    def __len__(self) -> int:
        return self._rows.execute("SELECT count(DISTINCT name) FROM clues").fetchone()[0]
