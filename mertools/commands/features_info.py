"""`mertools features info`: what a feature file holds, and where it comes from."""

from __future__ import annotations

import sys
from collections.abc import Sequence
from pathlib import Path

from mertools.commands.command_line import make_parser
from mertools.commands.display import print_table

REASONS_SHOWN = 5

EXAMPLES = """\
  mertools features info features/egemaps.h5
  mertools features info features/*.h5"""


def main(arguments: Sequence[str] | None = None) -> int:
    """Parse, load, tell; returns the exit status."""
    parser = make_parser("mertools features info", "What feature files hold, and where they come from.", EXAMPLES)
    parser.add_argument("files", type=Path, nargs="+", metavar="FILE", help="feature files")
    for number, path in enumerate(parser.parse_args(arguments).files):
        if number:
            sys.stdout.write("\n")
        _show(path)
    return 0


def _show(path: Path) -> None:
    from mertools.clip_rows import STATUSES
    from mertools.feature_store import IDENTITY, read_heads, read_provenance, read_shapes

    provenance, rows = read_provenance(path), read_heads(path)
    statuses = [row.status for row in rows]
    facts = {"file": str(path), **{part: getattr(provenance, part) for part in (*IDENTITY, "level")}}
    facts["clips"] = ", ".join(f"{statuses.count(status)} {status}" for status in STATUSES)
    facts |= {name: " x ".join(map(str, shape)) for name, shape in read_shapes(path).items()}
    facts["size"] = f"{path.stat().st_size / 1e6:.1f} MB"
    print_table(["what", "value"], [list(fact) for fact in facts.items()])
    reasons = [[row.name, row.status, row.reason] for row in rows if row.reason]
    # What kept a clip from being used stands before what did not.
    reasons.sort(key=lambda reason: -STATUSES.index(reason[1]))
    if reasons:
        sys.stdout.write("\n")
        print_table(["clip", "status", "reason"], reasons[:REASONS_SHOWN])
    if len(reasons) > REASONS_SHOWN:
        sys.stdout.write(f"and {len(reasons) - REASONS_SHOWN} more\n")
