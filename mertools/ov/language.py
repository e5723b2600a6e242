"""English or Chinese: which subtitle is read, and which texts are in the language already."""

from __future__ import annotations

import re

from mertools.clip import Clip

LANGUAGES = ("en", "zh")
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

    English holds no Chinese letter; Chinese may hold words of English, but fewer than Chinese letters.
    """
    chinese = len(CHINESE_LETTERS.findall(text))
    return not chinese if language == "en" else chinese > len(ENGLISH_WORDS.findall(text))
