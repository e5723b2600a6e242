"""In which writing a text is: all that can be said of its language without a model."""

from __future__ import annotations

import unicodedata
from collections import Counter

NAMES = {"CJK": "Chinese", "HIRAGANA": "Japanese", "KATAKANA": "Japanese", "HANGUL": "Korean"}
"""By the first word of a letter's Unicode name; other scripts go by that word."""

JAPANESE_SHARE = 0.1
"""Japanese is mostly written with kana between Chinese characters; Chinese has none."""


def writing_of(text: str) -> str:
    """`Chinese`, `Japanese`, `Korean`, else the script that most letters are of (`Latin`, `Cyrillic`); "" without any.

    A quotation in another script does not make a text another.
    """
    counts: Counter[str] = Counter()
    for character in text:
        if character.isalpha():
            script = unicodedata.name(character, "").partition(" ")[0]
            counts[NAMES.get(script, script.capitalize())] += 1
    if not counts:
        return ""
    if counts["Japanese"] >= JAPANESE_SHARE * counts.total():
        return "Japanese"
    return counts.most_common(1)[0][0]
