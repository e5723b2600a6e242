"""`mertools ov probe`: what a language model takes beside text, by asking it."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from mertools.commands.command_line import make_parser, positive
from mertools.commands.display import print_table
from mertools.commands.language_model_options import CACHE_NAME, add_language_model_options, open_chat

if TYPE_CHECKING:
    from mertools.ov.probe import Finding

HEADER = ("part", "accepted", "perceived", "answers")

EXAMPLES = """\
  mertools ov probe
  mertools ov probe --server http://127.0.0.1:8000/v1 --model Qwen/Qwen2.5-Omni-7B --frames 4"""


def main(arguments: Sequence[str] | None = None) -> int:
    """Parse, ask, tell; returns the exit status."""
    parser = make_parser(
        "mertools ov probe",
        "Send the model coloured frames, a coloured video and beeps, each twice with another right answer, and tell\n"
        "which parts its server accepts and which it perceives: right both times. Many servers accept a video with\n"
        "its sound and drop the sound; the suite always sends sound as a part of its own. Nine short questions, whose\n"
        "answers are kept: the next probe asks nothing.",
        EXAMPLES,
    )
    parser.add_argument("--frames", type=positive, metavar="N", help="images in one question (default: as for clips)")
    parser.add_argument(
        "--out",
        type=Path,
        default=Path(),
        metavar="DIR",
        help="folder of the exchanges, unless --cache names their file",
    )
    add_language_model_options(parser)
    options = parser.parse_args(arguments)

    from mertools.ov.clip_media import Preparation
    from mertools.ov.probe import probe

    preparation = Preparation(frames=options.frames) if options.frames else Preparation()
    with open_chat(options, options.out / CACHE_NAME) as chat:
        findings = probe(chat, preparation)
    print_table(HEADER, map(_row, findings))
    return 0


def _row(finding: Finding) -> list[str]:
    accepted = "no" if finding.reason else "yes"
    answers = finding.reason or " / ".join(finding.answers)
    return [finding.part, accepted, "yes" if finding.is_right else "no", " ".join(answers.split())]
