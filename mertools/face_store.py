"""The only place that reads or writes files of face crops, from which encoders read faces instead of decoding video.

A file holds what became of each clip (`status`, `reason`), and of each frame that was decoded its time and the crop of
one person's face as JPEG: `times` (T,) in seconds, `sizes` (T,) in bytes, 0 where a frame has no face, and `jpeg`, the
bytes one after the other. `offsets` (N+1,) and `jpeg_offsets` (N+1,) say where the frames and bytes of a clip begin.
Crops of larger faces are scaled down to `side` pixels; the others are stored as large as they were in the frame, for
encoders enlarge them as they would enlarge what they cut themselves. Files are written as shards and packed
(`mertools.shards`).
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import asdict, dataclass, field
from functools import cached_property
from pathlib import Path
from typing import Any

import h5py
import numpy as np

import mertools
from mertools.clip import Clip
from mertools.clip_rows import FAILED, MISSING, Head, copy_rows, finished, heads_of, in_order, newest, runs, write_heads
from mertools.errors import InputError
from mertools.faces import MARGIN, FaceTrack, no_face, resized
from mertools.media import Chooser, MissingMedium, UnreadableMedia
from mertools.run_record import versions
from mertools.shards import Shards, parts_of, replacing

SCHEMA = 1
JPEG_QUALITY = 95
CODING = f"JPEG {JPEG_QUALITY}, 4:4:4"

RAGGED = {"offsets": ("times", "sizes"), "jpeg_offsets": ("jpeg",)}
"""The arrays in which clips take several rows each, by the dataset that says where those of a clip begin."""


@dataclass(frozen=True)
class Cutting:
    """How the crops of a file were made; it stands in the file's attributes, and all its clips share it.

    `detector` names the detector and its weights, `side` is the size in pixels to which larger crops are scaled down,
    `margin` that of `faces.square`, `coding` how pixels are stored.
    """

    detector: str
    side: int
    margin: float = MARGIN
    coding: str = CODING


@dataclass(frozen=True)
class FaceRow(Head):
    """What was cut from one clip: for each decoded frame its time (T,) in seconds, and the JPEG bytes, none where the
    frame has no face. An `ok` row may carry a reason: that of a video which broke half-way."""

    times: np.ndarray = field(default_factory=lambda: np.zeros(0))
    crops: Sequence[bytes] = ()


def encoded(crop: np.ndarray, side: int) -> bytes:
    """A square crop (S, S, 3) uint8 RGB as JPEG, of at most `side` pixels."""
    import cv2

    image = resized(crop, min(side, len(crop)))
    how = [cv2.IMWRITE_JPEG_QUALITY, JPEG_QUALITY]
    how += [cv2.IMWRITE_JPEG_SAMPLING_FACTOR, cv2.IMWRITE_JPEG_SAMPLING_FACTOR_444]
    _, content = cv2.imencode(".jpg", image[..., ::-1], how)
    return content.tobytes()


def decoded(content: np.ndarray) -> np.ndarray | None:
    """The crop (S, S, 3) uint8 RGB of JPEG bytes (B,) uint8; None where they are damaged."""
    import cv2

    image = cv2.imdecode(content, cv2.IMREAD_COLOR)
    return None if image is None else np.ascontiguousarray(image[..., ::-1])


class FaceWriter:
    """Writes one file of crops; a context manager, of which a file has one at a time."""

    def __init__(self, path: Path, cutting: Cutting) -> None:
        """Open the file at `path` for writing; the folder is made.

        Raises InputError where the file or its unfinished shards were cut otherwise, where another process is writing
        the file, and where the folder cannot be written.
        """
        self.path = path
        self.cutting = cutting
        self._shards = Shards(path)
        try:
            self._refuse_others()
        except BaseException:
            self._shards.close()
            raise

    def __enter__(self) -> FaceWriter:
        return self

    def __exit__(self, *exception: object) -> None:
        self._shards.close()

    def finished(self) -> dict[str, str]:
        """The media key of each clip that needs not be cut again: `ok` or `missing`. Failed clips are tried again."""
        return finished(head for source in self._shards.sources() for head in read_heads(source))

    def append(self, rows: Sequence[FaceRow]) -> None:
        """Write `rows` as one shard; they are safe on disk when this returns. Raises InputError for a full disk."""
        if not rows:
            return
        with self._shards.new() as file:
            _write_head(file, self.cutting, rows)
            sizes = [[len(crop) for crop in row.crops] for row in rows]
            file["offsets"] = _offsets([len(own) for own in sizes])
            file["jpeg_offsets"] = _offsets([sum(own) for own in sizes])
            file["times"] = np.concatenate([row.times for row in rows])
            file["sizes"] = np.array([size for own in sizes for size in own], dtype=np.int32)
            file["jpeg"] = np.frombuffer(b"".join(crop for row in rows for crop in row.crops), np.uint8)

    def pack(self, order: Sequence[str]) -> None:
        """Merge the file and its shards into one file, clips in `order` first, and remove the shards.

        The newest row of a clip counts; clips that are not in `order` keep their rows. Raises InputError where the disk
        is full; file and shards stay as they were.
        """
        if not self._shards.files():
            return
        sources = [_Source.read(path) for path in self._shards.sources()]
        places = in_order(newest([source.heads for source in sources]), order)
        with replacing(self.path) as file:
            _write_head(file, self.cutting, [sources[number].heads[row] for number, row in places])
            _copy_arrays(file, sources, places)
        self._shards.remove()

    def _refuse_others(self) -> None:
        for source in self._shards.sources():
            found, wanted = asdict(read_cutting(source)), asdict(self.cutting)
            for part, value in wanted.items():
                if found[part] != value:
                    raise InputError(
                        f"{source} was cut with {part} {found[part]!r}, now asked for is {value!r}. "
                        f"Give another --out, or remove {self.path.name} and {self._shards.folder.name}."
                    )


class FaceFile:
    """The crops of a file by clip; cheap to pickle, since each process opens the file when it first reads a crop."""

    def __init__(self, path: Path) -> None:
        """Raises InputError for a file that is absent, unfinished, damaged or of another kind or schema."""
        self.path = path
        self.cutting = read_cutting(path)

    def __getstate__(self) -> dict[str, Any]:
        return {"path": self.path, "cutting": self.cutting}

    def names(self) -> set[str]:
        """The clips that the file has a row for, whatever became of them."""
        return {head.name for head in read_heads(self.path)}

    def track(self, clip: Clip, choose: Chooser, size: int) -> FaceTrack:
        """The crops, brought to `size` pixels, of those frames of `clip` that `choose` keeps of all that were decoded.

        Raises MissingMedium where none of them has a face, UnreadableMedia where the clip could not be cut, has changed
        since, or is damaged in the file. A video that is not there any more has not changed.
        """
        row, head = self._row(clip)
        begin, end = self._file["offsets"][row : row + 2]
        times, sizes = self._file["times"][begin:end], self._file["sizes"][begin:end]
        ends = self._file["jpeg_offsets"][row] + np.cumsum(sizes, dtype=np.int64)
        chosen = choose(times)
        with_face = [index for index in chosen if sizes[index]]
        if not with_face:
            raise no_face(len(chosen), head.reason)
        crops = [decoded(self._file["jpeg"][ends[index] - sizes[index] : ends[index]]) for index in with_face]
        if any(crop is None for crop in crops):
            raise UnreadableMedia(f"{self.path.name} is damaged where it holds the crops of this clip")
        return FaceTrack([resized(crop, size) for crop in crops], times[with_face], len(chosen), head.reason or None)

    def _row(self, clip: Clip) -> tuple[int, Head]:
        """Where the file has `clip`, if its crops can be used."""
        if clip.name not in self._rows:
            raise UnreadableMedia(f"{self.path.name} lacks the clip")
        row, head = self._rows[clip.name]
        # First, for a clip at which a worker died has no key.
        if head.status == FAILED:
            raise UnreadableMedia(head.reason)
        if clip.media_key("video") not in ("", head.media_key):
            raise UnreadableMedia("the video has changed since its faces were cut; run mertools data faces again")
        if head.status == MISSING:
            raise MissingMedium(head.reason)
        return row, head

    @cached_property
    def _rows(self) -> Mapping[str, tuple[int, Head]]:
        return {head.name: (row, head) for row, head in enumerate(heads_of(self._file))}

    @cached_property
    def _file(self) -> h5py.File:
        return h5py.File(self.path)


def read_cutting(path: Path) -> Cutting:
    """How the crops of a file were cut; raises InputError for a file that holds none."""
    with _open(path) as file:
        attributes = file.attrs
        return Cutting(
            str(attributes["detector"]), int(attributes["side"]), float(attributes["margin"]), str(attributes["coding"])
        )


def read_heads(path: Path) -> list[Head]:
    """What became of each clip of a file of crops; raises InputError for a file that holds none."""
    with _open(path) as file:
        return heads_of(file)


@contextmanager
def _open(path: Path) -> Iterator[h5py.File]:
    if not path.exists():
        begun = f" An unfinished one stands in {parts_of(path)}." if parts_of(path).exists() else ""
        raise InputError(f"There is no file of face crops {path}.{begun} Run: mertools data faces --out {path}")
    try:
        file = h5py.File(path)
    except OSError:
        raise InputError(f"{path} is not an HDF5 file, or it is damaged. Remove it and cut the faces again.") from None
    with file:
        schema = file.attrs.get("faces_schema")
        if schema is None:
            raise InputError(f"{path} is an HDF5 file, but no file of face crops. `mertools data faces` writes one.")
        if schema != SCHEMA:
            raise InputError(f"{path} has schema {schema}, this version reads {SCHEMA}. Cut the faces again.")
        yield file


@dataclass(frozen=True)
class _Source:
    """A packed file or shard about to be merged: everything but its large arrays."""

    path: Path
    heads: Sequence[Head]
    offsets: Mapping[str, np.ndarray]

    @classmethod
    def read(cls, path: Path) -> _Source:
        with h5py.File(path) as file:
            return cls(path, heads_of(file), {name: file[name][:] for name in RAGGED})


def _copy_arrays(file: h5py.File, sources: Sequence[_Source], places: np.ndarray) -> None:
    """Gather the rows at `places` (N, 2: source, row) into `file`, a piece in memory at a time."""
    for name, arrays in RAGGED.items():
        lengths = [
            sources[number].offsets[name][row + 1] - sources[number].offsets[name][row] for number, row in places
        ]
        offsets = file[name] = _offsets(lengths)
        for number, source in enumerate(sources):
            with h5py.File(source.path) as opened:
                for array in arrays:
                    target = file.require_dataset(array, (int(offsets[-1]),), opened[array].dtype, exact=True)
                    for row, begin, end in runs(places, number):
                        copy_rows(opened[array], source.offsets[name][row], target, offsets[begin], offsets[end])


def _offsets(lengths: Sequence[int]) -> np.ndarray:
    return np.concatenate([[0], np.cumsum(lengths)]).astype(np.int64)


def _write_head(file: h5py.File, cutting: Cutting, heads: Sequence[Head]) -> None:
    file.attrs.update({"faces_schema": SCHEMA, "code": mertools.__version__, **asdict(cutting)})
    # Told, and not asked for again: a detector's weights are in its name.
    file.attrs["versions"] = json.dumps(versions("av", "dlib-bin", "opencv-python-headless"))
    write_heads(file, heads)
