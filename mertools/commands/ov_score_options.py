"""What the commands share that score open-vocabulary labels: true labels, files of predictions, groupings."""

from __future__ import annotations

import argparse
import json
import sys
from collections.abc import Collection, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from mertools.commands.display import print_table
from mertools.errors import InputError
from mertools.registry import look_up

if TYPE_CHECKING:
    from mertools.clip import Clip
    from mertools.corpus import Corpus
    from mertools.ov.scoring import System
    from mertools.report.open_label_scores import ScoreSheet

LABELS_FILE = "labels"
"""The stem of a run's file of labels, which names no system: its folder does."""


def add_predicted_option(parser: argparse.ArgumentParser) -> None:
    """`--predicted` and `--allow-missing`."""
    parser.add_argument(
        "--predicted",
        nargs="+",
        required=True,
        metavar="[NAME=]CSV",
        help="files of labels, side by side, a classifier's predictions.csv among them if you like; NAME=a.csv,b.csv "
        "are runs of one system: their mean and deviation",
    )
    parser.add_argument(
        "--allow-missing", action="store_true", help="clips that a file lacks count as clips without labels"
    )


def add_wheel_option(parser: argparse.ArgumentParser) -> None:
    """`--wheel`."""
    parser.add_argument(
        "--wheel",
        type=Path,
        metavar="PATH",
        help="the organisers' emotion wheels: the folder of MER2025's tables, or MER2026's wheel_mapping.npz",
    )


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


def clips_of(corpus: Corpus, splits: Sequence[str] | None) -> list[Clip]:
    """The clips of the splits named, or all; raises InputError for a split that is not there."""
    for split in splits or ():
        look_up(f"split of {corpus.manifest}", split, dict.fromkeys(corpus.splits))
    return [clip for clip in corpus.clips if not splits or clip.split in splits]


def tell(sheet: ScoreSheet, as_json: bool) -> None:
    """Print the scores: as a table with its notes, or as JSON."""
    from mertools.report.open_label_scores import notes, record, table

    if as_json:
        sys.stdout.write(json.dumps(record(sheet), indent=2, ensure_ascii=False) + "\n")
        return
    print_table(*table(sheet))
    sys.stdout.writelines(f"{note}\n" for note in notes(sheet))


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
