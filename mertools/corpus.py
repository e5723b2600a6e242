"""manifest.csv <-> Corpus, and the folds of cross-validation."""

from __future__ import annotations

import ast
import csv
import functools
import hashlib
import io
import json
from collections import Counter
from collections.abc import Collection, Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np

from mertools.clip import Clip
from mertools.errors import InputError
from mertools.randomness import generator, seed_for
from mertools.whole_files import whole_file

PATH_COLUMNS = ("video", "audio", "faces")
SUBTITLE_COLUMNS = ("subtitle", "subtitle_english")
MEDIUM_COLUMNS = PATH_COLUMNS + SUBTITLE_COLUMNS
COLUMNS = (
    "name",
    "video",
    "audio",
    "faces",
    "faces_order",
    "subtitle",
    "subtitle_english",
    "subtitle_source",
    "split",
    "label",
    "open_labels",
    "speaker",
)
NOTICE_COLUMN = "notice"

TRAIN = "train"
UNLABELLED = "test"
"""The split of clips without a label in a manifest without a `split` column."""


@dataclass(frozen=True)
class Corpus:
    """The clips of one manifest, in its order.

    `notice` is a sentence about the corpus that stands wherever its numbers are shown (the manifest's column `notice`):
    the generated demo corpus says there that it is generated.
    """

    manifest: Path
    clips: tuple[Clip, ...]
    notice: str = ""

    @property
    def train(self) -> tuple[Clip, ...]:
        """The clips that may be trained on: those of split `train`."""
        return tuple(clip for clip in self.clips if clip.split == TRAIN)

    @property
    def others(self) -> tuple[Clip, ...]:
        """The clips that are predicted and never trained on: those of every other split."""
        return tuple(clip for clip in self.clips if clip.split != TRAIN)

    def with_candidates(self, names: Collection[str]) -> Corpus:
        """The clips to train on, and of the others those of `names`."""
        return replace(self, clips=tuple(clip for clip in self.clips if clip.split == TRAIN or clip.name in names))

    @property
    def splits(self) -> tuple[str, ...]:
        """The splits, `train` first, the others in the manifest's order."""
        found = dict.fromkeys(clip.split for clip in self.clips)
        return tuple(sorted(found, key=lambda split: split != TRAIN))

    @property
    def fingerprint(self) -> str:
        """A digest of names, splits, labels, speakers and subtitles, whatever the order of the rows."""
        rows = sorted(
            (clip.name, clip.split, clip.label, clip.speaker, clip.subtitle, clip.subtitle_english)
            for clip in self.clips
        )
        return hashlib.sha256(json.dumps(rows, ensure_ascii=False).encode()).hexdigest()[:16]


def read_manifest(path: Path, media_root: Path | None = None) -> Corpus:
    """Read `manifest.csv` (UTF-8, one row a clip; the columns are those of COLUMNS, others pass through).

    Paths are relative to `media_root`, by default the manifest's folder, and stay inside it. Files need not exist yet:
    a clip whose file is absent fails alone, when it is decoded. Without a column `split`, clips with a label are of
    split `train`, the others of split `test`.

    Raises InputError, with row and column (the header is row 1), for an unreadable or empty file, another encoding, a
    missing column, a name that is empty, used twice or not usable as a file name, a row without any medium, a path
    that leaves the folder, and a cell with a value it cannot have.
    """
    header, rows = _read_rows(path)
    _check_header(path, header)
    root = (path.parent if media_root is None else media_root).resolve()
    has_splits = "split" in header
    clips, row_of_name = [], {}
    for number, cells in rows:
        clip = _clip(_Row(path, number, cells), root, has_splits)
        if clip.name in row_of_name:
            raise InputError(
                f"{path}, row {number}, column 'name': {clip.name!r} stands in row {row_of_name[clip.name]} already; "
                "names are unique."
            )
        row_of_name[clip.name] = number
        clips.append(clip)
    if not clips:
        raise InputError(f"{path} has a header but no clips.")
    notices = dict.fromkeys(filter(None, (clip.columns.get(NOTICE_COLUMN, "") for clip in clips)))
    return Corpus(path, tuple(clips), " ".join(notices))


def write_manifest(path: Path, clips: Sequence[Clip], media_root: Path | None = None) -> None:
    """Write `clips` as a manifest, atomically; their paths become relative to `media_root`.

    `media_root` is by default the manifest's folder; with another one the manifest must be read with it too. Columns
    that are empty for every clip are left out; `Clip.columns` follow the known ones.

    Raises InputError for a path outside that folder, and for a name that cannot be a file name.
    """
    root = (path.parent if media_root is None else media_root).resolve()
    rows = [_cells(clip, root) for clip in clips]
    further = dict.fromkeys(column for clip in clips for column in clip.columns)
    columns = ["name", *(c for c in COLUMNS[1:] if any(row[c] for row in rows)), *further]
    with whole_file(path) as file:
        writer = csv.DictWriter(file, columns, restval="", extrasaction="ignore", lineterminator="\n")
        writer.writeheader()
        writer.writerows(rows)


def stratified_folds(clips: Sequence[Clip], count: int, seed: int, group: str | None = None) -> np.ndarray:
    """The fold of each clip, (N,) integers in 0..count-1: seeded, stratified by label, whatever the order of the clips.

    `group` names a column of the manifest (`speaker`) whose values each stay within one fold.

    Raises InputError for fewer than two folds, a class with fewer clips than folds, and for groups that are absent or
    fewer than the folds.
    """
    from sklearn.model_selection import StratifiedGroupKFold, StratifiedKFold

    _check_count(count)
    counts = Counter(clip.label for clip in clips)
    rarest = min(counts, key=lambda label: (counts[label], label))
    if counts[rarest] == 1:
        raise InputError(f"Class {rarest!r} has a single training clip; cross-validation needs two of each class.")
    if counts[rarest] < count:
        raise InputError(
            f"Class {rarest!r} has {counts[rarest]} training clips, fewer than the {count} folds. "
            f"Use fewer folds (--folds {counts[rarest]}) or leave the class out."
        )
    order = sorted(range(len(clips)), key=lambda i: clips[i].name)
    labels = [clips[i].label for i in order]
    # scikit-learn takes 32-bit seeds.
    random_state = seed_for(seed, "folds") % 2**32
    if group is None:
        splitter, groups = StratifiedKFold(count, shuffle=True, random_state=random_state), None
    else:
        groups = [group_of(clips[i], group, "--group") for i in order]
        if len(set(groups)) < count:
            raise InputError(
                f"--group {group}: {len(set(groups))} groups cannot fill {count} folds; use fewer --folds."
            )
        splitter = StratifiedGroupKFold(count, shuffle=True, random_state=random_state)
    folds = np.empty(len(clips), dtype=np.int64)
    for fold, (_, held_out) in enumerate(splitter.split(np.zeros(len(order)), labels, groups)):
        folds[[order[i] for i in held_out]] = fold
    return folds


def shuffled_folds(clips: Sequence[Clip], count: int, seed: int) -> np.ndarray:
    """The fold of each clip, (N,), as in the challenge's released code: shuffled, whatever the classes.

    Each fold has N // count clips, the last one the rest too. Raises InputError for fewer than two folds, and for fewer
    clips than folds.
    """
    _check_count(count)
    if len(clips) < count:
        raise InputError(f"{len(clips)} training clips cannot fill {count} folds. Use fewer folds.")
    order = generator(seed, "folds").permutation(sorted(range(len(clips)), key=lambda i: clips[i].name))
    folds = np.empty(len(clips), dtype=np.int64)
    folds[order] = np.minimum(np.arange(len(clips)) // (len(clips) // count), count - 1)
    return folds


def _check_count(count: int) -> None:
    if count < 2:
        raise InputError(f"--folds {count}: cross-validation needs two folds or more.")


def group_of(clip: Clip, column: str, option: str) -> str:
    """What `clip` has in `column` of the manifest; raises InputError, which names the `option`, where that is empty."""
    value = clip.speaker if column == "speaker" else clip.columns.get(column, "")
    if not value:
        raise InputError(f"{option} {column}: clip {clip.name!r} has no value in column {column!r} of the manifest.")
    return value


@dataclass(frozen=True)
class _Row:
    """One row of a manifest under reading; errors it makes name row and column."""

    path: Path
    number: int
    cells: dict[str, str]

    def get(self, column: str) -> str:
        return self.cells.get(column, "").strip()

    def error(self, column: str, message: str) -> InputError:
        return InputError(f"{self.path}, row {self.number}, column {column!r}: {message}")

    def file_name(self, column: str) -> str:
        """A cell that becomes part of file names."""
        value = self.get(column)
        if not value:
            raise self.error(column, "is empty.")
        if fault := _file_name_fault(value):
            raise self.error(column, f"{value!r} {fault}; it becomes part of file names.")
        return value

    def choice(self, column: str, allowed: Sequence[str]) -> str:
        value = self.get(column)
        if value not in allowed:
            wanted = " or ".join(repr(choice) for choice in allowed if choice)
            raise self.error(column, f"got {value!r}, wanted {wanted}.")
        return value


def _file_name_fault(value: str) -> str:
    """Why `value` cannot be part of file names; "" where it can."""
    bad = sorted({c for c in value if c in "/\\" or not c.isprintable()})
    if bad:
        return f"contains {', '.join(map(repr, bad))}"
    return "is not a file name" if value in ("", ".", "..") else ""


def _read_rows(path: Path) -> tuple[list[str], Iterator[tuple[int, dict[str, str]]]]:
    try:
        content = path.read_bytes()
    except FileNotFoundError:
        raise InputError(f"There is no manifest {path}. Name one with --data.") from None
    except OSError as error:
        raise InputError(f"The manifest {path} cannot be read: {error.strerror}.") from None
    try:
        text = content.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        row = content[: error.start].count(b"\n") + 1
        raise InputError(
            f"{path}, row {row}: byte 0x{content[error.start]:02x} is not UTF-8. Save the manifest as UTF-8 "
            "(a spreadsheet calls it 'CSV UTF-8')."
        ) from None
    if "\0" in text:
        raise InputError(f"{path} holds NUL characters: not a CSV file in UTF-8.")
    reader = csv.reader(io.StringIO(text, newline=""), strict=True)
    try:
        header = [column.strip() for column in next(reader, [])]
    except csv.Error as error:
        raise InputError(f"{path}, row 1: {error}.") from None
    return header, _cells_by_column(path, header, reader)


def _cells_by_column(
    path: Path, header: list[str], reader: Iterable[list[str]]
) -> Iterator[tuple[int, dict[str, str]]]:
    number = 1
    try:
        for number, cells in enumerate(reader, start=2):
            if not cells:
                continue
            if len(cells) != len(header):
                raise InputError(
                    f"{path}, row {number}: {len(cells)} cells where the header has {len(header)}; "
                    "a cell that contains a comma stands in double quotes."
                )
            yield number, dict(zip(header, cells, strict=True))
    except csv.Error as error:
        raise InputError(f"{path}, row {number + 1}: {error}.") from None


def _check_header(path: Path, header: list[str]) -> None:
    if not any(header):
        raise InputError(f"{path} is empty. A manifest begins with a header: name,video,subtitle,split,label.")
    repeated = sorted(column for column, count in Counter(header).items() if count > 1)
    if repeated:
        raise InputError(f"{path}, row 1: column {repeated[0]!r} appears more than once.")
    if "name" not in header:
        raise InputError(f"{path}, row 1: column 'name' is missing; got {', '.join(header)}.")
    if not any(column in header for column in MEDIUM_COLUMNS):
        raise InputError(
            f"{path}, row 1: no column names a medium; wanted one of {', '.join(MEDIUM_COLUMNS)}, "
            f"got {', '.join(header)}."
        )


def _clip(row: _Row, root: Path, has_splits: bool) -> Clip:
    name = row.file_name("name")
    if not any(row.get(column) for column in MEDIUM_COLUMNS):
        raise row.error("name", f"clip {name!r} has no medium: {', '.join(MEDIUM_COLUMNS)} are all empty.")
    label = row.get("label")
    split = row.file_name("split") if has_splits else TRAIN if label else UNLABELLED
    return Clip(
        name=name,
        **{column: _path(row, column, root) for column in PATH_COLUMNS},
        faces_order=row.choice("faces_order", ("", "rgb", "bgr")) or "rgb",
        subtitle=row.get("subtitle"),
        subtitle_english=row.get("subtitle_english"),
        subtitle_source=row.choice("subtitle_source", ("", "checked", "asr")),
        split=split,
        label=label,
        open_labels=_open_labels(row),
        speaker=row.get("speaker"),
        columns={column: value for column, value in row.cells.items() if column not in COLUMNS},
    )


def _path(row: _Row, column: str, root: Path) -> Path | None:
    value = row.get(column)
    if not value:
        return None
    path = root / value
    resolved = _resolved(path)
    if path.name in ("", "..") or not resolved.is_relative_to(root):
        raise row.error(
            column,
            f"{value!r} leaves the folder {root}. Paths are relative to the manifest and stay inside its folder; "
            "for media elsewhere give their folder with --media-root.",
        )
    return path


def _resolved(path: Path) -> Path:
    return path.resolve() if path.is_symlink() else _resolved_folder(path.parent) / path.name


@functools.lru_cache(maxsize=65536)
def _resolved_folder(folder: Path) -> Path:
    # A corpus has few folders and 115,595 clips: resolving each path anew would cost minutes on a network disk.
    return folder.resolve()


def _open_labels(row: _Row) -> tuple[str, ...]:
    value = row.get("open_labels")
    if not value:
        return ()
    try:
        labels = ast.literal_eval(value)
    except (ValueError, SyntaxError):
        labels = None
    if not isinstance(labels, list) or not all(isinstance(label, str) for label in labels):
        raise row.error("open_labels", f"got {value!r}, wanted the challenge's notation: ['happy', 'relieved'].")
    return tuple(labels)


def _cells(clip: Clip, root: Path) -> dict[str, str]:
    if fault := _file_name_fault(clip.name):
        raise InputError(f"Clip {clip.name!r}: the name {fault}; it becomes part of file names.")
    cells = {column: str(getattr(clip, column) or "") for column in COLUMNS}
    for column in PATH_COLUMNS:
        path = getattr(clip, column)
        if path is not None:
            resolved = _resolved(path)
            if not resolved.is_relative_to(root):
                raise InputError(f"Clip {clip.name!r}: {column} {str(path)!r} lies outside the folder {root}.")
            cells[column] = resolved.relative_to(root).as_posix()
    cells["open_labels"] = str(list(clip.open_labels)) if clip.open_labels else ""
    cells["faces_order"] = clip.faces_order if clip.faces else ""
    return {**cells, **clip.columns}
