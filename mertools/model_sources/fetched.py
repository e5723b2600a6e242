"""What a source gives: files of this machine, and what they were pinned to."""

from __future__ import annotations

import fnmatch
import hashlib
import os
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path, PurePosixPath

from mertools.errors import InputError

WHOLE_FILE_BYTES = 1 << 24
HEAD_AND_TAIL_BYTES = 1 << 16


@dataclass(frozen=True)
class Fetched:
    """A model on this machine: the local folder or file, and what it was pinned to."""

    path: Path
    revision: str


def fingerprint(path: Path, patterns: Sequence[str] = ("*",)) -> str:
    """32 hexadecimal digits that change with the names, sizes and contents of the files in a folder, or of one file.

    Files up to 16 MiB count whole, larger ones by their first and last 64 KiB. Hidden files, and those whose name
    matches none of `patterns`, play no part.

    Raises InputError for a folder without any file.
    """
    if path.is_file():
        files = {path.name: path}
    else:
        inside = {file.relative_to(path).as_posix(): file for file in path.rglob("*") if file.is_file()}
        files = {
            name: file
            for name, file in sorted(inside.items())
            if not any(part.startswith(".") for part in PurePosixPath(name).parts) and matches(name, patterns)
        }
    if not files:
        raise InputError(f"{path} holds no files that could be a model's.")
    digest = hashlib.sha256()
    for name, file in files.items():
        size = file.stat().st_size
        with file.open("rb") as stream:
            if size <= WHOLE_FILE_BYTES:
                content = stream.read()
            else:
                content = stream.read(HEAD_AND_TAIL_BYTES)
                stream.seek(-HEAD_AND_TAIL_BYTES, os.SEEK_END)
                content += stream.read()
        digest.update(f"{name}\0{size}\0{hashlib.sha256(content).hexdigest()}\n".encode())
    return digest.hexdigest()[:32]


def matches(name: str, patterns: Sequence[str]) -> bool:
    """Whether the last part of `name` matches one of the `patterns` of a shell."""
    return any(fnmatch.fnmatchcase(PurePosixPath(name).name, pattern) for pattern in patterns)
