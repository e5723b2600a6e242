"""Downloads of our own: where they are kept, written whole by one process at a time, checked, and told about."""

from __future__ import annotations

import hashlib
import os
import re
import secrets
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from mertools.errors import InputError


def cache_folder() -> Path:
    """Where downloads of our own are kept: `$MERTOOLS_CACHE`, else `mertools` in the user's cache folder."""
    if chosen := os.environ.get("MERTOOLS_CACHE"):
        return Path(chosen).expanduser()
    return Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache") / "mertools"


@contextmanager
def alone(path: Path) -> Iterator[None]:
    """One process of this user at a time for `path`."""
    import filelock

    locks = cache_folder() / "locks"
    make_folder(locks)
    with filelock.FileLock(locks / f"{hashlib.sha256(os.fsencode(path.absolute())).hexdigest()[:32]}.lock"):
        yield


def write_whole(path: Path, text: str) -> None:
    """Write the file or leave it as it was."""
    make_folder(path.parent)
    draft = path.with_name(f".{path.name}.{secrets.token_hex(4)}")
    try:
        draft.write_text(text, encoding="utf-8")
        draft.replace(path)
    except OSError as error:
        draft.unlink(missing_ok=True)
        raise InputError(
            f"Cannot write {path}: {error.strerror}. Free some space, or make its folder writable."
        ) from error


def make_folder(folder: Path) -> None:
    """Make `folder` where it is not there yet. Raises InputError where that is not allowed."""
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise InputError(
            f"Cannot make the folder {folder}: {error.strerror}. Set MERTOOLS_CACHE to a folder that can be written to."
        ) from error


def check_sha256(source: str, path: Path, wanted: str) -> None:
    """Raise InputError unless the file at `path` has the checksum `wanted`."""
    if not path.is_file():
        raise InputError(f"{source} is a folder, and a sha256 is of one file. Name the file.")
    got = sha256_of(path)
    if got != wanted.lower():
        raise InputError(
            f"{source} has sha256 {got}, but {wanted} was wanted. It is not the file that was vetted: "
            "find out why before using it."
        )


def sha256_of(path: Path) -> str:
    """The checksum of a file, in hexadecimal digits."""
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def inside(source: str, member: str) -> Path:
    """`member` as a relative path that cannot leave the folder it is put in."""
    if "\\" in member or ":" in member or any(part in ("", ".", "..") for part in member.split("/")):
        raise InputError(f"{source}: {member!r} is not a plain path inside the package, such as data/model.bin.")
    return Path(member)


def summary(error: Exception) -> str:
    """The kind of an error and the first line it has to say, as a sentence."""
    said = next(iter(str(error).strip().splitlines()), "").rstrip(".")
    return without_credentials(f"{type(error).__name__}: {said}." if said else f"{type(error).__name__}.")


def without_credentials(text: str) -> str:
    """`text` without what stands before the @ of its addresses."""
    return re.sub(r"(?<=://)[^/\s]*@", "", text)
