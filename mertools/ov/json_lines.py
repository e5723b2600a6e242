"""Files of one JSON object a line: read one line at a time, written whole or not at all."""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path
from typing import Any

from mertools.errors import InputError
from mertools.whole_files import whole_file


def read_objects(path: Path, wanted: Mapping[str, type]) -> Iterator[tuple[int, dict[str, Any]]]:
    """The objects of `path` with the numbers of their lines; each holds the keys of `wanted`, of these types.

    Raises InputError for a file that is not there, and with its line for what is no such object.
    """
    try:
        file = path.open("rb")
    except FileNotFoundError:
        raise InputError(f"There is no file {path}.") from None
    with file:
        for number, line in enumerate(file, start=1):
            if line.strip():
                yield number, _object(path, number, line, wanted)


def _object(path: Path, number: int, line: bytes, wanted: Mapping[str, type]) -> dict[str, Any]:
    try:
        value = json.loads(line.decode("utf-8-sig"))
    except (ValueError, RecursionError):
        raise InputError(f"{path}, line {number}: not JSON in UTF-8; each line is one object.") from None
    if not isinstance(value, dict):
        raise InputError(f"{path}, line {number}: got {str(value)[:40]!r}, wanted an object.")
    for key, kind in wanted.items():
        if not isinstance(value.get(key), kind):
            got = f"got {str(value[key])[:40]!r}" if key in value else "it is missing"
            raise InputError(f"{path}, line {number}, {key!r}: {got}, wanted a {kind.__name__}.")
    return value


def write_objects(path: Path, objects: Iterable[Mapping[str, Any]]) -> None:
    """Write each of `objects` as it comes; the file appears under its name when it is complete."""
    with whole_file(path) as file:
        for one in objects:
            file.write(json.dumps(one, ensure_ascii=False, allow_nan=False) + "\n")
