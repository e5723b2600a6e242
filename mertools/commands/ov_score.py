"""`mertools ov score`: how well predicted open-vocabulary labels cover the true ones."""

from __future__ import annotations

import argparse
from collections.abc import Collection, Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

from mertools.commands.command_line import Several, add_corpus_options, make_parser
from mertools.commands.language_model_options import CACHE_NAME, add_language_model_options, open_chat
from mertools.commands.ov_score_options import (
    add_predicted_option,
    add_wheel_option,
    clips_of,
    read_systems,
    tell,
)
from mertools.corpus import read_manifest
from mertools.errors import InputError

if TYPE_CHECKING:
    from mertools.ov.groupings import Grouping
    from mertools.ov.labels import OpenLabels
    from mertools.ov.scoring import Judge, Truth

PAPERS_TABLE = "mer2024-table6"
"""The table that `--paper` without a name stands for."""

GROUPINGS = {
    "lexicon": "one group of synonyms in mertools' table of emotion words",
    "exact": "one spelling, case apart",
    "groups": "one group of the clip's in --groups",
    "llm": "one group of a language model's, by the paper's prompt",
    "wheel": "one sector of an emotion wheel, five wheels averaged",
}
"""What makes two labels the same, by the name of the grouping."""

EXAMPLES = """\
  mertools ov score --truth truth.csv --predicted results/ov/labels.csv
  mertools ov score --truth truth.csv --predicted mine=run-1/labels.csv,run-2/labels.csv theirs.csv --paper
  mertools ov score --truth test.csv --predicted labels-zh.csv --language zh --paper affectgpt-table8
  mertools ov score --data manifest.csv --split semi --predicted labels.csv --ceiling from_true_descriptions.csv
  mertools ov score --truth truth.csv --predicted labels.csv --grouping wheel --wheel wheel_mapping.npz --year 2026"""


def main(arguments: Sequence[str] | None = None) -> int:
    """Parse, load, work, tell; returns the exit status."""
    parser = make_parser(
        "mertools ov score",
        "Score open-vocabulary labels: set-level accuracy, recall and their mean, clip by clip and then averaged\n"
        "(MER2024, eq. 4 to 6), or the emotion-wheel score of MER2025 and MER2026. Beside each mean stands its 95 %\n"
        "bootstrap interval; beside your systems stand no labels at all (empty) and random ones. What --grouping llm\n"
        "asks a language model is kept in a folder 'grouping' beside the true labels.",
        EXAMPLES,
    )
    _add_options(parser)
    options = parser.parse_args(arguments)
    _check(options)

    from mertools.ov.scoring import CANDIDATES, baselines, coverage, score_systems
    from mertools.report.open_label_scores import ScoreSheet
    from mertools.report.printed_labels import PrintedLabels
    from mertools.set_metrics import SET_LEVEL, WHEEL_LEVEL

    paper = PrintedLabels(options.paper, options.language) if options.paper else None
    truth, listed, notice = _read_truth(options)
    systems = baselines(truth, CANDIDATES[options.language], options.seed)
    systems += read_systems(options.predicted, truth, listed, options.allow_missing)
    if options.ceiling:
        systems += read_systems([f"ceiling={options.ceiling}"], truth, listed, options.allow_missing)
    measure = WHEEL_LEVEL if options.grouping == "wheel" else SET_LEVEL
    with _judge(options) as judge:
        scores = score_systems(truth, systems, judge, measure, options.seed)
        known = coverage(judge({}, {}, 0), truth.values())
    sheet = ScoreSheet(
        options.grouping,
        GROUPINGS[options.grouping],
        measure,
        scores,
        clips=len(truth),
        unlabelled=len(listed) - len(truth),
        known=known,
        notice=notice,
        paper=paper,
    )
    tell(sheet, options.json)
    return 0


def _add_options(parser: argparse.ArgumentParser) -> None:
    parser.add_argument(
        "--truth",
        type=Path,
        metavar="CSV",
        help="true labels, columns name and openset (default: open_labels of --data)",
    )
    add_corpus_options(parser)
    parser.add_argument("--split", action=Several, metavar="SPLIT", help="only these splits of --data")
    add_predicted_option(parser)
    parser.add_argument(
        "--ceiling", type=Path, metavar="CSV", help="labels extracted from true descriptions, the row 'ceiling'"
    )
    parser.add_argument(
        "--grouping",
        choices=tuple(GROUPINGS),
        default="lexicon",
        help="what makes two labels the same: " + "; ".join(f"{name}, {what}" for name, what in GROUPINGS.items()),
    )
    parser.add_argument(
        "--groups",
        type=Path,
        metavar="PATH",
        help="groups of each clip's labels: a folder or zip of the organisers' <clip>.npy, or JSON {clip: [[...]]}",
    )
    add_wheel_option(parser)
    parser.add_argument("--year", choices=("2025", "2026"), help="whose wheel score: levels 1 and 2, or level 1 alone")
    parser.add_argument("--language", choices=("en", "zh"), default="en", help="the language of the labels")
    parser.add_argument(
        "--paper",
        nargs="?",
        const=PAPERS_TABLE,
        metavar="TABLE",
        help=f"the rows of a paper's table below yours, in --language: {PAPERS_TABLE}, affectgpt-table1, -table2, "
        "-table6 (all clips), -table7 (training clips) or -table8 (test clips)",
    )
    parser.add_argument("--json", action="store_true", help="print everything as JSON, scores as fractions")
    add_language_model_options(parser)


def _check(options: argparse.Namespace) -> None:
    """Options that do not go together."""
    if options.truth and options.split:
        raise InputError("--split chooses clips of a manifest. Give --data instead of --truth.")
    if (options.groups is None) == (options.grouping == "groups"):
        raise InputError("--groups PATH and --grouping groups belong together: give both or neither.")
    if options.grouping != "wheel":
        if options.wheel or options.year:
            raise InputError(f"--wheel and --year are for --grouping wheel, got --grouping {options.grouping}.")
        return
    if options.wheel is None or options.year is None:
        raise InputError("The wheel score needs the organisers' tables and a year: --wheel PATH --year 2026.")
    if options.language != "en":
        raise InputError("The emotion wheels are English. Translate the labels: mertools ov translate.")
    if options.paper:
        raise InputError(
            "The papers' tables have set-level scores, not the wheel's. Leave out --paper or --grouping wheel."
        )


def _read_truth(options: argparse.Namespace) -> tuple[Truth, Collection[str], str]:
    """The true labels of the clips that have some, the names of all clips, the corpus' notice."""
    if options.truth is None:
        corpus = read_manifest(options.data, options.media_root)
        clips = clips_of(corpus, options.split)
        truth, notice, listed = {clip.name: clip.open_labels for clip in clips}, corpus.notice, corpus.manifest
    else:
        from mertools.ov.labels import read_labels

        truth, notice, listed = {row.name: row.labels for row in read_labels(options.truth)}, "", options.truth
    labelled = {name: labels for name, labels in truth.items() if labels}
    if not labelled:
        raise InputError(f"{listed}: no clip has open labels; there is nothing to score against.")
    return labelled, tuple(truth), notice


@contextmanager
def _judge(options: argparse.Namespace) -> Iterator[Judge]:
    """What groups the labels, for as long as it may be asked."""
    if options.grouping != "llm":
        grouping = _grouping(options)
        yield lambda truth, predicted, run: grouping
        return
    from mertools.ov.asked_groups import ask_groups

    # Apart from the runs' exchanges, which say who made their labels: a judge may be closed.
    folder = (options.truth or options.data).parent / "grouping"
    with open_chat(options, folder / CACHE_NAME) as chat:

        def ask(truth: Truth, predicted: Mapping[str, OpenLabels], run: int) -> Grouping:
            return ask_groups(chat, truth, {name: row.labels for name, row in predicted.items()}, run)

        yield ask


def _grouping(options: argparse.Namespace) -> Grouping:
    from mertools.lexicon import lexicon
    from mertools.ov.group_files import read_groups
    from mertools.ov.groupings import BySynonyms, Exact
    from mertools.ov.wheel import LEVELS_OF, read_wheels

    if options.grouping == "lexicon":
        return BySynonyms(lexicon())
    if options.grouping == "groups":
        return read_groups(options.groups)
    return Exact() if options.grouping == "exact" else read_wheels(options.wheel, LEVELS_OF[options.year])
