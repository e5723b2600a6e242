"""`mertools ov describe`: clues and subtitles -> descriptions."""

from __future__ import annotations

import argparse
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from mertools.commands.command_line import make_parser
from mertools.commands.display import clip_progress
from mertools.commands.language_model_options import CACHE_NAME, add_language_model_options, open_chat
from mertools.commands.ov_options import (
    add_clip_options,
    add_join_options,
    add_language_option,
    add_strict_option,
    chosen_corpus,
    evidence_of,
    first_three,
    told_of,
)
from mertools.commands.ov_outcome import Outcome, show, status
from mertools.errors import InputError

if TYPE_CHECKING:
    from mertools.clip import Clip
    from mertools.ov.chat import Chat
    from mertools.ov.clues import ClipClues
    from mertools.ov.describing import Told

DESCRIPTION = """\
Disambiguate each clip's subtitle by its clues, into descriptions.jsonl: which emotions, and what tells of them. Clues
of several files are put together. A clip without a subtitle keeps its clues for a description, one without clues is
described from its subtitle alone, and nothing is asked about a clip with neither."""

EXAMPLES = """\
  mertools ov describe --clues clues-audio.jsonl clues-video.jsonl
  mertools ov describe --clues clues.jsonl --language zh --model Qwen/Qwen3-8B
  mertools ov describe --clues clues.jsonl --predictions run/predictions.csv --out-of-fold run/out_of_fold.csv
  mertools ov describe --clues clues.jsonl --offline"""


def main(arguments: Sequence[str] | None = None) -> int:
    """Parse, load, ask, write, tell; returns the exit status."""
    parser = make_parser("mertools ov describe", DESCRIPTION, EXAMPLES)
    add_clip_options(parser)
    parser.add_argument("--clues", type=Path, nargs="+", default=[], metavar="FILE", help="clues.jsonl of any models")
    parser.add_argument(
        "--style", choices=("mer2024", "notes"), default="mer2024", help="our prompt, or that of a reader's notes"
    )
    add_language_option(parser, "the descriptions")
    parser.add_argument(
        "--offline", action="store_true", help="no language model: clues and subtitle one after the other"
    )
    parser.add_argument("--out", type=Path, default=Path("descriptions.jsonl"), metavar="FILE", help="where they go")
    add_join_options(parser, ("prompt",), "With --predictions a classifier's evidence stands in the question.")
    add_language_model_options(parser)
    add_strict_option(parser)
    options = parser.parse_args(arguments)
    if options.offline and options.predictions:
        parser.error(
            "--predictions speaks to a language model, and --offline asks none: join labels (ov labels --join)"
        )
    clips = chosen_corpus(options).clips
    clues = load_clues(options.clues, clips)
    told = told_of(evidence_of(options, clips), options.language) if options.predictions else {}
    if options.offline:
        outcome = write_offline_descriptions(clips, clues, options.language, options.out)
    else:
        with open_chat(options, options.out.parent / CACHE_NAME) as chat:
            outcome = write_descriptions_of(options, clips, clues, told, chat, options.language, options.out)
    show([outcome])
    sys.stdout.write(f"\n{options.out}\n")
    return status([outcome], options.strict)


def load_clues(paths: Sequence[Path], clips: Sequence[Clip]) -> dict[str, ClipClues]:
    """The clues of several files by clip; raises InputError where they are of other clips altogether."""
    from mertools.ov.clues import clues_by_clip

    clues = clues_by_clip(paths)
    lacking = [clip.name for clip in clips if clip.name not in clues]
    if clues and len(lacking) == len(clips):
        raise InputError(
            f"No clip of the corpus has a clue in {', '.join(map(str, paths))}: clues are of {first_three(clues)}, "
            f"clips are {first_three(lacking)}. Name the manifest of these clips with --data."
        )
    if lacking and clues:
        sys.stdout.write(f"{len(lacking)} clips have no clue, and are described without: {first_three(lacking)}\n")
    return clues


def write_offline_descriptions(
    clips: Sequence[Clip], clues: Mapping[str, ClipClues], language: str, out: Path
) -> Outcome:
    """Describe `clips` without a language model and write that."""
    from mertools.ov.describing import describe_offline
    from mertools.ov.descriptions import write_descriptions

    outcome = Outcome("descriptions")
    rows = describe_offline(clips, clues, language=language)
    with clip_progress("describing") as progress:
        write_descriptions(out, outcome.counted(rows, len(clips), progress))
    return outcome


def write_descriptions_of(
    options: argparse.Namespace,
    clips: Sequence[Clip],
    clues: Mapping[str, ClipClues],
    told: Mapping[str, Told],
    chat: Chat,
    language: str,
    out: Path,
    run: int = 0,
) -> Outcome:
    """Ask for the descriptions of `clips` and write them."""
    from mertools.ov.describing import describe
    from mertools.ov.descriptions import write_descriptions

    outcome = Outcome("descriptions")
    rows = describe(clips, clues, chat, language=language, style=options.style, evidence=told, run=run)
    with clip_progress("describing") as progress:
        write_descriptions(out, outcome.counted(rows, len(clips), progress))
    return outcome
