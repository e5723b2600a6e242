"""clues.jsonl: what was noticed of clips, by medium, whoever noticed it."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
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
        yield Clue(row["name"], row["modality"], row["text"], source, row.get("failed") or "")


def write_clues(path: Path, clues: Iterable[Clue]) -> None:
    """Write `clues` as they come, atomically."""
    write_objects(path, map(_object, clues))


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


def clues_by_clip(paths: Sequence[Path]) -> dict[str, ClipClues]:
    """The clues of several files by clip, in the order of the files.

    Raises InputError for a clue that stands in them twice, source included: one of the files is a copy.
    """
    found: dict[str, list[Clue]] = {}
    for path in paths:
        for clue in read_clues(path):
            of_clip = found.setdefault(clue.name, [])
            if clue in of_clip:
                raise InputError(f"{path}: clip {clue.name!r} has the same clue of {clue.modality} twice.")
            of_clip.append(clue)
    return {name: ClipClues(tuple(of_clip)) for name, of_clip in found.items()}
