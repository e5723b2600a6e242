"""`mertools features list`: the encoders that can be asked for by name."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from feature_extractors.cards.card import Card
from feature_extractors.catalog import CATALOG
from mertools.commands.command_line import make_parser
from mertools.commands.display import print_table

HEADER = ("modality", "feature", "label", "dim", "parameters", "source", "licence", "needs")

EXAMPLES = """\
  mertools features list
  mertools features list --features features | grep audio"""


def main(arguments: Sequence[str] | None = None) -> int:
    """Parse, load, tell; returns the exit status."""
    parser = make_parser(
        "mertools features list",
        "Every feature that extract.py knows: the paper's label, dimension, source, licence, and what must be there\n"
        "first. Tab-separated where the output is no terminal.",
        EXAMPLES,
    )
    parser.add_argument(
        "--features",
        type=Path,
        metavar="DIR",
        help="say too how many clips of each feature this folder holds as ok, missing and failed",
    )
    options = parser.parse_args(arguments)
    rows = {name: _facts(card) for name, card in CATALOG.items()}
    if options.features is None:
        print_table(HEADER, rows.values())
        return 0

    from mertools.clip_rows import STATUSES
    from mertools.feature_store import feature_names, read_heads, read_provenance

    counts = {}
    for name in feature_names(options.features):
        path = options.features / f"{name}.h5"
        provenance = read_provenance(path)
        statuses = [row.status for row in read_heads(path)]
        counts[name] = [str(statuses.count(status)) for status in STATUSES]
        # A feature of the user's own: the file knows what no card says.
        rows.setdefault(name, [provenance.modality, name, "", "", "", provenance.source, "", ""])
    none = ["-"] * len(STATUSES)
    print_table([*HEADER, *STATUSES], [[*row, *counts.get(name, none)] for name, row in rows.items()])
    return 0


def _facts(card: Card) -> list[str]:
    parameters = f"{card.parameters / 1e6:,.0f} M" if card.parameters else ""
    return [card.modality, card.name, card.label, str(card.dim), parameters, card.source, card.licence, card.needs]
