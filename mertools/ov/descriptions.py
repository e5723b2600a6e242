"""descriptions.jsonl: what a system says of each clip, in words. The only place that reads it."""

from __future__ import annotations

import json
from dataclasses import dataclass
from pathlib import Path

from mertools.errors import InputError


@dataclass(frozen=True)
class Description:
    """What one system says of the clip `name`; `text` is "" where it `failed`, for the reason given there."""

    name: str
    text: str
    failed: str = ""


def read_descriptions(path: Path) -> list[Description]:
    """The rows of descriptions.jsonl, in its order; a text is "" exactly where `failed` is not.

    Raises InputError, with the line, for a file that is absent or not UTF-8, a line that is no JSON object with the
    texts `name` and `description`, and a name that stands there twice.
    """
    try:
        lines = path.read_text(encoding="utf-8-sig").split("\n")
    except FileNotFoundError:
        raise InputError(f"There is no file of descriptions {path}.") from None
    except UnicodeDecodeError:
        raise InputError(f"{path} is not UTF-8: no file of descriptions.") from None
    rows, line_of_name = [], {}
    for number, line in enumerate(lines, start=1):
        if not line.strip():
            continue
        row = _row(path, number, line)
        if row.name in line_of_name:
            raise InputError(
                f"{path}, line {number}: {row.name!r} stands in line {line_of_name[row.name]} already; "
                "names are unique."
            )
        line_of_name[row.name] = number
        rows.append(row)
    return rows


def _row(path: Path, number: int, line: str) -> Description:
    try:
        cells = json.loads(line)
    except ValueError:
        cells = None
    texts = [cells.get("name"), cells.get("description")] if isinstance(cells, dict) else [None]
    if not all(isinstance(text, str) for text in texts) or not texts[0]:
        raise InputError(f'{path}, line {number}: wanted {{"name": "…", "description": "…"}}, got {line[:80]!r}.')
    name, text = texts[0], texts[1].strip()
    failed = str(cells.get("failed") or ("" if text else "an empty description"))
    return Description(name, "" if failed else text, failed)
