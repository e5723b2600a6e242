"""Whose descriptions are put before a judge: systems, and the checkpoints of trainings."""

from __future__ import annotations

import re
from collections.abc import Collection, Mapping
from dataclasses import dataclass
from pathlib import Path

from mertools.errors import InputError
from mertools.ov.descriptions import Description, read_descriptions
from mertools.ov.judging import TRUTH, Texts

FOLDER = re.compile(r"epoch-(\d+)")
"""What the folder of a checkpoint's descriptions is called; `epoch-0` is the model before training."""

FILE = "descriptions.jsonl"
NAMES_SHOWN = 3


@dataclass(frozen=True)
class Entrant:
    """The descriptions of one system by clip, failed and empty ones left out; of a checkpoint its training too.

    `failed` counts clips of the truth that it does not describe.
    """

    name: str
    file: Path
    descriptions: Mapping[str, Description]
    failed: int
    series: str = ""
    epoch: int = 0

    @property
    def texts(self) -> Texts:
        """The descriptions alone."""
        return {clip: row.description for clip, row in self.descriptions.items()}


def read_entrant(
    name: str, file: Path, clips: Collection[str], *, allow_missing: bool, series: str = "", epoch: int = 0
) -> Entrant:
    """A system with its descriptions of `clips`; those of other clips play no part.

    Raises InputError for a file that is none of descriptions and, unless `allow_missing`, for one that lacks clips.
    """
    rows = {row.name: row for row in read_descriptions(file)}
    if not allow_missing and (lacking := [clip for clip in clips if clip not in rows]):
        raise InputError(
            f"{file} lacks {len(lacking)} of {len(clips)} clips with a truth (first: "
            f"{', '.join(map(repr, lacking[:NAMES_SHOWN]))}). Describe them, or count them as failed: --allow-missing."
        )
    said = {clip: rows[clip] for clip in clips if clip in rows and not rows[clip].failed}
    described = {clip: row for clip, row in said.items() if row.description.strip()}
    return Entrant(name, file, described, len(clips) - len(described), series, epoch)


def read_checkpoints(series: str, folder: Path, clips: Collection[str], *, allow_missing: bool) -> list[Entrant]:
    """The checkpoints of a training, from the folders `epoch-0`, `epoch-1`, … in `folder`, by their numbers.

    Raises InputError where there are none, and for what `read_entrant` refuses.
    """
    epochs = sorted(
        (int(match[1]), path) for path in folder.glob(f"*/{FILE}") if (match := FOLDER.fullmatch(path.parent.name))
    )
    if not epochs:
        raise InputError(
            f"{folder} holds no checkpoints' descriptions: wanted epoch-0/{FILE}, epoch-1/{FILE} and so on."
        )
    return [
        read_entrant(f"{series}, epoch {epoch}", path, clips, allow_missing=allow_missing, series=series, epoch=epoch)
        for epoch, path in epochs
    ]


def check_names(entrants: Collection[Entrant]) -> None:
    """Raises InputError for two systems of one name, and for one that is called as the truth is."""
    names = [TRUTH, *(one.name for one in entrants)]
    for one in entrants:
        if names.count(one.name) > 1:
            what = "The truth itself" if one.name == TRUTH else "Another system"
            raise InputError(f"{what} is called {one.name!r} already. Give {one.file} another name: NAME={one.file}.")
