"""The options of `mertools ov judge`, and the descriptions that they put before the judge."""

from __future__ import annotations

import argparse
from pathlib import Path
from typing import TYPE_CHECKING

from mertools.commands.command_line import make_parser, positive
from mertools.commands.language_model_options import add_language_model_options
from mertools.errors import InputError

if TYPE_CHECKING:
    from mertools.ov.entrants import Entrant
    from mertools.ov.true_texts import TrueTexts

DESCRIPTION = """\
Let a language model judge descriptions, by EMER's prompts: how far their clues and their emotions overlap with the
truth's (0 to 10 each), and which of audio, visual and content they draw on. The truth is judged against itself too, and
ought to get 10. judgement.json says who judged, how and when, and holds every number; scores.csv has the numbers as
`mertools ov rate import --metrics` reads them. With --checkpoints, curves.html shows the scores epoch by epoch."""

EXAMPLES = """\
  mertools ov judge --truth truth.jsonl --predicted Valley=valley.jsonl mine=descriptions.jsonl --paper
  mertools ov judge --truth manifest.csv --predicted mine=descriptions.jsonl --runs 2 --model Qwen/Qwen3-8B
  mertools ov judge --truth truth.jsonl --checkpoints gt-eng=predictions/gt-eng --oracle --out judged"""


def make_judge_parser() -> argparse.ArgumentParser:
    """The options of `mertools ov judge`."""
    parser = make_parser("mertools ov judge", DESCRIPTION, EXAMPLES)
    parser.add_argument(
        "--truth",
        type=Path,
        required=True,
        metavar="FILE",
        help="true descriptions (descriptions.jsonl, or a manifest's column description) or true labels, which have no "
        "clues (name,openset, or a manifest's open_labels)",
    )
    parser.add_argument(
        "--predicted", nargs="+", type=_named_path, default=[], metavar="NAME=JSONL", help="systems' descriptions"
    )
    parser.add_argument(
        "--checkpoints",
        nargs="+",
        type=_named_path,
        default=[],
        metavar="NAME=DIR",
        help="trainings, with descriptions.jsonl in the folders epoch-0, epoch-1 and so on",
    )
    parser.add_argument("--runs", type=positive, default=1, metavar="N", help="judge so often: mean and deviation")
    parser.add_argument(
        "--oracle",
        action="store_true",
        help="also the description of each clip that agrees best with the truth, by clues and by labels, over "
        "--predicted and over --checkpoints: what a choice could reach that sees the truth",
    )
    parser.add_argument("--allow-missing", action="store_true", help="clips that a file lacks count as failed")
    parser.add_argument("--paper", action="store_true", help="EMER's Table 1 below your rows")
    parser.add_argument("--out", type=Path, default=Path("judgement"), metavar="DIR", help="where everything goes")
    add_language_model_options(parser)
    return parser


def read_entrants(options: argparse.Namespace, true: TrueTexts) -> tuple[list[Entrant], list[Entrant]]:
    """The systems and the checkpoints that are judged, checked against the truth and each other."""
    from mertools.ov.entrants import check_names, read_checkpoints, read_entrant
    from mertools.ov.judging import TRUTH
    from mertools.ov.language import check_one_language

    if not options.predicted and not options.checkpoints:
        raise InputError("Nothing to judge: name descriptions with --predicted NAME=JSONL or --checkpoints NAME=DIR.")
    clips, lenient = true.truth.texts, options.allow_missing
    entrants = [read_entrant(name, path, clips, allow_missing=lenient) for name, path in options.predicted]
    checkpoints = [
        one
        for name, folder in options.checkpoints
        for one in read_checkpoints(name, folder, clips, allow_missing=lenient)
    ]
    check_names([*entrants, *checkpoints])
    if options.oracle and max(len(entrants), len(checkpoints)) < 2:
        raise InputError("--oracle chooses among systems, or among checkpoints: give two of a kind at least.")
    described = {one.name: one.texts.values() for one in [*entrants, *checkpoints]}
    check_one_language(described | {TRUTH: clips.values()}, "a judge would compare texts of two languages")
    return entrants, checkpoints


def _named_path(text: str) -> tuple[str, Path]:
    name, _, path = text.partition("=")
    if not name.strip() or not path:
        raise argparse.ArgumentTypeError(f"got {text!r}, wanted a name and a path such as mine=descriptions.jsonl")
    return name.strip(), Path(path)
