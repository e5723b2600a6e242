"""`mertools ov build split`: which explanations train and which test."""

from __future__ import annotations

import argparse
import re
import sys
from collections import Counter
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

from mertools.commands.command_line import count, make_parser
from mertools.commands.display import print_table
from mertools.commands.ov_build_record import Card, further_of, read_record, write_record

DESCRIPTION = """\
Mark each explanation as train or test, in the file itself and in split.csv beside it. The papers' splits are not
published: drawn ones are ours, and say so. A file with columns name and split is taken instead. Explanations that
failed are of neither split."""

EXAMPLES = """\
  mertools ov build split emer/explanations.jsonl --test 20       80 and 20, as EMER
  mertools ov build split fine/explanations.jsonl --test 66       266 and 66, as EMER-Fine
  mertools ov build split coarse/explanations.jsonl --test 20% --seed 1
  mertools ov build split fine/explanations.jsonl --file theirs.csv"""

SPLITS = "split.csv"


def main(arguments: Sequence[str] | None = None) -> int:
    """Parse, load, draw, write, tell; returns the exit status."""
    options = _make_parser().parse_args(arguments)
    record = read_record(options.explanations)

    from mertools.ov.explanation_splits import draw_splits, read_splits, write_splits
    from mertools.ov.explanations import read_explanations, write_explanations

    names = [one.name for one in read_explanations(options.explanations) if not one.failed]
    if options.file:
        splits, drawn_by = read_splits(options.file, names), str(options.file)
        note = f"The split is that of {options.file}."
    else:
        size, per_cent = options.test
        splits = draw_splits(names, round(len(names) * size / 100) if per_cent else size, options.seed)
        drawn_by = f"mertools, seed {options.seed}"
        note = f"The split is ours, drawn by seed {options.seed}: the papers' splits are not published."
    rows = (replace(one, split=splits.get(one.name, "")) for one in read_explanations(options.explanations))
    folder = options.explanations.parent
    write_explanations(options.explanations, rows)
    write_splits(folder / SPLITS, splits, drawn_by)
    counts = Counter(splits.values())
    note += " " + ", ".join(f"{counts[split]} clips {split}" for split in sorted(counts)) + "."
    card = Card(**record["card"])
    notes = [*(kept for kept in card.notes if not kept.startswith("The split is ")), note]
    write_record(folder, replace(card, notes=notes), record["corpus"], record["quality"], **further_of(record))
    print_table(("split", "clips"), [(split, str(counts[split])) for split in sorted(counts)])
    sys.stdout.write(f"\n{note}\n\n{options.explanations}\n{folder / SPLITS}\n")
    return 0


def _make_parser() -> argparse.ArgumentParser:
    parser = make_parser("mertools ov build split", DESCRIPTION, EXAMPLES)
    parser.add_argument("explanations", type=Path, metavar="JSONL", help="explanations.jsonl in its folder")
    how = parser.add_mutually_exclusive_group(required=True)
    how.add_argument("--test", type=_size, metavar="N", help="clips to test on, or their share: 66 or 20%%")
    how.add_argument("--file", type=Path, metavar="CSV", help="a split that there is already: columns name and split")
    parser.add_argument("--seed", type=count, default=0, help="seed of the draw")
    return parser


def _size(text: str) -> tuple[int, bool]:
    """A number of clips, or of clips in a hundred."""
    match = re.fullmatch(r"(\d+)(%?)", text)
    if not match:
        raise argparse.ArgumentTypeError(f"{text!r} is neither a number of clips nor a share such as 20%")
    return int(match[1]), bool(match[2])
