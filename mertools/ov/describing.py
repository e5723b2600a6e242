"""Disambiguation: clues, subtitle and, where asked, a classifier's evidence -> a description a clip (MER2024 §2.3).

What needs no language model is not asked: without a subtitle the clues stand as they are, and of a clip of which
nothing is known the description says so.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field, replace
from typing import Any

from mertools.clip import Clip
from mertools.ov.answers import read_text
from mertools.ov.asking import Asked, Done, ask
from mertools.ov.chat import Answer, Chat, Question
from mertools.ov.clues import ClipClues
from mertools.ov.descriptions import Description
from mertools.ov.language import subtitle_of
from mertools.ov.prompts import UNJUDGED, disambiguation_prompt, noted_prompt, offline_description


@dataclass(frozen=True)
class Told:
    """What a classifier said of a clip: as a sentence for a prompt, and as the file keeps it."""

    sentence: str = ""
    record: Mapping[str, Any] = field(default_factory=dict, hash=False)


NOTHING_TOLD = Told()


def describe(
    clips: Iterable[Clip],
    clues: Mapping[str, ClipClues],
    chat: Chat,
    *,
    language: str = "en",
    style: str = "mer2024",
    evidence: Mapping[str, Told] | None = None,
    run: int = 0,
) -> Iterator[Done[Description]]:
    """A description of each clip in `language`, in the clips' order.

    `clues` are those of each clip, put together below each other; a clip all of whose clues failed fails with their
    reasons. Clues that have taken account of the subtitle are the description, except where there is evidence to add.
    With `style` `notes` the notes' prompt is asked instead of ours.
    """
    source = {**chat.source, "style": style, "language": language, "run": run}
    items = (_item(known, language, style, source) for known in _known(clips, clues, language, evidence or {}))
    return ask(items, chat, run)


def describe_offline(
    clips: Iterable[Clip], clues: Mapping[str, ClipClues], *, language: str = "en"
) -> Iterator[Done[Description]]:
    """The same without a language model: the clues, and after them what is said.

    A classifier's evidence has no place here: its sentence names classes that it holds to be unlikely, which only a
    reader can tell from emotions.
    """
    source = {"model": "none", "language": language}
    for known in _known(clips, clues, language, {}):
        text = offline_description(known.clues.text.replace("\n", " "), known.subtitle, language)
        yield Done(known.failure(source) or known.described(text or UNJUDGED[language], source))


@dataclass(frozen=True)
class _Known:
    """All that is known of one clip."""

    name: str
    clues: ClipClues
    subtitle: str
    told: Told

    def described(self, text: str, source: Mapping[str, Any]) -> Description:
        origin = {**source, "clues": [dict(clue.source) | {"modality": clue.modality} for clue in self.clues.usable]}
        return Description(self.name, self.subtitle, text, self.told.record, origin)

    def failure(self, source: Mapping[str, Any]) -> Description | None:
        """The row of a clip whose clues failed; None where they did not."""
        return replace(self.described("", source), failed=self.clues.failed) if self.clues.failed else None


def _known(
    clips: Iterable[Clip], clues: Mapping[str, ClipClues], language: str, evidence: Mapping[str, Told]
) -> Iterator[_Known]:
    for clip in clips:
        yield _Known(
            clip.name,
            clues.get(clip.name, ClipClues()),
            subtitle_of(clip, language),
            evidence.get(clip.name, NOTHING_TOLD),
        )


def _item(known: _Known, language: str, style: str, source: Mapping[str, Any]) -> Asked[str, Description] | Description:
    if failure := known.failure(source):
        return failure
    text, said = known.clues.text, known.told.sentence
    if not said and (known.clues.are_descriptions or not known.subtitle):
        return known.described(text or UNJUDGED[language], {"model": "none", "language": language})

    def row(answer: Answer[str]) -> Description:
        return replace(known.described(answer.value or "", source), failed=answer.reason)

    if style == "notes":
        prompt = noted_prompt(known.clues.text_of("video"), known.clues.text_of("audio"), known.subtitle, said)
    else:
        prompt = disambiguation_prompt(text, known.clues.perceived, known.subtitle, said, language)
    return Asked(Question(known.name, prompt, read_text), row)
