"""A released corpus on disk -> clips: which files belong to which clip, by the layout that a table describes.

Nothing is copied, and no medium is opened: a release of 130,000 clips is read in seconds. Pieces that are not there are
told with what was looked for, so that a half-finished download is noticed here.
"""

from __future__ import annotations

import csv
import os
from collections.abc import Callable, Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import TypeVar

from mertools.clip import Clip
from mertools.corpus import TRAIN
from mertools.emotions import MER2024, LabelSet
from mertools.errors import InputError

T = TypeVar("T")

VIDEO_SUFFIXES = frozenset({".mp4", ".avi", ".mkv", ".mov", ".webm", ".flv", ".wmv", ".m4v", ".mpg", ".mpeg"})
AUDIO_SUFFIXES = frozenset({".wav", ".flac", ".mp3", ".m4a", ".ogg"})

CANDIDATES = "candidates"
"""The split of clips on the list of those to predict whose truth is not published."""
UNLABELLED = "unlabelled"
"""The split of all other clips without a label."""
OPEN = "open"
"""The split of clips that have open-vocabulary labels and no class: nothing for a classifier to train on."""

RELEASE_COLUMN = "release"
"""The manifest's column that says which release a clip is from, for the rules that hold for it."""


@dataclass(frozen=True)
class Subtitles:
    """A table of subtitles by clip.

    `columns` gives the table's column for each field of Clip. `source` says who wrote the texts, `checked` by people or
    `asr`; `merged` means checked for the training clips and recognised for the others; "" where it is not known.
    """

    file: str
    columns: Mapping[str, str]
    source: str = ""


@dataclass(frozen=True)
class Release:
    """The layout of one released corpus. Paths are relative to any of `folders`, which lie in the folder given.

    `videos` are folders of clips and the split that a folder stands for, "" where it stands for none. `labels` are the
    tables (`name`, `discrete`) of each split, the first that is there; `optional_labels` are those that were published
    later. `open_labels` (`name`, `openset`), `subtitles` and `videos` are in the order in which they are believed.
    """

    name: str
    videos: Mapping[str, str]
    labels: Mapping[str, tuple[str, ...]]
    optional_labels: Mapping[str, tuple[str, ...]] = field(default_factory=dict)
    subtitles: tuple[Subtitles, ...] = ()
    candidates: tuple[str, ...] = ()
    open_labels: tuple[str, ...] = ()
    audios: tuple[str, ...] = ("audio",)
    faces: tuple[str, ...] = ("openface_face", "features/openface_face")
    faces_order: str = "bgr"
    classes: LabelSet = MER2024

    @property
    def folders(self) -> tuple[str, ...]:
        """The folder given itself, and the names that the releases and their processed copies go by."""
        return ".", f"{self.name}-dataset", f"{self.name}-dataset-process"


@dataclass(frozen=True)
class Piece:
    """A part of a release: the files that were found, and what they hold; or what was looked for in vain."""

    what: str
    found: tuple[Path, ...]
    count: int
    looked_for: tuple[str, ...]


@dataclass(frozen=True)
class Imported:
    """The clips of a release, its pieces, and the names in its tables that have neither medium nor subtitle."""

    clips: tuple[Clip, ...]
    pieces: tuple[Piece, ...]
    without_media: tuple[str, ...]


def read_release(release: Release, folder: Path) -> Imported:
    """The clips that `release` has in `folder`, those in its tables first, in the tables' order, then by name.

    Raises InputError for a folder that is absent or holds no media of the release, a table that cannot be read or
    lacks a column, a name with two different entries in a table, and a label that is no class.
    """
    if not folder.is_dir():
        raise InputError(f"There is no folder {folder}. Name the one that {release.name} was unpacked in.")
    tree = _Tree(folder.resolve(), release)
    videos, split_of_folder = tree.videos()
    audios = tree.media("audio files", release.audios, AUDIO_SUFFIXES)
    faces = tree.faces()
    if not (videos or audios or faces):
        looked = ", ".join((*release.videos, *release.audios, *release.faces))
        raise InputError(
            f"{folder} holds no media of {release.name}: looked for the folders {looked} in it"
            f"{''.join(f', in {name}' for name in release.folders[1:])}."
        )
    entries = tree.labels()
    subtitles = tree.subtitles(train=[name for name, (split, _) in entries.items() if split == TRAIN])
    open_labels = tree.open_labels()
    candidates = tree.candidates()

    named = dict.fromkeys((*entries, *open_labels, *candidates))
    clips, without_media = [], []
    for name in [*named, *sorted({*videos, *audios, *faces} - named.keys())]:
        media = {"video": videos.get(name), "audio": audios.get(name), "faces": faces.get(name)}
        texts = subtitles.get(name, {})
        if not any(media.values()) and not texts:
            without_media.append(name)
            continue
        split, facts = entries.get(name, ("", {}))
        unlabelled = OPEN if name in open_labels else CANDIDATES if name in candidates else UNLABELLED
        clips.append(
            Clip(
                name=name,
                **media,
                faces_order=release.faces_order if media["faces"] else "rgb",
                **texts,
                split=split or split_of_folder.get(name, "") or unlabelled,
                label=facts.get("label", ""),
                open_labels=open_labels.get(name, ()),
                columns={RELEASE_COLUMN: release.name}
                | ({"valence": facts["valence"]} if facts.get("valence") else {}),
            )
        )
    return Imported(tuple(clips), tuple(tree.pieces), tuple(without_media))


class _Tree:
    """The folders of a release on disk; notes in `pieces` what is found and what is not."""

    def __init__(self, root: Path, release: Release) -> None:
        self.release = release
        self.roots = [root / name for name in release.folders if (root / name).is_dir()]
        self.pieces: list[Piece] = []

    def existing(self, paths: Iterable[str]) -> Iterator[tuple[str, Path]]:
        """Those of the relative `paths` that are there, wherever they lie."""
        return ((path, root / path) for path in paths for root in self.roots if (root / path).exists())

    def note(self, what: str, found: Iterable[Path], count: int, looked_for: Iterable[str]) -> None:
        self.pieces.append(Piece(what, tuple(found), count, tuple(looked_for)))

    def videos(self) -> tuple[dict[str, Path], dict[str, str]]:
        """The video of each clip, and the split that its folder stands for."""
        found = self.media("videos", self.release.videos, VIDEO_SUFFIXES)
        split_of = {root / path: split for path, split in self.release.videos.items() if split for root in self.roots}
        return found, {name: split_of[video.parent] for name, video in found.items() if video.parent in split_of}

    def media(self, what: str, folders: Collection[str], suffixes: Collection[str]) -> dict[str, Path]:
        """The files of each clip, by name without suffix; an earlier folder's counts before a later one's."""
        found: dict[str, Path] = {}
        there = [path for _, path in self.existing(folders) if path.is_dir()]
        for folder in there:
            with os.scandir(folder) as entries:
                names = sorted(entry.name for entry in entries)
            for file in (folder / name for name in names if not name.startswith(".")):
                if file.suffix.lower() in suffixes:
                    found.setdefault(file.stem, file)
        self.note(what, there, len(found), folders)
        return found

    def faces(self) -> dict[str, Path]:
        """The face crops of each clip: NAME/NAME.npy."""
        found: dict[str, Path] = {}
        there = [path for _, path in self.existing(self.release.faces) if path.is_dir()]
        for folder in there:
            with os.scandir(folder) as entries:
                names = sorted(entry.name for entry in entries if entry.is_dir())
            for name in names:
                crops = folder / name / f"{name}.npy"
                if name not in found and crops.is_file():
                    found[name] = crops
        self.note("face crops", there, len(found), (f"{path}/NAME/NAME.npy" for path in self.release.faces))
        return found

    def labels(self) -> dict[str, tuple[str, dict[str, str]]]:
        """Split, class and, where the table has it, valence of each labelled clip."""
        entries: dict[str, tuple[str, dict[str, str]]] = {}
        for split, files in {**self.release.labels, **self.release.optional_labels}.items():
            path = next((path for _, path in self.existing(files)), None)
            rows = self._labelled(path) if path else {}
            self.note(f"labels of {split}", [path] if path else [], len(rows), files)
            for name, facts in rows.items():
                entries.setdefault(name, (split, facts))
        return entries

    def _labelled(self, path: Path) -> dict[str, dict[str, str]]:
        def facts(number: int, row: Mapping[str, str]) -> dict[str, str]:
            try:
                label = self.release.classes.canonical(row["discrete"])
            except InputError:
                raise InputError(
                    f"{path}, row {number}: {row['discrete']!r} is none of {', '.join(self.release.classes.names)}."
                ) from None
            return {"label": label, "valence": row.get("valence", "")}

        return _by_name(path, ("discrete",), facts)

    def subtitles(self, train: Collection[str]) -> dict[str, dict[str, str]]:
        """The subtitle fields of each clip that has any; an earlier table's count before a later one's."""
        trained, texts = frozenset(train), {}
        tables, looked_for = [], []
        for table in self.release.subtitles:
            looked_for.append(table.file)
            for _, path in self.existing([table.file]):
                tables.append(path)
                rows = _by_name(path, tuple(table.columns.values()), lambda _, row: row)
                for name, row in rows.items():
                    fields = {field: row[column] for field, column in table.columns.items() if row[column]}
                    if fields and name not in texts:
                        merged = "checked" if name in trained else "asr"
                        source = merged if table.source == "merged" else table.source
                        texts[name] = fields | {"subtitle_source": source}
        self.note("subtitles", tables, len(texts), looked_for)
        return texts

    def open_labels(self) -> dict[str, tuple[str, ...]]:
        """The open-vocabulary labels of each clip that has any."""
        labels: dict[str, tuple[str, ...]] = {}
        tables = [path for _, path in self.existing(self.release.open_labels)]
        for path in tables:
            rows = _by_name(path, ("openset",), lambda _, row: parse_open_labels(row["openset"]))
            labels = rows | labels
        if self.release.open_labels:
            self.note("open-vocabulary labels", tables, len(labels), self.release.open_labels)
        return labels

    def candidates(self) -> Collection[str]:
        """The clips to predict, in the list's order."""
        tables = [path for _, path in self.existing(self.release.candidates)][:1]
        names = {name: None for path in tables for name in _by_name(path, (), lambda _, row: None)}
        if self.release.candidates:
            self.note("candidates", tables, len(names), self.release.candidates)
        return names


def parse_open_labels(text: str) -> tuple[str, ...]:
    """The labels of a cell such as `['happy', 'relieved']` or `[happy, relieved]`."""
    bare = text.strip().removeprefix("[").removesuffix("]").replace(",", ",")
    return tuple(filter(None, (label.strip().strip("'\"").strip() for label in bare.split(","))))


def _by_name(path: Path, columns: Sequence[str], value: Callable[[int, Mapping[str, str]], T]) -> dict[str, T]:
    """`value` of row number and cells of each clip in a table with a column `name` and `columns`."""
    entries: dict[str, T] = {}
    try:
        with path.open(encoding="utf-8-sig", newline="") as file:
            reader = csv.DictReader(file, restval="")
            header = [column.strip() for column in reader.fieldnames or []]
            lacking = [column for column in ("name", *columns) if column not in header]
            if lacking:
                got = ", ".join(header) or "nothing"
                raise InputError(f"{path} has no column {lacking[0]!r}: got {got}.")
            reader.fieldnames = header
            for number, cells in enumerate(reader, start=2):
                row = {column: (cells[column] or "").strip() for column in header}
                if not row["name"]:
                    continue
                entry = value(number, row)
                if entries.setdefault(row["name"], entry) != entry:
                    raise InputError(f"{path}, row {number}: {row['name']!r} has another entry above.")
    except UnicodeDecodeError as error:
        raise InputError(
            f"{path} is not UTF-8 (byte 0x{error.object[error.start]:02x}). Save it as UTF-8 and import again."
        ) from None
    except (OSError, csv.Error) as error:
        raise InputError(f"{path} cannot be read: {error}.") from None
    return entries
