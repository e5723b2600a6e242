"""`mertools ov import`: what others' models said of clips, as clues."""

from __future__ import annotations

import sys
from collections import Counter
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from mertools.commands.command_line import make_parser
from mertools.commands.ov_clues import PERCEIVED, add_style_option

if TYPE_CHECKING:
    from mertools.ov.clues import Clue

DESCRIPTION = """\
Read predictions that another tool wrote: the organisers' archives (.npz with name2reason, or filenames and fileitems),
CSV or JSON lines with the columns name and reason, text, openset or description. Pickled archives are read without
running anything that stands in them."""

EXAMPLES = """\
  mertools ov import results-nosubtitle.npz --modality video --model Chat-UniVi --out univi.jsonl
  mertools ov import results-subtitle.npz --modality audio --model SALMONN --style subtitle --out salmonn.jsonl"""


def main(arguments: Sequence[str] | None = None) -> int:
    """Parse, read, write, tell; returns the exit status."""
    parser = make_parser("mertools ov import", DESCRIPTION, EXAMPLES)
    parser.add_argument("file", type=Path, metavar="FILE", help="the predictions")
    parser.add_argument("--modality", choices=PERCEIVED, required=True, help="what the model perceived")
    parser.add_argument("--model", required=True, metavar="NAME", help="the model that wrote them, for the record")
    add_style_option(parser)
    parser.add_argument("--out", type=Path, required=True, metavar="FILE", help="where clues go")
    options = parser.parse_args(arguments)

    from mertools.ov.clues import write_clues
    from mertools.ov.prediction_files import read_prediction_file

    counts: Counter[bool] = Counter()

    def counted(clues: Iterator[Clue]) -> Iterator[Clue]:
        for clue in clues:
            counts[bool(clue.text)] += 1
            yield clue

    source = {"model": options.model, "style": options.style}
    write_clues(options.out, counted(read_prediction_file(options.file, options.modality, source)))
    sys.stdout.write(f"{options.out}: {counts[True]} clues, {counts[False]} empty\n")
    return 0
