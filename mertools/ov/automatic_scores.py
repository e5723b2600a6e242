"""Automatic scores of single descriptions, as people's are compared with: a table of (name, system, metric, value)."""

from __future__ import annotations

import json
import math
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from mertools.csv_files import csv_reader
from mertools.errors import InputError

COLUMNS = ("name", "system", "metric", "value")


@dataclass(frozen=True)
class AutomaticScore:
    """What `metric` gives to `system`'s description of the clip `name`."""

    name: str
    system: str
    metric: str
    value: float


def read_automatic_scores(path: Path) -> list[AutomaticScore]:
    """Read a CSV with the columns of COLUMNS, or a JSON list of objects that have them.

    Raises InputError, with the row, for a file that is absent or neither, a value that is no finite number, and a
    description that one metric scores twice.
    """
    scores, seen = [], set()
    for number, row in enumerate(_rows(path), start=1):
        score = _score(path, number, row)
        told = (score.name, score.system, score.metric)
        if told in seen:
            raise InputError(f"{path}, score {number}: {score.metric} of {score.name!r} by {score.system!r} again.")
        seen.add(told)
        scores.append(score)
    if not scores:
        raise InputError(f"{path} holds no scores.")
    return scores


def _rows(path: Path) -> Iterable[Mapping[str, Any]]:
    absent = f"There is no file of scores {path}."
    if path.suffix.lower() != ".json":
        with csv_reader(path, absent) as reader:
            return list(reader)
    try:
        rows = json.loads(path.read_text(encoding="utf-8-sig"))
    except FileNotFoundError:
        raise InputError(absent) from None
    except ValueError:
        rows = None
    if not isinstance(rows, list) or not all(isinstance(row, dict) for row in rows):
        raise InputError(f"{path} is no JSON list of objects with {', '.join(COLUMNS)}.")
    return rows


def _score(path: Path, number: int, row: Mapping[str, Any]) -> AutomaticScore:
    if absent := [column for column in COLUMNS if row.get(column) in (None, "")]:
        raise InputError(f"{path}, score {number}: no {', '.join(absent)}; wanted {', '.join(COLUMNS)}.")
    try:
        value = float(row["value"])
    except (TypeError, ValueError):
        value = math.nan
    if not math.isfinite(value):
        raise InputError(f"{path}, score {number}: {row['value']!r} is no number.")
    return AutomaticScore(str(row["name"]), str(row["system"]), str(row["metric"]), value)
