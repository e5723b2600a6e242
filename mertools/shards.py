"""Files that are written over hours, whatever kills the writer.

A file is written as shards in `<name>.parts/`, each by temporary file, fsync and rename, and packed into one file by
another rename: a run that is killed at any moment loses nothing that was acknowledged, and the next run continues it.
"""

from __future__ import annotations

import os
import re
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

import filelock
import h5py

from mertools.errors import InputError
from mertools.whole_files import disk_errors, sync

SHARD_NAME = re.compile(r"^\d{8}\.h5$")


class Shards:
    """The shards of the file at `path`, for its one writer."""

    def __init__(self, path: Path) -> None:
        """Take the file for this process; its folder is made, and what a killed writer left half-written is removed.

        Raises InputError where another process is writing the file, and where the folder cannot be written.
        """
        self.path = path
        self.folder = parts_of(path)
        self._lock = filelock.FileLock(self.folder / "lock", timeout=0)
        with disk_errors(path):
            self.folder.mkdir(parents=True, exist_ok=True)
            try:
                self._lock.acquire()
            except filelock.Timeout:
                raise InputError(f"Another process is writing {path}. Wait for it, or give another --out.") from None
        for leftover in self.folder.glob(".*.tmp"):
            leftover.unlink()
        self._next = max((int(shard.stem) for shard in self.files()), default=-1) + 1

    def close(self) -> None:
        """Let others write the file. Unpacked shards stay and are found again."""
        if self.path.exists() and not self.files():
            # Before the lock is let go: afterwards the folder may be another writer's.
            with suppress(OSError):
                (self.folder / "lock").unlink()
                self.folder.rmdir()
        self._lock.release()

    def files(self) -> list[Path]:
        """The shards, oldest first."""
        return shards_of(self.path)

    def sources(self) -> list[Path]:
        """The files whose rows count, oldest first: the packed one, where there is one, and the shards."""
        return [self.path, *self.files()] if self.path.exists() else self.files()

    @contextmanager
    def new(self) -> Iterator[h5py.File]:
        """The next shard; when it has been written it is safe on disk. Raises InputError where the disk is full."""
        with replacing(self.folder / f"{self._next:08d}.h5") as file:
            yield file
        self._next += 1

    def remove(self) -> None:
        """Remove the shards, when what they hold stands in the packed file."""
        for shard in self.files():
            shard.unlink()


def parts_of(path: Path) -> Path:
    """The folder of the shards of the file at `path`."""
    return path.with_suffix(".parts")


def shards_of(path: Path) -> list[Path]:
    """The shards of the file at `path` that are not packed yet, oldest first."""
    parts = parts_of(path)
    return sorted(shard for shard in parts.iterdir() if SHARD_NAME.match(shard.name)) if parts.is_dir() else []


@contextmanager
def replacing(path: Path) -> Iterator[h5py.File]:
    """A new HDF5 file that takes its place at `path` whole or not at all. Raises InputError where the disk is full."""
    temporary = path.parent / f".{path.name}.tmp"
    try:
        with disk_errors(path):
            disk = _Disk(temporary)
        try:
            # Large arrays begin at a page, as memory-mapping likes it.
            with h5py.File(disk, "w", alignment_threshold=1 << 20, alignment_interval=1 << 12) as file:
                yield file
        finally:
            disk.close()
            with disk_errors(path):
                disk.raise_error()
        with disk_errors(path):
            sync(temporary)
            temporary.replace(path)
            sync(path.parent)
    except BaseException:
        with suppress(OSError):
            temporary.unlink(missing_ok=True)
        raise


class _Disk:
    """The file that HDF5 writes to.

    A write that fails, or that is interrupted, leaves HDF5 unable to close its file and ends in a crash of the process.
    So HDF5 is not told: the first error is kept for `raise_error`, and what follows it is dropped.
    """

    def __init__(self, path: Path) -> None:
        self._file = path.open("w+b", buffering=0)
        self._error: BaseException | None = None

    def raise_error(self) -> None:
        """Raise what went wrong, if anything did."""
        if self._error is not None:
            raise self._error

    def close(self) -> None:
        self._file.close()

    def seek(self, offset: int, whence: int = os.SEEK_SET) -> int:
        return self._file.seek(offset, whence)

    def tell(self) -> int:
        return self._file.tell()

    def read(self, size: int) -> bytes:
        # What was dropped reads as zeros.
        return self._file.read(size).ljust(size, b"\0")

    def write(self, content: memoryview) -> int:
        self._try(lambda: self._write(memoryview(content).cast("B")))
        return len(content)

    def truncate(self, size: int) -> int:
        self._try(lambda: self._file.truncate(size))
        return size

    def flush(self) -> None:
        """Nothing is held back here."""

    def _write(self, content: memoryview) -> None:
        while content:
            content = content[self._file.write(content) :]

    def _try(self, change: Callable[[], object]) -> None:
        if self._error is None:
            try:
                change()
            except BaseException as error:
                self._error = error
