"""`mertools prepare annotate export`: what people are asked about clips, a page and a sheet for each rater."""

from __future__ import annotations

import argparse
import shlex
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from mertools.clip import Clip
from mertools.commands.command_line import (
    Several,
    add_corpus_options,
    add_organiser_option,
    add_reading_options,
    make_parser,
    positive,
)
from mertools.commands.display import print_table
from mertools.corpora.hand_labels import refuse_challenge_clips
from mertools.corpus import read_manifest
from mertools.emotions import LabelSet, label_set
from mertools.errors import InputError

if TYPE_CHECKING:
    from mertools.prepare.annotation import Key

UNREADABLE_SHOWN = 20

MOST_CLASSES = 8
"""Nine digits answer, and one of them is for none of the classes."""

DESCRIPTION = """\
Ask people which emotion each clip shows: one of the classes, or none of them. Each rater gets a page (or a sheet) with
all clips, in an order of their own, beside a folder of small copies of the clips; no name, vote or label is shown.
`mertools prepare annotate import` reads what they hand back. Clips that have a label are not asked about. Clips of
MER2024 are refused: its rules forbid to label them by hand."""

EXAMPLES = """\
  mertools prepare annotate export --data selected.csv
  mertools prepare annotate export --data selected.csv --raters 3 --embed-clips --out pilot"""

QUESTION = "Which emotion does the speaker show?"

GUIDE = (
    "Watch, listen and read what is said, then choose the emotion that the person who speaks shows most clearly, even "
    "if it is weak. Judge that person, not what you would feel yourself. If it is none of these, or the clip does not "
    "play, choose the last answer. Answers are kept as you go; save them to a file when you are done, and hand that "
    "file back."
)

NOTE = """\
Label emotions
==============

{rater}.html  Open it in a browser; it needs no network{beside}.
              Answer with the keys 1 to {last}, save, and hand the file back.
{rater}.csv   The same as a sheet: fill the last column with one of
              {answers}.
              The clips are in the folder clips.

Each of you has a page of your own: please do not trade, and do not talk about clips before all are done.
"""


def main(arguments: Sequence[str] | None = None) -> int:
    """Parse, load, draw, write, tell; returns the exit status."""
    options = make_export_parser().parse_args(arguments)
    corpus = read_manifest(options.data, options.media_root)
    labels = label_set(options.labels, (clip.label for clip in corpus.clips))
    if len(labels) > MOST_CLASSES:
        raise InputError(f"--labels: {len(labels)} classes; the page answers by digits and takes {MOST_CLASSES}.")
    clips = {clip.name: clip for clip in corpus.clips if not clip.label}
    if not clips:
        raise InputError(f"Every clip of {options.data} has a label: there is nothing to ask. Empty the column label.")
    if not options.as_organiser:
        refuse_challenge_clips(options.data, list(clips.values()))
    if (options.out / "key.json").exists():
        raise InputError(f"{options.out} holds a study already: its key would be lost. Give another --out.")

    from mertools.commands.annotation_clips import copy_clips
    from mertools.machine import cores
    from mertools.prepare.annotation import draw_study, write_key

    folder = options.out / "raters"
    workers = cores() if options.workers is None else options.workers
    media, unreadable = copy_clips(list(clips.values()), folder / "clips", workers)
    if unreadable:
        print_table(["passed over", "reason"], list(unreadable.items())[:UNREADABLE_SHOWN])
        if len(unreadable) > UNREADABLE_SHOWN:
            sys.stdout.write(f"and {len(unreadable) - UNREADABLE_SHOWN} more\n")
    if not media:
        raise InputError(f"None of the {len(clips)} clips can be read; `mertools data validate` says what is wrong.")
    key = draw_study(list(media), labels, options.raters, options.seed)
    size = _write_raters(folder, key, labels, clips, media, options.embed_clips)
    write_key(options.out / "key.json", key)

    if labelled := len(corpus.clips) - len(clips):
        sys.stdout.write(f"{labelled} clips have a label already and are not asked about\n")
    sys.stdout.write(
        f"{folder}: {options.raters} pages of {size / 1e6:.1f} MB, and sheets; {len(key.clips)} clips each\n"
        f"{options.out / 'key.json'}: which item is which clip; not for raters\n"
    )
    root = ["--media-root", str(options.media_root)] if options.media_root else []
    command = ["mertools", "prepare", "annotate", "import", str(options.out / "key.json")]
    sys.stdout.write(f"\nNext: {shlex.join(command)} answers-{key.study}-*.json ")
    sys.stdout.write(f"{shlex.join(['--data', str(options.data), *root, '--out', 'labelled.csv'])}\n")
    return 0


def make_export_parser() -> argparse.ArgumentParser:
    """The options of `mertools prepare annotate export`."""
    parser = make_parser("mertools prepare annotate export", DESCRIPTION, EXAMPLES)
    add_corpus_options(parser)
    parser.add_argument("--raters", type=positive, default=5, metavar="N", help="people, each of whom labels all clips")
    parser.add_argument("--labels", action=Several, metavar="NAME", help="classes, or 'auto' (default: MER2024's six)")
    parser.add_argument("--seed", type=int, default=0, help="seed of all orders")
    parser.add_argument(
        "--embed-clips", action="store_true", help="put the clips into the pages: for few clips, one file to send"
    )
    parser.add_argument("--out", type=Path, default=Path("annotation"), metavar="DIR", help="where the study goes")
    add_reading_options(parser)
    add_organiser_option(parser)
    return parser


def _write_raters(
    folder: Path,
    key: Key,
    labels: LabelSet,
    clips: Mapping[str, Clip],
    media: Mapping[str, Path | None],
    embedded: bool,
) -> int:
    """Write each rater's page and sheet; gives the size of a page in bytes."""
    from mertools.ov.rating_sheets import write_sheet
    from mertools.prepare.annotation import EMOTION
    from mertools.report.rating_page import Choice, Question, ShownClip, ShownItem, Sitting, write_rating_page

    texts = {label: label for label in labels.names}
    choices = tuple(Choice(answer, texts.get(answer, "none of these")) for answer in key.answers)
    shown = [
        ShownClip(item, media[name], clips[name].subtitle, clips[name].subtitle_english)
        for item, name in key.clips.items()
    ]
    size = 0
    for rater, order in key.orders.items():
        sitting = Sitting(
            study=key.study,
            rater=rater,
            title="Label emotions",
            guide=GUIDE,
            text_heading="",
            questions=[Question(EMOTION, QUESTION, choices)],
            clips=shown,
            items=[ShownItem(item, item) for item in order],
        )
        size = write_rating_page(folder / f"{rater}.html", sitting, embedded)
        rows = [
            {
                "item": item,
                "clip": path.relative_to(folder).as_posix() if (path := media[key.clips[item]]) else "",
                "subtitle": clips[key.clips[item]].subtitle,
                "subtitle_english": clips[key.clips[item]].subtitle_english,
            }
            for item in order
        ]
        write_sheet(folder / f"{rater}.csv", key.study, rater, [EMOTION], rows)
    note = NOTE.format(
        rater="rater-N",
        last=len(choices),
        answers=", ".join(key.answers),
        beside="" if embedded else ", but the folder clips beside it",
    )
    (folder / "README.txt").write_text(note, encoding="utf-8")
    return size
