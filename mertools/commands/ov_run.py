"""`mertools ov run`: all steps from clips to open-vocabulary labels, once, several times, or over a grid of models."""

from __future__ import annotations

import argparse
import sys
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import ExitStack
from dataclasses import dataclass
from itertools import chain
from pathlib import Path
from typing import TYPE_CHECKING, Any

from mertools import run_record
from mertools.commands.command_line import Several, make_parser, positive
from mertools.commands.display import print_table
from mertools.commands.language_model_options import add_language_model_options, open_chat
from mertools.commands.ov_clues import PERCEIVED, add_style_option, takes_of, write_clues_of
from mertools.commands.ov_describe import load_clues, write_descriptions_of, write_offline_descriptions
from mertools.commands.ov_labels import write_labels_of, write_offline_labels
from mertools.commands.ov_options import (
    PARTS_TAKEN,
    add_clip_options,
    add_join_options,
    add_language_option,
    add_media_options,
    add_strict_option,
    check_join,
    check_known,
    chosen_clips,
    evidence_of,
    told_of,
)
from mertools.commands.ov_outcome import Outcome, show, status
from mertools.commands.ov_translate import descriptions_kind, write_translation
from mertools.ov.language import LANGUAGES

if TYPE_CHECKING:
    from mertools.clip import Clip
    from mertools.ov.chat import Chat
    from mertools.ov.grid import ClueSource, Combination
    from mertools.ov.join import Evidence
    from mertools.ov.takes import Takes

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


def main(arguments: Sequence[str] | None = None) -> int:
    """Parse, load, work, write, tell; returns the exit status."""
    options = parse(arguments)
    clips = chosen_clips(options)
    evidence = evidence_of(options, clips) if options.join != "none" else {}
    started, begin = run_record.now(), time.monotonic()
    made: list[Made] = []
    asked: list[Outcome] = []
    with ExitStack() as stack:
        models = Models(options, stack)
        for run in range(options.runs):
            folder = options.out if options.runs == 1 else options.out / f"run-{run + 1}"
            sources, outcomes = gather(options, clips, models, folder, run)
            asked += outcomes
            made += [
                Work(options, clips, evidence, models, run).make(one, folder / one.name if options.grid else folder)
                for one in combine(options, sources)
            ]
    result = {
        "kind": "open-vocabulary",
        "command": run_record.command_line(
            "mertools", ["ov", "run", *(sys.argv[3:] if arguments is None else arguments)]
        ),
        "started": started,
        "versions": run_record.versions("openai"),
        "configuration": {name: _plain(value) for name, value in vars(options).items()},
        "corpus": {"manifest": str(options.data), "clips": len(clips)},
        "clues": [outcome.as_dict() for outcome in asked],
        "made": [one.as_dict(options.out) for one in made],
        "timings": {"seconds": time.monotonic() - begin},
    }
    run_record.write_result(options.out, result)
    outcomes = [*asked, *(outcome for one in made for outcome in one.outcomes)]
    show(_summed(outcomes))
    if len(made) > 1:
        sys.stdout.write("\n")
        print_table(("clues", "disambiguator", "translator", "labelled", "failed", "folder"), map(_row, made))
    sys.stdout.write(f"\n{options.out}\n")
    return status(outcomes, options.strict)


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
        "prompt: a classifier's evidence stands in the disambiguation; union: its label is added where it is "
        "confident; filter: labels are dropped that contradict it; both: filter, then union.",
    )
    add_media_options(parser)
    add_language_model_options(parser)
    add_strict_option(parser)
    options = parser.parse_args(arguments)
    check_join(parser, options)
    check_known("medium", options.perceived or (), PERCEIVED)
    check_known("part", options.takes or (), PARTS_TAKEN)
    asked = [f"--{name}-model" for name in PERCEIVED if _models(options, name)]
    chosen = {name: getattr(options, name) for name in ("disambiguator", "translator", "describe_in")}
    asked += [f"--{name.replace('_', '-')}" for name, value in ({"from": options.perceived} | chosen).items() if value]
    if options.offline and asked:
        parser.error(f"--offline asks no language model: leave out {asked[0]}, or name files with --clues")
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


@dataclass(frozen=True)
class Made:
    """What one combination of models has made, and where."""

    combination: Combination
    folder: Path
    outcomes: tuple[Outcome, ...]

    def as_dict(self, out: Path) -> dict[str, Any]:
        """The entry in result.json; paths are relative to `out`."""
        names = {"disambiguator": self.combination.disambiguator, "translator": self.combination.translator}
        return {
            "clues": [source.name for source in self.combination.clues],
            **{name: _named(model) for name, model in names.items()},
            "folder": self.folder.relative_to(out).as_posix(),
            "steps": [outcome.as_dict() for outcome in self.outcomes],
        }


class Models:
    """The language models of one run of the command, each opened when it is first needed, on one cache."""

    def __init__(self, options: argparse.Namespace, stack: ExitStack) -> None:
        self._options = options
        self._stack = stack
        self._chats: dict[str, Chat] = {}
        self._takes: dict[str, Takes] = {}

    def chat(self, model: str = "") -> Chat:
        """The model `NAME` or `NAME@URL`; the one of the options where it is empty."""
        from mertools.ov.grid import parted

        if model not in self._chats:
            options = self._options
            if model:
                name, server = parted(model)
                options = argparse.Namespace(**vars(options) | {"model": name, "server": server or options.server})
            self._chats[model] = self._stack.enter_context(open_chat(options, self._options.out))
        return self._chats[model]

    def takes(self, model: str = "") -> Takes:
        """What it takes beside text."""
        if model not in self._takes:
            self._takes[model] = takes_of(self._options, self.chat(model))
        return self._takes[model]


def gather(
    options: argparse.Namespace, clips: Sequence[Clip], models: Models, folder: Path, run: int
) -> tuple[list[ClueSource], list[Outcome]]:
    """Ask all models for their clues, a file each, and find the files that were named."""
    from mertools.ov.grid import ClueSource, as_file_name, clue_source

    wanted = [("", medium) for medium in options.perceived or ()]
    wanted += [(model, medium) for medium in PERCEIVED for model in _models(options, medium)]
    if options.grid:
        sources = [clue_source(path) for path in options.clues]
    else:
        # Together they may be of any media.
        sources = [ClueSource(path.stem, "", path) for path in options.clues]
    outcomes = []
    for model, medium in wanted:
        chat = models.chat(model)
        name = as_file_name(str(chat.source["model"]))
        source = ClueSource(name, medium, folder / "clues" / f"{name}-{medium}.jsonl")
        outcomes.append(write_clues_of(options, clips, [medium], chat, models.takes(model), source.path, run))
        sources.append(source)
    return sources, outcomes


def combine(options: argparse.Namespace, sources: Sequence[ClueSource]) -> list[Combination]:
    """All sources together, or the grid of them."""
    from mertools.ov.grid import Combination, grid

    others = options.disambiguator or [], options.translator or []
    return grid(sources, *others) if options.grid else [Combination(tuple(sources), *("".join(one) for one in others))]


@dataclass(frozen=True)
class Work:
    """The steps after the clues, for any combination of models."""

    options: argparse.Namespace
    clips: Sequence[Clip]
    evidence: Mapping[str, Evidence]
    models: Models
    run: int

    def make(self, combination: Combination, folder: Path) -> Made:
        """Write the files of one combination into `folder`."""
        from mertools.ov.clues import read_clues, write_clues

        paths = [source.path for source in combination.clues]
        # Before they are written over: a file that was named may be this folder's own.
        clues = load_clues(paths, self.clips)
        if paths:
            write_clues(folder / "clues.jsonl", chain.from_iterable(map(read_clues, paths)))
        descriptions = folder / "descriptions.jsonl"
        steps = [*self._described(clues, combination, descriptions), self._labelled(descriptions)]
        return Made(combination, folder, tuple(steps))

    def _described(self, clues: Mapping[str, Any], combination: Combination, out: Path) -> Iterator[Outcome]:
        options, language = self.options, self.options.describe_in or self.options.language
        told = told_of(self.evidence, language) if options.join == "prompt" else {}
        if options.offline:
            yield write_offline_descriptions(self.clips, clues, told, language, out)
            return
        first = out if language == options.language else out.with_stem(f"{out.stem}-{language}")
        chat = self.models.chat(combination.disambiguator)
        yield write_descriptions_of(options, self.clips, clues, told, chat, language, first, self.run)
        if first != out:
            translator = self.models.chat(combination.translator)
            yield write_translation(descriptions_kind(), first, translator, options.language, out, self.run)

    def _labelled(self, descriptions: Path) -> Outcome:
        out, total = descriptions.with_name("labels.csv"), len(self.clips)
        if self.options.offline:
            return write_offline_labels(descriptions, total, self.options, out, self.evidence)
        return write_labels_of(descriptions, total, self.options, self.models.chat(), out, self.evidence, self.run)


def _models(options: argparse.Namespace, medium: str) -> list[str]:
    """The models named for a medium."""
    return getattr(options, f"{medium.replace('-', '_')}_model") or []


def _named(model: str) -> str:
    """A model's name without its server; "" for the default one."""
    from mertools.ov.grid import parted

    return parted(model)[0]


def _plain(value: Any) -> Any:
    """An option's value as result.json takes it."""
    if isinstance(value, list):
        return [_plain(one) for one in value]
    return str(value) if isinstance(value, Path) else value


def _summed(outcomes: Sequence[Outcome]) -> list[Outcome]:
    """The outcomes by step, those of all runs and combinations together."""
    by_step: dict[str, Outcome] = {}
    for one in outcomes:
        sum_ = by_step.setdefault(one.step, Outcome(one.step))
        sum_.ok += one.ok
        sum_.requests += one.requests
        sum_.cached += one.cached
        sum_.unasked += one.unasked
        sum_.failures += one.failures
    return list(by_step.values())


def _row(one: Made) -> list[str]:
    labels = one.outcomes[-1]
    combination = one.combination
    return [
        " + ".join(source.name for source in combination.clues) or "none",
        *(_named(model) or "--model" for model in (combination.disambiguator, combination.translator)),
        *(str(labels.ok), str(len(labels.failures)), str(one.folder)),
    ]
