"""`mertools explain train`: an explainer on stored frames, in the stages of its configuration."""

from __future__ import annotations

import argparse
import sys
import time
from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from mertools import run_record
from mertools.commands.command_line import make_parser, positive
from mertools.commands.display import clip_progress, print_table
from mertools.commands.explain_options import add_frame_options, make_accelerator, utterances_of
from mertools.errors import InputError
from mertools.registry import look_up

if TYPE_CHECKING:
    from mertools.explain.configuration import Configuration
    from mertools.explain.training import Training

PRESETS = ("gt-eng", "gt-eng-remove-test", "gt-eng-remove-short", "two-by-two", "table4", "ablations")
TEST_SPLIT = "test"
HEADER = ("variant", "stage", "epoch", "loss", "avg", "95 %", "checkpoint")

DESCRIPTION = """\
Train an explainer: what the configuration does not freeze, on the frames of --features, stage by stage. A checkpoint
holds the trained weights and what they were trained on; training.html shows losses, and scores on the validation set
from before the first epoch on. A run that was killed goes on with the same command, and ends as if it had not been. For
several GPUs: accelerate launch -m mertools explain train …"""

EXAMPLES = """\
  mertools explain train demo-affectgpt --features features --out runs/affectgpt
  mertools explain train mine.yaml --seed 1 --out runs/mine-1
  mertools explain train mine.yaml --preset two-by-two --out runs/two-by-two      which stages help
  accelerate launch --num_processes 8 -m mertools explain train affectgpt-two-stage --out runs/two-stage"""


def main(arguments: Sequence[str] | None = None) -> int:
    """Parse, load, train, write, tell; returns the exit status."""
    parser = make_parser("mertools explain train", DESCRIPTION, EXAMPLES)
    parser.add_argument("configuration", metavar="CONFIG", help="a shipped configuration's name, or a YAML file")
    add_frame_options(parser)
    parser.add_argument("--preset", metavar="NAME", help=f"train the paper's variants of it: {', '.join(PRESETS)}")
    parser.add_argument("--seed", type=int, help="instead of the configuration's")
    parser.add_argument(
        "--out", type=Path, required=True, metavar="DIR", help="the run; a folder a variant of a preset"
    )
    parser.add_argument("--save-every", type=positive, default=100, metavar="STEPS", help="how often it can go on from")
    options = parser.parse_args(arguments)
    if options.preset:
        look_up("preset", options.preset, dict.fromkeys(PRESETS))

    from mertools.explain.configuration import read_configuration
    from mertools.explain.presets import PRESETS as VARIANTS

    base = read_configuration(options.configuration)
    if options.seed is not None:
        base = replace(base, seed=options.seed)
    variants = {"": base} if options.preset is None else VARIANTS[options.preset](base, options.preset)
    if not options.preset and not base.stages:
        raise InputError(f"{options.configuration} has no stages to train. Add some, as in demo-affectgpt.")
    accelerator = make_accelerator(options.device)
    rows = [_train(name, configuration, options, accelerator, arguments) for name, configuration in variants.items()]
    if accelerator.is_main_process:
        print_table(HEADER, rows)
    return 0


def _train(
    name: str, configuration: Configuration, options: argparse.Namespace, accelerator: Any, arguments: Any
) -> list[str]:
    """Train one variant in its folder and write its page; the row that is told of it."""
    from mertools.explain.loading import new_explainer
    from mertools.explain.teaching import Library
    from mertools.explain.training import Training

    out = options.out / name if name else options.out
    _warn_of_the_test_split(configuration, accelerator)
    started, begin = run_record.now(), time.monotonic()
    with Library(configuration, options.features, utterances_of(options)) as library:
        training = Training(new_explainer(configuration), library, out, accelerator, options.save_every)
        if training.resumed and accelerator.is_main_process:
            sys.stderr.write(f"going on from step {training.resumed.step} of stage {training.resumed.stage + 1}\n")
        with clip_progress(f"training {name}".strip(), "loss", "steps") as progress:
            # Other processes of accelerate are silent.
            checkpoint = training.run(progress if accelerator.is_main_process else lambda *_: None)
    timings = {"seconds": round(time.monotonic() - begin, 1)}
    if accelerator.is_main_process:
        _write(training, options, out, {"started": started, "timings": timings}, arguments)
    return [name or configuration_name(options), *_told(training), str(checkpoint)]


def _write(training: Training, options: argparse.Namespace, out: Path, said: Mapping[str, Any], arguments: Any) -> None:
    """result.json and the page of curves beside the run's logs."""
    from mertools.explain.configuration import to_mapping
    from mertools.report.training_page import write_training_page

    result = {
        "kind": "explain-train",
        "command": run_record.command_line("mertools", ["explain", "train", *(arguments or sys.argv[3:])]),
        "configuration": to_mapping(training.configuration),
        "seed": training.configuration.seed,
        "versions": run_record.versions("torch", "transformers", "accelerate"),
        **said,
        "scores": [
            row
            for epoch in training.epochs.rows
            for row in _score_rows(epoch, training.courses[epoch["number"]].stage.validation)
        ],
        "files": {"steps": "steps.csv", "epochs": "epochs.jsonl", "page": "training.html"},
    }
    run_record.write_result(out, result)
    write_training_page(out / "training.html", out, configuration_name(options))


def _score_rows(epoch: Mapping[str, Any], validation: Any) -> list[dict[str, Any]]:
    about = {"split": validation.data.split, "estimate": "epoch", "stage": epoch["stage"], "epoch": epoch["epoch"]}
    return [
        {**about, "metric": metric, "std": None, **epoch[metric]}
        for metric in ("avg", "accuracy", "recall")
        if metric in epoch
    ]


def configuration_name(options: argparse.Namespace) -> str:
    """What the configuration is called, wherever it lies."""
    return Path(options.configuration).stem


def _told(training: Training) -> list[str]:
    chosen = training.chosen
    if not chosen:
        return ["", "", "", "", ""]
    average = chosen.get("avg")
    score = ["", ""]
    if average:
        score = [f"{100 * average['value']:.2f}", f"{100 * average['low']:.2f} to {100 * average['high']:.2f}"]
    return [chosen["stage"], str(chosen["epoch"]), f"{chosen['loss']:.4f}", *score]


def _warn_of_the_test_split(configuration: Configuration, accelerator: Any) -> None:
    """Say that a score is no estimate where the test split was learned from, or chose the epoch, as in the paper."""
    if not accelerator.is_main_process:
        return
    for stage in configuration.stages:
        validation = stage.validation
        if any(TEST_SPLIT in data.splits for data in stage.data):
            sys.stderr.write(
                f"warning: stage {stage.name!r} learns from the test split: its scores there are an upper bound, no "
                "estimate.\n"
            )
        if validation and validation.select != "last" and TEST_SPLIT in validation.data.splits:
            sys.stderr.write(
                f"warning: stage {stage.name!r} chooses its epoch on the test split, as AffectGPT's Table 4 does: the "
                "score of that epoch is no estimate. Choose on a validation split instead.\n"
            )
