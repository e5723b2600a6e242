"""The papers' printed tables, in `results/reference/`: their rows, and the numbers in their cells."""

from __future__ import annotations

import csv
import re
from dataclasses import dataclass
from pathlib import Path

import mertools

FOLDER = Path(mertools.__file__).parents[1] / "results" / "reference"
"""Where the tables lie in a checkout; an installed wheel is without them."""

SCORE = re.compile(r"(?P<value>\d+\.\d+)(?:±(?P<std>\d+\.\d+))?")


@dataclass(frozen=True)
class PrintedScore:
    """A number as a paper prints it, mostly in per cent. `std` is None where none is printed."""

    value: float
    std: float | None = None

    def __str__(self) -> str:
        return f"{self.value:.2f}" + ("" if self.std is None else f"±{self.std:.2f}")


def parse_score(cell: str) -> PrintedScore:
    """The number in a cell such as `52.86±0.23` or `49.59`; raises ValueError for a cell that holds something else."""
    match = SCORE.fullmatch(cell)
    if match is None:
        raise ValueError(f"{cell!r} is no printed score, such as 52.86±0.23 or 49.59")
    return PrintedScore(float(match["value"]), float(match["std"]) if match["std"] else None)


def read_table(name: str, folder: Path = FOLDER) -> list[dict[str, str]]:
    """The rows of the table `name` (`mer2024-table4`), in the printed order: cells by column, as text.

    No rows where there is no `folder`: nothing is known to compare with. Raises FileNotFoundError for a table that the
    folder does not hold.
    """
    if not folder.is_dir():
        return []
    with (folder / f"{name}.csv").open(encoding="utf-8", newline="") as file:
        return list(csv.DictReader(file))
