"""labels.csv: the open-vocabulary labels of clips, `name,openset,failed`; the only place that reads or writes it."""

from __future__ import annotations

import ast
import csv
import os
import re
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

from mertools.errors import InputError

NAME, OPENSET, FAILED = COLUMNS = ("name", "openset", "failed")
CLASS = "predicted"
"""In predictions.csv: the one label of a classifier."""
BARE_LIST = re.compile(r"\[([^\[\]'\"]*)\]")
"""`[happy, relieved]`, as the label files of 2025 and 2026 have it."""


@dataclass(frozen=True)
class OpenLabels:
    """The labels of one clip, or why it has none: `failed` is "" for a clip that was labelled, if with no label."""

    name: str
    labels: tuple[str, ...]
    failed: str = ""


def read_labels(path: Path) -> list[OpenLabels]:
    """Read labels.csv, or a release's file of labels: columns `name` and `openset`, others but `failed` are ignored.

    A classifier's predictions.csv is read too: where `predicted` stands in the place of `openset`, it is the one label.

    Raises InputError, with the row (the header is row 1), for a file that is absent, empty or not UTF-8, a missing
    column, a name that is empty or used twice, a cell that is no list of labels, and labels of a clip that failed.
    """
    try:
        with path.open(encoding="utf-8-sig", newline="") as file:
            reader = csv.DictReader(file, restval="")
            _check_header(path, reader.fieldnames or [])
            rows = [_row(path, number, cells) for number, cells in enumerate(reader, start=2)]
    except FileNotFoundError:
        raise InputError(f"There is no file of labels {path}. `mertools ov labels` writes one.") from None
    except UnicodeDecodeError as error:
        raise InputError(f"{path} is not UTF-8 (byte 0x{error.object[error.start]:02x}). Save it as UTF-8.") from None
    except csv.Error as error:
        raise InputError(f"{path} is damaged as CSV: {error}.") from None
    _check_names(path, rows)
    return rows


def write_labels(path: Path, rows: Iterable[OpenLabels]) -> None:
    """Write labels.csv, atomically."""
    temporary = path.with_name(f".{path.name}.tmp")
    with temporary.open("w", encoding="utf-8", newline="") as file:
        writer = csv.writer(file, lineterminator="\n")
        writer.writerow(COLUMNS)
        writer.writerows([row.name, str(list(row.labels)), row.failed] for row in rows)
        file.flush()
        os.fsync(file.fileno())
    temporary.replace(path)


def parse_openset(text: str) -> tuple[str, ...] | None:
    """The labels of `['happy', 'relieved']` or `[happy, relieved]`, without empty ones; None for anything else."""
    text = text.strip()
    try:
        labels = ast.literal_eval(text)
    except (ValueError, SyntaxError, TypeError, MemoryError, RecursionError):
        # What literal_eval may raise, by its documentation.
        match = BARE_LIST.fullmatch(text)
        labels = match and match[1].split(",")
    if not isinstance(labels, list) or not all(isinstance(label, str) for label in labels):
        return None
    return tuple(label.strip() for label in labels if label.strip())


def _check_header(path: Path, header: Iterable[str]) -> None:
    lacking = [column for column in (NAME, OPENSET) if column not in header]
    if lacking and not {NAME, CLASS} <= {*header}:
        got = ",".join(header) or "an empty file"
        raise InputError(f"{path}, row 1: column {lacking[0]!r} is missing; got {got}, wanted {NAME},{OPENSET}.")


def _row(path: Path, number: int, cells: dict[str, str]) -> OpenLabels:
    name, failed = cells[NAME].strip(), cells.get(FAILED, "").strip()
    labels = parse_openset(cells[OPENSET]) if OPENSET in cells else (cells[CLASS].strip(),)
    if labels is None:
        raise InputError(
            f"{path}, row {number}, clip {name!r}: got {cells[OPENSET]!r}, wanted a list such as "
            "['happy', 'relieved'], or [] for none."
        )
    if failed and labels:
        raise InputError(f"{path}, row {number}: clip {name!r} failed ({failed}), but has labels. Empty its openset.")
    return OpenLabels(name, labels, failed)


def _check_names(path: Path, rows: list[OpenLabels]) -> None:
    if not rows:
        raise InputError(f"{path} has a header but no clips.")
    row_of: dict[str, int] = {}
    for number, row in enumerate(rows, start=2):
        if not row.name:
            raise InputError(f"{path}, row {number}: the name is empty.")
        if row.name in row_of:
            raise InputError(f"{path}, row {number}: clip {row.name!r} stands in row {row_of[row.name]} already.")
        row_of[row.name] = number
