"""Text files and folders that are there whole or not at all, whenever the writer is killed."""

from __future__ import annotations

import os
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TextIO

from mertools.errors import InputError


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


@contextmanager
def whole_folder(path: Path) -> Iterator[Path]:
    """A new folder to write files into, that takes its place at `path` when it is complete.

    A folder that stood there is replaced. Raises InputError where the disk is full.
    """
    temporary = path.with_name(f".{path.name}.tmp")
    with disk_errors(path):
        shutil.rmtree(temporary, ignore_errors=True)
        temporary.mkdir(parents=True)
        yield temporary
        for one in (*temporary.iterdir(), temporary):
            sync(one)
        shutil.rmtree(path, ignore_errors=True)
        temporary.replace(path)
        sync(path.parent)


@contextmanager
def disk_errors(path: Path) -> Iterator[None]:
    """What the disk refuses, as an InputError about `path`."""
    try:
        yield
    except OSError as error:
        raise InputError(
            f"{path} cannot be written: {error.strerror or error}. What was stored before is kept; "
            "when there is room and permission to write, the same command continues."
        ) from error


def sync(path: Path) -> None:
    """Return when a file, or what a folder lists, is on the disk."""
    if path.is_dir() and os.name == "nt":  # Windows cannot open a folder
        return
    descriptor = os.open(path, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
