"""`mertools ov judge show`: saved judgements as one table."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from mertools.commands.command_line import make_parser
from mertools.commands.ov_judge import tell

DESCRIPTION = """\
Show what `mertools ov judge` has saved. Judgements stand in one table where they are by one judge, with the same
parameters, and against one truth."""

EXAMPLES = """\
  mertools ov judge show judgement/judgement.json --paper
  mertools ov judge show valley/judgement.json mine/judgement.json
  mertools ov judge show by-qwen/judgement.json by-llama/judgement.json --mixed-judges"""


def main(arguments: Sequence[str] | None = None) -> int:
    """Parse, load, check, tell; returns the exit status."""
    parser = make_parser("mertools ov judge show", DESCRIPTION, EXAMPLES)
    parser.add_argument("judgements", type=Path, nargs="+", metavar="JSON", help="judgement.json of mertools ov judge")
    parser.add_argument(
        "--mixed-judges", action="store_true", help="put what different judges gave into one table, with its judge each"
    )
    parser.add_argument("--paper", action="store_true", help="EMER's Table 1 below your rows")
    options = parser.parse_args(arguments)

    from mertools.ov.judgement_files import read_judgement
    from mertools.ov.judgements import check_together

    judgements = [read_judgement(path) for path in options.judgements]
    check_together(judgements, list(map(str, options.judgements)), mixed_judges=options.mixed_judges)
    tell(judgements, paper=options.paper)
    return 0
