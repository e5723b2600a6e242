"""`mertools explain convert`: weights of Video-LLaMA, BLIP-2 and InstructBLIP as an explainer's."""

from __future__ import annotations

import sys
from collections import Counter
from collections.abc import Sequence
from pathlib import Path

from mertools.commands.command_line import make_parser
from mertools.commands.display import print_table
from mertools.errors import InputError

HEADER = ("fate", "their key", "our key", "shapes")

EXAMPLES = """\
  mertools explain convert finetune-vicuna7b-v2.pth --for affectgpt-two-stage --to weights/video.safetensors
  mertools explain convert instruct_blip_vicuna7b_trimmed.pth --for microemo --to weights/image.safetensors --all"""


def main(arguments: Sequence[str] | None = None) -> int:
    """Parse, load, convert, write, tell; returns the exit status."""
    parser = make_parser(
        "mertools explain convert",
        "Read Q-Formers and projections out of a checkpoint of Video-LLaMA, BLIP-2 or InstructBLIP (its own file, or\n"
        "transformers') and write those that the explainer has a place for, under its names. Prints what became of\n"
        "each key: missing, unexpected and reshaped ones, and with --all those taken too.",
        EXAMPLES,
    )
    parser.add_argument("weights", type=Path, metavar="FILE", help="the checkpoint: safetensors, or torch's")
    parser.add_argument(
        "--for", required=True, dest="configuration", metavar="CONFIG", help="the explainer's configuration"
    )
    parser.add_argument("--to", type=Path, required=True, metavar="FILE", help="the safetensors file to write")
    parser.add_argument("--all", action="store_true", help="list the keys that were taken too")
    options = parser.parse_args(arguments)
    if options.to.suffix != ".safetensors":
        raise InputError(f"--to {options.to} is not called .safetensors, which is what is written.")
    if not options.weights.is_file():
        raise InputError(f"There is no file {options.weights}. Name the checkpoint to convert.")
    from safetensors.torch import save_file

    from mertools.explain.configuration import read_configuration
    from mertools.explain.conversion import convert
    from mertools.model_sources import load_weights

    configuration = read_configuration(options.configuration)
    taken, report = convert(load_weights(options.weights), configuration)
    options.to.parent.mkdir(parents=True, exist_ok=True)
    unfinished = options.to.with_name(f".{options.to.name}")
    save_file(taken, unfinished)
    unfinished.replace(options.to)
    told = [key for key in report if options.all or key.fate != "taken"]
    print_table(HEADER, [[key.fate, key.theirs, key.ours, key.shapes] for key in told])
    counts = Counter(key.fate for key in report)
    summary = ", ".join(f"{counts[fate]} {fate}" for fate in ("taken", "missing", "unexpected", "reshaped"))
    sys.stdout.write(f"{options.to}: {summary}\n")
    return 0
