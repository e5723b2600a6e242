"""`mertools data import`: a manifest for a challenge release, without copying media."""

from __future__ import annotations

import shlex
import sys
from collections import Counter
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

from mertools.commands.command_line import Several, make_parser
from mertools.commands.display import print_table
from mertools.commands.manifest_output import refuse_existing, write_manifest_for
from mertools.corpora.challenges import RELEASES, release
from mertools.errors import InputError

if TYPE_CHECKING:
    from mertools.clip import Clip
    from mertools.corpora.release import Imported

DESCRIPTION = f"""\
Write a manifest for a release of a challenge: {", ".join(RELEASES)}. Raw and processed folders are read where they
lie, beside each other or one of them alone. Labelled clips are of split train (or of the test whose truth they are),
clips on the list of candidates of split candidates, clips with open-vocabulary labels alone of split open, all others
unlabelled."""

EXAMPLES = """\
  mertools data import mer2024 /data/mer2024-dataset
  mertools data import mer2024 /data --out work/manifest.csv     then read it with --media-root /data
  mertools data import mer2024 /data --splits train candidates   without the clips that nobody scores"""


def main(arguments: Sequence[str] | None = None) -> int:
    """Parse, read, write, tell; returns the exit status."""
    parser = make_parser("mertools data import", DESCRIPTION, EXAMPLES)
    parser.add_argument("release", metavar="RELEASE", help=f"one of {', '.join(RELEASES)}")
    parser.add_argument("folder", type=Path, metavar="DIR", help="the folder that holds the release")
    parser.add_argument("--out", type=Path, metavar="CSV", help="the manifest (default: DIR/manifest.csv)")
    parser.add_argument("--splits", action=Several, metavar="SPLIT", help="only clips of these splits (default: all)")
    parser.add_argument("--overwrite", action="store_true", help="replace a manifest that is there already")
    options = parser.parse_args(arguments)
    chosen = release(options.release)
    out = options.out or options.folder / "manifest.csv"
    refuse_existing(out, options.overwrite)

    from mertools.corpora.release import read_release

    imported = read_release(chosen, options.folder)
    if options.splits:
        imported = replace(imported, clips=_of_splits(imported.clips, options.splits))
    root = write_manifest_for(out, imported.clips, options.folder)
    show(imported)
    counts = Counter(clip.split for clip in imported.clips)
    sys.stdout.write(f"\n{out}: {len(imported.clips)} clips ({', '.join(f'{counts[s]} {s}' for s in counts)})\n")
    if root:
        sys.stdout.write(f"Its paths are relative to {options.folder}: give {shlex.join(root)} wherever it is read.\n")
    sys.stdout.write(f"\nNext: {shlex.join(['mertools', 'data', 'validate', '--data', str(out), *root])}\n")
    return 0


def _of_splits(clips: Sequence[Clip], splits: Sequence[str]) -> tuple[Clip, ...]:
    there = dict.fromkeys(clip.split for clip in clips)
    for split in splits:
        if split not in there:
            raise InputError(f"--splits {split}: no clip is of this split; there are {', '.join(there)}.")
    return tuple(clip for clip in clips if clip.split in splits)


def show(imported: Imported) -> None:
    """Print what was found of the release, and what was looked for in vain."""
    rows = []
    for piece in imported.pieces:
        where = ", ".join(map(str, piece.found)) if piece.found else f"looked for {', '.join(piece.looked_for)}"
        rows.append([piece.what, str(piece.count) if piece.found else "not found", where])
    print_table(["piece", "clips", "where"], rows)
    if imported.without_media:
        count, first = len(imported.without_media), imported.without_media[0]
        sys.stdout.write(f"\nLeft out: {count} names in the tables without any medium (first: {first})\n")
