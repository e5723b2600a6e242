"""report.html: one run on one page that needs nothing else, opens offline and fits a laptop and a phone."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Any
from urllib.parse import quote

import numpy as np

from mertools.calibration import expected_calibration_error
from mertools.emotions import LabelSet, label_set
from mertools.metrics import METRICS, class_f1, confusion_matrix
from mertools.predictions import read_predictions
from mertools.report.figures import (
    attention_figure,
    calibration_figure,
    scores_figure,
    search_figure,
    shown_lines,
)
from mertools.report.footnotes import ESTIMATES
from mertools.report.rendering import write_page
from mertools.report.tables import Number, Part, as_number, is_seen, results_table, split_heading, system_name
from mertools.run_record import RESULT, written_row

FILES = {
    "result": "what was run, and every score",
    "predictions": "clips outside train: classes, probabilities, attention weights",
    "networks": "the networks of all folds, for `mertools predict`",
    "out_of_fold": "the same for training clips, each by the fold that did not see it",
    "ranking": "features by cross-validation on train alone",
    "table": "the results table as Markdown",
    "report": "this page",
    "submissions": "submission file",
}


@dataclass(frozen=True)
class Answers:
    """What the system said of one split's clips: class numbers (N,), `truth` -1 where unknown; `probabilities` (N, C)
    and `weights` (N, F)."""

    split: str
    truth: np.ndarray
    predicted: np.ndarray
    probabilities: np.ndarray
    weights: np.ndarray

    @property
    def labelled(self) -> np.ndarray:
        """Which clips have a label (N,)."""
        return self.truth >= 0


def write_report(
    result: Mapping[str, Any], folder: Path, truth: Mapping[str, str], labels: Mapping[str, str] | None = None
) -> Path:
    """Write report.html beside the files of a finished run and return its path.

    `result` is what result.json holds; the predictions it names are read from `folder`. `truth` maps names of clips
    outside train to their labels, where they have one; `labels` maps feature names to the paper's spelling of them.

    Raises InputError for a true label outside the result's label set.
    """
    labels = labels or {}
    classes = label_set(result["labels"], ())
    system = written_row(result)
    table = results_table(result, labels)
    answers = [
        *_read_answers(folder / result["files"]["out_of_fold"], classes, {}),
        *_read_answers(folder / result["files"]["predictions"], classes, truth),
    ]
    figures: list[dict[str, Any]] = []

    def place(figure: dict[str, Any]) -> int:
        figures.append(figure)
        return len(figures) - 1

    feature_names = [labels.get(feature, feature) for feature in system["features"]]
    shown = shown_lines(table)
    return write_page(
        folder / result["files"]["report"],
        "report.html.j2",
        figures,
        result=result,
        labels=labels,
        classes=classes.names,
        title=system_name(system, labels),
        feature_names=feature_names,
        started=datetime.fromisoformat(result["started"]),
        table=table,
        headlines=_headlines(system),
        seen=is_seen(system, result),
        optimism=_optimism(system),
        metrics=list(_metrics(system, table.parts, classes)),
        scored_parts=[part for part in table.parts if part.estimate],
        shown_systems=len(shown),
        scores_figure=place(scores_figure(table.parts, shown)) if len(table.lines) > 1 else None,
        confusions=[_confusion(part, classes) for part in answers],
        calibrations=[_calibration(part, place) for part in answers if part.labelled.any()],
        search=_search(system, place) if system["trials"] else None,
        system_names=[system_name(row, labels) for row in result["rows"]],
        attention=[_attention(part, classes, feature_names, place) for part in answers if len(feature_names) > 1],
        files=list(_files(result["files"])),
        estimates=[estimate for estimate in ESTIMATES if any(part.estimate == estimate for part in table.parts)],
    )


def _read_answers(path: Path, classes: LabelSet, truth: Mapping[str, str]) -> Iterator[Answers]:
    """The answers of each split in a predictions file, in its order; `truth` adds the labels the file lacks."""
    file = read_predictions(path, classes)
    known = [classes.index(truth[name]) if truth.get(name) else -1 for name in file.names]
    labels = np.where(file.truth >= 0, file.truth, np.array(known, dtype=np.int64))
    for split in dict.fromkeys(file.splits):
        rows = np.array([of_row == split for of_row in file.splits])
        yield Answers(split, labels[rows], file.classes[rows], file.probabilities[rows], file.weights[rows])


def _headlines(system: Mapping[str, Any]) -> list[dict[str, Any]]:
    """The system's WAF on each part, as the page's head shows it."""
    return [
        {"heading": split_heading(score["split"]), "score": score}
        for score in system["scores"]
        if score["metric"] == "waf"
    ]


def _optimism(system: Mapping[str, Any]) -> float | None:
    """By how many points of WAF `cv-paper` lies above `cv-nested` on train; None without both."""
    wafs = {
        score["estimate"]: 100 * score["value"]
        for score in system["scores"]
        if score["split"] == "train" and score["metric"] == "waf"
    }
    return wafs["cv-paper"] - wafs["cv-nested"] if {"cv-paper", "cv-nested"} <= wafs.keys() else None


def _metrics(
    system: Mapping[str, Any], parts: Sequence[Part], classes: LabelSet
) -> Iterator[tuple[str, list[Number | None]]]:
    """Every metric of the system by name, with its number on each part of the table that is no average."""
    scores = {(score["split"], score["estimate"], score["metric"]): as_number(score) for score in system["scores"]}
    names = {metric: metric.upper() for metric in METRICS} | {f"f1_{label}": f"F1 {label}" for label in classes.names}
    for metric, name in names.items():
        numbers = [scores.get((part.split, part.estimate, metric)) for part in parts if part.estimate]
        if any(numbers):
            yield name, numbers


def _confusion(part: Answers, classes: LabelSet) -> dict[str, Any]:
    """Counts, scores by class and pooled scores of the labelled clips; predicted classes of the others."""
    counts = confusion_matrix(part.truth[part.labelled], part.predicted[part.labelled], len(classes))
    support, named, correct = counts.sum(axis=1), counts.sum(axis=0), counts.diagonal()
    guesses = np.bincount(part.predicted[~part.labelled], minlength=len(classes))
    return {
        "heading": split_heading(part.split),
        "train": part.split == "train",
        "labelled": int(part.labelled.sum()),
        "unlabelled": int(guesses.sum()),
        "rows": [
            {"label": label, "counts": row.tolist(), "shares": _shares(row), "clips": int(row.sum())}
            for label, row in zip(classes.names, counts, strict=True)
        ],
        "scores": [
            {
                "label": label,
                "precision": correct[i] / named[i] if named[i] else None,
                "recall": correct[i] / support[i] if support[i] else None,
                "f1": f1 if named[i] or support[i] else None,
                "clips": int(support[i]),
                "predicted": int(named[i]),
            }
            for i, (label, f1) in enumerate(zip(classes.names, class_f1(counts), strict=True))
        ],
        "pooled": {metric.upper(): float(score(counts)) for metric, score in METRICS.items()},
        "guesses": list(zip(classes.names, guesses.tolist(), _shares(guesses), strict=True)),
    }


def _calibration(part: Answers, place: Callable[[dict[str, Any]], int]) -> dict[str, Any]:
    """How far confidence and accuracy lie apart on the labelled clips, and where the diagram stands."""
    calibration = expected_calibration_error(part.probabilities[part.labelled], part.truth[part.labelled])
    return {
        "heading": split_heading(part.split),
        "clips": int(part.labelled.sum()),
        "error": calibration.error,
        "figure": place(calibration_figure(calibration)),
    }


def _search(row: Mapping[str, Any], place: Callable[[dict[str, Any]], int]) -> dict[str, Any]:
    """One system's search: its trials, the one that was chosen, and where its figure stands."""
    trials, chosen = row["trials"], row["chosen"]
    winner = next((trial for trial in trials if chosen.items() <= trial.items()), None)
    return {
        "trials": trials,
        "chosen": chosen,
        "winner": winner,
        "repeats": sum(trial["repeats"] is not None for trial in trials),
        "figure": place(search_figure(trials, winner, list(chosen))),
    }


def _attention(
    part: Answers, classes: LabelSet, features: Sequence[str], place: Callable[[dict[str, Any]], int]
) -> dict[str, Any]:
    """Mean weight of each feature over the clips that have it: over all of them, and by predicted class."""
    have = part.weights > 0  # (N, F)
    groups = [np.ones(len(part.predicted), dtype=bool), *(part.predicted == number for number in range(len(classes)))]
    means = [
        [float(w[clips & has].mean()) if (clips & has).any() else None for clips in groups]
        for w, has in zip(part.weights.T, have.T, strict=True)
    ]
    return {
        "heading": split_heading(part.split),
        "counts": [int(clips.sum()) for clips in groups],
        "means": list(zip(features, means, strict=True)),
        "figure": place(attention_figure(features, part.weights)),
    }


def _shares(counts: np.ndarray) -> list[float]:
    return (counts / max(1, counts.sum())).tolist()


def _files(files: Mapping[str, Any]) -> Iterator[tuple[str, str, str]]:
    """(path as a relative link, path, what it is) of each file the run wrote."""
    for kind, entry in {"result": RESULT, **files}.items():
        for variant, path in entry.items() if isinstance(entry, Mapping) else [("", entry)]:
            if path:
                meaning = f"{FILES.get(kind, kind)}{f' of {split_heading(variant)}' if variant else ''}"
                yield f"./{quote(path)}", path, meaning
