"""`mertools ov build filter`: explanations without those that are not to be trained on."""

from __future__ import annotations

import argparse
import sys
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from mertools import run_record
from mertools.commands.command_line import make_parser
from mertools.commands.display import print_table
from mertools.commands.ov_build_record import (
    EXPLANATIONS,
    card_of,
    further_of,
    read_record,
    show_files,
    show_quality,
    write_record,
)
from mertools.errors import InputError

if TYPE_CHECKING:
    from mertools.ov.explanation_filters import Rejection
    from mertools.ov.explanations import Explanation

    Filter = Callable[[Explanation], Iterator[Rejection]]

DESCRIPTION = """\
Leave out explanations that failed or are in another language than they should be; whose clue of the sound speaks of
what is seen, or of the picture of what is heard; that are much too short or long, or whose translation is; and, with
--systems, whose labels other systems do not share. What is left lands in a folder of its own, with a data card, and
rejected.csv beside it says of each clip that is not which filter rejects it, why, and by which number."""

EXAMPLES = """\
  mertools ov build filter coarse/explanations.jsonl --out filtered
  mertools ov build filter coarse/explanations.jsonl --systems omni=a.csv salmonn=b.csv --agreement 1 --out agreed
  mertools ov build filter coarse/explanations.jsonl --foreign-share 0.3 --words 20 200 --out strict"""

REJECTED = "rejected.csv"


def main(arguments: Sequence[str] | None = None) -> int:
    """Parse, load, filter, write, tell; returns the exit status."""
    options = make_filter_parser().parse_args(arguments)
    record = read_record(options.explanations)
    if options.out.resolve() == options.explanations.resolve().parent:
        raise InputError(f"{options.out} holds the explanations that are to be filtered. Give another --out.")

    from mertools.ov.explanation_filters import write_rejected
    from mertools.ov.explanation_quality import quality
    from mertools.ov.explanations import read_explanations, write_explanations

    rejected: list[Rejection] = []
    kept = _kept(read_explanations(options.explanations), _filters(options), rejected)
    write_explanations(options.out / EXPLANATIONS, kept)
    write_rejected(options.out / REJECTED, rejected)
    numbers = quality(read_explanations(options.out / EXPLANATIONS))
    words = sys.argv[1:] if arguments is None else arguments
    command = run_record.command_line("mertools", ["ov", "build", "filter", *words])
    clips = len({one.name for one in rejected})
    counts = Counter((one.filter, one.reason) for one in rejected if one.filter != "failed")
    counts["failed", "a step of the build"] = sum(one.filter == "failed" for one in rejected)
    note = f"{clips} clips were left out by filters; {REJECTED} says which and why."
    further = {**further_of(record), "rejected": clips}
    write_record(options.out, card_of(record, command, note), record["corpus"], numbers, **further)
    print_table(("filter", "reason", "clips"), [(*why, str(count)) for why, count in counts.most_common() if count])
    sys.stdout.write(f"\n{clips} clips are left out, {numbers['clips']} are kept\n\n")
    show_quality(numbers)
    show_files(options.out)
    sys.stdout.write(f"{options.out / REJECTED}\n")
    return 0


def make_filter_parser() -> argparse.ArgumentParser:
    """The options of `mertools ov build filter`."""
    parser = make_parser("mertools ov build filter", DESCRIPTION, EXAMPLES)
    parser.add_argument("explanations", type=Path, metavar="JSONL", help="explanations.jsonl in its folder")
    parser.add_argument("--out", type=Path, required=True, metavar="DIR", help="the folder of what is kept")
    parser.add_argument(
        "--foreign-share",
        type=float,
        default=0.5,
        metavar="SHARE",
        help="most sentences of a clue that may speak of the other medium",
    )
    for name, unit, kind, default in (
        ("words", "words of an English description", int, (8, 300)),
        ("characters", "characters of a Chinese description", int, (12, 550)),
        ("ratio", "Chinese characters an English word", float, (0.6, 4.0)),
    ):
        parser.add_argument(
            f"--{name}", type=kind, nargs=2, default=default, metavar=("LEAST", "MOST"), help=f"{unit} that are kept"
        )
    parser.add_argument(
        "--systems",
        nargs="+",
        action="extend",
        default=[],
        metavar="NAME=FILE",
        help="labels.csv or explanations.jsonl of others",
    )
    parser.add_argument(
        "--agreement",
        type=float,
        default=0.5,
        metavar="SHARE",
        help="least share of these systems that have a label in common with the clip's, by the lexicon's synonyms",
    )
    return parser


def _filters(options: argparse.Namespace) -> list[Filter]:
    from mertools.lexicon import lexicon
    from mertools.ov.explanation_filters import AgreementFilter, Completeness, LengthFilter, MediumFilter

    for name in ("words", "characters", "ratio"):
        least, most = getattr(options, name)
        if least > most:
            raise InputError(f"--{name} {least:g} {most:g}: the least is more than the most. Swap them.")
    filters: list[Filter] = [
        Completeness(),
        MediumFilter(options.foreign_share),
        LengthFilter(tuple(options.words), tuple(options.characters), tuple(options.ratio)),
    ]
    systems = {name: _labels(path) for name, path in map(_named, options.systems)}
    return filters + ([AgreementFilter(systems, lexicon(), options.agreement)] if systems else [])


def _named(text: str) -> tuple[str, Path]:
    name, equals, path = text.partition("=")
    if not (name and equals and path):
        raise InputError(f"--systems {text}: wanted a name and a file, such as omni=labels.csv.")
    return name, Path(path)


def _labels(path: Path) -> dict[str, tuple[str, ...]]:
    """The labels of each clip in a labels.csv, or the English ones of explanations."""
    from mertools.ov.explanations import read_explanations
    from mertools.ov.labels import read_labels

    if path.suffix.lower() == ".csv":
        return {row.name: row.labels for row in read_labels(path)}
    return {one.name: one.labels_en or one.labels_zh for one in read_explanations(path)}


def _kept(
    explanations: Iterator[Explanation], filters: Sequence[Filter], rejected: list[Rejection]
) -> Iterator[Explanation]:
    """The explanations that no filter rejects; the rejections of the others are put into `rejected`."""
    for one in explanations:
        found = [rejection for filter_ in filters for rejection in filter_(one)]
        rejected += found
        if not found:
            yield one
