"""`mertools compare`: is one run better than another on the same clips?"""

from __future__ import annotations

import sys
from collections.abc import Iterator, Sequence
from pathlib import Path

from mertools.commands.command_line import make_parser
from mertools.commands.display import print_table
from mertools.commands.finished_runs import (
    FinishedRun,
    LabelledPart,
    add_manifest_options,
    check_same_folds,
    labelled_parts,
    read_runs,
)
from mertools.corpus import TRAIN, Corpus
from mertools.emotions import LabelSet
from mertools.errors import InputError
from mertools.registry import look_up

EXAMPLES = """\
  mertools compare results/runs/20240601T101500Z-0a1b2c3d results/runs/20240601T112000Z-4e5f6a7b
  mertools compare baseline mine --split semi --metric f1_surprise"""

HEADER = ("split", "clips", "A", "A 95 %", "B", "B 95 %", "B - A", "B - A 95 %", "p")
HEADER += ("only A right", "only B right", "McNemar p")


def main(arguments: Sequence[str] | None = None) -> int:
    """Parse, load, work, tell; returns the exit status."""
    parser = make_parser(
        "mertools compare",
        "Compare two runs on the same clips, split by split: both scores, their difference with its 95 % interval and\n"
        "p by the paired bootstrap, and McNemar's exact test of the clips that one run alone gets right.",
        EXAMPLES,
    )
    parser.add_argument("runs", type=Path, nargs=2, metavar="RUN", help="the folders of two finished runs")
    parser.add_argument("--split", metavar="SPLIT", help="this split alone (default: all that have labels)")
    parser.add_argument("--metric", default="waf", help="waf, acc, uar or f1_<class>")
    add_manifest_options(parser)
    options = parser.parse_args(arguments)

    from mertools.metrics import metric_names

    corpus, labels, runs = read_runs(options.runs, options.data, options.media_root)
    look_up("metric", options.metric, dict.fromkeys(metric_names(labels.names)))
    parts = _parts(corpus, labels, runs, options.split)
    print_table(HEADER, [_row(part, labels, options.metric, *runs) for part in parts])
    sys.stdout.writelines(f"{note}\n" for note in _notes(corpus, parts, options.metric, *runs))
    return 0


def _parts(corpus: Corpus, labels: LabelSet, runs: Sequence[FinishedRun], wanted: str | None) -> list[LabelledPart]:
    """The labelled splits, or the split `wanted` alone."""
    parts = labelled_parts(corpus, labels, runs[0].out_of_fold.folds)
    splits = [part.split for part in parts]
    if wanted and wanted not in splits:
        raise InputError(f"--split {wanted}: no clip of it has a label. Labelled splits: {', '.join(splits)}.")
    if wanted in (None, TRAIN):
        check_same_folds(runs, ", or compare another split with --split")
    return [part for part in parts if wanted in (None, part.split)]


def _row(part: LabelledPart, labels: LabelSet, metric: str, a: FinishedRun, b: FinishedRun) -> list[str]:
    """One split's line of the table; scores in per cent."""
    from mertools.intervals import estimates
    from mertools.paired_tests import mcnemar, paired_bootstrap

    scores = [
        estimates(part.truth, part.classes(run), labels.names, run.result["seed"], part.folds)[metric] for run in (a, b)
    ]
    pair = (part.truth, part.classes(a), part.classes(b))
    gain = paired_bootstrap(*pair, labels.names, a.result["seed"], metric, part.folds)
    one_right = mcnemar(*pair)
    return [
        *(part.split, str(len(part.truth))),
        *(cell for score in scores for cell in (f"{100 * score.value:.2f}", _interval(score.low, score.high))),
        *(f"{100 * gain.value:+.2f}", _interval(gain.low, gain.high), _p(gain.p)),
        *(str(one_right.only_a), str(one_right.only_b), _p(one_right.p)),
    ]


def _notes(corpus: Corpus, parts: Sequence[LabelledPart], metric: str, a: FinishedRun, b: FinishedRun) -> Iterator[str]:
    """What the reader of the table must know."""
    from mertools.report.footnotes import ESTIMATES

    if corpus.notice:
        yield corpus.notice
    yield f"A: {a.folder}"
    yield f"B: {b.folder}"
    yield f"{metric} in per cent, with 95 % bootstrap intervals over clips. p: two-sided, by the paired bootstrap."
    if any(part.split == TRAIN for part in parts):
        yield "train: predictions out of fold, the mean of the folds' scores."
        for estimate in dict.fromkeys((a.estimate, b.estimate)):
            whose = " and ".join(letter for letter, run in (("A", a), ("B", b)) if run.estimate == estimate)
            yield f"train, {whose}: {estimate}, {ESTIMATES[estimate]}."
    rerun = [letter for letter, run in (("A", a), ("B", b)) if run.system.get("repeats")]
    if rerun:
        whose = " and ".join(rerun)
        yield f"{whose}: of the networks whose predictions the run keeps; its own table shows means over re-runs."


def _interval(low: float, high: float) -> str:
    return f"[{100 * low:.1f}, {100 * high:.1f}]"


def _p(value: float) -> str:
    return f"{value:.3f}" if value >= 0.001 else "<0.001"
