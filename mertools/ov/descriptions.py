"""descriptions.jsonl: what is felt in each clip and from what it is told, in prose."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from mertools.errors import InputError
from mertools.ov.json_lines import read_objects, write_objects


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
    """The descriptions of a file in its order.

    Raises InputError, with the line, for what is no description, and for a second one of a clip.
    """
    seen = set()
    for number, row in read_objects(path, {"name": str, "description": str}):
        if row["name"] in seen:
            raise InputError(f"{path}, line {number}: clip {row['name']!r} has a description already.")
        seen.add(row["name"])
        yield Description(
            row["name"],
            row.get("subtitle") or "",
            row["description"],
            row.get("evidence") or {},
            row.get("source") or {},
            row.get("failed") or "",
        )


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
