"""`mertools ov models`: the language models that explain emotions, the papers' and today's."""

from __future__ import annotations

from collections.abc import Sequence

from mertools.commands.command_line import make_parser
from mertools.commands.display import print_table
from mertools.ov.language_models import language_models

HEADER = ("model", "perceives", "weights", "served by", "languages", "link")

EXAMPLES = """\
  mertools ov models
  mertools ov models | grep audio | grep vLLM"""


def main(arguments: Sequence[str] | None = None) -> int:
    """Parse, tell; returns the exit status."""
    parser = make_parser(
        "mertools ov models",
        "The papers' language models and today's: what each perceives, by what it is served, whether its weights are\n"
        "open (MER2024's third track admits no others). `import only`: nothing serves it; `mertools ov import` reads\n"
        "what its authors' code wrote. What a server passes on to its model is told by `mertools ov probe`.\n"
        "Tab-separated where the output is no terminal.",
        EXAMPLES,
    )
    parser.parse_args(arguments)
    rows = [
        [
            model.name,
            " ".join(model.perceives),
            "closed" if model.is_closed else "open",
            model.served_by,
            " ".join(model.languages),
            model.link,
        ]
        for model in language_models()
    ]
    print_table(HEADER, rows)
    return 0
