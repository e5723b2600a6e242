"""`mertools prepare select`: which clips are worth annotating, by the votes of several systems."""

from __future__ import annotations

import argparse
import shlex
import sys
from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path

from mertools.commands.command_line import Several, add_corpus_options, make_parser, positive
from mertools.commands.display import print_table
from mertools.commands.manifest_output import refuse_existing, write_manifest_for
from mertools.corpus import read_manifest
from mertools.emotions import LabelSet, label_set
from mertools.errors import InputError

DESCRIPTION = """\
Choose the clips whose emotion is likely to be explicit, as MER2024 did: the share of systems that give a clip its
primary label, and of each class the clips with the highest shares. Clips with a label are not chosen. The columns
`voted` and `share` of the manifest written say why; people who annotate do not see them."""

EXAMPLES = """\
  mertools prepare select --predictions a.csv b.csv c.csv --data manifest.csv --count 6000 --out selected.csv
  mertools prepare select --predictions results/runs/*/predictions.csv --count 200 --seed 1"""


def main(arguments: Sequence[str] | None = None) -> int:
    """Parse, load, choose, write, tell; returns the exit status."""
    options = make_select_parser().parse_args(arguments)
    corpus = read_manifest(options.data, options.media_root)
    refuse_existing(options.out, options.overwrite)
    labels = label_set(options.labels, (clip.label for clip in corpus.clips))
    systems = _read_systems(options.predictions, labels)

    from mertools.prepare.selection import choose, vote

    unlabelled = {clip.name for clip in corpus.clips if not clip.label}
    votes = {
        name: vote(name, [predicted[name] for predicted in systems.values()], labels, options.seed)
        for name in unlabelled & next(iter(systems.values())).keys()
    }
    _tell_left_out({clip.name for clip in corpus.clips}, unlabelled, next(iter(systems.values())))
    chosen = set(choose(votes, labels, options.count, options.seed))
    clips = [
        replace(clip, columns={**clip.columns, "voted": told.label, "share": f"{float(told.share):.4f}"})
        for clip in corpus.clips
        if clip.name in chosen and (told := votes[clip.name])
    ]
    root = write_manifest_for(options.out, clips, options.media_root or options.data.parent)

    rows = []
    for label in labels.names:
        shares = sorted(votes[name].share for name in chosen if votes[name].label == label)
        there = sum(told.label == label for told in votes.values())
        lowest, mean = (f"{float(shares[0]):.3f}", f"{float(sum(shares) / len(shares)):.3f}") if shares else ("–", "–")
        rows.append([label, str(there), str(len(shares)), lowest, mean])
    print_table(["primary label", "clips", "chosen", "lowest share", "mean share"], rows)
    sys.stdout.write(f"\n{options.out}: {len(clips)} of {len(votes)} clips, by the votes of {len(systems)} systems\n")
    command = ["mertools", "prepare", "annotate", "export", "--data", str(options.out), *root]
    sys.stdout.write(f"\nNext: {shlex.join(command)}\n")
    return 0


def make_select_parser() -> argparse.ArgumentParser:
    """The options of `mertools prepare select`."""
    parser = make_parser("mertools prepare select", DESCRIPTION, EXAMPLES)
    add_corpus_options(parser)
    parser.add_argument(
        "--predictions",
        type=Path,
        nargs="+",
        action="extend",
        required=True,
        metavar="CSV",
        help="a file a system: predictions.csv, or a table of name and predicted or discrete",
    )
    parser.add_argument("--count", type=positive, default=6000, metavar="N", help="how many clips to choose")
    parser.add_argument("--labels", action=Several, metavar="NAME", help="classes, or 'auto' (default: MER2024's six)")
    parser.add_argument("--seed", type=int, default=0, help="what decides between equal votes")
    parser.add_argument("--out", type=Path, default=Path("selected.csv"), metavar="CSV", help="the manifest to write")
    parser.add_argument("--overwrite", action="store_true", help="replace a manifest that is there already")
    return parser


def _read_systems(paths: Sequence[Path], labels: LabelSet) -> dict[Path, dict[str, str]]:
    """By file the class that the system gives each clip.

    Raises InputError for fewer than two systems, a file that is named twice and, with names and counts, for systems
    that predict different clips: a share would be of other systems from clip to clip.
    """
    from mertools.predictions import read_classes

    resolved = [path.resolve() for path in paths]
    if twice := next((path for path in paths if resolved.count(path.resolve()) > 1), None):
        raise InputError(f"--predictions names {twice} twice; a system has one vote.")
    if len(paths) < 2:
        raise InputError("--predictions names one system: its share is 1 everywhere. Name two files or more.")
    systems = {path: read_classes(path, labels) for path in paths}
    everything = set().union(*systems.values())
    lacking = {path: sorted(everything - predicted.keys()) for path, predicted in systems.items()}
    if any(lacking.values()):
        lines = [
            f"{path} lacks {len(names)} of {len(everything)} clips (first: {names[0]!r})"
            for path, names in lacking.items()
            if names
        ]
        raise InputError("\n  ".join(["The systems predict different clips; wanted the same from all.", *lines]))
    return systems


def _tell_left_out(names: set[str], unlabelled: set[str], predicted: Mapping[str, str]) -> None:
    """Say which clips cannot be chosen, and why."""
    for count, why in (
        (len(predicted.keys() - names), "predicted clips are not in the manifest"),
        (len(predicted.keys() & (names - unlabelled)), "predicted clips have a label already"),
        (len(unlabelled - predicted.keys()), "clips without a label are not predicted"),
    ):
        if count:
            sys.stdout.write(f"Left out: {count} {why}\n")
