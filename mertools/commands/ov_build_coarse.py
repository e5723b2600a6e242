"""`mertools ov build coarse`: a corpus of explanations without people, as EMER-Coarse was made (AffectGPT §3)."""

from __future__ import annotations

import argparse
import sys
from abc import ABC, abstractmethod
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import ExitStack
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from mertools import run_record
from mertools.commands.command_line import Several, make_parser
from mertools.commands.display import clip_progress
from mertools.commands.language_model_options import add_language_model_options
from mertools.commands.ov_build_record import (
    EXPLANATIONS,
    Card,
    described,
    show_files,
    show_quality,
    write_record,
)
from mertools.commands.ov_clues import PERCEIVED
from mertools.commands.ov_describe import load_clues, write_descriptions_of, write_offline_descriptions
from mertools.commands.ov_options import (
    PARTS_TAKEN,
    add_clip_options,
    add_join_options,
    add_language_option,
    add_media_options,
    add_strict_option,
    check_known,
    chosen_corpus,
    evidence_of,
)
from mertools.commands.ov_outcome import Outcome, show, status, summed
from mertools.commands.ov_pipeline import Models, gather
from mertools.commands.ov_run_options import models_for
from mertools.commands.ov_translate import descriptions_kind, write_translation
from mertools.ov.language import LANGUAGES, NAMES

if TYPE_CHECKING:
    from mertools.clip import Clip
    from mertools.ov.asking import Done
    from mertools.ov.clues import ClipClues
    from mertools.ov.explanation_quality import Tally
    from mertools.ov.explanations import Explanation
    from mertools.ov.labels import OpenLabels

DESCRIPTION = """\
Explain every clip of a corpus without people: clues of sound and of picture, put together, disambiguate the subtitle;
the description is translated, and its labels are extracted, in English and in Chinese. Each step has a model of its
own. Without any model the observer and the lexicon do all steps. Everything lands in one folder: explanations.jsonl,
its data card, and the files of the steps. A run that was killed goes on with the same command: no answer is asked for
twice."""

EXAMPLES = """\
  mertools ov build coarse --data manifest.csv --features features --out coarse
  mertools ov build coarse --audio-model salmonn@http://gpu1:8000/v1 --video-model univi@http://gpu2:8000/v1 \\
      --disambiguator Qwen/Qwen3-32B@http://gpu3:8000/v1 --translator Qwen/Qwen2-7B@http://gpu4:8000/v1
  mertools ov build coarse --clues salmonn.jsonl univi.jsonl --model Qwen/Qwen3-32B --language zh
  mertools ov build coarse --predictions run/predictions.csv --out-of-fold run/out_of_fold.csv"""

TEXT_STEPS = ("disambiguator", "translator", "labeller")

OBSERVER = "the observer: measured signals of voice and face in words"
TOGETHER = "no language model: clues and subtitle, one after the other"
LEXICON = "the suite's lexicon: words for emotions in the text"
NOT_TRANSLATED = "no language model: the observer writes both languages"


def main(arguments: Sequence[str] | None = None) -> int:
    """Parse, load, work, write, tell; returns the exit status."""
    options = parse(arguments)
    corpus = chosen_corpus(options)
    explained = described(corpus)
    evidence = evidence_of(options, corpus.clips) if options.predictions else {}

    from mertools.ov.explanation_quality import Tally

    tally = Tally(evidence)
    with ExitStack() as stack:
        build = _Offline(options, corpus.clips) if options.offline else _Asked(options, corpus.clips, stack)
        build.describe()
        build.explain(tally)
    numbers = tally.as_dict()
    words = sys.argv[1:] if arguments is None else arguments
    card = Card(
        f"Explanations of {corpus.manifest.parent.resolve().name or 'a corpus'}, coarse",
        "EMER-Coarse (AffectGPT §3)",
        build.steps,
        {} if options.offline else _prompts(build.steps, options.language),
        checked=False,
        notes=build.notes,
        commands=[run_record.command_line("mertools", ["ov", "build", "coarse", *words])],
    )
    steps = [outcome.as_dict() for outcome in build.outcomes]
    write_record(options.out, card, explained, numbers, steps=steps)
    show(summed(build.outcomes))
    sys.stdout.writelines(f"\n{note}\n" for note in build.notes)
    sys.stdout.write("\n")
    show_quality(numbers)
    show_files(options.out)
    return status(build.outcomes, options.strict)


def parse(arguments: Sequence[str] | None) -> argparse.Namespace:
    """The options, with `offline` where no model is named."""
    parser = make_parser("mertools ov build coarse", DESCRIPTION, EXAMPLES)
    add_clip_options(parser)
    group = parser.add_argument_group(
        "models", "A model may be named with its server, NAME@URL; else --server says which."
    )
    group.add_argument(
        "--clues", type=Path, nargs="+", action="extend", default=[], metavar="FILE", help="clues.jsonl of any models"
    )
    for name in PERCEIVED:
        group.add_argument(f"--{name}-model", action=Several, metavar="MODEL", help=f"asked for clues from {name}")
    group.add_argument("--disambiguator", metavar="MODEL", help="describes (default: --model)")
    group.add_argument("--translator", metavar="MODEL", help="translates (default: --model, else the disambiguator)")
    group.add_argument("--labeller", metavar="MODEL", help="extracts labels (default: --model, else the disambiguator)")
    group.add_argument(
        "--features", type=Path, default=Path("features"), metavar="DIR", help="what the observer looks at"
    )
    add_language_option(parser, "the disambiguation; its descriptions are translated into the other one")
    parser.add_argument("--out", type=Path, default=Path("coarse"), metavar="DIR", help="the folder of all files")
    add_join_options(parser, ("quality",), "With --predictions the data card says how often a classifier agrees.")
    add_media_options(parser)
    add_language_model_options(parser)
    add_strict_option(parser)
    parser.set_defaults(perceived=None, grid=False, style="mer2024")
    options = parser.parse_args(arguments)
    check_known("part", options.takes or (), PARTS_TAKEN)
    named = ("model", "server", "replay", "audio_model", "video_model", "audio_video_model", *TEXT_STEPS)
    options.offline = not any(getattr(options, name) for name in named)
    if options.offline and options.clues:
        parser.error("--clues are in one language, and without a model there is no other: name one with --model")
    if not options.model:
        options.translator = options.translator or options.disambiguator
        options.labeller = options.labeller or options.disambiguator
    return options


class _Build(ABC):
    """The steps that both ways share.

    `steps` says who did what, `outcomes` how each step went, `notes` what a reader must know besides.
    """

    def __init__(self, options: argparse.Namespace, clips: Sequence[Clip]) -> None:
        self.options = options
        self.clips = clips
        self.out = options.out
        self.steps: dict[str, list[str]] = {}
        self.outcomes: list[Outcome] = []
        self.notes: list[str] = []
        self.clues: Mapping[str, ClipClues] = {}

    def explain(self, tally: Tally) -> None:
        """Label the descriptions and write explanations.jsonl, a clip at a time, each of which `tally` counts."""
        from mertools.ov.asking import Done
        from mertools.ov.building import explanations_of
        from mertools.ov.descriptions import descriptions_in_order
        from mertools.ov.explanations import write_explanations

        labels = {language: self._counted(language) for language in LANGUAGES}
        texts = {language: descriptions_in_order(self._descriptions(language)) for language in LANGUAGES}
        rows = explanations_of(self.clips, self.clues, texts, labels, self.labeller)
        with clip_progress("explaining") as progress:
            outcome = Outcome("explanations")
            explained = outcome.counted(map(Done, rows), len(self.clips), progress)
            write_explanations(self.out / EXPLANATIONS, _tallied(explained, tally))

    @property
    @abstractmethod
    def labeller(self) -> Mapping[str, Any]:
        """Where labels come from."""

    @abstractmethod
    def labelled(self, language: str, path: Path) -> Iterator[Done[OpenLabels]]:
        """The labels of the descriptions in `path`."""

    def observe(self, language: str, path: Path) -> Path:
        """Write what the observer says of each clip."""
        from mertools.ov.asking import Done
        from mertools.ov.clues import write_clues
        from mertools.ov.observer import observe

        outcome = self.noted(f"clues of the observer in {NAMES[language]}")
        rows = map(Done, observe(self.options.features, self.clips, language))
        with clip_progress("observing") as progress:
            write_clues(path, outcome.counted(rows, 2 * len(self.clips), progress))
        self.steps["clues"] = [OBSERVER]
        return path

    def noted(self, step: str) -> Outcome:
        """A new step's outcome."""
        self.outcomes.append(Outcome(step))
        return self.outcomes[-1]

    def _descriptions(self, language: str) -> Path:
        return self.out / f"descriptions-{language}.jsonl"

    def _counted(self, language: str) -> Iterator[OpenLabels]:
        """The labels in one language; both are asked for side by side, and progress is that of the explanations."""
        outcome = self.noted(f"labels in {NAMES[language]}")
        rows = self.labelled(language, self._descriptions(language))
        return outcome.counted(rows, len(self.clips), lambda done, total, failed: None)


class _Offline(_Build):
    """Without any language model."""

    labeller: Mapping[str, Any] = {"model": "none"}

    def describe(self) -> None:
        for language in sorted(LANGUAGES, key=lambda one: one != self.options.language):
            path = self.observe(language, self.out / f"clues-{language}.jsonl")
            clues = load_clues([path], self.clips)
            if language == self.options.language:
                self.clues = clues
            outcome = write_offline_descriptions(self.clips, clues, language, self._descriptions(language))
            outcome.step = f"descriptions in {NAMES[language]}"
            self.outcomes.append(outcome)
        self.steps |= {"descriptions": [TOGETHER], "translation": [NOT_TRANSLATED], "labels": [LEXICON]}

    def labelled(self, language: str, path: Path) -> Iterator[Done[OpenLabels]]:
        from mertools.ov.descriptions import descriptions_in_order
        from mertools.ov.labelling import labels_offline

        return labels_offline(descriptions_in_order(path), language=language)


class _Asked(_Build):
    """By language models, one or several a step."""

    def __init__(self, options: argparse.Namespace, clips: Sequence[Clip], stack: ExitStack) -> None:
        super().__init__(options, clips)
        self._models = Models(options, stack)

    def describe(self) -> None:
        from mertools.ov.descriptions import descriptions_in_order

        options, first = self.options, self.out / "descriptions.jsonl"
        self.clues = load_clues(self._gather(), self.clips)
        disambiguator = self._chat("disambiguator", "descriptions")
        self.outcomes.append(
            write_descriptions_of(options, self.clips, self.clues, {}, disambiguator, options.language, first)
        )
        self._note_astray(first)
        kind = replace(descriptions_kind(), read=descriptions_in_order)
        translator = self._chat("translator", "translation")
        for language in LANGUAGES:
            # Into its own language too: what is in it stays, and an answer in the other one is no description in it.
            outcome = write_translation(kind, first, translator, language, self._descriptions(language))
            outcome.step = f"translation into {NAMES[language]}"
            self.outcomes.append(outcome)

    @property
    def labeller(self) -> Mapping[str, Any]:
        return dict(self._chat("labeller", "labels").source)

    def labelled(self, language: str, path: Path) -> Iterator[Done[OpenLabels]]:
        from mertools.ov.descriptions import descriptions_in_order
        from mertools.ov.labelling import extract_labels

        return extract_labels(descriptions_in_order(path), self._chat("labeller", "labels"), language=language)

    def _gather(self) -> list[Path]:
        """The files of clues: those that were named, and those of the models that are asked, else the observer's."""
        from mertools.ov.grid import parted

        options = self.options
        if not (options.clues or any(models_for(options, medium) for medium in PERCEIVED)):
            return [self.observe(options.language, self.out / "clues-observer.jsonl")]
        sources, outcomes = gather(options, self.clips, self._models, self.out, run=0)
        self.outcomes += outcomes
        if options.clues:
            self.steps["clues from files"] = [_who_wrote(path) for path in options.clues]
        for medium in PERCEIVED:
            if models := models_for(options, medium):
                self.steps[f"clues from {medium}"] = [parted(model)[0] for model in models]
        return [source.path for source in sources]

    def _note_astray(self, descriptions: Path) -> None:
        """Note how many descriptions are not in the language that was asked for."""
        from mertools.ov.descriptions import descriptions_in_order
        from mertools.ov.language import is_in

        language = self.options.language
        astray = sum(
            bool(one.description) and not is_in(language, one.description)
            for one in descriptions_in_order(descriptions)
        )
        if astray:
            self.notes.append(
                f"{astray} of {len(self.clips)} descriptions were asked for in {NAMES[language]} and are not, or not "
                "all, in it: they were translated."
            )

    def _chat(self, role: str, step: str) -> Any:
        chat = self._models.chat(getattr(self.options, role) or "")
        self.steps[step] = [str(chat.source["model"])]
        return chat


def _tallied(rows: Iterable[Explanation], tally: Tally) -> Iterator[Explanation]:
    for one in rows:
        tally.add(one)
        yield one


def _who_wrote(clues: Path) -> str:
    """The model that wrote the first clue of a file, else the file."""
    from mertools.ov.clues import read_clues

    first = next(read_clues(clues), None)
    return str((first.source.get("model") if first else None) or f"the file {clues.name}")


def _prompts(steps: Mapping[str, Sequence[str]], language: str) -> dict[str, str]:
    """What models were asked in each step."""
    from mertools.ov import prompts

    media = [step.removeprefix("clues from ") for step in steps]
    return {
        **{f"Clues from {medium}": prompts.CLUES[medium] for medium in media if medium in prompts.CLUES},
        "Descriptions": prompts.DISAMBIGUATION[language],
        **{f"Translation into {NAMES[to]}": prompts.TRANSLATION[to] for to in LANGUAGES},
        "Labels in English": prompts.LABELS,
        "Labels in Chinese": prompts.LABELS_IN_CHINESE,
    }
