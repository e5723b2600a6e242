"""Descriptions -> labels: by a language model (MER2024 §2.3), or by the words for emotions that stand in them."""

from __future__ import annotations

from collections.abc import Iterable, Iterator

from mertools.ov.answers import LABELS_SCHEMA, read_label_list
from mertools.ov.asking import Asked, Done, ask
from mertools.ov.chat import Answer, Chat, Question
from mertools.ov.descriptions import Description
from mertools.ov.labels import OpenLabels
from mertools.ov.prompts import UNJUDGED, labels_prompt


def extract_labels(
    descriptions: Iterable[Description], chat: Chat, *, language: str = "en", shots: bool = False, run: int = 0
) -> Iterator[Done[OpenLabels]]:
    """The labels of each description, in the descriptions' order; `shots` shows examples with the question.

    A description that failed is passed on as failed; one that says that nothing is known has no labels. Neither is
    asked about.
    """
    return ask((_item(one, language, shots) for one in descriptions), chat, run)


def labels_offline(descriptions: Iterable[Description], *, language: str = "en") -> Iterator[Done[OpenLabels]]:
    """The words for emotions that stand in each description, by the suite's lexicon; negated ones are left out."""
    from mertools.lexicon import lexicon

    words = lexicon()
    for one in descriptions:
        yield Done(OpenLabels(one.name, () if one.failed else words.words_in(one.description, language), one.failed))


def _item(one: Description, language: str, shots: bool) -> Asked[tuple[str, ...], OpenLabels] | OpenLabels:
    if one.failed or one.description in UNJUDGED.values():
        return OpenLabels(one.name, (), one.failed)

    def row(answer: Answer[tuple[str, ...]]) -> OpenLabels:
        return OpenLabels(one.name, answer.value or (), answer.reason)

    prompt = labels_prompt(one.description, language, shots=shots)
    return Asked(Question(one.name, prompt, read_label_list, schema=LABELS_SCHEMA), row)
