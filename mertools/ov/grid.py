"""Which models work together: one combination of all, or the papers' grids (AffectGPT, Tables 1 and 2)."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import product
from pathlib import Path

from mertools.errors import InputError
from mertools.ov.clues import MODALITIES, read_clues


@dataclass(frozen=True)
class ClueSource:
    """A file of one model's clues of one medium."""

    name: str
    modality: str
    path: Path


@dataclass(frozen=True)
class Combination:
    """Whose clues are put together, who disambiguates and who translates (`NAME` or `NAME@URL`, "" for the default)."""

    clues: tuple[ClueSource, ...]
    disambiguator: str = ""
    translator: str = ""

    @property
    def name(self) -> str:
        """What its folder is called."""
        heard = "+".join(source.name for source in self.clues) or "subtitle"
        parts = [heard, *(parted(model)[0] for model in (self.disambiguator, self.translator) if model)]
        return "__".join(map(as_file_name, parts))


def parted(model: str) -> tuple[str, str]:
    """A model's name and its server, from `NAME@URL`; the server is "" where none is named."""
    match = re.fullmatch(r"(.+?)@(https?://.+)", model)
    return (match[1], match[2]) if match else (model, "")


def as_file_name(model: str) -> str:
    """A model's name with what cannot stand in a file's replaced: `Qwen/Qwen3-8B` -> `Qwen-Qwen3-8B`."""
    return re.sub(r"[^\w.+-]+", "-", model).strip("-.") or "model"


def clue_source(path: Path) -> ClueSource:
    """The source that a file of clues is; raises InputError where its clues are of several media, or there are none."""
    modalities = dict.fromkeys(clue.modality for clue in read_clues(path))
    if len(modalities) != 1:
        got = " and ".join(modalities) or "no clue at all"
        raise InputError(f"{path} holds {got}; a grid combines files of one medium each. Split it by 'modality'.")
    return ClueSource(path.stem, *modalities, path)


def grid(sources: Sequence[ClueSource], disambiguators: Sequence[str], translators: Sequence[str]) -> list[Combination]:
    """Every source alone, every audio source with every video source, each by all pairs of the other models.

    Raises InputError where two combinations would have one name.
    """
    of = {modality: [source for source in sources if source.modality == modality] for modality in MODALITIES}
    heard = [(source,) for modality in MODALITIES for source in of[modality]]
    heard += product(of["audio"], of["video"])
    models = list(product(disambiguators or [""], translators or [""]))
    combinations = [Combination(tuple(clues), *pair) for clues in heard or [()] for pair in models]
    names = [one.name for one in combinations]
    repeated = [name for name in names if names.count(name) > 1]
    if repeated:
        raise InputError(
            f"Two combinations of the grid are called {repeated[0]!r}. Rename one of their files of clues."
        )
    return combinations
