"""The options of `mertools ov run`, and whether they make sense together."""

from __future__ import annotations

import argparse
from collections.abc import Sequence
from pathlib import Path

from mertools.commands.command_line import Several, make_parser, positive
from mertools.commands.language_model_options import add_language_model_options
from mertools.commands.ov_clues import PERCEIVED, add_style_option
from mertools.commands.ov_options import (
    PARTS_TAKEN,
    add_clip_options,
    add_join_options,
    add_language_option,
    add_media_options,
    add_strict_option,
    check_join,
    check_known,
)
from mertools.ov.language import LANGUAGES

JOINS = ("none", "prompt", "union", "filter", "both")

DESCRIPTION = """\
Go from clips to labels: clues from multimodal models and files, disambiguation, extraction. Everything lands in one
folder: clues.jsonl, descriptions.jsonl, labels.csv and result.json, with the exchanges beside them: a run that was
killed goes on with the same command. Without any clues descriptions come from the subtitles alone."""

EXAMPLES = """\
  mertools ov run --from audio-video --model Qwen/Qwen2.5-Omni-7B --out ov
  mertools ov run --audio-model salmonn@http://gpu1:8000/v1 --video-model univi@http://gpu2:8000/v1 --runs 2
  mertools ov run --clues salmonn.jsonl secap.jsonl univi.jsonl --grid --disambiguator Qwen/Qwen3-8B
  mertools ov run --clues clues.jsonl --join prompt --predictions run/predictions.csv --out-of-fold run/out_of_fold.csv
  mertools ov run --clues clues.jsonl --offline"""


def parse(arguments: Sequence[str] | None) -> argparse.Namespace:
    """The options, whose sense together is checked; raises InputError where there is none."""
    parser = make_parser("mertools ov run", DESCRIPTION, EXAMPLES)
    add_clip_options(parser)
    _add_model_choices(parser)
    add_style_option(parser)
    add_language_option(parser, "descriptions and labels")
    parser.add_argument(
        "--describe-in",
        choices=LANGUAGES,
        help="describe in this language and translate into --language (default: the other one with --translator)",
    )
    parser.add_argument("--shots", action="store_true", help="show the organisers' two examples before extraction")
    parser.add_argument("--offline", action="store_true", help="no language model: files of clues and the lexicon")
    parser.add_argument(
        "--runs", type=positive, default=1, metavar="N", help="do every step N times, in run-1, run-2 …"
    )
    parser.add_argument("--out", type=Path, default=Path("ov"), metavar="DIR", help="the folder of all files")
    add_join_options(
        parser,
        JOINS,
        "prompt: a classifier's evidence stands in the disambiguation; union: its label is added;\n"
        "filter: labels are dropped that contradict it; both: filter, then union.",
    )
    add_media_options(parser)
    add_language_model_options(parser)
    add_strict_option(parser)
    options = parser.parse_args(arguments)
    check_join(parser, options)
    check_known("medium", options.perceived or (), PERCEIVED)
    check_known("part", options.takes or (), PARTS_TAKEN)
    asked = [f"--{name}-model" for name in PERCEIVED if models_for(options, name)]
    chosen = {name: getattr(options, name) for name in ("disambiguator", "translator", "describe_in")}
    asked += [f"--{name.replace('_', '-')}" for name, value in ({"from": options.perceived} | chosen).items() if value]
    if options.offline and asked:
        parser.error(f"--offline asks no language model: leave out {asked[0]}, or name files with --clues")
    if options.offline and options.join == "prompt":
        parser.error("--join prompt speaks to a language model, and --offline asks none: take union, filter or both")
    if not options.grid and max(len(options.disambiguator or ()), len(options.translator or ())) > 1:
        parser.error("several models for one step are a grid: add --grid")
    if options.translator and not options.describe_in:
        options.describe_in = next(language for language in LANGUAGES if language != options.language)
    return options


def _add_model_choices(parser: argparse.ArgumentParser) -> None:
    group = parser.add_argument_group(
        "models", "A model may be named with its server, NAME@URL; else --server and --model say which."
    )
    group.add_argument("--clues", type=Path, nargs="+", default=[], metavar="FILE", help="clues.jsonl of any models")
    group.add_argument(
        "--from",
        dest="perceived",
        action=Several,
        metavar="MEDIUM",
        help=f"ask --model for clues from {', '.join(PERCEIVED)}",
    )
    for name in PERCEIVED:
        group.add_argument(f"--{name}-model", action=Several, metavar="MODEL", help=f"asked for clues from {name}")
    group.add_argument("--disambiguator", action=Several, metavar="MODEL", help="describes (default: --model)")
    group.add_argument("--translator", action=Several, metavar="MODEL", help="translates (default: --model)")
    group.add_argument(
        "--grid",
        action="store_true",
        help="clues of each model alone and of each audio model with each video model, by each disambiguator and "
        "translator, a folder each",
    )


def models_for(options: argparse.Namespace, medium: str) -> list[str]:
    """The models named for a medium."""
    return getattr(options, f"{medium.replace('-', '_')}_model") or []
