"""What a run of training writes down as it goes: a row a step, and a row an epoch."""

from __future__ import annotations

import csv
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from mertools.ov.json_lines import read_objects, write_objects
from mertools.whole_files import whole_file

STEP_COLUMNS = ("number", "stage", "step", "loss", "learning_rate")


class StepLog:
    """steps.csv: the loss of each step. What lies beyond the step that a run goes on from is written anew."""

    def __init__(self, path: Path, number: int = 0, step: int = 0) -> None:
        """Keep the rows before step `step` of stage `number`."""
        kept = [row for row in read_steps(path) if (row["number"], row["step"]) < (number, step)]
        with whole_file(path) as file:
            writer = csv.DictWriter(file, STEP_COLUMNS, lineterminator="\n")
            writer.writeheader()
            writer.writerows(kept)
        self._path = path

    def add(self, number: int, stage: str, step: int, loss: float, learning_rate: float) -> None:
        """Write down step `step` of stage `number`, which is called `stage`."""
        with self._path.open("a", encoding="utf-8", newline="") as file:
            csv.writer(file, lineterminator="\n").writerow((number, stage, step, loss, learning_rate))


class EpochLog:
    """epochs.jsonl: what was measured after each epoch, from epoch 0 on."""

    def __init__(self, path: Path, number: int = 0, step: int = -1, writes: bool = True) -> None:
        """Keep the rows up to step `step` of stage `number`; only who `writes` changes the file."""
        self._path = path
        self.rows = [row for row in read_epochs(path) if (row["number"], row["step"]) <= (number, step)]
        if writes:
            write_objects(path, self.rows)

    def add(self, row: Mapping[str, Any]) -> None:
        """Write down one epoch: `number` and `stage`, `epoch`, `step`, and what was measured."""
        self.rows.append(dict(row))
        write_objects(self._path, self.rows)

    def has(self, number: int, step: int) -> bool:
        """Whether step `step` of stage `number` was measured."""
        return any((row["number"], row["step"]) == (number, step) for row in self.rows)

    def of(self, number: int) -> list[dict[str, Any]]:
        """The rows of stage `number`."""
        return [row for row in self.rows if row["number"] == number]


def read_steps(path: Path) -> list[dict[str, Any]]:
    """The rows of steps.csv; none where there is no file. A last row that was cut off does not count."""
    if not path.is_file():
        return []
    with path.open(encoding="utf-8", newline="") as file:
        rows = [row for row in csv.DictReader(file) if row["learning_rate"]]
    return [
        {
            "number": int(row["number"]),
            "stage": row["stage"],
            "step": int(row["step"]),
            "loss": float(row["loss"]),
            "learning_rate": float(row["learning_rate"]),
        }
        for row in rows
    ]


def read_epochs(path: Path) -> list[dict[str, Any]]:
    """The rows of epochs.jsonl; none where there is no file."""
    if not path.is_file():
        return []
    return [row for _, row in read_objects(path, {"number": int, "step": int, "stage": str})]


def smoothed(values: Sequence[float], weight: float = 0.8) -> list[float]:
    """An exponential moving average of `values`, as long as they are, that starts unbiased.

    The papers' figures are smoothed and do not say how; `weight` is what stays of the past at each step.
    """
    average, total, out = 0.0, 0.0, []
    for value in values:
        average = weight * average + (1 - weight) * value
        total = weight * total + (1 - weight)
        out.append(average / total)
    return out
