"""`mertools ov report`: what systems say of clips, side by side on one page."""

from __future__ import annotations

import argparse
import sys
from collections.abc import Sequence
from pathlib import Path

from mertools import run_record
from mertools.commands.command_line import Several, add_corpus_options, count, make_parser, named_path, positive
from mertools.commands.display import clip_progress
from mertools.commands.ov_options import of_splits
from mertools.corpus import read_manifest
from mertools.errors import InputError

CLIPS = 48
MOST_WITH_MEDIA = 60

DESCRIPTION = """\
Write one page that shows clips, and what each system says of them side by side: clues, description, labels. With --run
the classifier's probabilities and attention stand beside them. The page needs nothing else and opens offline.

Of more clips than --clips the classes take turns, each with the clip the systems dispute most and one drawn by lot in
turn. With media the page holds five small frames and the loudness of each clip, 30 to 40 kB: whoever may not have the
clips may not have the page."""

EXAMPLES = """\
  mertools ov report --system observer=ov/observer --system qwen=ov/qwen --out explained.html
  mertools ov report --data demo/manifest.csv --system joined=ov/joined --run RUN --split semi --clips 20"""


def main(arguments: Sequence[str] | None = None) -> int:
    """Parse, load, write, tell; returns the exit status."""
    options = make_report_parser().parse_args(arguments)
    repeated = [name for name, _ in options.system if [given for given, _ in options.system].count(name) > 1]
    if repeated:
        raise InputError(f"--system names {repeated[0]!r} more than once. Give each system a name of its own.")
    corpus = read_manifest(options.data, options.media_root)
    shown = of_splits(corpus, options.split)

    from mertools.lexicon import lexicon
    from mertools.report.classifier import read_classifier
    from mertools.report.clips_page import Choice, write_clips_page
    from mertools.report.explanations import read_system

    systems = [read_system(name, folder, corpus.clips) for name, folder in options.system]
    classifier = read_classifier(options.run, shown.clips) if options.run else None
    media = options.clips <= MOST_WITH_MEDIA if options.media is None else options.media
    made = {
        "command": run_record.command_line(
            "mertools", ["ov", "report", *(sys.argv[1:] if arguments is None else arguments)]
        ),
        "started": run_record.now(),
        "versions": run_record.versions(),
    }
    with clip_progress("reading media", "lacking a medium") as progress:
        choice = Choice(options.clips, options.seed, media)
        shown_clips = write_clips_page(options.out, shown, systems, classifier, lexicon(), choice, made, progress)
    size = options.out.stat().st_size / 1e6
    sys.stdout.write(f"Page: {options.out} ({shown_clips} clips, {size:.1f} MB)\n")
    if media:
        sys.stdout.write("It holds pictures of the clips: give it to those alone who may have the clips.\n")
    return 0


def make_report_parser() -> argparse.ArgumentParser:
    """The options of `mertools ov report`."""
    parser = make_parser("mertools ov report", DESCRIPTION, EXAMPLES)
    add_corpus_options(parser)
    parser.add_argument(
        "--system",
        type=named_path,
        action="append",
        required=True,
        metavar="NAME=DIR",
        help="a system by the name to show, and the folder of its clues.jsonl, descriptions.jsonl and labels.csv; "
        "may be repeated",
    )
    parser.add_argument("--run", type=Path, metavar="RUN", help="a finished run of run_fusion.py: the classifier")
    parser.add_argument("--split", action=Several, metavar="NAME", help="splits to show (default: all)")
    parser.add_argument("--clips", type=positive, default=CLIPS, metavar="N", help="clips on the page")
    parser.add_argument("--seed", type=count, default=0, help="seed of the clips drawn by lot")
    parser.add_argument(
        "--media",
        action=argparse.BooleanOptionalAction,
        default=None,
        help=f"frames and loudness of each clip (default: up to {MOST_WITH_MEDIA} clips)",
    )
    parser.add_argument("--out", type=Path, default=Path("explained.html"), metavar="HTML", help="the page to write")
    return parser
