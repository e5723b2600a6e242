"""`mertools ov observe`: measured signals of voice and face in words, clues without a language model."""

from __future__ import annotations

import sys
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from mertools.commands.command_line import add_corpus_options, make_parser

if TYPE_CHECKING:
    from mertools.ov.clues import Clue

EXAMPLES = """\
  python extract.py --feature egemaps,face-expression --level frame
  mertools ov observe --out clues.jsonl
  mertools ov observe --language zh --out clues-zh.jsonl"""


def main(arguments: Sequence[str] | None = None) -> int:
    """Parse, load, observe, write; returns the exit status."""
    parser = make_parser(
        "mertools ov observe",
        "Put into words what is measured on each clip's voice and face, against the training clips of the corpus.\n"
        "Nothing is guessed by a model: each clause of a clue stands beside its number.",
        EXAMPLES,
    )
    add_corpus_options(parser)
    parser.add_argument(
        "--features", type=Path, default=Path("features"), metavar="DIR", help="folder of the feature files"
    )
    parser.add_argument("--out", type=Path, default=Path("clues.jsonl"), metavar="JSONL", help="the clues")
    parser.add_argument("--language", choices=("en", "zh"), default="en", help="of the clues")
    options = parser.parse_args(arguments)

    from mertools.corpus import read_manifest
    from mertools.ov.clues import write_clues
    from mertools.ov.observer import observe

    clips = read_manifest(options.data, options.media_root).clips
    failed: list[Clue] = []
    write_clues(options.out, _noting(observe(options.features, clips, options.language), failed))
    for clue in failed:
        sys.stdout.write(f"{clue.name} ({clue.modality}) failed: {clue.failed}\n")
    sys.stdout.write(f"{options.out}: two clues of each of {len(clips)} clips, {len(failed)} failed\n")
    sys.stdout.write(f"\nNext: mertools ov run --data {options.data} --clues {options.out}\n")
    return 0


def _noting(clues: Iterator[Clue], failed: list[Clue]) -> Iterator[Clue]:
    """The clues as they come; those that failed are put into `failed` too."""
    for clue in clues:
        if clue.failed:
            failed.append(clue)
        yield clue
