"""`mertools explain describe`: what an explainer consists of, without loading a weight."""

from __future__ import annotations

import sys
from collections.abc import Sequence

from mertools.commands.command_line import make_parser
from mertools.commands.display import print_table

HEADER = ("part", "shape", "trainable", "frozen")

EXAMPLES = """\
  mertools explain describe affectgpt-two-stage
  mertools explain describe my-explainer.yaml --yaml > all-keys.yaml"""


def main(arguments: Sequence[str] | None = None) -> int:
    """Parse, tell; returns the exit status."""
    parser = make_parser(
        "mertools explain describe",
        "The parts of an explainer with their shapes and how many parameters of each are trained and frozen. Needs no\n"
        "weights. `stored`: an encoder whose frames are read from feature files, so that it need not be in memory.",
        EXAMPLES,
    )
    parser.add_argument("configuration", metavar="CONFIG", help="a shipped configuration's name, or a YAML file")
    parser.add_argument("--yaml", action="store_true", help="write all keys of the configuration instead, defaults too")
    options = parser.parse_args(arguments)
    from mertools.explain.configuration import as_yaml, read_configuration

    configuration = read_configuration(options.configuration)
    if options.yaml:
        sys.stdout.write(as_yaml(configuration))
        return 0
    from mertools.explain.description import describe

    parts = describe(configuration)
    rows = [
        [part.name, part.shape, f"{part.trainable:,}", f"{part.frozen:,}" + (" (stored)" if part.stored else "")]
        for part in parts
    ]
    total = [sum(part.trainable for part in parts), sum(part.frozen for part in parts)]
    print_table(HEADER, [*rows, ["all", "", *(f"{count:,}" for count in total)]])
    return 0
