"""`mertools prepare annotate import`: the raters' answers become labels where enough of them agree."""

from __future__ import annotations

import argparse
import shlex
import sys
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

from mertools.clip import Clip
from mertools.commands.command_line import add_corpus_options, add_organiser_option, make_parser, positive
from mertools.commands.display import print_table
from mertools.commands.manifest_output import refuse_existing, write_manifest_for
from mertools.corpora.hand_labels import refuse_challenge_clips
from mertools.corpus import read_manifest
from mertools.errors import InputError
from mertools.ov.rating_sheets import collect, read_answers

if TYPE_CHECKING:
    from mertools.prepare.annotation import Key, Verdict

DESCRIPTION = """\
Read what raters saved. Clips on which at least --agree raters gave the same label are kept, with that label, and split
into halves `semi` and `noise`, class by class; the odd clip goes to `noise`. Files that lack items, have one twice or
hold answers that there are not are refused, with counts."""

EXAMPLES = """\
  mertools prepare annotate import annotation/key.json answers-*.json --data selected.csv --out labelled.csv
  mertools prepare annotate import annotation/key.json a.json b.csv c.json --data selected.csv --agree 3"""


def main(arguments: Sequence[str] | None = None) -> int:
    """Parse, load, work, write, tell; returns the exit status."""
    options = make_import_parser().parse_args(arguments)

    from mertools.agreement import krippendorff_alpha
    from mertools.prepare.annotation import EMOTION, as_numbers, check_threshold, halves, read_key, verdicts

    key = read_key(options.key)
    check_threshold(options.agree, len(key.orders))
    refuse_existing(options.out, options.overwrite)
    clips = _asked_clips(key, options.data, options.media_root)
    if not options.as_organiser:
        refuse_challenge_clips(options.data, clips)
    files = [read_answers(path, EMOTION) for path in options.answers]
    collected = collect(files, key.study, list(key.orders), list(key.clips), key.answers, options.allow_incomplete)

    agreed = verdicts(key, collected.answers, options.agree)
    label_of = {name: told.answer for name, told in agreed.items() if told.answer in key.labels}
    _show_raters(key, collected.answers)
    if not label_of:
        raise InputError(
            f"No clip has a label on which {options.agree} of {len(key.orders)} raters agree: nothing is kept. "
            "Lower --agree, or look at the raters above."
        )
    splits = halves(label_of, key.labels, options.seed)
    kept = [
        replace(
            clip,
            label=label_of[clip.name],
            split=splits[clip.name],
            columns={**clip.columns, "raters_agreed": str(agreed[clip.name].count)},
        )
        for clip in clips
        if clip.name in label_of
    ]
    root = write_manifest_for(options.out, kept, options.media_root or options.data.parent)

    _show_classes(key, agreed, splits, options.agree)
    alpha = krippendorff_alpha(as_numbers(key, collected.answers), "nominal")
    sys.stdout.write(f"\nKrippendorff's alpha, nominal: {'–' if alpha is None else f'{alpha:.3f}'}\n")
    if collected.gaps:
        sys.stdout.write(f"Incomplete: {'; '.join(collected.gaps)}.\n")
    sys.stdout.write(
        f"{options.out}: {len(kept)} of {len(key.clips)} clips are kept, on which {options.agree} of "
        f"{len(key.orders)} raters agree\n"
    )
    if of_none := len(agreed) - len(label_of):
        sys.stdout.write(f"{of_none} more show none of the classes, as {options.agree} raters agree: not kept\n")
    command = ["mertools", "noise", "draw", "--data", str(options.out), *root, "--split", "noise"]
    sys.stdout.write(f"\nNext: {shlex.join([*command, '--speech', 'musan/speech'])}\n")
    return 0


def make_import_parser() -> argparse.ArgumentParser:
    """The options of `mertools prepare annotate import`."""
    parser = make_parser("mertools prepare annotate import", DESCRIPTION, EXAMPLES)
    parser.add_argument("key", type=Path, help="the study's key.json")
    parser.add_argument("answers", type=Path, nargs="+", metavar="ANSWERS", help="the raters' files, JSON or CSV")
    add_corpus_options(parser)
    parser.add_argument("--agree", type=positive, default=4, metavar="N", help="raters who must give the same label")
    parser.add_argument("--seed", type=int, default=0, help="seed of the halves")
    parser.add_argument(
        "--allow-incomplete", action="store_true", help="use what there is where raters have left clips open"
    )
    parser.add_argument("--out", type=Path, default=Path("labelled.csv"), metavar="CSV", help="the manifest to write")
    parser.add_argument("--overwrite", action="store_true", help="replace a manifest that is there already")
    add_organiser_option(parser)
    return parser


def _asked_clips(key: Key, manifest: Path, media_root: Path | None) -> list[Clip]:
    """The clips that raters were asked about, in the manifest's order."""
    asked = set(key.clips.values())
    clips = [clip for clip in read_manifest(manifest, media_root).clips if clip.name in asked]
    if lacking := sorted(asked - {clip.name for clip in clips}):
        raise InputError(
            f"{manifest} lacks {len(lacking)} of {len(asked)} clips that raters were asked about (first: "
            f"{lacking[0]!r}). Name the manifest that was exported with --data."
        )
    return clips


def _show_raters(key: Key, answers: Mapping[str, Mapping[str, str]]) -> None:
    """How often each rater gave each answer: one who presses one key is seen here."""
    rows = []
    for rater, given in answers.items():
        counts = Counter(given.values())
        rows.append([rater, str(len(given)), *(str(counts[answer]) for answer in key.answers)])
    print_table(["rater", "clips", *key.answers], rows)
    sys.stdout.write("\n")


def _show_classes(key: Key, agreed: Mapping[str, Verdict], splits: Mapping[str, str], agree: int) -> None:
    """How many clips of each class are kept, by how many raters agree, and in which split."""
    from mertools.prepare.annotation import NOISE, SEMI

    raters = len(key.orders)
    levels = range(raters, agree - 1, -1)
    rows = []
    for label in key.labels:
        names = [name for name, told in agreed.items() if told.answer == label]
        by_count = Counter(agreed[name].count for name in names)
        by_split = Counter(splits[name] for name in names)
        counts = [len(names), *(by_count[level] for level in levels), by_split[SEMI], by_split[NOISE]]
        rows.append([label, *map(str, counts)])
    total = [str(sum(int(row[place]) for row in rows)) for place in range(1, len(rows[0]))]
    print_table(["label", "kept", *(f"{level} of {raters}" for level in levels), SEMI, NOISE], [*rows, ["all", *total]])
