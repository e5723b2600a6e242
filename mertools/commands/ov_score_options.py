"""What the commands share that score open-vocabulary labels: true labels, files of predictions, groupings."""

from __future__ import annotations

import argparse
import json
import sys
from collections.abc import Collection, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from mertools.commands.display import print_table
from mertools.errors import InputError

if TYPE_CHECKING:
    from mertools.ov.scoring import System
    from mertools.report.open_label_scores import ScoreSheet

LABELS_FILE = "labels"
"""The stem of a run's file of labels, which names no system: its folder does."""


def add_predicted_option(parser: argparse.ArgumentParser) -> None:
    """`--predicted` and `--allow-missing`."""
    parser.add_argument(
        "--predicted",
        nargs="+",
        action="extend",
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
    arguments: Sequence[str],
    clips: Collection[str],
    listed: Collection[str],
    allow_missing: bool,
    others: Sequence[System] = (),
) -> list[System]:
    """The systems that `--predicted` names, each with labels for `clips`, which are some of those `listed`.

    Raises InputError for a name that stands twice or that one of the `others` in the table has, for a name without a
    file, and for a file that cannot be read or lacks clips.
    """
    systems = [_system(argument, clips, listed, allow_missing) for argument in arguments]
    names = [system.name for system in (*others, *systems)]
    if repeated := [name for name in names if names.count(name) > 1]:
        raise InputError(f"Two systems are called {repeated[0]!r}. Name them: --predicted NAME=CSV NAME=CSV.")
    return systems


def tell(sheet: ScoreSheet, as_json: bool, further: Mapping[str, Any] | None = None) -> None:
    """Print the scores: as a table with its notes, or as JSON, which then holds what is `further` known."""
    from mertools.report.open_label_scores import notes, record, table

    if as_json:
        sys.stdout.write(json.dumps({**record(sheet), **(further or {})}, indent=2, ensure_ascii=False) + "\n")
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
        if not files.strip(","):
            raise InputError(f"--predicted {argument}: wanted a file behind the name, such as {name}=labels.csv.")
        return name, tuple(filter(None, files.split(",")))
    path = Path(argument)
    return (path.resolve().parent.name if path.stem == LABELS_FILE else path.stem), (argument,)
