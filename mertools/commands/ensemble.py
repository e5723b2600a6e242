"""`mertools ensemble`: several runs -> one, a vote of their probabilities."""

from __future__ import annotations

import argparse
import sys
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from mertools import run_record
from mertools.commands.command_line import make_parser
from mertools.commands.finished_runs import (
    FinishedRun,
    LabelledPart,
    Predicted,
    add_manifest_options,
    check_same_folds,
    labelled_parts,
    new_folder,
    read_runs,
)
from mertools.corpus import TRAIN, Corpus
from mertools.emotions import LabelSet
from mertools.errors import InputError

if TYPE_CHECKING:
    import numpy as np

    from mertools.predictions import Predictions

LETTERS = "AVT"
CV_PAPER, CV_NESTED, TEST = "cv-paper", "cv-nested", "test"

EXAMPLES = """\
  mertools ensemble results/runs/a results/runs/b results/runs/c --out results/runs/vote
  mertools ensemble results/runs/* --method greedy --out results/runs/selection"""


@dataclass(frozen=True)
class Ensemble:
    """A vote of runs: `weights` (M,) for clips outside train, `fold_weights` (folds, M) for each fold's clips."""

    method: str
    weights: np.ndarray
    fold_weights: np.ndarray
    out_of_fold: Predictions
    others: Predictions


def make_ensemble_parser() -> argparse.ArgumentParser:
    """The options of `mertools ensemble`."""
    parser = make_parser(
        "mertools ensemble",
        "Vote on the probabilities of several runs with the same corpus and folds, and write the vote as a run.\n"
        "soft-vote weighs all alike. greedy adds the run that raises the out-of-fold WAF most, again and again\n"
        "(Caruana et al. 2004): each fold is scored with weights chosen on the other folds, the other splits are\n"
        "predicted with weights chosen on all.",
        EXAMPLES,
    )
    parser.add_argument("runs", type=Path, nargs="+", metavar="RUN", help="folders of finished runs, two or more")
    parser.add_argument("--method", choices=("soft-vote", "greedy"), default="soft-vote", help="how votes are weighed")
    parser.add_argument("--out", type=Path, required=True, metavar="RUNDIR", help="the new run's folder")
    add_manifest_options(parser)
    return parser


def main(arguments: Sequence[str] | None = None) -> int:
    """Parse, load, work, write; returns the exit status."""
    options = make_ensemble_parser().parse_args(arguments)
    if len(options.runs) < 2:
        raise InputError(f"An ensemble needs at least two runs, got {options.runs[0]} alone.")
    corpus, labels, runs = read_runs(options.runs, options.data, options.media_root)
    check_same_folds(runs)
    folder = new_folder(options.out)
    started = run_record.now()
    ensemble = _vote(options.method, corpus, labels, runs)
    result = {
        "kind": "ensemble",
        "command": run_record.command_line("mertools", ["ensemble", *(arguments or sys.argv[1:])]),
        "started": started,
        "seed": runs[0].result["seed"],
        "versions": run_record.versions("numpy"),
        "configuration": _configuration(options, corpus, runs[0]),
        **_describe(ensemble, corpus, labels, runs),
    }
    _write(folder, corpus, labels, runs[0].out_of_fold.folds, ensemble, result)
    _show(result, folder)
    return 0


def _configuration(options: argparse.Namespace, corpus: Corpus, first: FinishedRun) -> dict[str, Any]:
    """The options, with the place of the corpus' media and the list of clips that were used: runs on this run need
    them."""
    media_root = options.media_root or first.result["configuration"].get("media_root")
    return {
        "runs": [str(run) for run in options.runs],
        "method": options.method,
        "out": str(options.out),
        "data": str(corpus.manifest),
        "media_root": media_root and str(media_root),
        "candidates": first.result["configuration"].get("candidates"),
    }


def _vote(method: str, corpus: Corpus, labels: LabelSet, runs: Sequence[FinishedRun]) -> Ensemble:
    """Choose weights and let the runs vote: on training clips by their fold's weights, on others by those of all."""
    import numpy as np

    from fusion.ensemble import METHODS, nested_weights, vote
    from mertools.predictions import Predictions

    choose, folds = METHODS[method], runs[0].out_of_fold.folds
    targets = np.array(labels.indices([clip.label for clip in corpus.train]))
    probabilities = np.stack([run.out_of_fold.probabilities for run in runs])
    weights = choose(probabilities, targets)
    fold_weights = nested_weights(choose, probabilities, targets, folds)
    features = tuple(dict.fromkeys(feature for run in runs for feature in run.out_of_fold.features))
    voted = []
    for files, of_clips in (
        ([run.out_of_fold for run in runs], fold_weights[folds]),
        ([run.others for run in runs], weights),
    ):
        attention = np.zeros((len(runs), len(files[0].names), len(features)))
        for one, file in zip(attention, files, strict=True):
            one[:, [features.index(feature) for feature in file.features]] = file.weights
        said = vote(of_clips, np.stack([file.probabilities for file in files]))
        voted.append(Predictions(files[0].names, said, vote(of_clips, attention), features))
    return Ensemble(method, weights, fold_weights, *voted)


def _describe(ensemble: Ensemble, corpus: Corpus, labels: LabelSet, runs: Sequence[FinishedRun]) -> dict[str, Any]:
    """The part of result.json about data, members and scores.

    The vote's out-of-fold scores are `cv-nested` only where every member's are: weights chosen on other folds do not
    undo that a member chose its epoch and configuration on the fold itself.
    """
    first = runs[0]
    nested = all(run.estimate == CV_NESTED for run in runs)
    parts = labelled_parts(corpus, labels, first.out_of_fold.folds)
    used = {letter for run in runs for letter in run.system["modalities"]}
    modalities = "".join(letter for letter in LETTERS if letter in used)

    def row(kind: str, name: str, modalities: str, voter: Predicted, estimate: str) -> dict[str, Any]:
        return {
            "kind": kind,
            "written": voter is ensemble,
            "name": name,
            "modalities": modalities,
            "top": None,
            "features": list(voter.others.features),
            "scores": _scores(parts, voter, estimate, labels, first.result["seed"]),
        }

    return {
        "labels": list(labels.names),
        "corpus": first.result["corpus"] | {"manifest": str(corpus.manifest)},
        "folds": first.result["folds"],
        "members": [
            {
                "run": str(run.folder),
                "estimate": run.estimate,
                "weight": float(ensemble.weights[m]),
                "fold_weights": ensemble.fold_weights[:, m].tolist(),
            }
            for m, run in enumerate(runs)
        ],
        "rows": [
            *(row("member", run.name, run.system["modalities"], run, run.estimate) for run in runs),
            row(
                "system",
                f"{ensemble.method} of {len(runs)}",
                modalities,
                ensemble,
                CV_NESTED if nested else CV_PAPER,
            ),
        ],
    }


def _scores(
    parts: Sequence[LabelledPart], voter: Predicted, estimate: str, labels: LabelSet, seed: int
) -> list[dict[str, Any]]:
    """All scores of all labelled splits; those of train are of the kind `estimate`."""
    from mertools.intervals import estimates

    return [
        row
        for part in parts
        for row in run_record.score_rows(
            part.split,
            estimate if part.split == TRAIN else TEST,
            [estimates(part.truth, part.classes(voter), labels.names, seed, part.folds)],
        )
    ]


def _write(
    folder: Path, corpus: Corpus, labels: LabelSet, folds: np.ndarray, ensemble: Ensemble, result: dict[str, Any]
) -> None:
    """Write the run's files into `folder`, result.json last: its presence says that the run is whole."""
    from mertools.predictions import write_out_of_fold, write_predictions
    from mertools.report.tables import results_table, to_markdown
    from mertools.submissions import write_submissions

    write_predictions(folder / "predictions.csv", corpus.others, ensemble.others, labels)
    write_out_of_fold(folder / "out_of_fold.csv", corpus.train, folds, ensemble.out_of_fold, labels)
    submissions = write_submissions(folder, corpus.others, ensemble.others.classes, labels)
    (folder / "table.md").write_text(to_markdown(results_table(result)), encoding="utf-8")
    result["files"] = {
        "predictions": "predictions.csv",
        "out_of_fold": "out_of_fold.csv",
        "submissions": submissions,
        "table": "table.md",
    }
    run_record.write_result(folder, result)


def _show(result: Mapping[str, Any], folder: Path) -> None:
    """Print the table, the members' weights, and where everything lies."""
    from rich.console import Console

    from mertools.report.tables import print_table, results_table

    print_table(results_table(result), Console(file=sys.stdout))
    sys.stdout.write("\nWeights, and their range over folds, each scored with weights chosen on the others:\n")
    for member in result["members"]:
        least, most = min(member["fold_weights"]), max(member["fold_weights"])
        sys.stdout.write(f"  {member['weight']:.2f}  {least:.2f} to {most:.2f}  {member['run']}\n")
    sys.stdout.write(f"\nResults: {folder}\n")
