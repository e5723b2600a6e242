"""Labels that networks give to clips without labels: which of them are trusted, and pseudo_labels.csv."""

from __future__ import annotations

import csv
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from math import ceil
from pathlib import Path

import numpy as np

from mertools.emotions import LabelSet
from mertools.errors import InputError

ABSTAINS = -1
"""The vote of a view that says nothing of a clip."""

NAME, LABEL, WEIGHT, TEACHER, ROUND = "name", "label", "weight", "teacher", "round"
OWN_TEACHER = "fold ensemble"
"""What pseudo_labels.csv calls the networks of a run, which have seen the labels of all training clips."""


@dataclass(frozen=True)
class PseudoLabels:
    """What some clips are taught as.

    `rows` (P,) are the clips, ascending, as rows of the data; `probabilities` (P, C) how much of each class, one-hot
    for hard labels; `weights` (P,) what each counts beside a labelled clip.
    """

    rows: np.ndarray
    probabilities: np.ndarray
    weights: np.ndarray

    def __len__(self) -> int:
        return len(self.rows)


@dataclass(frozen=True)
class Selection:
    """Which clips of a pool are taught, by the confidence of the class that is predicted for each.

    `thresholds` (C) are the lowest confidences accepted, by class; without them the share `quantile` of the clips of
    each predicted class is accepted, the most confident ones. With `cap` no class gets more than so many times the
    mean over classes. `soft` labels are the probabilities, hard ones the class alone.
    """

    quantile: float = 0.5
    thresholds: tuple[float, ...] | None = None
    cap: float | None = None
    soft: bool = False


def agreement(predicted: np.ndarray, votes: np.ndarray) -> np.ndarray:
    """Whether every view that does not abstain says of a clip what is predicted, (N,); `votes` is (V, N)."""
    return ((votes == predicted) | (votes == ABSTAINS)).all(axis=0)


def class_thresholds(probabilities: np.ndarray, agreed: np.ndarray, selection: Selection) -> np.ndarray:
    """The lowest confidence at which a clip of each predicted class is accepted, (C,); infinite where none is.

    `probabilities` (N, C) are those of the pool, `agreed` (N,) says of which clips all views say the same. No label
    has a part in it. A cap, too, is a confidence: clips that tie with the last one accepted are accepted.
    """
    confidence, predicted = probabilities.max(axis=1), probabilities.argmax(axis=1)
    of_class = [np.sort(confidence[agreed & (predicted == number)])[::-1] for number in range(probabilities.shape[1])]
    if selection.thresholds is None:
        accepted = [own[: ceil(selection.quantile * len(own))] for own in of_class]
    else:
        accepted = [own[own >= lowest] for own, lowest in zip(of_class, selection.thresholds, strict=True)]
    if selection.cap is not None:
        most = ceil(selection.cap * np.mean([len(own) for own in accepted]))
        accepted = [own[:most] for own in accepted]
    return np.array([own[-1] if len(own) else np.inf for own in accepted])


def accepted(probabilities: np.ndarray, agreed: np.ndarray, thresholds: np.ndarray) -> np.ndarray:
    """Which clips are accepted, (N,)."""
    return agreed & (probabilities.max(axis=1) >= thresholds[probabilities.argmax(axis=1)])


def pseudo_labels(
    rows: np.ndarray, probabilities: np.ndarray, chosen: np.ndarray, selection: Selection
) -> PseudoLabels:
    """The labels of the `chosen` (N,) among the clips `rows` (N,); a clip counts as much as its label is sure."""
    own = probabilities[chosen]
    taught = own if selection.soft else np.eye(own.shape[1])[own.argmax(axis=1)]
    order = np.argsort(rows[chosen])
    return PseudoLabels(rows[chosen][order], taught[order], own.max(axis=1)[order])


def write_pseudo_labels(
    path: Path, names: Sequence[str], given: PseudoLabels, labels: LabelSet, *, soft: bool, teacher: str, number: int
) -> None:
    """Write pseudo_labels.csv: `name,label,weight,teacher,round`, soft labels as `p_<label>…` in the place of `label`.

    `names` (P,) are the clips', `number` is the round.
    """
    columns = [f"p_{label}" for label in labels.names] if soft else [LABEL]
    with path.open("w", encoding="utf-8", newline="") as file:
        writer = csv.writer(file, lineterminator="\n")
        writer.writerow([NAME, *columns, WEIGHT, TEACHER, ROUND])
        for name, shares, weight in zip(names, given.probabilities, given.weights, strict=True):
            said = [f"{share:.6g}" for share in shares] if soft else [labels.names[shares.argmax()]]
            writer.writerow([name, *said, f"{weight:.6g}", teacher, number])


@dataclass(frozen=True)
class PseudoLabelFile:
    """What a pseudo_labels.csv says; `teachers` are the names in its column of that name, each once."""

    given: PseudoLabels
    teachers: tuple[str, ...]


def read_pseudo_labels(path: Path, row_of_name: Mapping[str, int], labels: LabelSet) -> PseudoLabelFile:
    """Read pseudo_labels.csv, as a run has written it or as it was edited; `row_of_name` are the pool's clips.

    A clip needs its name and a label, or in the place of `label` the columns `p_<label>` of all classes; `weight` is 1
    where it is not said, and a clip of weight 0 is left out. Shares of classes are brought to a sum of 1.

    Raises InputError, with the row (the header is row 1), for a file that is absent, not UTF-8 or without clips,
    columns that lack or speak of other classes, a clip that is not in the pool or stands twice, an unknown class, and
    numbers that are none.
    """
    try:
        with path.open(encoding="utf-8-sig", newline="") as file:
            reader = csv.DictReader(file, restval="")
            table = list(reader)
            shares = _share_columns(path, reader.fieldnames or [], labels)
    except FileNotFoundError:
        raise InputError(f"There is no file of pseudo-labels {path}. A run with --self-train writes one.") from None
    except UnicodeDecodeError as error:
        raise InputError(f"{path} is not UTF-8 (byte 0x{error.object[error.start]:02x}). Save it as UTF-8.") from None
    if not table:
        raise InputError(f"{path} holds no pseudo-label. Leave --pseudo-labels out to have them made.")
    _check_names(path, [cells[NAME].strip() for cells in table], row_of_name)
    probabilities = [
        _shares(path, number, cells, shares) if shares else _one_hot(path, number, cells, labels)
        for number, cells in enumerate(table, start=2)
    ]
    weights = [_number(path, number, WEIGHT, cells.get(WEIGHT) or "1") for number, cells in enumerate(table, start=2)]
    rows = np.array([row_of_name[cells[NAME].strip()] for cells in table], dtype=np.int64)
    order = np.argsort(rows)
    order = order[np.array(weights)[order] > 0]
    if not len(order):
        raise InputError(f"{path}: every clip has weight 0, so that there is nothing to learn from.")
    given = PseudoLabels(rows[order], np.array(probabilities)[order], np.array(weights)[order])
    return PseudoLabelFile(given, tuple(dict.fromkeys(cells.get(TEACHER, "") for cells in table)))


def _share_columns(path: Path, header: Sequence[str], labels: LabelSet) -> list[str]:
    """The columns of soft labels; none where labels are hard."""
    if NAME not in header:
        raise InputError(f"{path}, row 1: column {NAME!r} is missing; got {', '.join(header) or 'an empty file'}.")
    found = [column for column in header if column.startswith("p_")]
    if bool(found) == (LABEL in header):
        raise InputError(
            f"{path}, row 1: wanted column {LABEL!r} or the columns p_<label>, one of the two; got {', '.join(header)}."
        )
    wanted = [f"p_{label}" for label in labels.names]
    if found and sorted(found) != sorted(wanted):
        other = sorted(set(found) ^ set(wanted))
        raise InputError(
            f"{path}, row 1: the classes are {', '.join(labels.names)}, so that {', '.join(wanted)} are wanted; "
            f"unknown or missing: {', '.join(other)}. Other classes are named with --labels."
        )
    return wanted if found else []


def _check_names(path: Path, names: Sequence[str], row_of_name: Mapping[str, int]) -> None:
    unknown = [name for name in names if name not in row_of_name]
    if unknown:
        raise InputError(
            f"{path}: {len(unknown)} of {len(names)} clips are not in the pool (first: {unknown[0]!r}). The pool is "
            "the splits of --pool, by default all but 'train'; take these rows out or name their split."
        )
    if len(set(names)) < len(names):
        twice = next(name for place, name in enumerate(names) if name in names[:place])
        raise InputError(f"{path}: clip {twice!r} stands twice; a clip has one pseudo-label.")


def _one_hot(path: Path, number: int, cells: Mapping[str, str], labels: LabelSet) -> np.ndarray:
    try:
        return np.eye(len(labels))[labels.index(cells[LABEL])]
    except InputError as error:
        raise InputError(f"{path}, row {number}, column {LABEL!r}: {error}") from None


def _shares(path: Path, number: int, cells: Mapping[str, str], columns: Sequence[str]) -> np.ndarray:
    shares = np.array([_number(path, number, column, cells[column]) for column in columns])
    if not shares.sum():
        raise InputError(
            f"{path}, row {number}: all shares of the classes are 0. Take the row out, or give it a class."
        )
    return shares / shares.sum()


def _number(path: Path, number: int, column: str, text: str) -> float:
    try:
        value = float(text)
    except ValueError:
        value = -1.0
    if not 0 <= value < np.inf:
        raise InputError(f"{path}, row {number}, column {column!r}: got {text!r}, wanted a number of at least 0.")
    return value
