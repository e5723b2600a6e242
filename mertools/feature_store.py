"""The only place that reads or writes feature files.

A feature file `<name>.h5` holds one feature of a corpus: what became of each clip (`status`, `reason`), its utterance
vector, and with level `frame` the frames it was pooled from. It is written as shards in `<name>.parts/`, each by
temporary file, fsync and rename, and packed into one file by another rename: a run that is killed at any moment loses
nothing that was acknowledged, and the next run continues it. Rows that are not `ok` hold NaN on disk; the reader gives
zeros and a mask.
"""

from __future__ import annotations

import os
import re
from collections.abc import Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager, suppress
from dataclasses import dataclass, field, replace
from pathlib import Path

import filelock
import h5py
import numpy as np

import mertools
from mertools.errors import InputError

SCHEMA = 1
OK, MISSING, FAILED = "ok", "missing", "failed"
UTTERANCE, FRAME = "utterance", "frame"

# What two runs must agree on to write the same file: the features would not mean the same otherwise.
IDENTITY = ("feature", "modality", "encoder", "source", "revision", "recipe", "noise", "dtype")
HEAD = {"names": "name", "status": "status", "reason": "reason", "media_key": "media_key"}
"""The text datasets of a file, and the field of Row each holds."""

SHARD_NAME = re.compile(r"^\d{8}\.h5$")


@dataclass(frozen=True)
class Provenance:
    """Where a feature comes from; it stands in the file's attributes.

    `recipe` is a canonical text of layers, pooling, frames and detector; `noise` the fingerprint of a noise recipe, ""
    for clean clips; `dtype` the type on disk (`float32` or `float16`). `columns` names the utterance vector's
    components, `frame_columns` those of frame outputs by output name (`frames` for the frames themselves).
    """

    feature: str
    modality: str
    encoder: str
    source: str
    revision: str
    recipe: str
    noise: str = ""
    dtype: str = "float32"
    level: str = UTTERANCE
    columns: tuple[str, ...] = ()
    frame_columns: Mapping[str, tuple[str, ...]] = field(default_factory=dict)


@dataclass(frozen=True)
class Row:
    """What an encoder made of one clip.

    `utterance` is (D,), `frames` (T, ..., D_f), `times` (T,) in seconds, and `outputs` further frame outputs of the
    same length by name; all None or empty unless `status` is `ok`. An `ok` row may carry a reason: a stream that broke
    half-way gives the features of what was decoded.
    """

    name: str
    status: str
    reason: str = ""
    media_key: str = ""
    utterance: np.ndarray | None = None
    frames: np.ndarray | None = None
    times: np.ndarray | None = None
    outputs: Mapping[str, np.ndarray] = field(default_factory=dict)


@dataclass(frozen=True)
class Features:
    """A feature file's utterance level in memory.

    `utterance` is (N, D) float32 with zeros where `mask` (N,) is False: those clips are `missing` or `failed`.
    """

    provenance: Provenance
    names: tuple[str, ...]
    status: tuple[str, ...]
    reason: tuple[str, ...]
    media_key: tuple[str, ...]
    utterance: np.ndarray
    mask: np.ndarray


def non_finite(row: Row) -> str | None:
    """Where `row` holds NaN or infinity ("utterance", "frames", …), or None."""
    arrays = {UTTERANCE: row.utterance, "frames": row.frames, "times": row.times, **row.outputs}
    return next((name for name, array in arrays.items() if array is not None and not np.isfinite(array).all()), None)


class FeatureWriter:
    """Writes one feature file; a context manager, of which a file has one at a time.

    `level` is `frame` when the caller asks for frames or the file already has them, so that no file holds frames for
    some clips only.
    """

    def __init__(self, path: Path, provenance: Provenance) -> None:
        """Open `<name>.h5` at `path` for writing; the folder is made.

        Raises InputError where the file or its unfinished shards come from another encoder, revision or recipe, and
        where another process is writing the file.
        """
        self.path = path
        self.parts = path.with_suffix(".parts")
        self.parts.mkdir(parents=True, exist_ok=True)
        self._lock = filelock.FileLock(self.parts / "lock", timeout=0)
        try:
            self._lock.acquire()
        except filelock.Timeout:
            raise InputError(f"Another process is writing {path}. Wait for it, or give another --out.") from None
        try:
            self.provenance = self._agree(provenance)
        except BaseException:
            self.close()
            raise
        self._next_shard = max((int(shard.stem) for shard in self._shards()), default=-1) + 1

    def __enter__(self) -> FeatureWriter:
        return self

    def __exit__(self, *exception: object) -> None:
        self.close()

    def close(self) -> None:
        """Let others write the file. Unpacked shards stay and are found again."""
        if self.path.exists() and not self._shards():
            # Before the lock is let go: afterwards the folder may be another writer's.
            with suppress(OSError):
                (self.parts / "lock").unlink()
                self.parts.rmdir()
        self._lock.release()

    @property
    def level(self) -> str:
        """The level that appended rows must have."""
        return self.provenance.level

    def finished(self) -> dict[str, str]:
        """The media key of each clip that needs no new extraction: `ok` or `missing`. Failed clips are tried again."""
        keys: dict[str, str] = {}
        for source in self._sources():
            for row in read_heads(source):
                keys.pop(row.name, None)
                if row.status != FAILED:
                    keys[row.name] = row.media_key
        return keys

    def superseded(self) -> list[str]:
        """Clips that the packed file holds and that packing drops unless they are appended: those without frames."""
        packed = self.path.exists() and self.level == FRAME and read_provenance(self.path).level == UTTERANCE
        return [row.name for row in read_heads(self.path)] if packed else []

    def append(self, rows: Sequence[Row]) -> None:
        """Write `rows` as one shard; they are safe on disk when this returns.

        Raises InputError, with the clip's name, for NaN or infinity in an `ok` row.
        """
        if not rows:
            return
        for row in rows:
            self._check(row)
        shard = self.parts / f"{self._next_shard:08d}.h5"
        with _replacing(shard) as file:
            self._write_head(file, rows)
            _write_utterances(file, rows, self.provenance)
            if self.level == FRAME:
                _write_frames(file, rows, self.provenance)
        self._next_shard += 1

    def pack(self, order: Sequence[str]) -> None:
        """Merge the file and its shards into one file, clips in `order` first, and remove the shards.

        The newest row of a clip counts. Clips that are not in `order` (of a manifest that has shrunk) keep their rows.
        """
        if not self._shards():
            return
        sources = [_Source.read(path) for path in self._sources()]
        newest: dict[str, tuple[int, int]] = {}
        for number, source in enumerate(sources):
            newest.update({row.name: (number, place) for place, row in enumerate(source.rows)})
        wanted = dict.fromkeys(name for name in order if name in newest)
        names = [*wanted, *(name for name in newest if name not in wanted)]
        places = np.array([newest[name] for name in names], dtype=np.int64).reshape(-1, 2)
        with _replacing(self.path) as file:
            self._write_head(file, [sources[number].rows[row] for number, row in places])
            self._copy_arrays(file, sources, places)
        for shard in self._shards():
            shard.unlink()

    def _shards(self) -> list[Path]:
        return sorted(shard for shard in self.parts.iterdir() if SHARD_NAME.match(shard.name))

    def _sources(self) -> list[Path]:
        """The files whose rows count, oldest first."""
        candidates = [self.path, *self._shards()] if self.path.exists() else self._shards()
        if self.level == UTTERANCE:
            return candidates
        # Rows without frames cannot stand in a file with frames: their clips are extracted again.
        return [source for source in candidates if read_provenance(source).level == FRAME]

    def _agree(self, wanted: Provenance) -> Provenance:
        for leftover in self.parts.glob(".*.tmp"):
            leftover.unlink()
        for source in [self.path, *self._shards()]:
            if not source.exists():
                continue
            found = read_provenance(source)
            for part in IDENTITY:
                if getattr(found, part) != getattr(wanted, part):
                    raise InputError(
                        f"{source} was extracted with {part} {getattr(found, part)!r}, now asked for is "
                        f"{getattr(wanted, part)!r}. Extract into another folder (--out), or remove "
                        f"{self.path.name} and {self.parts.name}."
                    )
            # Shards of an interrupted change of level are dropped when packing; only a finished file binds.
            if source == self.path and found.level == FRAME:
                wanted = replace(wanted, level=FRAME)
        return wanted

    def _check(self, row: Row) -> None:
        if row.status != OK:
            return
        if row.utterance is None or (self.level == FRAME and row.frames is None):
            raise ValueError(f"{row.name}: an ok row of level {self.level} lacks its arrays")
        place = non_finite(row)
        if place:
            raise InputError(
                f"Feature {self.provenance.feature!r}: clip {row.name!r} holds NaN or infinity in {place}."
            )

    def _write_head(self, file: h5py.File, rows: Sequence[Row]) -> None:
        file.attrs.update({"schema": SCHEMA, "code": mertools.__version__, "level": self.level})
        file.attrs.update({part: getattr(self.provenance, part) for part in IDENTITY})
        if self.provenance.columns:
            _write_texts(file, "columns", self.provenance.columns)
        for output, columns in self.provenance.frame_columns.items():
            if self.level == FRAME:
                _write_texts(file, f"columns_{output}", columns)
        for dataset, attribute in HEAD.items():
            _write_texts(file, dataset, [getattr(row, attribute) for row in rows])

    def _copy_arrays(self, file: h5py.File, sources: list[_Source], places: np.ndarray) -> None:
        """Gather the rows at `places` (N, 2: source, row) into `file`, one source open at a time."""
        dim = max(source.dim for source in sources)
        utterance = file.create_dataset(UTTERANCE, (len(places), dim), self.provenance.dtype, fillvalue=np.nan)
        frame_arrays, offsets = {}, np.zeros(len(places) + 1, dtype=np.int64)
        if self.level == FRAME:
            lengths = [sources[number].offsets[row + 1] - sources[number].offsets[row] for number, row in places]
            offsets[1:] = np.cumsum(lengths)
            file.create_dataset("offsets", data=offsets)
            for name, (shape, dtype) in {k: v for source in sources for k, v in source.frame_arrays.items()}.items():
                frame_arrays[name] = file.create_dataset(name, (int(offsets[-1]), *shape), dtype)
        for number, source in enumerate(sources):
            with h5py.File(source.path) as opened:
                for row, begin, end in _runs(places, number):
                    # A shard in which no clip was ok does not know the dimension.
                    if source.dim:
                        utterance[begin:end] = opened[UTTERANCE][row : row + end - begin]
                    if offsets[end] > offsets[begin]:
                        first, last = source.offsets[row], source.offsets[row + end - begin]
                        for name, target in frame_arrays.items():
                            target[offsets[begin] : offsets[end]] = opened[name][first:last]


def read_provenance(path: Path) -> Provenance:
    """The provenance of a feature file; raises InputError for a file that is none."""
    with _open(path) as file:
        columns = {name: tuple(_texts(file[name])) for name in file if name.startswith("columns")}
        return Provenance(
            **{part: str(file.attrs[part]) for part in (*IDENTITY, "level")},
            columns=columns.pop("columns", ()),
            frame_columns={name.removeprefix("columns_"): names for name, names in columns.items()},
        )


def read_heads(path: Path) -> list[Row]:
    """What became of each clip of a feature file: its rows without arrays.

    Raises InputError as `read_features` does.
    """
    with _open(path) as file:
        return _heads(file)


def read_features(path: Path) -> Features:
    """The utterance level of a feature file, whole in memory.

    Raises InputError for a file that is absent, unfinished, damaged or of another schema, and for NaN or infinity in a
    row that claims to be `ok`.
    """
    provenance = read_provenance(path)
    with _open(path) as file:
        names, status, reason, keys = (tuple(_texts(file[dataset])) for dataset in HEAD)
        utterance = file[UTTERANCE][:].astype(np.float32)  # (N, D)
    mask = np.array([state == OK for state in status], dtype=bool)
    bad = mask & ~np.isfinite(utterance).all(axis=1)
    if bad.any():
        raise InputError(
            f"{path}: clip {names[int(bad.argmax())]!r} holds NaN or infinity although its status is ok. "
            "The file is damaged; extract the feature again."
        )
    utterance[~mask] = 0
    return Features(provenance, names, status, reason, keys, utterance, mask)


class FrameReader:
    """The frames of a feature file by clip name; a context manager."""

    def __init__(self, path: Path) -> None:
        """Open the file at `path`; raises InputError as `read_features` does, and for a file without frames."""
        self.path = path
        self._stack = ExitStack()
        self._file = self._stack.enter_context(_open(path))
        if "offsets" not in self._file:
            self.close()
            raise InputError(f"{path} has no frames. Extract the feature with --level frame.")
        self._offsets = self._file["offsets"][:]
        self._row_of_name = {name: row for row, name in enumerate(_texts(self._file["names"]))}

    def __enter__(self) -> FrameReader:
        return self

    def __exit__(self, *exception: object) -> None:
        self.close()

    def close(self) -> None:
        self._stack.close()

    def __getitem__(self, name: str) -> Row:
        """The row of clip `name` with its frames; without arrays where it is not `ok`. Raises InputError."""
        if name not in self._row_of_name:
            raise InputError(f"{self.path} has no clip {name!r}.")
        row = self._row_of_name[name]
        head = Row(*(self._file[dataset].asstr()[row] for dataset in HEAD))
        if head.status != OK:
            return head
        begin, end = self._offsets[row : row + 2]
        arrays = {key: self._file[key][begin:end] for key in _frame_arrays(self._file)}
        outputs = {key.removeprefix("frames_"): array for key, array in arrays.items() if key.startswith("frames_")}
        utterance = self._file[UTTERANCE][row]
        return replace(head, utterance=utterance, frames=arrays["frames"], times=arrays.get("times"), outputs=outputs)


def feature_names(folder: Path) -> list[str]:
    """The features that have a packed file in `folder`, sorted."""
    return sorted(path.stem for path in folder.glob("*.h5") if path.is_file())


@contextmanager
def _open(path: Path) -> Iterator[h5py.File]:
    parts = path.with_suffix(".parts")
    if not path.exists():
        unfinished = f" An unfinished extraction stands in {parts}: run the same extract.py command again."
        raise InputError(f"There is no feature file {path}.{unfinished if parts.exists() else ''}")
    try:
        file = h5py.File(path)
    except OSError:
        raise InputError(
            f"{path} is not an HDF5 file, or it is damaged. Remove it and extract the feature again."
        ) from None
    with file:
        schema = file.attrs.get("schema")
        if schema is None or "names" not in file:
            raise InputError(f"{path} is an HDF5 file, but no feature file of this suite.")
        if schema != SCHEMA:
            raise InputError(f"{path} has schema {schema}, this version reads {SCHEMA}. Extract the feature again.")
        yield file


@contextmanager
def _replacing(path: Path) -> Iterator[h5py.File]:
    """A new HDF5 file that takes its place at `path` whole or not at all."""
    temporary = path.parent / f".{path.name}.tmp"
    try:
        with h5py.File(temporary, "w") as file:
            yield file
        _sync(temporary)
        temporary.replace(path)
        _sync(path.parent)
    except BaseException:
        temporary.unlink(missing_ok=True)
        raise


def _sync(path: Path) -> None:
    if path.is_dir() and os.name == "nt":  # Windows cannot open a folder
        return
    descriptor = os.open(path, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def _texts(dataset: h5py.Dataset) -> list[str]:
    return list(dataset.asstr()[:])


def _write_texts(file: h5py.File, name: str, values: Sequence[str]) -> None:
    file.create_dataset(name, data=list(values), shape=(len(values),), dtype=h5py.string_dtype("utf-8"))


@dataclass(frozen=True)
class _Source:
    """A packed file or shard about to be merged: everything but its large arrays."""

    path: Path
    rows: tuple[Row, ...]
    dim: int
    offsets: np.ndarray
    frame_arrays: Mapping[str, tuple[tuple[int, ...], np.dtype]]

    @classmethod
    def read(cls, path: Path) -> _Source:
        with h5py.File(path) as file:
            rows = tuple(_heads(file))
            frame_arrays = {name: (file[name].shape[1:], file[name].dtype) for name in _frame_arrays(file)}
            offsets = file["offsets"][:] if "offsets" in file else np.zeros(len(rows) + 1, dtype=np.int64)
            return cls(path, rows, file[UTTERANCE].shape[1], offsets, frame_arrays)


def _heads(file: h5py.File) -> list[Row]:
    return [Row(*texts) for texts in zip(*(_texts(file[dataset]) for dataset in HEAD), strict=True)]


def _frame_arrays(file: h5py.File) -> list[str]:
    return [key for key in file if key in ("frames", "times") or key.startswith("frames_")]


def _write_utterances(file: h5py.File, rows: Sequence[Row], provenance: Provenance) -> None:
    dim = next((len(row.utterance) for row in rows if row.status == OK), 0)
    utterance = np.full((len(rows), dim), np.nan, dtype=provenance.dtype)
    for place, row in enumerate(rows):
        if row.status == OK:
            utterance[place] = row.utterance
    file.create_dataset(UTTERANCE, data=utterance)


def _write_frames(file: h5py.File, rows: Sequence[Row], provenance: Provenance) -> None:
    ok = [row for row in rows if row.status == OK]
    lengths = [len(row.frames) if row.status == OK else 0 for row in rows]
    file.create_dataset("offsets", data=np.concatenate([[0], np.cumsum(lengths)]).astype(np.int64))
    if not ok:
        return
    file.create_dataset("frames", data=np.concatenate([row.frames for row in ok]).astype(provenance.dtype))
    if all(row.times is not None for row in ok):
        file.create_dataset("times", data=np.concatenate([row.times for row in ok]).astype(np.float64))
    for output in ok[0].outputs:
        stacked = np.concatenate([row.outputs[output] for row in ok])
        file.create_dataset(f"frames_{output}", data=stacked.astype(provenance.dtype))


def _runs(places: np.ndarray, source: int) -> Iterator[tuple[int, int, int]]:
    """Maximal runs of rows that stand consecutively in `source`: (first row there, begin here, end here)."""
    here = np.flatnonzero(places[:, 0] == source)
    there = places[here, 1]
    breaks = np.flatnonzero((np.diff(here) != 1) | (np.diff(there) != 1)) + 1
    for run in np.split(np.arange(len(here)), breaks):
        if len(run):
            yield int(there[run[0]]), int(here[run[0]]), int(here[run[-1]]) + 1
