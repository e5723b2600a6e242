"""PromptTemplate: the one way from a clip's texts to tokens, in training and in inference.

A prompt is pieces: text of the template, text of the clip, and places of media tokens. Each piece is tokenised by
itself, the answer too, so that what is generated from is token for token what training began with.
"""

from __future__ import annotations

import string
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from mertools.errors import InputError
from mertools.explain.batch import IGNORED
from mertools.explain.configuration import MEDIA, Prompt
from mertools.registry import hint

SUBTITLE, QUESTION = "subtitle", "question"
PLACES = (*MEDIA, SUBTITLE, QUESTION)

SENTINEL = "\ue000"
"""Stands for what is said while a chat template is rendered: a private character, which no template has."""


@dataclass(frozen=True)
class Encoded:
    """One tokenised example.

    `media` says of each token which medium it is of, "" for text; `labels` are those of `mertools.explain.batch`.
    """

    input_ids: tuple[int, ...]
    labels: tuple[int, ...]
    media: tuple[str, ...]


class PromptTemplate:
    """`prompt` in the tokens of one language model."""

    def __init__(self, prompt: Prompt, tokenizer: Any, counts: Mapping[str, int]) -> None:
        """`tokenizer` is transformers'; `counts` says which media the explainer has tokens of.

        Raises InputError for a prompt with unknown places, one that lacks a medium or names one the explainer does not
        have, and for a tokenizer that lacks what the template needs.
        """
        self._prompt = prompt
        self._tokenizer = tokenizer
        _check_places(prompt, counts)
        head, tail, self.end = _surroundings(prompt, tokenizer)
        self._pieces = list(_pieces(head + prompt.text + tail))
        self._begin = tokenizer("").input_ids if prompt.style == "plain" else []
        self._end_ids = self._ids(self.end)
        self._check_tokenizer()

    @property
    def pad_id(self) -> int:
        """What fills up shorter prompts; the attention mask hides it."""
        known = (self._tokenizer.pad_token_id, self._tokenizer.eos_token_id)
        return next((token for token in known if token is not None), 0)

    @property
    def end_ids(self) -> tuple[int, ...]:
        """The tokens that close an answer."""
        return tuple(self._end_ids)

    def encode_prompt(
        self, subtitle: str, counts: Mapping[str, int], question: str = "", name: str = "this clip"
    ) -> Encoded:
        """The prompt alone, to generate from.

        `counts` says how many tokens of each medium the clip has (`Configuration.token_counts`); `question` replaces
        the template's; `name` is the clip's, for the message.

        Raises InputError for a prompt that leaves no room for an answer.
        """
        given = {SUBTITLE: subtitle, QUESTION: question or self._prompt.question}
        ids, media = list(self._begin), [""] * len(self._begin)
        for text, place in self._pieces:
            if place in counts:
                ids += [self.pad_id] * counts[place]
                media += [place] * counts[place]
                continue
            # What a clip says is never taken for a special token.
            tokens = self._ids(given[place], literally=True) if place else self._ids(text)
            ids += tokens
            media += [""] * len(tokens)
        if len(ids) >= self._prompt.max_length:
            raise InputError(
                f"The prompt of {name} has {len(ids)} tokens, of which {sum(map(bool, media))} are media, and "
                f"max_length is {self._prompt.max_length}, answer included. Raise max_length in the configuration, "
                "or shorten the subtitle."
            )
        return Encoded(tuple(ids), (IGNORED,) * len(ids), tuple(media))

    def encode(
        self, subtitle: str, answer: str, counts: Mapping[str, int], question: str = "", name: str = "this clip"
    ) -> Encoded:
        """Prompt, answer and end marker, to train on; labels are on answer and end marker alone.

        Raises InputError as `encode_prompt` does, for an answer that does not fit either, that is empty, or that holds
        the end marker.
        """
        prompt = self.encode_prompt(subtitle, counts, question, name)
        if not answer.strip() or self.end in answer:
            problem = "holds the end marker " + repr(self.end) if answer.strip() else "is empty"
            raise InputError(f"The answer for {name} {problem}: nothing could be learned from it. Leave the clip out.")
        target = [*self._ids(answer.strip(), literally=True), *self._end_ids]
        if len(prompt.input_ids) + len(target) > self._prompt.max_length:
            raise InputError(
                f"Prompt and answer of {name} have {len(prompt.input_ids)} and {len(target)} tokens, and max_length is "
                f"{self._prompt.max_length}. Raise max_length in the configuration, or shorten the answer."
            )
        return Encoded((*prompt.input_ids, *target), (*prompt.labels, *target), (*prompt.media, *([""] * len(target))))

    def decode(self, ids: list[int]) -> str:
        """The answer in generated tokens: what stands before the end marker."""
        text = self._tokenizer.decode(ids, skip_special_tokens=False)
        text = text.partition(self.end)[0]
        for token in self._tokenizer.all_special_tokens:
            text = text.replace(token, "")
        return text.strip()

    def _ids(self, text: str, literally: bool = False) -> list[int]:
        return list(self._tokenizer(text, add_special_tokens=False, split_special_tokens=literally).input_ids)

    def _check_tokenizer(self) -> None:
        unknown = self._tokenizer.unk_token_id
        for text in [self.end, *(text for text, place in self._pieces if not place)]:
            ids = self._ids(text)
            if not ids or (unknown is not None and unknown in ids):
                raise InputError(
                    f"The language model's tokenizer cannot write {text!r}, which the prompt needs. Choose a language "
                    "model with a tokenizer for such text, or another prompt in the configuration."
                )


def _surroundings(prompt: Prompt, tokenizer: Any) -> tuple[str, str, str]:
    """What stands before and behind the prompt's text, and what closes an answer."""
    if prompt.style == "plain":
        return "", "", prompt.end
    if not getattr(tokenizer, "chat_template", None):
        raise InputError(
            "The prompt's style is `chat`, and the language model's tokenizer has no chat template. Choose an instruct "
            "model, or style: plain."
        )
    system = [{"role": "system", "content": prompt.system}] if prompt.system else []
    turns = [*system, {"role": "user", "content": SENTINEL}]
    asked = tokenizer.apply_chat_template(turns, tokenize=False, add_generation_prompt=True)
    answered = tokenizer.apply_chat_template([*turns, {"role": "assistant", "content": SENTINEL * 2}], tokenize=False)
    head, _, tail = asked.partition(SENTINEL)
    end = answered.rpartition(SENTINEL)[2].strip()
    if not end:
        raise InputError(
            "The chat template of the language model's tokenizer puts nothing behind an answer, so that generation "
            "would not know where to stop. Choose style: plain."
        )
    # Braces of the chat template are not places of the prompt.
    return _literally(head), _literally(tail), end


def _literally(text: str) -> str:
    return text.replace("{", "{{").replace("}", "}}")


def _pieces(text: str) -> Iterator[tuple[str, str]]:
    """Pieces in order: (text, "") or ("", place). Text that doubled braces divide is one piece."""
    literal = ""
    for before, place, _, _ in string.Formatter().parse(text):
        literal += before
        if place:
            if literal:
                yield literal, ""
            yield "", place
            literal = ""
    if literal:
        yield literal, ""


def _check_places(prompt: Prompt, counts: Mapping[str, int]) -> None:
    try:
        places = [place for _, place, _, _ in string.Formatter().parse(prompt.text) if place is not None]
    except ValueError as error:
        raise InputError(f"The prompt's text cannot be read: {error}. Write a brace as {{{{ or }}}}.") from error
    for place in places:
        if place not in PLACES:
            raise InputError(f"The prompt has an unknown place {place!r}. {hint(place, PLACES)}")
    media = [place for place in places if place in MEDIA]
    if sorted(media) != sorted(counts):
        raise InputError(
            f"The prompt has places for {', '.join(media) or 'no media'}, and the explainer has tokens of "
            f"{', '.join(counts)}. Wanted each of them once."
        )
