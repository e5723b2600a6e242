"""What the commands share that score open-vocabulary labels: true labels, files of predictions, groupings."""

from __future__ import annotations

import argparse
from collections.abc import Collection, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from mertools.errors import InputError

if TYPE_CHECKING:
    from mertools.clip import Clip
    from mertools.corpus import Corpus
    from mertools.ov.scoring import System
    from mertools.ov.wheel import Wheels

LABELS_FILE = "labels"
"""The stem of a run's file of labels, which names no system: its folder does."""


def add_predicted_option(parser: argparse.ArgumentParser) -> None:
    """`--predicted` and `--allow-missing`."""
    parser.add_argument(
        "--predicted",
        nargs="+",
        required=True,
        metavar="[NAME=]CSV",
        help="files of labels, side by side; NAME=a.csv,b.csv are runs of one system: their mean and deviation",
    )
    parser.add_argument(
        "--allow-missing", action="store_true", help="clips that a file lacks count as clips without labels"
    )


def add_wheel_options(parser: argparse.ArgumentParser) -> None:
    """`--wheel` and `--year`."""
    parser.add_argument(
        "--wheel",
        type=Path,
        metavar="PATH",
        help="the organisers' emotion wheels: the folder of MER2025's tables, or MER2026's wheel_mapping.npz",
    )
    parser.add_argument("--year", choices=("2025", "2026"), help="whose wheel score: levels 1 and 2, or level 1 alone")


def read_systems(
    arguments: Sequence[str], clips: Collection[str], listed: Collection[str], allow_missing: bool
) -> list[System]:
    """The systems that `--predicted` names, each with labels for `clips`, which are some of those `listed`.

    Raises InputError for a name that stands twice, and for a file that cannot be read or lacks clips.
    """
    systems = [_system(argument, clips, listed, allow_missing) for argument in arguments]
    names = [system.name for system in systems]
    if repeated := [name for name in names if names.count(name) > 1]:
        raise InputError(f"Two systems are called {repeated[0]!r}. Name them: --predicted NAME=CSV NAME=CSV.")
    return systems


def chosen_clips(corpus: Corpus, splits: Sequence[str] | None) -> list[Clip]:
    """The clips of the splits named, or all; raises InputError for a split that is not there."""
    for split in splits or ():
        if split not in corpus.splits:
            raise InputError(f"--split {split}: {corpus.manifest} has the splits {', '.join(corpus.splits)}.")
    return [clip for clip in corpus.clips if not splits or clip.split in splits]


def read_wheel(options: argparse.Namespace) -> Wheels:
    """The wheels that `--wheel` and `--year` name."""
    from mertools.ov.wheel import read_wheels

    if options.wheel is None or options.year is None:
        raise InputError("The wheel score needs the organisers' tables and their year: --wheel PATH --year 2026.")
    if options.language != "en":
        raise InputError("The emotion wheels are English. Translate the labels: mertools ov translate.")
    return read_wheels(options.wheel, options.year)


def _system(argument: str, clips: Collection[str], listed: Collection[str], allow_missing: bool) -> System:
    from mertools.ov.labels import read_labels
    from mertools.ov.scoring import System, check_names

    name, files = _named_files(argument)
    runs = []
    for file in files:
        run = {row.name: row for row in read_labels(Path(file))}
        if not allow_missing:
            check_names(clips, listed, run, file)
        runs.append(run)
    return System(name, tuple(runs), files)


def _named_files(argument: str) -> tuple[str, tuple[str, ...]]:
    """`NAME=a.csv,b.csv` taken apart; a file without a name is called as it is, or as its folder."""
    name, equals, files = argument.partition("=")
    if equals and name and "/" not in name and not Path(argument).is_file():
        return name, tuple(filter(None, files.split(",")))
    path = Path(argument)
    return (path.resolve().parent.name if path.stem == LABELS_FILE else path.stem), (argument,)
