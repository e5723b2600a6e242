"""Features of the same clips at every ratio of speech to noise and every blur, each extracted once.

Sound does not depend on the blur, nor pictures on the ratio, nor words on either: acoustic features are extracted once
a ratio, visual ones once a blur, lexical ones once. A cell's folder holds what is its own and links to the rest.
"""

from __future__ import annotations

import os
import shutil
from collections.abc import Callable, Mapping, Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass, replace
from itertools import product
from pathlib import Path

from feature_extractors.encoder import Encoder
from feature_extractors.runner import Outcome, Progress, extract
from mertools.clip import Clip
from mertools.errors import InputError
from noise.corruption import Noise
from noise.recipe import CLEAN_DB, Recipe, read_recipe, write_recipe

RECIPE = "recipe.jsonl"
UNBLURRED = 1


@dataclass(frozen=True, order=True)
class Cell:
    """One ratio of speech to noise, CLEAN_DB for no noise, and one factor of blur."""

    snr_db: float
    blur: int

    @property
    def name(self) -> str:
        """The cell's folder: `snr05-blur2`, `snrinf-blur1`."""
        return f"snr{self.snr_db:02g}-blur{self.blur}"

    def source(self, modality: str) -> Cell:
        """The cell whose extraction gives this one's features of `modality`: noise touches sound, blur pictures."""
        return Cell(
            self.snr_db if modality == "audio" else CLEAN_DB,
            self.blur if modality == "video" else UNBLURRED,
        )


def grid(ratios: Sequence[float], blurs: Sequence[int]) -> list[Cell]:
    """Every ratio with every blur, from clean to noisy; the clean cells are always there."""
    return [
        Cell(snr_db, blur)
        for snr_db, blur in product(sorted({CLEAN_DB, *ratios}, reverse=True), sorted({UNBLURRED, *blurs}))
    ]


def same_draw(folder: Path, clips: Sequence[Clip], drawn_now: Callable[[], Recipe], wanted: Recipe) -> Recipe:
    """The recipe in `folder` that says which recordings each clip gets; drawn by `drawn_now` where there is none.

    `wanted` has the head that it must have, without clips. Raises InputError for a recipe of other settings or clips.
    """
    path = folder / RECIPE
    if not path.exists():
        recipe = drawn_now()
        write_recipe(path, recipe)
        return recipe
    found = read_recipe(path)
    if replace(found, clips={}) != wanted or found.clips.keys() != {clip.name for clip in clips}:
        raise InputError(
            f"{path} is of another seed, kind of noise, way of blurring or other clips than asked for. Name another "
            "folder with --out."
        )
    return found


def extract_grid(
    clips: Sequence[Clip],
    encoders: Mapping[str, Sequence[Encoder]],
    noise: Noise,
    cells: Sequence[Cell],
    folder: Path,
    *,
    workers: int | None,
    device: str,
    batch_size: int,
    time_limit: float,
    progress_of: Callable[[str], AbstractContextManager[Progress]],
) -> list[Outcome]:
    """Fill the folder of each cell below `folder` with features and its recipe; what is there already is kept.

    `encoders` are by the level they store; `noise` says which recordings each clip gets, at whatever ratio.
    `progress_of` gives the progress of an extraction by its cell's name. A file's attribute `noise` is the fingerprint
    of the recipe of the cell that it was extracted for. Returns what became of the clips in each extraction.

    Raises what `feature_extractors.runner.extract` does.
    """
    recipes = {cell: noise.recipe.at(cell.snr_db, cell.blur) for cell in cells}
    outcomes = []
    for cell, recipe in recipes.items():
        write_recipe(folder / cell.name / RECIPE, recipe)
        for level, of_level in encoders.items():
            own = [encoder for encoder in of_level if cell.source(encoder.modality) == cell]
            if own:
                with progress_of(cell.name) as progress:
                    outcomes += extract(
                        clips,
                        own,
                        folder / cell.name,
                        level=level,
                        workers=workers,
                        device=device,
                        batch_size=batch_size,
                        time_limit=time_limit,
                        noise=replace(noise, recipe=recipe),
                        progress=progress,
                    )
    for cell in cells:
        for encoder in (encoder for of_level in encoders.values() for encoder in of_level):
            source = cell.source(encoder.modality)
            if source != cell:
                _share(folder / source.name / f"{encoder.name}.h5", folder / cell.name / f"{encoder.name}.h5")
    return outcomes


def _share(file: Path, place: Path) -> None:
    """Let `place` be `file`: a link that can be moved along, a copy where there are no links."""
    place.unlink(missing_ok=True)
    try:
        place.symlink_to(os.path.relpath(file, place.parent))
    except (OSError, NotImplementedError):
        shutil.copyfile(file, place)
