"""Predictions that others' tools wrote -> clues: the organisers' archives, CSV and JSON lines.

Most of the papers' multimodal models run in forks of their own and in no server; what they said comes in this way.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping
from pathlib import Path
from typing import Any

from mertools.csv_files import csv_reader
from mertools.errors import InputError
from mertools.ov.clues import Clue
from mertools.ov.json_lines import read_objects
from mertools.registry import look_up
from mertools.restricted_pickle import read_archive

TEXT_COLUMNS = ("reason", "text", "openset", "description")
"""What the column (or key) with the text may be called, the first one that is there."""

DICTIONARY = "name2reason"
NAMES, TEXTS = "filenames", "fileitems"
"""What arrays are called in their archives: a dictionary of descriptions, or two arrays of names and texts."""


def read_prediction_file(path: Path, modality: str, source: Mapping[str, Any]) -> Iterator[Clue]:
    """The predictions of an archive (`.npz`), CSV or JSON-lines file as clues of `modality`, in the file's order.

    An archive holds the dictionary `name2reason`, or `filenames` and `fileitems`; a table has `name` and one of
    TEXT_COLUMNS. Each clue's source is `source` and the file's name.

    Raises InputError for another format or other contents, a name that is empty or used twice, and a text that is none.
    """
    read = look_up("format of predictions", path.suffix.lower(), READERS)
    seen = set()
    for where, name, text in read(path):
        name = name.strip() if isinstance(name, str) else name
        if not isinstance(name, str) or not name or name in seen:
            fault = "stands there already" if name in seen else "is no name"
            raise InputError(f"{path}, {where}: {name!r} {fault}; each clip has one row.")
        if not isinstance(text, str):
            raise InputError(f"{path}, {where}, clip {name!r}: got {type(text).__name__}, wanted a text.")
        seen.add(name)
        yield Clue(name, modality, text.strip(), {**source, "imported": path.name})


Rows = Iterator[tuple[str, Any, Any]]
"""Where a row stands, a clip's name, and its text."""


def _archive_rows(path: Path) -> Rows:
    arrays = read_archive(path)
    if DICTIONARY in arrays and arrays[DICTIONARY].shape == ():
        pairs = arrays[DICTIONARY].item()
        if not isinstance(pairs, dict):
            raise InputError(f"{path}, {DICTIONARY!r}: got {type(pairs).__name__}, wanted a dictionary of texts.")
        yield from _counted("entry", pairs.items())
    elif NAMES in arrays and TEXTS in arrays:
        names, texts = arrays[NAMES].tolist(), arrays[TEXTS].tolist()
        if not isinstance(names, list) or not isinstance(texts, list) or len(names) != len(texts):
            raise InputError(f"{path}: {NAMES!r} and {TEXTS!r} are not two arrays of one length.")
        yield from _counted("entry", zip(names, texts, strict=True))
    else:
        raise InputError(
            f"{path} holds {', '.join(arrays) or 'nothing'}; wanted {DICTIONARY!r}, or {NAMES!r} and {TEXTS!r}."
        )


def _counted(what: str, pairs: Iterable[tuple[Any, Any]]) -> Rows:
    for number, (name, text) in enumerate(pairs, start=1):
        yield f"{what} {number}", name, "" if text is None else text


def _table_rows(path: Path) -> Rows:
    with csv_reader(path, f"There is no file {path}.") as reader:
        column = _text_column(path, reader.fieldnames or ())
        for number, row in enumerate(reader, start=2):
            yield f"row {number}", row["name"], row[column]


def _line_rows(path: Path) -> Rows:
    for number, row in read_objects(path, {"name": str}):
        yield f"line {number}", row["name"], row[_text_column(path, row)]


def _text_column(path: Path, found: Iterable[str]) -> str:
    found = list(found)
    columns = [column for column in TEXT_COLUMNS if column in found]
    if "name" not in found or not columns:
        got = ", ".join(found) or "nothing"
        raise InputError(f"{path}: got the columns {got}; wanted name and one of {', '.join(TEXT_COLUMNS)}.")
    return columns[0]


READERS: dict[str, Callable[[Path], Rows]] = {".npz": _archive_rows, ".csv": _table_rows, ".jsonl": _line_rows}
