"""Clues, descriptions and labels, from English into Chinese and back (AffectGPT §3.2)."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from dataclasses import replace
from functools import partial
from typing import TypeVar

from mertools.ov.answers import LABELS_SCHEMA, read_label_list, read_text
from mertools.ov.asking import Asked, Done, Row, ask
from mertools.ov.chat import Answer, Chat, Question, Unreadable
from mertools.ov.clues import Clue
from mertools.ov.descriptions import Description
from mertools.ov.labels import OpenLabels
from mertools.ov.language import NAMES, is_in
from mertools.ov.prompts import LABELS_TRANSLATION, TRANSLATION

R = TypeVar("R", bound=Row)


def translate_clues(clues: Iterable[Clue], chat: Chat, to: str, run: int = 0) -> Iterator[Done[Clue]]:
    """The clues with their texts in the language `to`."""
    return _translate_texts(clues, "text", chat, to, run)


def translate_descriptions(
    descriptions: Iterable[Description], chat: Chat, to: str, run: int = 0
) -> Iterator[Done[Description]]:
    """The descriptions in the language `to`; their subtitles stay as they are."""
    return _translate_texts(descriptions, "description", chat, to, run)


def translate_labels(rows: Iterable[OpenLabels], chat: Chat, to: str, run: int = 0) -> Iterator[Done[OpenLabels]]:
    """The labels in the language `to`."""
    return ask((_label_item(row, to) for row in rows), chat, run)


def _translate_texts(rows: Iterable[R], field: str, chat: Chat, to: str, run: int) -> Iterator[Done[R]]:
    translator = {**chat.source, "to": to, "run": run}
    return ask((_text_item(row, field, translator, to) for row in rows), chat, run)


def _text_item(row: R, field: str, translator: dict, to: str) -> Asked[str, R] | R:
    text = getattr(row, field)
    if row.failed or not text or is_in(to, text):
        return row

    def translated(answer: Answer[str]) -> R:
        source = {**row.source, "translator": translator}
        return replace(row, **{field: answer.value or ""}, source=source, failed=_reason(answer))

    question = Question(row.name, f"{TRANSLATION[to]}\n\n{text}", partial(_read_translation, read_text, to))
    return Asked(question, translated)


def _label_item(row: OpenLabels, to: str) -> Asked[tuple[str, ...], OpenLabels] | OpenLabels:
    if row.failed or all(is_in(to, label) for label in row.labels):
        return row

    def translated(answer: Answer[tuple[str, ...]]) -> OpenLabels:
        return OpenLabels(row.name, answer.value or (), _reason(answer))

    prompt = f"{LABELS_TRANSLATION[to]}\n\n{', '.join(row.labels)}"
    read = partial(_read_translation, _read_some_labels, to)
    return Asked(Question(row.name, prompt, read, schema=LABELS_SCHEMA), translated)


def _read_some_labels(text: str) -> tuple[str, ...]:
    labels = read_label_list(text)
    if not labels:
        raise Unreadable("the list is empty; translate each label")
    return labels


def _read_translation(read: Callable[[str], str | tuple[str, ...]], to: str, text: str) -> str | tuple[str, ...]:
    """What `read` makes of an answer; raises Unreadable where some of it is not in the language `to`."""
    found = read(text)
    if not all(is_in(to, part) for part in ([found] if isinstance(found, str) else found)):
        raise Unreadable(f"the translation is not in {NAMES[to]}")
    return found


def _reason(answer: Answer) -> str:
    return f"translation: {answer.reason}" if answer.reason else ""
