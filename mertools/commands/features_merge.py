"""`mertools features merge`: one feature file of those that several machines wrote."""

from __future__ import annotations

import sys
from collections.abc import Sequence
from pathlib import Path

from mertools.commands.command_line import make_parser
from mertools.corpus import read_manifest

EXAMPLES = """\
  mertools features merge node1/egemaps.h5 node2/egemaps.h5 --out features/egemaps.h5 --data manifest.csv"""


def main(arguments: Sequence[str] | None = None) -> int:
    """Parse, load, work, tell; returns the exit status."""
    parser = make_parser(
        "mertools features merge",
        "Pack feature files of one provenance, such as machines write that share a corpus, into one. Of a clip that\n"
        "several files hold, the best row counts: ok, then missing, then failed. The files stay as they are.",
        EXAMPLES,
    )
    parser.add_argument("files", type=Path, nargs="+", metavar="FILE", help="finished feature files")
    parser.add_argument("--out", type=Path, required=True, metavar="FILE", help="the file to write; may be one of them")
    parser.add_argument("--data", type=Path, metavar="CSV", help="a manifest, whose order the clips get")
    options = parser.parse_args(arguments)
    order = [clip.name for clip in read_manifest(options.data).clips] if options.data else []

    from mertools.clip_rows import STATUSES
    from mertools.feature_store import merge, read_heads

    merge(options.files, options.out, order)
    rows = read_heads(options.out)
    statuses = [row.status for row in rows]
    counts = ", ".join(f"{statuses.count(status)} {status}" for status in STATUSES)
    sys.stdout.write(f"{options.out}: {len(rows)} clips ({counts}) of {len(options.files)} files\n")
    lacking = set(order) - {row.name for row in rows}
    if lacking:
        sys.stdout.write(f"{len(lacking)} clips of {options.data} are in none of them (first: {min(lacking)})\n")
    return 0
