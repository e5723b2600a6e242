"""All steps from clips to labels, for any combination of models: what `mertools ov run` does once or often."""

from __future__ import annotations

import argparse
from collections.abc import Iterator, Mapping, Sequence
from contextlib import ExitStack
from dataclasses import dataclass
from itertools import chain
from pathlib import Path
from typing import TYPE_CHECKING, Any

from mertools.commands.language_model_options import CACHE_NAME, open_chat
from mertools.commands.ov_clues import PERCEIVED, takes_of, write_clues_of
from mertools.commands.ov_describe import load_clues, write_descriptions_of, write_offline_descriptions
from mertools.commands.ov_labels import write_labels_of, write_offline_labels
from mertools.commands.ov_options import told_of
from mertools.commands.ov_outcome import Outcome
from mertools.commands.ov_run_options import models_for
from mertools.commands.ov_translate import descriptions_kind, write_translation

if TYPE_CHECKING:
    from mertools.clip import Clip
    from mertools.ov.chat import Chat
    from mertools.ov.grid import ClueSource, Combination
    from mertools.ov.join import Evidence
    from mertools.ov.takes import Takes


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
            self._chats[model] = self._stack.enter_context(open_chat(options, self._options.out / CACHE_NAME))
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
    wanted += [(model, medium) for medium in PERCEIVED for model in models_for(options, medium)]
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
class Made:
    """What one combination of models has made, and where."""

    combination: Combination
    folder: Path
    outcomes: tuple[Outcome, ...]

    def as_dict(self, out: Path) -> dict[str, Any]:
        """The entry in result.json; paths are relative to `out`."""
        from mertools.ov.grid import parted

        names = {"disambiguator": self.combination.disambiguator, "translator": self.combination.translator}
        return {
            "clues": [source.name for source in self.combination.clues],
            **{name: parted(model)[0] for name, model in names.items()},
            "folder": self.folder.relative_to(out).as_posix(),
            "steps": [outcome.as_dict() for outcome in self.outcomes],
        }


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
        if options.offline:
            yield write_offline_descriptions(self.clips, clues, language, out)
            return
        told = told_of(self.evidence, language) if options.join == "prompt" else {}
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
