"""What commands on finished runs share: runs of one corpus, read back and aligned clip by clip."""

from __future__ import annotations

import argparse
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, Protocol

from mertools.clip import Clip
from mertools.commands.fuse import resolve_labels
from mertools.corpus import TRAIN, Corpus, read_manifest
from mertools.emotions import LabelSet, label_set
from mertools.errors import InputError
from mertools.run_record import read_result, written_row

if TYPE_CHECKING:
    import numpy as np

    from mertools.predictions import PredictionFile, Predictions


class Predicted(Protocol):
    """What has predictions for the training clips, each out of fold, and for all others, in the corpus' order."""

    @property
    def out_of_fold(self) -> PredictionFile | Predictions: ...

    @property
    def others(self) -> PredictionFile | Predictions: ...


@dataclass(frozen=True)
class FinishedRun:
    """A run's result and predictions: `out_of_fold` in the order of the corpus' train clips, `others` of the others."""

    folder: Path
    result: Mapping[str, Any]
    out_of_fold: PredictionFile
    others: PredictionFile

    @property
    def name(self) -> str:
        """The folder's own name, whatever path it was given by."""
        return self.folder.resolve().name

    @property
    def system(self) -> Mapping[str, Any]:
        """The row of the result that the predictions are of."""
        return written_row(self.result)

    @property
    def estimate(self) -> str:
        """What estimate the out-of-fold predictions give, `cv-paper` for instance: the first of the row's for train."""
        return next(score["estimate"] for score in self.system["scores"] if score["split"] == TRAIN)


@dataclass(frozen=True)
class LabelledPart:
    """The labelled clips of one split: their `rows` (N,) among the train clips or the others, and `truth` (N,).

    `folds` (N,) is None for splits other than train.
    """

    split: str
    rows: np.ndarray
    truth: np.ndarray
    folds: np.ndarray | None

    def classes(self, run: Predicted) -> np.ndarray:
        """The class numbers (N,) that `run` predicts for these clips."""
        predictions = run.out_of_fold if self.split == TRAIN else run.others
        return predictions.classes[self.rows]


def add_manifest_options(parser: argparse.ArgumentParser) -> None:
    """`--data` and `--media-root`, for a manifest that has moved since the runs."""
    parser.add_argument("--data", type=Path, metavar="CSV", help="the corpus' manifest (default: the first run's)")
    parser.add_argument(
        "--media-root",
        type=Path,
        metavar="DIR",
        help="folder that the manifest's paths are relative to (default: the first run's)",
    )


def new_folder(folder: Path) -> Path:
    """Make the folder that `--out` names; raises InputError for one that is there."""
    try:
        folder.mkdir(parents=True)
    except FileExistsError:
        raise InputError(f"--out {folder} is there already. Name a new folder; a run is never overwritten.") from None
    return folder


def read_runs(
    folders: Sequence[Path], data: Path | None, media_root: Path | None
) -> tuple[Corpus, LabelSet, list[FinishedRun]]:
    """The runs in `folders` with their corpus and labels; `data` and `media_root` default to those of the first run.

    Where they were run with a list of candidates, the corpus has no other clips beside those of train.

    Raises InputError for a folder without a finished run, runs of different corpora or labels, a manifest that has
    changed since, and predictions that lack clips.
    """
    results = [_read(folder) for folder in folders]
    first = results[0]
    labels = label_set(first["labels"], ())
    for folder, result in zip(folders[1:], results[1:], strict=True):
        if result["labels"] != first["labels"]:
            raise InputError(
                f"{folder} knows the labels {', '.join(result['labels'])}, {folders[0]} {', '.join(first['labels'])}. "
                "Choose runs with the same --labels."
            )
        if result["corpus"]["fingerprint"] != first["corpus"]["fingerprint"]:
            raise InputError(
                f"{folder} is of another corpus ({_corpus(result)}) than {folders[0]} ({_corpus(first)}): clips, "
                "splits or labels differ. Run one of them again on the other's manifest."
            )
    configured, candidates = (first["configuration"].get(name) for name in ("media_root", "candidates"))
    manifest = data or Path(first["corpus"]["manifest"])
    corpus = read_manifest(manifest, media_root or (configured and Path(configured)))
    corpus = resolve_labels(corpus, labels)
    if candidates:
        # The list may be gone by now; who stood on it was predicted.
        corpus = corpus.with_candidates(_predicted_names(folders[0], first, labels))
    if corpus.fingerprint != first["corpus"]["fingerprint"]:
        raise InputError(
            f"{manifest} (fingerprint {corpus.fingerprint}) is not what {folders[0]} was run on ({_corpus(first)}): "
            "clips, splits or labels differ. Name the manifest of then with --data, or run again."
        )
    return corpus, labels, [_aligned(*pair, corpus, labels) for pair in zip(folders, results, strict=True)]


def read_fusion(folder: Path) -> dict[str, Any]:
    """The result of a run that has networks; raises InputError for one that has none."""
    result = read_result(folder)
    if result.get("kind") == "ensemble":
        members = ", ".join(member["run"] for member in result["members"])
        raise InputError(
            f"{folder} is an ensemble, which has no networks of its own. Name each member instead: {members}."
        )
    if result.get("kind") != "fusion":
        raise InputError(f"{folder} holds a run of kind {result.get('kind')!r}, wanted one of run_fusion.py.")
    if "networks" not in result["files"]:
        raise InputError(f"{folder} kept no networks. Run it again: {result['command']}")
    return result


def check_same_folds(runs: Sequence[FinishedRun], remedy: str = "") -> None:
    """Raise InputError unless all `runs` held out the same training clips together; `remedy` ends the message."""
    first, *others = runs
    folds = first.result["folds"]
    again = f"--seed {first.result['seed']} --folds {folds['count']}"
    again += f" --group {folds['group']}" if folds["group"] else ""
    for run in others:
        if (run.out_of_fold.folds != first.out_of_fold.folds).any():
            raise InputError(
                f"{run.folder} was cross-validated in other folds than {first.folder}: a network of the one was "
                f"trained on clips that the other held out. Run it again with {again}{remedy}."
            )


def labelled_parts(corpus: Corpus, labels: LabelSet, folds: np.ndarray) -> list[LabelledPart]:
    """The labelled clips of each split, train first; `folds` (N,) are the training clips'."""
    import numpy as np

    rows: dict[str, list[int]] = {}
    for row, clip in enumerate(corpus.others):
        if clip.label:
            rows.setdefault(clip.split, []).append(row)

    def truth(clips: Iterable[Clip]) -> np.ndarray:
        return np.array(labels.indices([clip.label for clip in clips]))

    return [
        LabelledPart(TRAIN, np.arange(len(corpus.train)), truth(corpus.train), folds),
        *(
            LabelledPart(split, np.array(found), truth(corpus.others[row] for row in found), None)
            for split, found in rows.items()
        ),
    ]


def _predicted_names(folder: Path, result: Mapping[str, Any], labels: LabelSet) -> frozenset[str]:
    """The clips outside train that the run in `folder` predicted."""
    from mertools.predictions import read_predictions

    return frozenset(read_predictions(folder / result["files"]["predictions"], labels).names)


def _read(folder: Path) -> dict[str, Any]:
    result = read_result(folder)
    if result.get("kind") not in ("fusion", "ensemble"):
        raise InputError(f"{folder} holds a run of kind {result.get('kind')!r}, wanted fusion or ensemble.")
    return result


def _corpus(result: Mapping[str, Any]) -> str:
    return f"{result['corpus']['manifest']}, fingerprint {result['corpus']['fingerprint']}"


def _aligned(folder: Path, result: Mapping[str, Any], corpus: Corpus, labels: LabelSet) -> FinishedRun:
    files = result["files"]
    return FinishedRun(
        folder,
        result,
        _in_order(folder / files["out_of_fold"], corpus.train, labels),
        _in_order(folder / files["predictions"], corpus.others, labels),
    )


def _in_order(path: Path, clips: Sequence[Clip], labels: LabelSet) -> PredictionFile:
    """The predictions in the file at `path` of exactly `clips`, in their order."""
    import numpy as np

    from mertools.predictions import read_predictions

    file = read_predictions(path, labels)
    row_of_name = {name: row for row, name in enumerate(file.names)}
    lacking = [clip.name for clip in clips if clip.name not in row_of_name]
    if lacking:
        raise InputError(
            f"{path} lacks {len(lacking)} of {len(clips)} clips (first: {lacking[0]}): it was changed after the run. "
            "Run again."
        )
    return file.rows(np.array([row_of_name[clip.name] for clip in clips], dtype=np.int64))
