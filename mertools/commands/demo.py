"""`mertools demo`: the main job from clips to a report, by the commands a user would type."""

from __future__ import annotations

import importlib.util
import shlex
import subprocess
import sys
from collections.abc import Iterator, Sequence
from pathlib import Path

from mertools.commands.command_line import make_parser, positive

FEATURES = ("egemaps", "face-expression", "minilm")
SCRIPTS = {"extract": Path("extract.py"), "fuse": Path("run_fusion.py")}

UNSEEN = ("semi", "noise")
"""The splits that the classifier was not trained on: what open-vocabulary labels are scored on."""
STANDIN_SPLIT = "semi"
"""What the small language model is asked about, where it is installed: it takes seconds a clip."""
STANDIN_TOKENS = 256
"""Where its answers are cut off: it seldom stops by itself, and a clip so cut off has failed."""

Step = tuple[str, list[str]]
"""A verb and its arguments."""


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the pipeline, one public command after the other; returns the status of the first that fails, else 0."""
    parser = make_parser(
        "mertools demo",
        "Generate a small corpus, draw noise for its split `noise`, extract three features and fuse them. Then put\n"
        "what is measured of voice and face into words, find emotions in them, join these with the fusion's answers,\n"
        "and show clips with their explanations on a page. Each command is printed before it runs. The second time\n"
        "corpus and features are reused. With the extra `smollm2` a small language model takes part: a stand-in that\n"
        "exercises the path, no judge of emotions.",
    )
    parser.add_argument(
        "--out", type=Path, default=Path("demo"), metavar="DIR", help="folder of corpus, features and runs"
    )
    parser.add_argument("--clips", type=positive, default=240, metavar="N", help="clips to generate")
    parser.add_argument("--trials", type=positive, default=50, metavar="N", help="random draws of each search")
    parser.add_argument("--seed", type=int, default=0, help="seed of corpus, noise and fusion")
    options = parser.parse_args(arguments)

    for verb, given in steps(options.out, options.clips, options.trials, options.seed):
        if status := run_public(verb, given):
            return status
    with_language_model = importlib.util.find_spec("xllamacpp") is not None
    if not with_language_model:
        sys.stdout.write(
            "\nNo local language model is installed (pip install 'mertools[smollm2]'): clips are described by the\n"
            "observer's sentences, and their emotions are the words of mertools' lexicon in them.\n"
        )
    for verb, given in open_vocabulary_steps(options.out, with_language_model):
        if status := run_public(verb, given):
            return status
    return 0


def steps(folder: Path, clips: int, trials: int, seed: int) -> list[Step]:
    """The demo's commands up to fusion; corpus, features and runs lie in `folder`."""
    manifest, features, runs = folder / "manifest.csv", folder / "features", folder / "runs"
    recipe = folder / "recipe.jsonl"
    corpus, draw = {"--data": manifest}, {"--seed": seed}
    babble = {"--speech": "corpus", "--split": "noise", **draw}
    return [
        ("data demo", words({"--out": folder, "--clips": clips, **draw})),
        ("noise draw", words({**corpus, **babble, "--out": recipe, "--overwrite": None})),
        (
            "extract",
            words({"--feature": ",".join(FEATURES), "--level": "frame", **corpus})
            + words({"--noise": recipe, "--out": features}),
        ),
        (
            "fuse",
            words({"--top": 1, **corpus, "--features": features, "--runs": runs, "--trials": trials, **draw}),
        ),
    ]


def open_vocabulary_steps(folder: Path, with_language_model: bool) -> Iterator[Step]:
    """The commands from the newest run in `folder` to explained clips, one taken when the one before has run."""
    manifest, here = folder / "manifest.csv", folder / "ov"
    clues, ceiling = here / "clues.jsonl", here / "ceiling.csv"
    run = max((folder / "runs").iterdir())
    corpus, unseen = {"--data": manifest}, {"--split": ",".join(UNSEEN)}
    evidence = {"--predictions": run / "predictions.csv", "--out-of-fold": run / "out_of_fold.csv"}
    offline = {**corpus, "--clues": clues, "--offline": None}
    yield "ov observe", words({**corpus, "--features": folder / "features", "--out": clues})
    yield "ov run", words({**offline, "--out": here / "observed"})
    yield "ov run", words({**offline, **evidence, "--out": here / "joined"})
    yield "ov labels", words({"--descriptions": manifest, "--offline": None, "--out": ceiling})
    systems = {"observed": here / "observed", "joined": here / "joined"}
    labels = {"classifier": evidence["--predictions"], **labels_of(systems)}
    yield "ov score", words({**corpus, **unseen, "--ceiling": ceiling, "--predicted": None}) + named(labels)
    if with_language_model:
        from mertools.ov.local_server import serving

        asked = {**corpus, "--split": STANDIN_SPLIT}
        systems |= {"smollm2": here / "smollm2"}
        with serving() as address:
            server = {"--server": address, "--max-tokens": STANDIN_TOKENS}
            yield "ov run", words({**asked, "--clues": clues, **server, "--out": systems["smollm2"]})
        labels |= labels_of(systems)
        yield "ov score", words({**asked, "--ceiling": ceiling, "--predicted": None}) + named(labels)
    page = words({**corpus, **unseen, "--run": run, "--out": folder / "explained.html"})
    yield "ov report", page + [word for pair in named(systems) for word in ("--system", pair)]


def labels_of(systems: dict[str, Path]) -> dict[str, Path]:
    """The file of labels of each system, by the folder of its files."""
    return {name: folder / "labels.csv" for name, folder in systems.items()}


def named(files: dict[str, Path]) -> list[str]:
    """`NAME=PATH` of each file."""
    return [f"{name}={path}" for name, path in files.items()]


def words(options: dict[str, object]) -> list[str]:
    """Options and their values as words of a command; None is the value of an option without one."""
    return [str(word) for pair in options.items() for word in pair if word is not None]


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
