"""What files of a corpus have in common: a row a clip, that begins with what became of the clip, and arrays of several
lengths, that are copied from file to file without holding one in memory.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass

import h5py
import numpy as np

OK, MISSING, FAILED = "ok", "missing", "failed"
STATUSES = (OK, MISSING, FAILED)

HEAD = {"names": "name", "status": "status", "reason": "reason", "media_key": "media_key"}
"""The text datasets of a file, and the field of Head that each holds."""

REPEATED = ("status", "reason")
"""Texts that many clips share: stored as numbers of the entries of `<dataset>_values`. The others are fixed-length
UTF-8. Strings of variable length would take longer to read than the vectors beside them."""

COPY_BYTES = 1 << 25
"""How much of an array is in memory at once while files are merged or checked."""


@dataclass(frozen=True)
class Head:
    """What became of one clip: its `status`, why it is not `ok` or not whole, and of which media that is true."""

    name: str
    status: str
    reason: str = ""
    media_key: str = ""


def write_heads(file: h5py.File, rows: Sequence[Head]) -> None:
    """Write what became of the clips of `rows`, in their order."""
    for dataset, attribute in HEAD.items():
        texts = [getattr(row, attribute) for row in rows]
        if dataset in REPEATED:
            numbers = {text: number for number, text in enumerate(dict.fromkeys(texts))}
            file.create_dataset(dataset, data=np.array([numbers[text] for text in texts], dtype=np.int32))
            write_texts(file, f"{dataset}_values", list(numbers))
        else:
            write_texts(file, dataset, texts)


def write_texts(file: h5py.File, name: str, texts: Sequence[str]) -> None:
    """Write `texts` as the dataset `name`, in UTF-8 of fixed length."""
    # NUL fills what is shorter. File names that are not UTF-8 end up in reasons.
    encoded = [text.replace("\0", "\ufffd").encode("utf-8", "surrogateescape") for text in texts]
    text_type = h5py.string_dtype("utf-8", max(map(len, encoded), default=0) or 1)
    file.create_dataset(name, data=np.array(encoded, dtype=text_type), dtype=text_type)


def read_texts(file: h5py.File, name: str) -> list[str]:
    """The texts of the dataset `name`, one of HEAD or another that `write_texts` wrote."""
    values = file[f"{name}_values" if name in REPEATED else name][:].tolist()
    texts = [value.decode("utf-8", "surrogateescape") for value in values]
    return np.array(texts, dtype=object)[file[name][:]].tolist() if name in REPEATED else texts


def heads_of(file: h5py.File) -> list[Head]:
    """What became of the clips of a file, in its order."""
    return [Head(*texts) for texts in zip(*(read_texts(file, dataset) for dataset in HEAD), strict=True)]


def finished(heads: Iterable[Head]) -> dict[str, str]:
    """The media key of each clip that is done with by its last head: `ok` or `missing`. Failed ones are tried again."""
    last = {head.name: head for head in heads}
    return {name: head.media_key for name, head in last.items() if head.status != FAILED}


def newest(sources: Sequence[Sequence[Head]]) -> dict[str, tuple[int, int]]:
    """By clip the place (source, row) of its newest row in `sources`, the heads of files from the oldest on."""
    return {row.name: (number, place) for number, rows in enumerate(sources) for place, row in enumerate(rows)}


def in_order(chosen: Mapping[str, tuple[int, int]], order: Sequence[str]) -> np.ndarray:
    """The `chosen` places as an array (N, 2: source, row), clips in `order` first."""
    wanted = dict.fromkeys(name for name in order if name in chosen)
    names = [*wanted, *(name for name in chosen if name not in wanted)]
    return np.array([chosen[name] for name in names], dtype=np.int64).reshape(-1, 2)


def copy_rows(source: h5py.Dataset, first: int, target: h5py.Dataset, begin: int, end: int) -> None:
    """Copy the rows of `source` from `first` on to the rows `begin` to `end` of `target`, piece by piece."""
    for here, there in pieces(target, int(begin), int(end)):
        target[here:there] = source[first + here - begin : first + there - begin]


def pieces(dataset: h5py.Dataset, begin: int, end: int) -> Iterator[tuple[int, int]]:
    """The rows `begin` to `end` of `dataset` in pieces of about COPY_BYTES."""
    row_bytes = dataset.dtype.itemsize * int(np.prod(dataset.shape[1:], dtype=np.int64))
    step = max(1, COPY_BYTES // max(row_bytes, 1))
    for here in range(begin, end, step):
        yield here, min(here + step, end)


def runs(places: np.ndarray, source: int) -> Iterator[tuple[int, int, int]]:
    """Maximal runs of rows that stand consecutively in `source`: (first row there, begin here, end here)."""
    here = np.flatnonzero(places[:, 0] == source)
    there = places[here, 1]
    breaks = np.flatnonzero((np.diff(here) != 1) | (np.diff(there) != 1)) + 1
    for run in np.split(np.arange(len(here)), breaks):
        if len(run):
            yield int(there[run[0]]), int(here[run[0]]), int(here[run[-1]]) + 1
