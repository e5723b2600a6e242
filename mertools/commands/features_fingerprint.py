"""`mertools features fingerprint`: is this encoder the same as that of another lab?"""

from __future__ import annotations

import sys
import tempfile
from collections.abc import Sequence
from pathlib import Path

import numpy as np

from feature_extractors.cards.card import MER2024, RECIPES
from feature_extractors.catalog import card
from mertools.commands.command_line import make_parser
from mertools.commands.display import print_table

VALUES = 8
"""Components of a vector that are shown: evenly spaced, the first and the last among them."""

EXAMPLES = """\
  mertools features fingerprint egemaps
  mertools features fingerprint hubert-large --weights path:/models/hubert --recipe masked"""


def main(arguments: Sequence[str] | None = None) -> int:
    """Parse, load, work, tell; returns the exit status."""
    parser = make_parser(
        "mertools features fingerprint",
        "Extract features of a generated probe (sounds of 3, 9.99 and 12.3 seconds, a Chinese sentence with its\n"
        "English one, drawn faces and the room they are in) and print norms and eight values of the vectors. Two labs\n"
        "with the same encoder see the same numbers, but for the last digit.",
        EXAMPLES,
    )
    parser.add_argument("feature", metavar="NAME", help="a feature of the catalog")
    parser.add_argument("--recipe", choices=RECIPES, default=MER2024, help="which recipe it follows")
    parser.add_argument("--weights", metavar="SOURCE", help="weights of your own, such as path:/models/hubert")
    parser.add_argument(
        "--trust-remote-code", action="store_true", help="run the code that comes with a checkpoint that needs it"
    )
    parser.add_argument("--device", default="auto", help="where the model runs: auto, cpu or cuda")
    options = parser.parse_args(arguments)
    asked = card(options.feature)

    from feature_extractors.encoder import Settings, build
    from feature_extractors.probe import answer, write_probe

    sources = {asked.name: options.weights} if options.weights else {}
    settings = Settings(recipe=options.recipe, sources=sources, trust_remote_code=options.trust_remote_code)
    encoder = build(asked, settings)
    encoder.load(options.device)
    with tempfile.TemporaryDirectory() as folder:
        vectors = answer(encoder, write_probe(Path(folder), asked.modality))
    origin = {"feature": asked.name, "source": encoder.source, "revision": encoder.revision, "recipe": options.recipe}
    print_table(["what", "value"], origin.items())
    sys.stdout.write("\n")
    rows = [[clip, str(len(vector)), *fingerprint(vector)] for clip, vector in vectors.items()]
    print_table(["clip", "dim", "norm", *(f"v{number}" for number in range(1, VALUES + 1))], rows)
    return 0


def fingerprint(vector: np.ndarray) -> list[str]:
    """The norm of `vector` (D,) in five significant digits, and evenly spaced components in four."""
    values = vector[np.linspace(0, len(vector) - 1, VALUES).round().astype(int)].astype(np.float64)
    # What is rounding against the vector's size differs from machine to machine.
    values[np.abs(values) < 1e-6 * np.abs(vector).max()] = 0
    return [f"{np.linalg.norm(vector.astype(np.float64)):.5g}", *(f"{value:.4g}" for value in values)]
