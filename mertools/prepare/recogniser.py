"""What every speech recogniser is to `data transcribe`, and the table of those there are."""

from __future__ import annotations

import importlib
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Protocol

from mertools.media import Sound
from mertools.registry import look_up

CHINESE, ENGLISH = "chinese", "english"
LANGUAGES = (CHINESE, ENGLISH)


@dataclass(frozen=True)
class Recognised:
    """What a recogniser makes of a sound: a text with punctuation, "" where nothing is said.

    `confidence` is how sure it is of the text, in 0 … 1 and by its own scale; None where it does not say.
    """

    text: str
    confidence: float | None = None


class Recogniser(Protocol):
    """Writes down what is said.

    `name` identifies the model, its revision and the language: texts of one name are texts of one recogniser.
    """

    @property
    def name(self) -> str: ...

    def load(self, device: str) -> None:
        """Load the model onto `device` (`auto`, `cpu`, `cuda`, …); raises InputError where it cannot be had."""
        ...

    def transcribe(self, sounds: Sequence[Sound]) -> list[Recognised]:
        """What is said in each sound."""
        ...


RECOGNISERS = {
    "funasr": "mertools.prepare.funasr_recogniser:FunAsr",
    "whisper": "mertools.prepare.whisper_recogniser:Whisper",
}
"""Which class recognises; imported when asked for."""

DEFAULTS = {CHINESE: "funasr", ENGLISH: "whisper"}
"""Which recogniser a language gets that is not told."""


def recogniser(name: str, language: str, model: str | None = None) -> Recogniser:
    """The recogniser `name` for `language`, not loaded yet; `model` stands in for its own model.

    Raises InputError for a name that is not known, and for a language that the recogniser cannot do.
    """
    module, _, kind = look_up("recogniser", name, RECOGNISERS).partition(":")
    return getattr(importlib.import_module(module), kind)(language, model)
