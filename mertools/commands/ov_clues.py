"""`mertools ov clues`: what a multimodal model notices of each clip."""

from __future__ import annotations

import argparse
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from mertools.commands.command_line import Several, make_parser
from mertools.commands.display import clip_progress
from mertools.commands.language_model_options import CACHE_NAME, add_language_model_options, open_chat
from mertools.commands.ov_options import (
    PARTS_TAKEN,
    add_clip_options,
    add_language_option,
    add_media_options,
    add_strict_option,
    check_known,
    chosen_corpus,
    preparation_of,
)
from mertools.commands.ov_outcome import Outcome, show, status
from mertools.ov.prompts import STYLES

if TYPE_CHECKING:
    from mertools.clip import Clip
    from mertools.ov.chat import Chat
    from mertools.ov.takes import Takes

PERCEIVED = ("audio", "video", "audio-video")

DESCRIPTION = """\
Ask a multimodal model for the clues to emotions in each clip's sound, pictures or both, into clues.jsonl. A clip
without the medium has failed, with the reason, and is not asked about. What was asked before is not asked again."""

EXAMPLES = """\
  mertools ov clues --data manifest.csv --from audio --server http://127.0.0.1:8000/v1 --out clues-audio.jsonl
  mertools ov clues --data manifest.csv --from audio-video --style emer
  mertools ov clues --data manifest.csv --from video --takes images --frames 4 --limit 10"""


def main(arguments: Sequence[str] | None = None) -> int:
    """Parse, load, ask, write, tell; returns the exit status."""
    parser = make_parser("mertools ov clues", DESCRIPTION, EXAMPLES)
    add_clip_options(parser)
    parser.add_argument(
        "--from",
        dest="perceived",
        action=Several,
        required=True,
        metavar="MEDIUM",
        help=f"what the model perceives: {', '.join(PERCEIVED)}; one question each",
    )
    add_style_option(parser)
    add_language_option(parser, "the subtitle in the question, with --style emer or subtitle")
    parser.add_argument("--out", type=Path, default=Path("clues.jsonl"), metavar="FILE", help="where clues go")
    add_media_options(parser)
    add_language_model_options(parser)
    add_strict_option(parser)
    options = parser.parse_args(arguments)
    check_known("medium", options.perceived, PERCEIVED)
    check_known("part", options.takes or (), PARTS_TAKEN)
    clips = chosen_corpus(options).clips
    with open_chat(options, options.out.parent / CACHE_NAME) as chat:
        takes = takes_of(options, chat)
        outcome = write_clues_of(options, clips, options.perceived, chat, takes, options.out)
    show([outcome])
    sys.stdout.write(f"\n{options.out}\n")
    return status([outcome], options.strict)


def add_style_option(parser: argparse.ArgumentParser) -> None:
    """`--style`: how models are asked."""
    parser.add_argument(
        "--style",
        choices=STYLES,
        default=STYLES[0],
        help="mer2024: clues alone, the subtitle is disambiguated by them afterwards; emer: one question with the "
        "subtitle, answered in 100 words; subtitle: clues with the subtitle in the question; notes: as mer2024, with "
        "another question afterwards",
    )


def takes_of(options: argparse.Namespace, chat: Chat) -> Takes:
    """What the model takes: as the options say, else as it shows when it is tried."""
    from mertools.ov.probe import probe, takes
    from mertools.ov.takes import Takes

    if options.takes:
        return Takes(**dict.fromkeys(options.takes, True))
    found = takes(probe(chat, preparation_of(options)))
    parts = [part for part in PARTS_TAKEN if getattr(found, part)]
    sys.stdout.write(f"{chat.source.get('model')} takes {', '.join(parts) or 'nothing but text'}, as it showed.\n")
    return found


def write_clues_of(
    options: argparse.Namespace,
    clips: Sequence[Clip],
    perceived: Sequence[str],
    chat: Chat,
    takes: Takes,
    out: Path,
    run: int = 0,
) -> Outcome:
    """Ask for the clues of `clips` and write them; raises InputError where the model cannot perceive them."""
    from mertools.ov.clip_media import check_takes
    from mertools.ov.clue_asking import ask_clues
    from mertools.ov.clues import write_clues

    for one in perceived:
        check_takes(takes, one, str(chat.source.get("model", "")))
    outcome = Outcome(f"clues from {', '.join(perceived)}")
    rows = ask_clues(
        clips,
        perceived,
        chat,
        takes,
        style=options.style,
        language=options.language,
        preparation=preparation_of(options),
        run=run,
    )
    with clip_progress("asking for clues") as progress:
        write_clues(out, outcome.counted(rows, len(clips) * len(perceived), progress))
    return outcome
