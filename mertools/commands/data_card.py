"""`mertools data card`: what a corpus holds, split by split."""

from __future__ import annotations

import sys
from collections.abc import Sequence
from pathlib import Path

from mertools.commands.command_line import add_corpus_options, add_reading_options, make_parser
from mertools.commands.display import clip_progress
from mertools.corpus import read_manifest
from mertools.errors import InputError

DESCRIPTION = """\
Write what a corpus holds as a card in Markdown, in the manner of MER2024's Table 1: clips by split and class, lengths
by the files' headers, speakers, the writing of the subtitles, and what is labelled. Whether the clips are usable is
told by `mertools data validate`, which decodes them."""

EXAMPLES = """\
  mertools data card --data manifest.csv
  mertools data card --data manifest.csv --out CARD.md"""


def main(arguments: Sequence[str] | None = None) -> int:
    """Parse, load, measure, write or tell; returns the exit status."""
    parser = make_parser("mertools data card", DESCRIPTION, EXAMPLES)
    add_corpus_options(parser)
    parser.add_argument("--out", type=Path, metavar="MD", help="the file to write (default: standard output)")
    add_reading_options(parser)
    options = parser.parse_args(arguments)
    corpus = read_manifest(options.data, options.media_root)

    from mertools.machine import cores
    from mertools.prepare.lengths import lengths
    from mertools.report.corpus_card import corpus_card

    workers = cores() if options.workers is None else options.workers
    with clip_progress("reading headers", "not known") as progress:
        card = corpus_card(corpus, lengths(corpus.clips, workers, progress))
    if options.out is None:
        sys.stdout.write(card)
        return 0
    try:
        options.out.parent.mkdir(parents=True, exist_ok=True)
        options.out.write_text(card, encoding="utf-8")
    except OSError as error:
        raise InputError(f"Cannot write {options.out}: {error.strerror}. Name another place with --out.") from None
    sys.stdout.write(f"{options.out}: {len(corpus.clips)} clips\n")
    return 0
