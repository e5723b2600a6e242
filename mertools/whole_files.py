"""Text files that are there whole or not at all, whenever the writer is killed."""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TextIO


@contextmanager
def whole_file(path: Path) -> Iterator[TextIO]:
    """A file to write, line ends as they are, that takes its place at `path` when it is complete.

    It is UTF-8, with a question mark for what cannot be that. Its folder is made where it is not there. What stood at
    `path` stays where writing fails.
    """
    path.parent.mkdir(parents=True, exist_ok=True)
    temporary = path.with_name(f".{path.name}.tmp")
    try:
        # JSON can spell half a surrogate pair, which no file can hold.
        with temporary.open("w", encoding="utf-8", errors="replace", newline="") as file:
            yield file
            file.flush()
            os.fsync(file.fileno())
        temporary.replace(path)
    finally:
        temporary.unlink(missing_ok=True)
