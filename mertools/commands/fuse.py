"""`run_fusion.py`: feature files -> scores, predictions, submission."""

from __future__ import annotations

import argparse
import sys
import time
from collections import Counter
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import asdict, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from feature_extractors.catalog import CATALOG
from mertools import run_record
from mertools.commands.command_line import Several, add_corpus_options, make_parser, positive
from mertools.corpus import TRAIN, Corpus, read_manifest, stratified_folds
from mertools.emotions import LabelSet, label_set
from mertools.errors import InputError

if TYPE_CHECKING:
    from fusion.cross_validation import Problem
    from fusion.inputs import Inputs
    from fusion.ranking import Ranked
    from fusion.search import Trial
    from fusion.system import System

COMBINATIONS = ("AVT", "AV", "AT", "VT", "A", "V", "T")

EXAMPLES = """\
  python run_fusion.py --top 3                            the three best features of each modality
  python run_fusion.py --top 1 --modalities AV            the best audio and the best video feature
  python run_fusion.py --feature hubert-large clip-large  these two
  python run_fusion.py --feature egemaps --group speaker  speakers kept apart between folds"""


def make_fusion_parser() -> argparse.ArgumentParser:
    """The options of `run_fusion.py`."""
    parser = make_parser(
        "run_fusion.py",
        "Train the attention fusion of MER2024 (equations 1 to 3) on the clips of split 'train', choose its\n"
        "configuration in five-fold cross-validation, predict every other split, and write scores, predictions,\n"
        "submissions and a report.",
        EXAMPLES,
    )
    add_corpus_options(parser)
    parser.add_argument("--features", type=Path, default=Path("features"), metavar="DIR", help="feature files' folder")
    parser.add_argument(
        "--feature", action=Several, metavar="NAME", help="features to use (default: all in the folder)"
    )
    parser.add_argument(
        "--top",
        type=positive,
        metavar="N",
        help="rank the features by cross-validation on train and use the N best of each modality "
        "(default: 1, or everything that --feature names)",
    )
    parser.add_argument(
        "--modalities", choices=COMBINATIONS, help="modalities to use (default: all that have a feature)"
    )
    parser.add_argument("--trials", type=positive, default=50, metavar="N", help="random draws from the search space")
    parser.add_argument("--folds", type=positive, default=5, metavar="N", help="folds of the cross-validation")
    parser.add_argument("--group", metavar="COLUMN", help="keep clips that share this column (speaker) in one fold")
    parser.add_argument("--epochs", type=positive, default=100, metavar="N", help="epochs each network is trained for")
    parser.add_argument("--scale", choices=("standard", "none"), default="standard", help="fitted on training folds")
    parser.add_argument("--labels", action=Several, metavar="NAME", help="classes, or 'auto' (default: MER2024's six)")
    parser.add_argument("--seed", type=int, default=0, help="seed of folds, draws, weights and batches")
    parser.add_argument("--device", default="auto", help="auto, cpu or cuda")
    parser.add_argument(
        "--runs", type=Path, default=Path("results/runs"), metavar="DIR", help="where the run's folder is made"
    )
    return parser


def main(arguments: Sequence[str] | None = None) -> int:
    """Parse, load, work, write; returns the exit status."""
    options = make_fusion_parser().parse_args(arguments)
    corpus = read_manifest(options.data, options.media_root)
    labels = label_set(options.labels, (clip.label for clip in corpus.clips))
    corpus = resolve_labels(corpus, labels)
    problem = pose(options, corpus, labels, load(options, corpus))

    from fusion.result import describe

    # Before the work: a place that cannot be written to is better known now than after the search.
    folder = run_record.make_run_folder(options.runs, vars(options))
    started, begin = run_record.now(), time.monotonic()
    with progress_display() as progress:
        singles, ranking, system = work(options, corpus, labels, problem, progress)
    seconds = time.monotonic() - begin

    result = {
        "kind": "fusion",
        "command": run_record.command_line("run_fusion.py", sys.argv[1:] if arguments is None else arguments),
        "started": started,
        "seed": options.seed,
        "versions": run_record.versions("torch", "numpy", "optuna", "scikit-learn"),
        "configuration": {name: str(v) if isinstance(v, Path) else v for name, v in vars(options).items()},
        **describe(corpus, labels, singles, system, top=(options.top or 1) if ranking else None, group=options.group),
        "timings": {"search_seconds": round(seconds, 2)},
    }
    write(folder, corpus, labels, ranking, system, result)
    show(result, folder)
    return 0


def resolve_labels(corpus: Corpus, labels: LabelSet) -> Corpus:
    """The corpus with every label spelled as its class.

    Raises InputError for a corpus without training clips, a training clip without a label, a label outside the set.
    """
    if not corpus.train:
        raise InputError(
            f"{corpus.manifest} has no clip to train on: its splits are {', '.join(corpus.splits)}. "
            "Clips of split 'train' are trained on; without a column 'split', those with a label."
        )
    clips = []
    for clip in corpus.clips:
        if clip.split == TRAIN and not clip.label:
            raise InputError(f"{corpus.manifest}: clip {clip.name!r} is of split 'train' but has no label.")
        try:
            clips.append(replace(clip, label=labels.canonical(clip.label)) if clip.label else clip)
        except InputError as error:
            raise InputError(f"{corpus.manifest}: clip {clip.name!r}: {error}") from None
    return replace(corpus, clips=tuple(clips))


def load(options: argparse.Namespace, corpus: Corpus) -> dict[str, Inputs]:
    """The features asked for, of the modalities asked for, aligned with the corpus."""
    from fusion.inputs import MODALITIES, load_inputs
    from mertools.feature_store import feature_names

    extract = f"python extract.py --feature {{feature}} --data {options.data} --out {options.features}"
    names = options.feature or feature_names(options.features)
    if not names:
        raise InputError(f"There are no feature files in {options.features}. Run: {extract.format(feature='NAME')}")
    inputs = load_inputs(options.features, names, corpus.clips, extract)
    letters = {feature.letter for feature in inputs.values()}
    for letter in options.modalities or "":
        if letter not in letters:
            found = ", ".join(f"{name} ({feature.provenance.modality})" for name, feature in inputs.items())
            raise InputError(f"--modalities {options.modalities}: no {MODALITIES[letter]} feature among {found}.")
    return {name: feature for name, feature in inputs.items() if feature.letter in (options.modalities or letters)}


def pose(options: argparse.Namespace, corpus: Corpus, labels: LabelSet, inputs: Mapping[str, Inputs]) -> Problem:
    """The fusion problem over all features: clips, targets, folds and settings."""
    import numpy as np
    import torch

    from feature_extractors.encoder import torch_device
    from fusion.cross_validation import Problem
    from fusion.models import MODELS

    device = torch_device(options.device)
    # The networks are so small that a second thread costs more than it gains (docs/log.md).
    torch.set_num_threads(1)
    train = [row for row, clip in enumerate(corpus.clips) if clip.split == TRAIN]
    return Problem(
        model=MODELS["attention"],
        inputs=inputs,
        train=np.array(train),
        targets=np.array(labels.indices([corpus.clips[row].label for row in train])),
        folds=stratified_folds(corpus.train, options.folds, options.seed, options.group),
        classes=len(labels),
        epochs=options.epochs,
        scaled=options.scale == "standard",
        seed=options.seed,
        device=str(device),
    )


def work(
    options: argparse.Namespace,
    corpus: Corpus,
    labels: LabelSet,
    problem: Problem,
    progress: Callable[[str, int], Callable[[Trial, float], None]],
) -> tuple[list[System], list[Ranked], System]:
    """Where a ranking is asked for, each feature alone and their ranking; and the system of the features chosen."""
    from fusion.ranking import rank, top
    from fusion.result import scores
    from fusion.system import fit

    def fit_features(names: Sequence[str]) -> System:
        return fit(problem.only(names), corpus.clips, options.trials, progress(" + ".join(names), options.trials))

    if options.feature and options.top is None:
        return [], [], fit_features(list(problem.inputs))
    singles = {name: fit_features([name]) for name in problem.inputs}
    ranking = rank(
        {name: scores(single, corpus.clips, labels) for name, single in singles.items()},
        {name: feature.provenance.modality for name, feature in problem.inputs.items()},
    )
    count = options.top or 1
    for modality, available in Counter(entry.modality for entry in ranking).items():
        if available < count:
            sys.stderr.write(f"note: fewer than --top {count} features of {modality} ({available}): all are used\n")
    chosen = top(count, ranking)
    # One feature's own search is the system's: the same names and seed give the same networks.
    system = singles[chosen[0]] if len(chosen) == 1 else fit_features(chosen)
    return list(singles.values()), ranking, system


def write(
    folder: Path, corpus: Corpus, labels: LabelSet, ranking: Sequence[Ranked], system: System, result: dict[str, Any]
) -> None:
    """Write the run's files into `folder`, result.json last: its presence says that the run is whole."""
    from mertools.predictions import write_out_of_fold, write_predictions, write_ranking, write_submission
    from mertools.report.page import write_report
    from mertools.report.tables import results_table, to_markdown

    files: dict[str, Any] = {"predictions": "predictions.csv", "out_of_fold": "out_of_fold.csv"}
    write_predictions(folder / "predictions.csv", corpus.others, system.others, labels)
    write_out_of_fold(folder / "out_of_fold.csv", corpus.train, system.problem.folds, system.out_of_fold, labels)
    if ranking:
        files["ranking"] = "ranking.csv"
        write_ranking(folder / "ranking.csv", [asdict(entry) for entry in ranking])
    files["submissions"] = {}
    for split in corpus.splits:
        if split != TRAIN:
            rows = [row for row, clip in enumerate(corpus.others) if clip.split == split]
            files["submissions"][split] = f"submission-{split}.csv"
            names = [corpus.others[row].name for row in rows]
            write_submission(folder / f"submission-{split}.csv", names, system.others.classes[rows], labels)
    (folder / "table.md").write_text(to_markdown(results_table(result, paper_names())), encoding="utf-8")
    result["files"] = files | {"table": "table.md", "report": "report.html"}
    truth = {clip.name: clip.label for clip in corpus.clips if clip.label}
    write_report(result, folder, truth, paper_names())
    run_record.write_result(folder, result)


def show(result: Mapping[str, Any], folder: Path) -> None:
    """Print the table, and where everything lies."""
    from rich.console import Console

    from mertools.report.tables import print_table, results_table

    print_table(results_table(result, paper_names()), Console(file=sys.stdout))
    sys.stdout.write(f"\nResults: {folder}\nReport:  {folder / 'report.html'}\n")


def paper_names() -> dict[str, str]:
    """What the paper's tables call each feature of the catalog; other features go by their own names."""
    return {name: card.label for name, card in CATALOG.items()}


@contextmanager
def progress_display() -> Iterator[Callable[[str, int], Callable[[Trial, float], None]]]:
    """A bar for each system's search, on standard error; one line a system without a terminal."""
    from rich.console import Console
    from rich.progress import (
        BarColumn,
        MofNCompleteColumn,
        Progress,
        TextColumn,
        TimeElapsedColumn,
        TimeRemainingColumn,
    )

    console = Console(stderr=True)
    bars = Progress(
        TextColumn("{task.description}"),
        BarColumn(bar_width=24),
        MofNCompleteColumn(),
        TextColumn("best WAF {task.fields[best]}"),
        TimeElapsedColumn(),
        TimeRemainingColumn(),
        console=console,
        disable=not console.is_terminal,
    )

    def begin(title: str, draws: int) -> Callable[[Trial, float], None]:
        task = bars.add_task(title, total=draws, best="-")

        def advance(trial: Trial, best: float) -> None:
            bars.update(task, advance=1, best=f"{100 * best:.2f}")
            if not console.is_terminal and trial.number + 1 == draws:
                console.print(f"{title}: {draws} draws, best WAF {100 * best:.2f}", highlight=False)

        return advance

    with bars:
        yield begin
