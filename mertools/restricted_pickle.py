"""Archives of arrays (`.npz`) that hold pickled objects, read without running what a pickle may ask for.

The organisers write dictionaries into archives by `numpy.savez(name2reason={...})`: an object array, which is a pickle.
A pickle names functions for its reader to call. Here a reader knows four things alone: NumPy's arrays and scalars,
dictionaries, lists and strings (with the numbers, tuples, sets and bytes that a pickle spells without naming anything).
"""

from __future__ import annotations

import pickle
import re
import zipfile
import zlib
from pathlib import Path
from typing import IO, Any

import numpy as np

from mertools.errors import InputError

HEADERS = {(1, 0): np.lib.format.read_array_header_1_0, (2, 0): np.lib.format.read_array_header_2_0}
"""By version of the format, what reads the header of a `.npy` file."""

LARGEST_BYTES = 2 << 30
"""No archive holds more: the texts of 115,595 clips are a tenth of it."""

PLAIN_KIND = re.compile(r"[?biufcSUO][0-9]{0,9}")
"""The codes of numbers, texts and objects, as `numpy.dtype` pickles itself."""


def read_archive(path: Path) -> dict[str, np.ndarray]:
    """The arrays of the `.npz` file `path` by name; those of objects hold dictionaries, lists, strings and arrays.

    What was saved as a dictionary is an array without dimensions, whose `item()` is the dictionary.

    Raises InputError for a file that is not there, is no such archive, is damaged, or holds a pickle that asks for
    anything else; and for one of more than LARGEST_BYTES.
    """
    try:
        with zipfile.ZipFile(path) as archive:
            check_size(path, archive)
            return {name.removesuffix(".npy"): _read_member(path, archive, name) for name in archive.namelist()}
    except FileNotFoundError:
        raise InputError(f"There is no file {path}.") from None
    except (zipfile.BadZipFile, zlib.error, EOFError):
        raise InputError(f"{path} is not a whole archive of arrays, as numpy.savez writes it.") from None


def check_size(path: Path, archive: zipfile.ZipFile) -> None:
    """Raises InputError for an archive of more than LARGEST_BYTES: a small file can unfold to any size."""
    size = sum(member.file_size for member in archive.infolist())
    if size > LARGEST_BYTES:
        raise InputError(f"{path} unfolds to {size} bytes; at most {LARGEST_BYTES} are read. Split it.")


def _read_member(path: Path, archive: zipfile.ZipFile, name: str) -> np.ndarray:
    try:
        with archive.open(name) as file:
            version = np.lib.format.read_magic(file)
            if version in HEADERS and HEADERS[version](file)[2].hasobject:
                return np.asarray(_Unpickler(file).load(), dtype=object)
        # The plain arrays, from their beginning again: the library reads header and numbers in one call.
        with archive.open(name) as file:
            return np.lib.format.read_array(file, allow_pickle=False)
    except _Refused as refused:
        raise InputError(
            f"{path}: {name!r} is a pickle that asks for {refused}; only numpy arrays, dict, list and str are read, "
            "since anything else can run code. Save it again as a dictionary of strings, or as CSV."
        ) from None
    except (zipfile.BadZipFile, zlib.error, EOFError):
        raise
    except Exception as error:
        # A damaged pickle raises whatever the operation did that it happens to spell.
        raise InputError(f"{path}: {name!r} is not an array that can be read: {error}.") from None


class _Refused(Exception):
    """A pickle asks for something beyond what is admitted; the message is its name."""


class _Kind:
    """What a pickle says an array holds: it gives no `numpy.dtype`, whose state it could set.

    A kind of objects that says it holds none, a field beyond its end: NumPy takes such states as they are, and then
    bytes of the file for addresses in memory.
    """

    def __init__(self, code: str, *_flags: object) -> None:
        if not PLAIN_KIND.fullmatch(code):
            raise ValueError(f"{code!r} is no kind of plain numbers, texts or objects")
        self.dtype = np.dtype(code)

    def __setstate__(self, state: tuple) -> None:
        _, order, subarray, names, fields, *_ = state
        if (subarray, names, fields) != (None, None, None):
            raise ValueError("an array of records")
        self.dtype = self.dtype.newbyteorder(order)


class _Array(np.ndarray):
    """An array whose state names a `_Kind`."""

    def __setstate__(self, state: tuple) -> None:
        version, shape, kind, is_fortran, data = state
        super().__setstate__((version, shape, kind.dtype, is_fortran, data))


def _empty_array(_subtype: object, _shape: object, _kind: object) -> _Array:
    """The array that its state is put into; whatever class and size the pickle names, these are not asked for."""
    return _Array((0,), dtype="b")


def _scalar(kind: _Kind, data: bytes) -> np.generic:
    # An empty text has no bytes. The reader of buffers refuses objects, as the constructor of arrays would not.
    return np.frombuffer(data, kind.dtype, count=1)[0] if data else kind.dtype.type()


ARRAY_CLASS = "numpy.ndarray"
"""What a pickle gets for the class that it hands to `_reconstruct`: a name, which nothing can be made of."""

ADMITTED: dict[str, Any] = {
    "numpy.ndarray": ARRAY_CLASS,
    "numpy.dtype": _Kind,
    # The module was renamed in NumPy 2.
    **dict.fromkeys(("numpy.core.multiarray._reconstruct", "numpy._core.multiarray._reconstruct"), _empty_array),
    **dict.fromkeys(("numpy.core.multiarray.scalar", "numpy._core.multiarray.scalar"), _scalar),
    "builtins.dict": dict,
    "builtins.list": list,
    "builtins.str": str,
}


class _Unpickler(pickle.Unpickler):
    def __init__(self, file: IO[bytes]) -> None:
        super().__init__(file, encoding="utf-8")

    def find_class(self, module: str, name: str) -> Any:
        full = f"{module}.{name}"
        if full not in ADMITTED:
            raise _Refused(full)
        return ADMITTED[full]
