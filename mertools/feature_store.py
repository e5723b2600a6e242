"""The only place that reads or writes feature files.

A feature file `<name>.h5` holds one feature of a corpus: what became of each clip (`status`, `reason`), its utterance
vector, and with level `frame` the frames it was pooled from. It is written as shards and packed (`mertools.shards`): a
run that is killed at any moment loses nothing that was acknowledged, and the next run continues it. Rows that are not
`ok` hold NaN on disk; the reader gives zeros and a mask.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field, fields, replace
from pathlib import Path

import h5py
import numpy as np

import mertools
from mertools.clip_rows import (
    HEAD,
    OK,
    STATUSES,
    Head,
    copy_rows,
    finished,
    heads_of,
    in_order,
    newest,
    pieces,
    read_texts,
    runs,
    write_heads,
    write_texts,
)
from mertools.errors import InputError
from mertools.shards import Shards, parts_of, replacing, shards_of

SCHEMA = 2
UTTERANCE, FRAME = "utterance", "frame"

# What two runs must agree on to write the same file: the features would not mean the same otherwise.
IDENTITY = ("feature", "modality", "encoder", "source", "revision", "recipe", "noise", "dtype", "compute_dtype")
UNSAID = {"compute_dtype": "float32"}
"""What files that were written before an attribute was, and lack it, are taken to say."""

UNDECIDED = ""
"""The compute dtype of a writer that has nothing to write yet: the file's, or what `compute_in` says."""

READ_BYTES = 1 << 22
"""How much of the vectors is checked at once: what fits the processor's cache."""


@dataclass(frozen=True)
class Provenance:
    """Where a feature comes from; it stands in the file's attributes.

    `recipe` is a canonical text of layers, pooling, frames and detector; `noise` the fingerprint of a noise recipe, ""
    for clean clips; `dtype` the type on disk (`float32` or `float16`), `compute_dtype` the one the encoder computed in
    (`float16` under autocast on CUDA, else `float32`). `columns` names the utterance vector's components,
    `frame_columns` those of frame outputs by output name (`frames` for the frames themselves).
    """

    feature: str
    modality: str
    encoder: str
    source: str
    revision: str
    recipe: str
    noise: str = ""
    dtype: str = "float32"
    compute_dtype: str = "float32"
    level: str = UTTERANCE
    columns: tuple[str, ...] = ()
    frame_columns: Mapping[str, tuple[str, ...]] = field(default_factory=dict)


@dataclass(frozen=True)
class Row(Head):
    """What an encoder made of one clip.

    `utterance` is (D,), `frames` (T, ..., D_f), `times` (T,) in seconds, and `outputs` further frame outputs of the
    same length by name; all None or empty unless `status` is `ok`. An `ok` row may carry a reason: a stream that broke
    half-way gives the features of what was decoded.
    """

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

        Raises InputError where the file or its unfinished shards come from another encoder, revision or recipe, where
        another process is writing the file, and where the folder cannot be written.
        """
        self.path = path
        self._shards = Shards(path)
        try:
            self.provenance = self._agree(provenance)
        except BaseException:
            self.close()
            raise

    def __enter__(self) -> FeatureWriter:
        return self

    def __exit__(self, *exception: object) -> None:
        self.close()

    def close(self) -> None:
        """Let others write the file. Unpacked shards stay and are found again."""
        self._shards.close()

    def compute_in(self, dtype: str) -> None:
        """Say what the rows to be appended are computed in, where the writer was opened `UNDECIDED`.

        Raises InputError where the file, or what is unfinished of it, was computed in another type.
        """
        self.provenance = self._agree(replace(self.provenance, compute_dtype=dtype))

    @property
    def level(self) -> str:
        """The level that appended rows must have."""
        return self.provenance.level

    def finished(self) -> dict[str, str]:
        """The media key of each clip that needs no new extraction: `ok` or `missing`. Failed clips are tried again."""
        return finished(row for source in self._sources() for row in read_heads(source))

    def superseded(self) -> list[str]:
        """Clips that the packed file holds and that packing drops unless they are appended: those without frames."""
        packed = self.path.exists() and self.level == FRAME and read_provenance(self.path).level == UTTERANCE
        return [row.name for row in read_heads(self.path)] if packed else []

    def append(self, rows: Sequence[Row]) -> None:
        """Write `rows` as one shard; they are safe on disk when this returns.

        Raises InputError, with the clip's name, for NaN or infinity in an `ok` row, and where the disk is full.
        """
        if not rows:
            return
        for row in rows:
            self._check(row)
        with self._shards.new() as file:
            _write_head(file, self.provenance, rows)
            _write_utterances(file, rows, self.provenance)
            if self.level == FRAME:
                _write_frames(file, rows, self.provenance)

    def pack(self, order: Sequence[str]) -> None:
        """Merge the file and its shards into one file, clips in `order` first, and remove the shards.

        The newest row of a clip counts. Clips that are not in `order` (of a manifest that has shrunk) keep their rows.

        Raises InputError where the disk is full; file and shards stay as they were.
        """
        if not self._shards.files():
            return
        sources = [_Source.read(path) for path in self._sources()]
        _write_merged(self.path, self.provenance, sources, newest([source.heads for source in sources]), order)
        self._shards.remove()

    def _sources(self) -> list[Path]:
        """The files whose rows count, oldest first."""
        if self.level == UTTERANCE:
            return self._shards.sources()
        # Rows without frames cannot stand in a file with frames: their clips are extracted again.
        return [source for source in self._shards.sources() if read_provenance(source).level == FRAME]

    def _agree(self, wanted: Provenance) -> Provenance:
        for source in self._shards.sources():
            found = read_provenance(source)
            if wanted.compute_dtype == UNDECIDED:
                wanted = replace(wanted, compute_dtype=found.compute_dtype)
            for part in IDENTITY:
                if getattr(found, part) != getattr(wanted, part):
                    raise InputError(
                        f"{source} was extracted with {part} {getattr(found, part)!r}, now asked for is "
                        f"{getattr(wanted, part)!r}. Extract into another folder (--out), or remove "
                        f"{self.path.name} and {self._shards.folder.name}."
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


def read_provenance(path: Path) -> Provenance:
    """The provenance of a feature file; raises InputError for a file that is none."""
    with _open(path) as file:
        columns = {name: tuple(read_texts(file, name)) for name in file if name.startswith("columns")}
        said = {**UNSAID, **file.attrs}
        return Provenance(
            **{part: str(said[part]) for part in (*IDENTITY, "level")},
            columns=columns.pop("columns", ()),
            frame_columns={name.removeprefix("columns_"): names for name, names in columns.items()},
        )


def read_heads(path: Path) -> list[Head]:
    """What became of each clip of a feature file.

    Raises InputError as `read_features` does.
    """
    with _open(path) as file:
        return heads_of(file)


def read_shapes(path: Path) -> dict[str, tuple[int, ...]]:
    """The shapes of a feature file's arrays by name; raises InputError as `read_features` does."""
    with _open(path) as file:
        return {name: file[name].shape for name in (UTTERANCE, *_frame_arrays(file))}


def find_faults(path: Path) -> list[str]:
    """What is wrong with a feature file, one sentence each; every row is read, a piece in memory at a time.

    Raises InputError for a file that cannot be opened as a feature file at all.
    """
    with _open(path) as file:
        try:
            return [*_head_faults(file), *_vector_faults(file), *_frame_faults(file)]
        except (OSError, KeyError, IndexError, ValueError) as error:
            return [f"the file is damaged: {error}"]


def _head_faults(file: h5py.File) -> Iterator[str]:
    names = read_texts(file, "names")
    for dataset in (*HEAD, UTTERANCE):
        if len(file[dataset]) != len(names):
            yield f"{dataset} has {len(file[dataset])} rows for {len(names)} clips"
    for name, count in Counter(names).items():
        if count > 1:
            yield f"clip {name!r} stands in {count} rows"
    for name, status in zip(names, read_texts(file, "status"), strict=False):
        if status not in STATUSES:
            yield f"clip {name!r} has the status {status!r}, which is none of {', '.join(STATUSES)}"


def _vector_faults(file: h5py.File) -> Iterator[str]:
    names, is_ok, vectors = read_texts(file, "names"), _is_ok(file), file[UTTERANCE]
    if "columns" in file and vectors.shape[1] not in (0, len(file["columns"])):
        yield f"the vectors have {vectors.shape[1]} components, of which {len(file['columns'])} are named"
    for begin, end in pieces(vectors, 0, len(vectors)):
        piece = vectors[begin:end]
        finite, empty = np.isfinite(piece).all(axis=1), np.isnan(piece).all(axis=1)
        for row in np.flatnonzero(is_ok[begin:end] & ~finite):
            yield f"clip {names[begin + row]!r} holds NaN or infinity in {UTTERANCE}"
        for row in np.flatnonzero(~is_ok[begin:end] & ~empty):
            yield f"clip {names[begin + row]!r} is not ok and has a vector all the same"


def _frame_faults(file: h5py.File) -> Iterator[str]:
    arrays = _frame_arrays(file)
    if "offsets" not in file:
        if arrays:
            yield f"{arrays[0]} has no offsets that say which frames belong to which clip"
        return
    names, is_ok, offsets = read_texts(file, "names"), _is_ok(file), file["offsets"][:]
    if len(offsets) != len(names) + 1 or offsets[0] != 0 or (offsets[1:] < offsets[:-1]).any():
        yield "the offsets of the frames do not rise from 0, one a clip"
        return
    lengths = np.diff(offsets)
    for row in np.flatnonzero((lengths > 0) != is_ok):
        yield f"clip {names[row]!r} is {'' if is_ok[row] else 'not '}ok and has {lengths[row]} frames"
    for array in arrays:
        if len(file[array]) != offsets[-1]:
            yield f"{array} has {len(file[array])} rows for {offsets[-1]} frames"
            continue
        bad: set[int] = set()
        for begin, end in pieces(file[array], 0, len(file[array])):
            piece = file[array][begin:end]
            finite = np.isfinite(piece).reshape(len(piece), -1).all(axis=1)
            bad.update(np.searchsorted(offsets, begin + np.flatnonzero(~finite), side="right") - 1)
        for row in sorted(bad):
            yield f"clip {names[row]!r} holds NaN or infinity in {array}"


def read_features(path: Path) -> Features:
    """The utterance level of a feature file, whole in memory: in float32, in the pages that cache the file already.

    Raises InputError for a file that is absent, unfinished, damaged or of another schema, and for NaN or infinity in a
    row that claims to be `ok`.
    """
    provenance = read_provenance(path)
    with _open(path) as file:
        names, status, reason = (tuple(read_texts(file, dataset)) for dataset in ("names", "status", "reason"))
        mask = _is_ok(file)
        utterance = _mapped(path, file[UTTERANCE], "c").astype(np.float32, copy=False)  # (N, D)
    bad = mask & ~_are_finite(utterance)
    if bad.any():
        raise InputError(
            f"{path}: clip {names[int(bad.argmax())]!r} holds NaN or infinity although its status is ok. "
            "The file is damaged; extract the feature again."
        )
    utterance[~mask] = 0
    return Features(provenance, names, status, reason, utterance, mask)


class FeatureReader:
    """The clips of a feature file by name, read when asked for; a context manager."""

    def __init__(self, path: Path) -> None:
        """Open the file at `path`; raises InputError as `read_features` does."""
        self.path = path
        self._stack = ExitStack()
        self._file = self._stack.enter_context(_open(path))
        self._texts = [read_texts(self._file, dataset) for dataset in HEAD]
        self._row_of_name = {name: row for row, name in enumerate(self._texts[0])}
        self._is_ok = _is_ok(self._file)
        self._vectors = _mapped(path, self._file[UTTERANCE])
        self._offsets = self._file["offsets"][:] if "offsets" in self._file else None

    def __enter__(self) -> FeatureReader:
        return self

    def __exit__(self, *exception: object) -> None:
        self.close()

    def close(self) -> None:
        self._stack.close()

    @property
    def names(self) -> Sequence[str]:
        """All clips, in the file's order."""
        return self._texts[0]

    @property
    def has_frames(self) -> bool:
        """Whether the file was written with level `frame`."""
        return self._offsets is not None

    @property
    def dim(self) -> int:
        """The length of an utterance vector; 0 where no clip is `ok`."""
        return self._vectors.shape[1]

    @property
    def frame_shape(self) -> tuple[int, ...]:
        """The shape of one frame; (0,) where the file has none."""
        return self._file["frames"].shape[1:] if "frames" in self._file else (0,)

    def vectors(self, names: Sequence[str]) -> tuple[np.ndarray, np.ndarray]:
        """The utterance vectors of `names`, (n, D) float32 with zeros where their mask (n,) is False: not `ok`.

        Raises InputError for a clip that the file does not have.
        """
        rows = np.array(list(map(self._row, names)), dtype=np.int64)
        vectors, mask = self._vectors[rows].astype(np.float32, copy=False), self._is_ok[rows]
        vectors[~mask] = 0
        return vectors, mask

    def __getitem__(self, name: str) -> Row:
        """The row of clip `name`, with frames where the file has them; without arrays where it is not `ok`.

        Raises InputError for a clip that the file does not have.
        """
        row = self._row(name)
        head = Row(*(texts[row] for texts in self._texts))
        if head.status != OK:
            return head
        head = replace(head, utterance=np.array(self._vectors[row]))
        if self._offsets is None:
            return head
        begin, end = self._offsets[row : row + 2]
        arrays = {key: self._file[key][begin:end] for key in _frame_arrays(self._file)}
        outputs = {key.removeprefix("frames_"): array for key, array in arrays.items() if key.startswith("frames_")}
        return replace(head, frames=arrays["frames"], times=arrays.get("times"), outputs=outputs)

    def _row(self, name: str) -> int:
        try:
            return self._row_of_name[name]
        except KeyError:
            raise InputError(f"{self.path} has no clip {name!r}.") from None


class FrameReader(FeatureReader):
    """The frames of a feature file by clip name; a context manager."""

    def __init__(self, path: Path) -> None:
        """Open the file at `path`; raises InputError as `read_features` does, and for a file without frames."""
        super().__init__(path)
        if not self.has_frames:
            self.close()
            raise InputError(f"{path} has no frames. Extract the feature with --level frame.")


def feature_names(folder: Path) -> list[str]:
    """The features that have a packed file in `folder`, sorted."""
    return sorted(path.stem for path in folder.glob("*.h5") if path.is_file())


def merge(paths: Sequence[Path], target: Path, order: Sequence[str] = ()) -> None:
    """Pack complete feature files, as several machines write them, into one at `target`, clips in `order` first.

    The files must have one provenance. Of a clip that several of them hold, the row that is `ok` counts, else the one
    that is `missing`; among equals that of the file named first. The files stay; `target` appears whole or not at all.

    Raises InputError for files of different provenance, level or shape, with both values; for a clip extracted from
    different media; for unfinished files; for a `target` that exists and is none of the files; and for a full disk.
    """
    paths = list(dict.fromkeys(paths))
    provenance = read_provenance(paths[0])
    for path in paths:
        _refuse_difference(paths[0], provenance, path, read_provenance(path))
        if shards_of(path):
            raise InputError(
                f"{path} is unfinished: {parts_of(path)} holds more of it. Run its extract.py command again."
            )
    if target.exists() and not any(target.samefile(path) for path in paths):
        raise InputError(f"{target} exists already. Name it among the files to merge, or give another --out.")
    sources = [_Source.read(path) for path in paths]
    with FeatureWriter(target, provenance):
        if shards_of(target):
            raise InputError(
                f"{parts_of(target)} holds an unfinished extraction. Finish it first, or give another --out."
            )
        _write_merged(target, provenance, sources, _best(sources), order)


def _refuse_difference(first: Path, wanted: Provenance, path: Path, found: Provenance) -> None:
    for part in fields(Provenance):
        values = getattr(wanted, part.name), getattr(found, part.name)
        if values[0] != values[1]:
            raise InputError(
                f"{first} and {path} do not belong together: {part.name} is {values[0]!r} in the first and "
                f"{values[1]!r} in the second. Extract one of them again, or leave it out."
            )


def _best(sources: Sequence[_Source]) -> dict[str, tuple[int, int]]:
    """Which row (source, place) of each clip counts in a merge."""
    chosen: dict[str, tuple[int, int]] = {}
    for number, source in enumerate(sources):
        for place, row in enumerate(source.heads):
            if row.name not in chosen:
                chosen[row.name] = (number, place)
                continue
            other = sources[chosen[row.name][0]]
            earlier = other.heads[chosen[row.name][1]]
            if earlier.status == row.status == OK and earlier.media_key != row.media_key:
                raise InputError(
                    f"{other.path} and {source.path} hold clip {row.name!r} of different media. "
                    "Extract it again in one of them, from the right file."
                )
            if STATUSES.index(row.status) < STATUSES.index(earlier.status):
                chosen[row.name] = (number, place)
    return chosen


def _write_merged(
    target: Path,
    provenance: Provenance,
    sources: Sequence[_Source],
    chosen: Mapping[str, tuple[int, int]],
    order: Sequence[str],
) -> None:
    """Write the `chosen` rows (source, place) by clip into one file, clips in `order` first."""
    _refuse_shapes(sources)
    places = in_order(chosen, order)
    with replacing(target) as file:
        _write_head(file, provenance, [sources[number].heads[row] for number, row in places])
        _copy_arrays(file, provenance, sources, places)


def _refuse_shapes(sources: Sequence[_Source]) -> None:
    # A shard in which no clip was ok knows no shapes.
    known = [(source.path, source.shapes) for source in sources if source.dim]
    for path, shapes in known[1:]:
        if shapes != known[0][1]:
            raise InputError(f"{known[0][0]} holds {known[0][1]} a clip and {path} {shapes}: they cannot be one file.")


def _copy_arrays(file: h5py.File, provenance: Provenance, sources: Sequence[_Source], places: np.ndarray) -> None:
    """Gather the rows at `places` (N, 2: source, row) into `file`, one source open at a time and a piece in memory."""
    dim = max((source.dim for source in sources), default=0)
    utterance = file.create_dataset(UTTERANCE, (len(places), dim), provenance.dtype, fillvalue=np.nan)
    frame_arrays, offsets = {}, np.zeros(len(places) + 1, dtype=np.int64)
    if provenance.level == FRAME:
        lengths = [sources[number].offsets[row + 1] - sources[number].offsets[row] for number, row in places]
        offsets[1:] = np.cumsum(lengths)
        file.create_dataset("offsets", data=offsets)
        for name, (shape, dtype) in {k: v for source in sources for k, v in source.frame_arrays.items()}.items():
            frame_arrays[name] = file.create_dataset(name, (int(offsets[-1]), *shape), dtype)
    for number, source in enumerate(sources):
        with h5py.File(source.path) as opened:
            for row, begin, end in runs(places, number):
                if source.dim:
                    copy_rows(opened[UTTERANCE], row, utterance, begin, end)
                if offsets[end] > offsets[begin]:
                    for name, target in frame_arrays.items():
                        copy_rows(opened[name], source.offsets[row], target, offsets[begin], offsets[end])


@contextmanager
def _open(path: Path) -> Iterator[h5py.File]:
    parts = parts_of(path)
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


def _write_head(file: h5py.File, provenance: Provenance, rows: Sequence[Head]) -> None:
    file.attrs.update({"schema": SCHEMA, "code": mertools.__version__, "level": provenance.level})
    file.attrs.update({part: getattr(provenance, part) for part in IDENTITY})
    if provenance.columns:
        write_texts(file, "columns", provenance.columns)
    for output, columns in provenance.frame_columns.items():
        if provenance.level == FRAME:
            write_texts(file, f"columns_{output}", columns)
    write_heads(file, rows)


def _is_ok(file: h5py.File) -> np.ndarray:
    """Which rows are `ok`, (N,) bool."""
    is_ok = np.array([value == OK.encode() for value in file["status_values"][:].tolist()], dtype=bool)
    return is_ok[file["status"][:]]


def _mapped(path: Path, dataset: h5py.Dataset, mode: str = "r") -> np.ndarray:
    """`dataset` as a memory-mapped array, far faster than through HDF5: it lies in the file in one piece.

    With mode `c` it may be written; what is written stays in memory.
    """
    if not dataset.size:
        return np.empty(dataset.shape, dataset.dtype)
    return np.asarray(np.memmap(path, dataset.dtype, mode, dataset.id.get_offset(), dataset.shape))


def _are_finite(vectors: np.ndarray) -> np.ndarray:
    """Which rows of `vectors` (N, D) hold neither NaN nor infinity, (N,) bool."""
    ones, finite = np.ones(vectors.shape[1], np.float32), np.ones(len(vectors), dtype=bool)
    step = max(1, READ_BYTES // max(vectors[:1].nbytes, 1))
    # A sum is finite only if all its terms are, and as a product it takes a third of the time; the few rows whose sum
    # overflows are looked at one by one.
    with np.errstate(over="ignore", invalid="ignore"):
        for begin in range(0, len(vectors), step):
            finite[begin : begin + step] = np.isfinite(vectors[begin : begin + step] @ ones)
    doubtful = np.flatnonzero(~finite)
    finite[doubtful] = np.isfinite(vectors[doubtful]).all(axis=1)
    return finite


@dataclass(frozen=True)
class _Source:
    """A packed file or shard about to be merged: everything but its large arrays."""

    path: Path
    heads: tuple[Head, ...]
    dim: int
    offsets: np.ndarray
    frame_arrays: Mapping[str, tuple[tuple[int, ...], np.dtype]]

    @property
    def shapes(self) -> dict[str, tuple[int, ...]]:
        """The shape of a vector and of one frame of each frame array."""
        return {UTTERANCE: (self.dim,), **{name: shape for name, (shape, _) in self.frame_arrays.items()}}

    @classmethod
    def read(cls, path: Path) -> _Source:
        with h5py.File(path) as file:
            heads = tuple(heads_of(file))
            frame_arrays = {name: (file[name].shape[1:], file[name].dtype) for name in _frame_arrays(file)}
            offsets = file["offsets"][:] if "offsets" in file else np.zeros(len(heads) + 1, dtype=np.int64)
            return cls(path, heads, file[UTTERANCE].shape[1], offsets, frame_arrays)


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
