"""predictions.csv, out_of_fold.csv and ranking.csv: the only place that reads or writes them.

Other systems' predictions, of which the class alone is of interest, are read here too (`read_classes`).
"""

from __future__ import annotations

import csv
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np

from mertools.clip import Clip
from mertools.csv_files import csv_reader
from mertools.emotions import LabelSet
from mertools.errors import InputError

# Where run_fusion.py looks for it.


@dataclass(frozen=True)
class Predictions:
    """What a fusion says of some clips, row by row.

    `probabilities` is (N, C), `weights` (N, F) the attention each feature got (0 where the clip lacks it).
    """

    names: tuple[str, ...]
    probabilities: np.ndarray
    weights: np.ndarray
    features: tuple[str, ...]

    @property
    def classes(self) -> np.ndarray:
        """The predicted class numbers (N,)."""
        return self.probabilities.argmax(axis=1)


@dataclass(frozen=True)
class PredictionFile:
    """The rows of predictions.csv or out_of_fold.csv as arrays.

    `truth` (N,) and `classes` (N,) are class numbers, `truth` -1 where the file has no label; `folds` (N,) is -1 where
    it has no fold; `weights` is (N, F).
    """

    names: tuple[str, ...]
    splits: tuple[str, ...]
    folds: np.ndarray
    truth: np.ndarray
    classes: np.ndarray
    probabilities: np.ndarray
    weights: np.ndarray
    features: tuple[str, ...]

    def rows(self, index: np.ndarray) -> PredictionFile:
        """The rows `index` (M,) in that order."""
        return replace(
            self,
            names=tuple(self.names[row] for row in index),
            splits=tuple(self.splits[row] for row in index),
            **{name: getattr(self, name)[index] for name in ("folds", "truth", "classes", "probabilities", "weights")},
        )


def read_predictions(path: Path, labels: LabelSet) -> PredictionFile:
    """Read predictions.csv or out_of_fold.csv.

    Raises InputError, with the row (the header is row 1), for a file that is absent, lacks a column, names a clip twice
    or holds something else than numbers, and for one that was written with other labels.
    """
    with csv_reader(path, f"There is no file of predictions {path}.") as reader:
        rows, header = list(reader), reader.fieldnames or []
    if lacking := [column for column in ("name", "split", "predicted") if column not in header]:
        raise InputError(f"{path} has no column {lacking[0]!r}: it is no predictions.csv or out_of_fold.csv.")
    _check_names(path, rows)
    probabilities = [f"p_{label}" for label in labels.names]
    if [column for column in header if column.startswith("p_")] != probabilities:
        raise InputError(
            f"{path} has other labels than {', '.join(labels.names)}: its columns are {', '.join(header)}."
        )
    weights = [column for column in header if column.startswith("w_")]
    return PredictionFile(
        names=tuple(row["name"] for row in rows),
        splits=tuple(row["split"] for row in rows),
        folds=_numbers(path, [{"fold": row.get("fold") or "-1"} for row in rows], ["fold"])[:, 0].astype(np.int64),
        truth=np.array([labels.index(row["label"]) if row.get("label") else -1 for row in rows], dtype=np.int64),
        classes=np.array([labels.index(row["predicted"]) for row in rows], dtype=np.int64),
        probabilities=_numbers(path, rows, probabilities),
        weights=_numbers(path, rows, weights),
        features=tuple(column.removeprefix("w_") for column in weights),
    )


CLASS_COLUMNS = ("predicted", "discrete")
"""What the predicted class is called in predictions.csv, and in the challenges' submissions."""


def read_classes(path: Path, labels: LabelSet) -> dict[str, str]:
    """The class that a system predicts for each clip, from predictions.csv or any table of `name` and one of
    CLASS_COLUMNS.

    Raises InputError for a file that is absent, not UTF-8 or without rows, lacks a column, knows a clip twice (with
    counts), or holds a label outside `labels` (with the row; the header is row 1).
    """
    with csv_reader(path, f"There is no file of predictions {path}.") as reader:
        rows, header = list(reader), reader.fieldnames or []
    column = next((column for column in CLASS_COLUMNS if column in header), None)
    if "name" not in header or column is None:
        raise InputError(
            f"{path} has the columns {', '.join(header) or 'of an empty file'}; wanted name and one of "
            f"{', '.join(CLASS_COLUMNS)}."
        )
    if not rows:
        raise InputError(f"{path} has a header but no predictions.")
    _check_names(path, rows)
    return {row["name"]: _class(path, number, row[column], labels) for number, row in enumerate(rows, start=2)}


def _class(path: Path, number: int, label: str, labels: LabelSet) -> str:
    try:
        return labels.canonical(label)
    except InputError as error:
        raise InputError(f"{path}, row {number}: {error}") from None


def _check_names(path: Path, rows: Sequence[Mapping[str, str]]) -> None:
    counts = Counter(row["name"] for row in rows)
    if twice := [name for name, count in counts.items() if count > 1]:
        raise InputError(f"{path} predicts {len(twice)} clips more than once (first: {twice[0]!r}). Names are unique.")


def _numbers(path: Path, rows: Sequence[Mapping[str, str]], columns: Sequence[str]) -> np.ndarray:
    """The cells of `columns` as numbers (N, C)."""
    numbers = np.empty((len(rows), len(columns)))
    for place, row in enumerate(rows):
        for column, name in enumerate(columns):
            try:
                numbers[place, column] = float(row[name])
            except ValueError:
                numbers[place, column] = np.nan
            if not np.isfinite(numbers[place, column]):
                raise InputError(f"{path}, row {place + 2}, {name!r}: got {row[name]!r}, wanted a number.")
    return numbers


def write_predictions(path: Path, clips: Sequence[Clip], predictions: Predictions, labels: LabelSet) -> None:
    """Write predictions.csv: `name,split,predicted,p_<label>…,w_<feature>…`."""
    _write(path, ["name", "split"], [[clip.name, clip.split] for clip in clips], predictions, labels)


def write_out_of_fold(
    path: Path, clips: Sequence[Clip], folds: np.ndarray, predictions: Predictions, labels: LabelSet
) -> None:
    """Write out_of_fold.csv: the same for training clips, each by the fold that did not see it, with fold and label."""
    head = [[clip.name, clip.split, fold, clip.label] for clip, fold in zip(clips, folds, strict=True)]
    _write(path, ["name", "split", "fold", "label"], head, predictions, labels)


def write_ranking(path: Path, rows: Sequence[Mapping[str, object]]) -> None:
    """Write ranking.csv, best first: `modality,feature,waf,low,high`, from train cross-validation alone."""
    with path.open("w", encoding="utf-8", newline="") as file:
        writer = csv.DictWriter(file, ["modality", "feature", "waf", "low", "high"], lineterminator="\n")
        writer.writeheader()
        writer.writerows(rows)


def _write(
    path: Path, head_columns: list[str], head: list[list[object]], predictions: Predictions, labels: LabelSet
) -> None:
    with path.open("w", encoding="utf-8", newline="") as file:
        writer = csv.writer(file, lineterminator="\n")
        probabilities = [f"p_{label}" for label in labels.names]
        weights = [f"w_{feature}" for feature in predictions.features]
        writer.writerow([*head_columns, "predicted", *probabilities, *weights])
        for row, number, p, w in zip(
            head, predictions.classes, predictions.probabilities, predictions.weights, strict=True
        ):
            writer.writerow([*row, labels.names[number], *(f"{value:.6g}" for value in (*p, *w))])
