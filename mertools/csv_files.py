"""The rows of CSV files, with what may be wrong with a file told in words."""

from __future__ import annotations

import csv
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from mertools.errors import InputError


@contextmanager
def csv_reader(path: Path, absent: str) -> Iterator[csv.DictReader]:
    """The rows of a CSV in UTF-8 as dictionaries, "" for cells that a row lacks.

    Raises InputError, while it is open, for a file that is not there (`absent` says so), not UTF-8 or damaged.
    """
    try:
        with path.open(encoding="utf-8-sig", newline="") as file:
            yield csv.DictReader(file, restval="")
    except FileNotFoundError:
        raise InputError(absent) from None
    except UnicodeDecodeError as error:
        raise InputError(f"{path} is not UTF-8 (byte 0x{error.object[error.start]:02x}). Save it as UTF-8.") from None
    except csv.Error as error:
        raise InputError(f"{path} is damaged as CSV: {error}.") from None
