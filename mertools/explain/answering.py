"""Answering: what a trained explainer says of clips, as descriptions or as clues."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

from mertools.errors import InputError
from mertools.explain.checkpoint import About
from mertools.explain.configuration import AUDIO, VIDEO
from mertools.explain.explainer import Explainer
from mertools.explain.instructions import Example
from mertools.explain.stored_frames import StoredFrames
from mertools.explain.validation import generated
from mertools.ov.clues import Clue
from mertools.ov.descriptions import Description
from mertools.randomness import generator

SAID_NOTHING = "the explainer said nothing"


def describe_clips(
    explainer: Explainer,
    about: About,
    frames: StoredFrames,
    examples: Sequence[Example],
    *,
    batch_size: int,
    max_new_tokens: int,
    shown: Mapping[str, str] | None = None,
    source: Mapping[str, Any],
) -> Iterator[Description]:
    """The description of each clip, greedily, in order; `shown` says with which other clip's media, if any.

    Raises InputError, before any is generated, for clips without features, frames of other encoders than the
    checkpoint's, and a prompt that is too long.
    """
    frames.check_encoders(about.encoders)
    frames.check_clips((example.clip, example.media) for example in examples)
    for example in examples:
        windows = len(frames.windows((shown or {}).get(example.clip, example.clip)))
        counts = explainer.configuration.token_counts(windows)
        explainer.template.encode_prompt(example.subtitle, counts, example.question, example.clip)
    return _described(generated(explainer, frames, examples, batch_size, max_new_tokens, shown), shown or {}, source)


def shuffled(names: Sequence[str], seed: int) -> dict[str, str]:
    """For each clip another one, each once: whose media it is shown with, to see whether they matter.

    Raises InputError for fewer than two clips.
    """
    if len(names) < 2:
        raise InputError("Media are shuffled between clips, and there is one. Take more.")
    order = generator(seed, "shuffled media").permutation(len(names))
    return {names[own]: names[order[(place + 1) % len(names)]] for place, own in enumerate(order)}


def source_of(checkpoint: Path, about: About) -> dict[str, Any]:
    """What a file says of the explainer that wrote it."""
    stages = about.configuration.stages
    return {
        "model": f"explainer {checkpoint.resolve().parent.name}",
        "language_model": about.configuration.language_model.source,
        "stage": stages[about.stage].name if stages else "none",
        "step": about.step,
        "seed": about.configuration.seed,
    }


def language_of(about: About) -> str:
    """The language that the explainer was last taught in."""
    stages = about.configuration.stages
    return stages[about.stage].data[0].language if stages else "en"


def as_clues(descriptions: Iterable[Description], media: Iterable[str]) -> Iterator[Clue]:
    """The same texts as clues for the multi-step pipeline, of the `media` that the explainer perceives."""
    modality = "-".join(medium for medium in (AUDIO, VIDEO) if medium in media)
    for one in descriptions:
        yield Clue(one.name, modality, one.description, one.source, one.failed)


def _described(
    answers: Iterable[tuple[Example, str]], shown: Mapping[str, str], source: Mapping[str, Any]
) -> Iterator[Description]:
    for example, text in answers:
        borrowed = {"media_of": shown[example.clip]} if example.clip in shown else {}
        failed = "" if text else SAID_NOTHING
        yield Description(example.clip, example.subtitle, text, source={**source, **borrowed}, failed=failed)
