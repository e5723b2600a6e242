"""`mertools demo`: the main job from clips to a report, by the commands a user would type."""

from __future__ import annotations

import shlex
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path

from mertools.commands.command_line import make_parser, positive

FEATURES = ("egemaps", "face-expression", "minilm")
SCRIPTS = {"extract": Path("extract.py"), "fuse": Path("run_fusion.py")}


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the pipeline, one public command after the other; returns the status of the first that fails, else 0."""
    parser = make_parser(
        "mertools demo",
        "Generate a small corpus, draw noise for its split `noise`, extract three features and fuse them, printing\n"
        "each command before it runs. The second time the corpus and the features are reused.",
    )
    parser.add_argument(
        "--out", type=Path, default=Path("demo"), metavar="DIR", help="folder of corpus, features and runs"
    )
    parser.add_argument("--clips", type=positive, default=240, metavar="N", help="clips to generate")
    parser.add_argument("--trials", type=positive, default=50, metavar="N", help="random draws of each search")
    parser.add_argument("--seed", type=int, default=0, help="seed of corpus, noise and fusion")
    options = parser.parse_args(arguments)

    for verb, words in steps(options.out, options.clips, options.trials, options.seed).items():
        status = run_public(verb, words)
        if status:
            return status
    return 0


def steps(folder: Path, clips: int, trials: int, seed: int) -> dict[str, list[str]]:
    """The demo's commands by verb, with their arguments; corpus, features and runs lie in `folder`."""
    manifest, features, runs = folder / "manifest.csv", folder / "features", folder / "runs"
    recipe = folder / "recipe.jsonl"
    corpus, draw = {"--data": manifest}, {"--seed": seed}
    babble = {"--speech": "corpus", "--split": "noise", **draw}
    options = {
        "data demo": {"--out": folder, "--clips": clips, **draw},
        "noise draw": {**corpus, **babble, "--out": recipe, "--overwrite": None},
        "extract": {"--feature": ",".join(FEATURES), **corpus, "--noise": recipe, "--out": features},
        "fuse": {"--top": 1, **corpus, "--features": features, "--runs": runs, "--trials": trials, **draw},
    }
    return {
        verb: [str(word) for pair in pairs.items() for word in pair if word is not None]
        for verb, pairs in options.items()
    }


def run_public(verb: str, arguments: Sequence[str]) -> int:
    """Print the command as a user would type it here, run it, and return its status."""
    script = SCRIPTS.get(verb)
    if script is not None and script.is_file():
        shown, program = ["python", str(script)], [str(script)]
    else:
        shown, program = ["mertools", *verb.split()], ["-m", "mertools", *verb.split()]
    sys.stdout.write(f"\n$ {shlex.join([*shown, *arguments])}\n")
    sys.stdout.flush()
    return subprocess.run([sys.executable, *program, *arguments]).returncode
