"""descriptions.jsonl: what is felt in each clip and from what it is told, in prose."""

from __future__ import annotations

import csv
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from mertools.errors import InputError
from mertools.ov.json_lines import read_objects, write_objects

COLUMNS = ("name", "description")


@dataclass(frozen=True)
class Description:
    """The description of one clip.

    `subtitle` is the text that was disambiguated; `evidence` what a classifier said of the clip, empty where it was not
    asked; `source` says where the description comes from; `failed` is the reason why there is none, "" where there is.
    """

    name: str
    subtitle: str
    description: str
    evidence: Mapping[str, Any] = field(default_factory=dict, hash=False)
    source: Mapping[str, Any] = field(default_factory=dict, hash=False)
    failed: str = ""


def read_descriptions(path: Path) -> Iterator[Description]:
    """The descriptions of a file in its order: descriptions.jsonl, or a table .csv with the columns of COLUMNS.

    A manifest with a column `description` is such a table: clips without one are left out.

    Raises InputError, with the line, for what is no description, and for a second one of a clip.
    """
    seen = set()
    for number, one in _numbered(path):
        if one.name in seen:
            raise InputError(f"{path}, line {number}: clip {one.name!r} has a description already.")
        seen.add(one.name)
        yield one


def descriptions_in_order(path: Path) -> Iterator[Description]:
    """The same for a reader who knows which clip comes next: no name is remembered, however many there are."""
    return (one for _, one in _numbered(path))


def _numbered(path: Path) -> Iterator[tuple[int, Description]]:
    rows = _table(path) if path.suffix == ".csv" else read_objects(path, dict.fromkeys(COLUMNS, str))
    for number, row in rows:
        described = Description(
            row["name"],
            row.get("subtitle") or "",
            row["description"],
            row.get("evidence") or {},
            row.get("source") or {},
            row.get("failed") or "",
        )
        yield number, described


def _table(path: Path) -> Iterator[tuple[int, dict[str, str]]]:
    try:
        with path.open(encoding="utf-8-sig", newline="") as file:
            reader = csv.DictReader(file, restval="")
            if lacking := [column for column in COLUMNS if column not in (reader.fieldnames or ())]:
                raise InputError(f"{path}, line 1: there is no column {lacking[0]!r}, wanted {' and '.join(COLUMNS)}.")
            for row in reader:
                if row["description"].strip():
                    yield reader.line_num, {column: row[column] for column in COLUMNS}
    except FileNotFoundError:
        raise InputError(f"There is no file {path}.") from None
    except UnicodeDecodeError as error:
        raise InputError(f"{path} is not UTF-8 (byte 0x{error.object[error.start]:02x}). Save it as UTF-8.") from None


def write_descriptions(path: Path, descriptions: Iterable[Description]) -> None:
    """Write `descriptions` as they come, atomically."""
    write_objects(path, map(_object, descriptions))


def _object(one: Description) -> dict[str, Any]:
    row = {
        "name": one.name,
        "subtitle": one.subtitle,
        "description": one.description,
        "evidence": dict(one.evidence),
        "source": dict(one.source),
    }
    return row | ({"failed": one.failed} if one.failed else {})
