"""`run_fusion.py`: feature files -> scores, networks, predictions, submissions."""

from __future__ import annotations

import argparse
import math
import shlex
import sys
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from feature_extractors.catalog import CATALOG
from mertools import run_record
from mertools.commands.fusion_options import AS_RELEASED, make_fusion_parser
from mertools.commands.fusion_progress import search_progress
from mertools.commands.self_training import (
    PSEUDO_LABELS,
    check_options,
    pool_of,
    teaching_of,
    write_taught,
)
from mertools.corpus import TRAIN, Corpus, read_manifest, shuffled_folds, stratified_folds
from mertools.emotions import LabelSet, label_set
from mertools.errors import InputError

if TYPE_CHECKING:
    import numpy as np

    from fusion.cross_validation import Problem
    from fusion.inputs import Inputs, Variant
    from fusion.ranking import Ranked
    from fusion.result import Entry
    from fusion.self_training import Teaching
    from fusion.system import Laboratory, ProgressOf, System
    from mertools.clip import Clip

TABLE5_COMBINATIONS = ("AV", "AT", "VT", "AVT")
TABLE5_MOST = 6
JOURNAL = "search.journal"


def main(arguments: Sequence[str] | None = None) -> int:
    """Parse, load, work, write; returns the exit status."""
    options = parse(arguments)
    corpus = read_manifest(options.data, options.media_root)
    labels = label_set(options.labels, (clip.label for clip in corpus.clips))
    corpus = resolve_labels(corpus, labels)
    if options.candidates:
        corpus = keep_candidates(corpus, options.candidates)
    inputs = load(options, corpus)
    variants = load_variants(options, corpus, inputs)
    problem = pose(options, corpus, labels, inputs, load_copies(options, corpus, inputs))
    lesson = prepare_lesson(options, corpus, labels, inputs) if options.self_train else None

    ranking = paper_ranking(inputs) if options.rank_by == "paper" else None

    from fusion.result import describe

    started, begin = run_record.now(), time.monotonic()
    with search_progress() as progress:
        laboratory = equip(options, corpus, problem, variants, progress)
        # Before the work: a place that cannot be written to is better known now than after the search.
        folder = run_record.make_run_folder(options.runs, vars(options))
        try:
            outcome = work(options, laboratory, ranking, lesson)
        except BaseException:
            folder.rmdir()  # nothing is in it yet: what the search has found is in the study
            raise
    seconds = time.monotonic() - begin

    result = {
        "kind": "fusion",
        **asked(options, sys.argv[1:] if arguments is None else arguments),
        "started": started,
        "seed": options.seed,
        "versions": run_record.versions("torch", "numpy", "optuna", "scikit-learn"),
        **describe(corpus, labels, outcome.entries, outcome.written, group=options.group, variants=variants),
        "timings": {"search_seconds": round(seconds, 2), "resumed_draws": laboratory.resumed},
    }
    write(options, folder, corpus, labels, outcome, result)
    show(result, folder)
    return 0


def parse(arguments: Sequence[str] | None) -> argparse.Namespace:
    """The options, those of `--as-released` resolved; ends the program where some contradict each other."""
    parser = make_fusion_parser()
    options = parser.parse_args(arguments)
    if (options.table4 or options.table5) and options.top is not None:
        parser.error("--top chooses one system, --table4 and --table5 make all of them: give one or the other")
    if options.as_released and options.group:
        parser.error("--as-released draws folds as the organisers do, --group keeps clips together: give one")
    if options.as_released:
        for name, value in AS_RELEASED.items():
            if getattr(options, name) not in (value, parser.get_default(name)):
                parser.error(f"--as-released sets --{name} to {value}, not {getattr(options, name)}: give one")
        vars(options).update(AS_RELEASED)
    options.study = options.study or str(options.runs.parent / JOURNAL)
    if options.nested and options.folds < 3:
        parser.error(f"cv-nested needs three folds, got --folds {options.folds}: use more, or --no-nested")
    if options.consistency and not options.train_also:
        parser.error("--consistency compares clean clips with their copies: name those with --train-also")
    check_options(options, parser)
    variants = dict(options.also)
    if len(variants) < len(options.also):
        parser.error("--also: each NAME stands for one folder, one of them is given twice")
    options.also = {name: str(folder) for name, folder in variants.items()}
    return options


def asked(options: argparse.Namespace, arguments: Sequence[str]) -> dict[str, Any]:
    """What result.json says of the command."""
    from fusion.study import without_password

    values = {name: str(value) if isinstance(value, Path) else value for name, value in vars(options).items()}
    return {
        "command": without_password(run_record.command_line("run_fusion.py", arguments), options.study),
        "configuration": values | {"study": without_password(options.study, options.study)},
    }


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


def keep_candidates(corpus: Corpus, path: Path) -> Corpus:
    """The training clips, and of the others those named by the list at `path`; raises InputError for unknown names."""
    return corpus.with_candidates(candidates_of(corpus, path))


def candidates_of(corpus: Corpus, path: Path) -> frozenset[str]:
    """The names in the list at `path`; raises InputError for a name that no clip of `corpus` has."""
    from mertools.submissions import read_candidates

    names = frozenset(read_candidates(path))
    unknown = names - {clip.name for clip in corpus.clips}
    if unknown:
        raise InputError(
            f"{path} names {len(unknown)} clips that {corpus.manifest} does not have (first: {min(unknown)})."
        )
    return names


def load(options: argparse.Namespace, corpus: Corpus) -> dict[str, Inputs]:
    """The features asked for, of the modalities asked for, aligned with the corpus."""
    from fusion.inputs import MODALITIES, load_inputs
    from mertools.feature_store import feature_names

    extract = extract_command(options, options.features)
    names = options.feature or feature_names(options.features)
    if not names:
        raise InputError(f"There are no feature files in {options.features}. Run: {extract.format(feature='NAME')}")
    inputs = load_inputs(options.features, names, corpus.clips, extract)
    letters = {feature.letter for feature in inputs.values()}
    for letter in options.modalities or "":
        if letter not in letters:
            found = ", ".join(f"{name} ({feature.provenance.modality})" for name, feature in inputs.items())
            raise InputError(f"--modalities {options.modalities}: no {MODALITIES[letter]} feature among {found}.")
    inputs = {name: feature for name, feature in inputs.items() if feature.letter in (options.modalities or letters)}
    return scaled(options, inputs, corpus.clips)


def scaled(options: argparse.Namespace, inputs: dict[str, Inputs], clips: Sequence[Clip]) -> dict[str, Inputs]:
    """The features `inputs` of `clips` as `--scale-by` asks for them."""
    if not options.scale_by:
        return inputs

    from fusion.group_scaling import scaled_by

    return scaled_by(inputs, clips, options.scale_by)


def load_variants(options: argparse.Namespace, corpus: Corpus, inputs: Mapping[str, Inputs]) -> list[Variant]:
    """What `--also` names."""
    from fusion.inputs import load_variant

    found = [
        load_variant(name, Path(folder), inputs, corpus.clips, extract_command(options, folder))
        for name, folder in options.also.items()
    ]
    return [replace(one, inputs=scaled(options, dict(one.inputs), corpus.clips)) for one in found]


def load_copies(
    options: argparse.Namespace, corpus: Corpus, inputs: Mapping[str, Inputs]
) -> tuple[Mapping[str, Inputs], ...]:
    """What `--train-also` names, of the training clips."""
    from fusion.inputs import load_copy

    found = [
        load_copy(Path(folder), inputs, corpus.train, f"{extract_command(options, folder)} --noise RECIPE")
        for folder in options.train_also
    ]
    return tuple(scaled(options, copy, corpus.train) for copy in found)


def extract_command(options: argparse.Namespace, folder: Path | str) -> str:
    """How to extract `{feature}` into `folder`, as a template for `str.format`."""
    paths = ["--data", str(options.data), "--out", str(folder)]
    if options.media_root:
        paths += ["--media-root", str(options.media_root)]
    # Braces of a path are no place for the feature's name.
    typed = shlex.join(paths).replace("{", "{{").replace("}", "}}")
    return f"python extract.py --feature {{feature}} {typed}"


def pose(
    options: argparse.Namespace,
    corpus: Corpus,
    labels: LabelSet,
    inputs: dict[str, Inputs],
    copies: tuple[Mapping[str, Inputs], ...],
) -> Problem:
    """The fusion problem over all features: clips and their copies, targets, folds and settings."""
    import numpy as np

    from feature_extractors.encoder import torch_device
    from fusion.cross_validation import Problem
    from fusion.inputs import LIMIT, Data
    from fusion.models import MODELS
    from fusion.training import Material, Training

    def draw_folds(seed: int) -> np.ndarray:
        if options.as_released:
            return shuffled_folds(corpus.train, options.folds, seed)
        return stratified_folds(corpus.train, options.folds, seed, options.group)

    # Every system has the values of its own features; all features together need not be in memory twice.
    data = Data.without_clips(inputs, str(torch_device(options.device)))
    known = [labels.index(clip.label) if clip.split == TRAIN else -1 for clip in corpus.clips]
    return Problem(
        inputs=inputs,
        material=Material(MODELS[options.model], data, np.array(known), len(labels)),
        train=np.flatnonzero([clip.split == TRAIN for clip in corpus.clips]),
        folds=draw_folds(options.seed),
        draw_folds=draw_folds,
        training=Training(
            epochs=options.epochs,
            scaled=options.scale != "none",
            limit=LIMIT if options.scale == "limited" else math.inf,
            modality_dropout=options.modality_dropout,
            class_weights=options.class_weights,
            prior_adjustment=options.prior_adjustment,
            consistency=options.consistency,
        ),
        seed=options.seed,
        redrawn=options.as_released,
        copies=copies,
    )


def equip(
    options: argparse.Namespace, corpus: Corpus, problem: Problem, variants: Sequence[Variant], progress: ProgressOf
) -> Laboratory:
    """The laboratory with its draws and study."""
    from fusion.search import draw
    from fusion.study import open_storage
    from fusion.system import Laboratory

    return Laboratory(
        problem,
        corpus.clips,
        draw(problem.material.model, options.sampler, options.trials, options.seed),
        open_storage(options.study),
        nested=options.nested,
        repeats=options.repeats,
        variants=variants,
        progress=progress,
    )


def paper_ranking(inputs: Mapping[str, Inputs]) -> list[Ranked]:
    """The features by the average of the paper's Table 4; raises InputError for one that is not in it."""
    from fusion.ranking import rank
    from mertools.report.reference import parse_score, read_table

    average = {
        row["feature"]: score.value / 100
        for row in read_table("mer2024-table4")
        if (score := parse_score(row["average_waf"])) is not None
    }
    unknown = [name for name in inputs if name not in average]
    if unknown:
        raise InputError(f"--rank-by paper: Table 4 of MER2024 has no feature {unknown[0]!r}. Use --rank-by train.")
    return rank(
        {name: average[name] for name in inputs}, {name: one.provenance.modality for name, one in inputs.items()}
    )


@dataclass(frozen=True)
class Lesson:
    """What the system is taught without labels: the clips `pool`, rows of the corpus, and how."""

    pool: np.ndarray
    teaching: Teaching


def prepare_lesson(
    options: argparse.Namespace, corpus: Corpus, labels: LabelSet, inputs: Mapping[str, Inputs]
) -> Lesson:
    """What `--self-train` and its like ask for."""
    pool = pool_of(options, corpus, inputs)
    return Lesson(pool, teaching_of(options, corpus, labels, inputs, pool))


@dataclass(frozen=True)
class Work:
    """The rows of the table, the system whose predictions are written, and the features' ranking where there is one of
    cross-validation."""

    entries: Sequence[Entry]
    written: System
    ranking: Sequence[Ranked] = ()


def work(
    options: argparse.Namespace, laboratory: Laboratory, given: list[Ranked] | None, lesson: Lesson | None = None
) -> Work:
    """Make the systems asked for; `given` is a ranking from elsewhere, None for that of cross-validation.

    With a `lesson` the chosen system stands in the table twice, as it is and taught; the latter is written.
    """
    from fusion.inputs import MODALITIES
    from fusion.ranking import top
    from fusion.result import Entry

    tables = options.table4 or options.table5
    if options.feature and options.top is None and not tables:
        return _with_taught([Entry("system", None, laboratory.system(laboratory.features))], laboratory, None, lesson)

    def inner(count: int, letters: str) -> Callable[[int], list[str]] | None:
        return None if given else lambda outer: top(count, laboratory.inner_ranking(outer), letters)

    def chosen(count: int, letters: str) -> System:
        return laboratory.system(top(count, given or laboratory.ranking(), letters), inner(count, letters))

    alone = options.table4 or not given
    singles = [Entry("single", None, laboratory.system([name])) for name in laboratory.features] if alone else []
    ranking = [] if given else laboratory.ranking()
    if tables:
        systems = table5(laboratory.available, chosen) if options.table5 else []
        entries = [*singles, *systems]
        return Work(entries, max((entry.system for entry in entries), key=lambda system: system.train_waf), ranking)
    count = options.top or 1
    for letter, available in laboratory.available.items():
        if available < count:
            sys.stderr.write(
                f"note: fewer than --top {count} features of {MODALITIES[letter]} ({available}): all are used\n"
            )
    letters = "".join(laboratory.available)
    system = chosen(count, letters)
    others = [entry for entry in singles if entry.system.features != system.features]
    entries = [*others, Entry("system", count, system)]
    return replace(_with_taught(entries, laboratory, inner(count, letters), lesson), ranking=ranking)


def _with_taught(
    entries: Sequence[Entry],
    laboratory: Laboratory,
    inner: Callable[[int], Sequence[str]] | None,
    lesson: Lesson | None,
) -> Work:
    """The last of the systems is written, or with a `lesson` the same taught."""
    last = entries[-1]
    if lesson is None:
        return Work(entries, last.system)
    taught = laboratory.self_trained(last.system.features, inner, lesson.pool, lesson.teaching)
    return Work([*entries, replace(last, system=taught)], taught)


def table5(available: Mapping[str, int], chosen: Callable[[int, str], System]) -> list[Entry]:
    """The systems of the paper's Table 5 that can be made: each combination with the 1 to 6 best of each modality.

    `available` counts the features of each modality by its letter.
    """
    from fusion.result import Entry

    return [
        Entry("system", count, chosen(count, combination))
        for combination in TABLE5_COMBINATIONS
        if set(combination) <= set(available)
        for count in range(1, 1 + min(TABLE5_MOST, max(available[letter] for letter in combination)))
    ]


def write(
    options: argparse.Namespace, folder: Path, corpus: Corpus, labels: LabelSet, outcome: Work, result: dict[str, Any]
) -> None:
    """Write the run's files into `folder`, result.json last: its presence says that the run is whole."""
    from fusion.networks import save_networks
    from fusion.result import ranking_rows
    from mertools.predictions import write_out_of_fold, write_predictions, write_ranking
    from mertools.report.page import write_report
    from mertools.report.tables import results_table, to_markdown
    from mertools.submissions import write_submissions

    system, names = outcome.written, {}
    answers, problem = system.run.answers, system.problem
    write_predictions(folder / "predictions.csv", corpus.others, answers.others, labels)
    write_out_of_fold(folder / "out_of_fold.csv", corpus.train, system.run.folds, answers.out_of_fold, labels)
    networks = [trained.network for trained in system.run.networks]
    save_networks(folder / "networks.safetensors", problem.material, problem.inputs, networks, labels.names)
    if outcome.ranking:
        names["ranking"] = "ranking.csv"
        write_ranking(folder / "ranking.csv", ranking_rows(outcome.ranking, outcome.entries, labels))
    if system.self_training and system.self_training.taught and not options.pseudo_labels:
        names["pseudo_labels"] = PSEUDO_LABELS
        write_taught(folder, corpus, labels, options, system)
    names["submissions"] = write_submissions(folder, corpus.others, answers.others.classes, labels)
    (folder / "table.md").write_text(to_markdown(results_table(result, paper_names())), encoding="utf-8")
    result["files"] = {
        "predictions": "predictions.csv",
        "out_of_fold": "out_of_fold.csv",
        "networks": "networks.safetensors",
        **names,
        "table": "table.md",
        "report": "report.html",
    }
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
