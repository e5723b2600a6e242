"""English or Chinese: which subtitle is read, and which texts are in the language already."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterable, Mapping

from mertools.clip import Clip
from mertools.errors import InputError

LANGUAGES = ("en", "zh")
NAMES = {"en": "English", "zh": "Chinese"}
CHINESE_LETTERS = re.compile(r"[\u3400-\u4dbf\u4e00-\u9fff]")
ENGLISH_WORDS = re.compile(r"[A-Za-z][A-Za-z'’-]*")


def subtitle_of(clip: Clip, language: str) -> str:
    """The subtitle in `language`, else the other one."""
    if language == "en":
        return clip.subtitle_english or clip.subtitle
    return clip.subtitle or clip.subtitle_english


def language_of(text: str) -> str:
    """The language that most letters of `text` are of: a quoted subtitle does not make it another."""
    letters = sum(character.isalpha() for character in text)
    return "zh" if len(CHINESE_LETTERS.findall(text)) > letters / 2 else "en"


def is_in(language: str, text: str) -> bool:
    """Whether `text` needs no translation into `language`.

    English holds no Chinese letter; Chinese may hold English words, but no more of them than Chinese letters.
    """
    chinese = len(CHINESE_LETTERS.findall(text))
    return not chinese if language == "en" else chinese >= max(1, len(ENGLISH_WORDS.findall(text)))


def is_mostly_in(language: str, text: str) -> bool:
    """Whether a text that quotes the other language is still in `language`: by its Chinese letters and other words."""
    return is_in("zh", text) == (language == "zh")


def check_one_language(described: Mapping[str, Iterable[str]], why: str, language: str | None = None) -> None:
    """Raises InputError, with counts, where descriptions are not all in `language` or, without one, not all in one.

    `described` has them by system; `why` says what would come of it.
    """
    found = {system: Counter(map(language_of, texts)) for system, texts in described.items()}
    if len(set().union(*found.values()) | ({language} if language else set())) < 2:
        return
    counts = "; ".join(
        f"{system}: " + ", ".join(f"{count} {spoken}" for spoken, count in counted.most_common())
        for system, counted in found.items()
    )
    raise InputError(
        f"The descriptions are not all in {language or 'one language'}, and {why}: {counts}. Translate some of them "
        "first (mertools ov translate)."
    )
