"""Emotion words in English and Chinese: which mean the same, which are of one family, and where a text names them.

`lexicon.csv` beside this file is the table: a row a word, with its `forms` (inflections and words formed from it), its
`group` of synonyms and that group's `family`. Families are the eight of Plutchik ("A general psychoevolutionary theory
of emotion", 1980), `power` and `peace`, which Willcox's wheel ("The Feeling Wheel", 1982) has besides, and `neutral`.
Rows whose `in_text` is `no` are looked up as labels alone: in running text `content` or `like` are mostly no emotion.
"""

from __future__ import annotations

import csv
import functools
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from importlib import resources

from mertools.registry import look_up

CONTRADICTIONS = frozenset(
    frozenset(pair)
    for pair in (
        *(("joy", other) for other in ("sadness", "fear", "anger", "disgust")),
        *(("peace", other) for other in ("fear", "anger", "disgust")),
        *(("trust", other) for other in ("anger", "disgust")),
        *(("power", other) for other in ("fear", "sadness")),
    )
)
"""Families of which one person at one moment hardly feels both: pleasant against unpleasant ones.

Unpleasant families go together (anger and fear, though opposites on Plutchik's wheel), quiet or caring people are sad,
and surprise, anticipation and neutral go with anything.
"""

DEGREES = {
    "en": re.compile(
        r"(?:(?:very|really|extremely|quite|rather|so|highly|deeply|slightly|mildly|somewhat|a bit|a little|feeling|"
        r"feels|feel|being|a sense of) )+"
    ),
    "zh": re.compile(r"(?:非常|十分|有一点|有点|有些|略带|略微|极度|极其|比较|稍微|特别|感到|感觉|很)+"),
}
"""What may stand before a label without making it another."""
ENDINGS = re.compile(r"(?:的情绪|之情|情绪|感|的|地)$")
"""What may stand behind a Chinese label without making it another."""

CLAUSE_ENDS = {
    "en": re.compile(r"[.,;:!?()\n–—]|\b(?:but|yet|however|though|although)\b"),
    "zh": re.compile(r"[，。；：！？,.;:!?()（）\n]|但|却|反而|而"),
}
NEGATIONS = {
    "en": re.compile(
        r"\b(?:not|no|never|without|neither|nor|hardly|barely|scarcely|cannot|lacks?|lacking|absence of|"
        r"free (?:of|from)|rather than|instead of)\b|n't\b"
    ),
    "zh": re.compile(r"没有|毫无|缺乏|并非|[不没无未别非]"),
}
NO_NEGATIONS = {
    "en": re.compile(
        r"(?:\bnot|n't) (?:only|just|simply|merely|without)\b|\bno doubt\b|"
        r"\b(?:can't|cannot|can not|couldn't|could not|unable to) (?:help|hide|conceal|contain|suppress)\b"
    ),
    "zh": re.compile(
        r"不[仅但只光禁由断过少时同停知愧妨错]|不得不|[忍禁止]不住|(?:掩饰|抑制|克制)不住|(?:毫不|无法|不加)掩饰|差不多|对不起|"
        r"无[比疑]|非常|[特分差个]别|别人|未来|没想到"
    ),
}
"""What looks like a negation and is none."""
REACH = {"en": 3, "zh": 6}
"""How far a negation reaches within its clause: words (English) or characters (Chinese) between it and an emotion."""
JOINTS = {"en": re.compile(r",? (?:or|nor) "), "zh": re.compile(r"[、或和与及]")}
"""What stands between two emotions that one negation denies: "not happy or relieved", 没有愤怒、悲伤."""


@dataclass(frozen=True)
class Word:
    """One row of the table."""

    word: str
    language: str
    group: str
    family: str
    in_text: bool
    forms: tuple[str, ...]


class Lexicon:
    """The table of emotion words. Case, hyphens and white space play no part in look-ups."""

    def __init__(self, words: Sequence[Word]) -> None:
        self.words = tuple(words)
        self._by_form = {_fold(form): word for word in words for form in (word.word, *word.forms)}
        self._patterns = {language: self._pattern(language) for language in CLAUSE_ENDS}

    def group(self, label: str) -> str | None:
        """The synonym group of a label in either language (`happy` for `joyfully`), None outside the table."""
        word = self._word(label)
        return word and word.group

    def family(self, label: str) -> str | None:
        """The broad family of a label in either language (`joy` for `joyfully`), None outside the table."""
        word = self._word(label)
        return word and word.family

    def words_in(self, text: str, language: str = "en") -> tuple[str, ...]:
        """The emotion words that stand literally in `text`, in order, each once, as `word` (`sad` for `sadness`).

        A word is left out where it is negated: "not happy", "no longer afraid", "neither sad nor angry", 并不生气.

        Raises InputError for a language other than `en` and `zh`.
        """
        text = _fold(text)
        found = list(look_up("language", language, self._patterns).finditer(text))
        # A negation may be part of a word (不安): such a word negates nothing behind it.
        bare = _blanked(text, NO_NEGATIONS[language].finditer(text))
        bare = _blanked(bare, [match for match in found if NEGATIONS[language].search(match[0])])
        named, end, negated = [], 0, False
        for match in found:
            joined = JOINTS[language].fullmatch(text[end : match.start()])
            negated = (negated and joined is not None) or _is_negated(bare[: match.start()], language)
            end, word = match.end(), self._by_form[match[0]]
            if word.in_text and not negated:
                named.append(word.word)
        return tuple(dict.fromkeys(named))

    def contradicts(self, label: str, other: str) -> bool:
        """Whether the labels' families exclude each other (CONTRADICTIONS); never for a label outside the table."""
        return frozenset({self.family(label), self.family(other)}) in CONTRADICTIONS

    def _word(self, label: str) -> Word | None:
        label = _fold(label).strip(" .,;:!?'\"。，；：！？、")
        if label in self._by_form:
            return self._by_form[label]
        for degrees in DEGREES.values():
            label = label[match.end() :] if (match := degrees.match(label)) else label
        return self._by_form.get(label) or self._by_form.get(ENDINGS.sub("", label))

    def _pattern(self, language: str) -> re.Pattern[str]:
        """Any form of a word of `language`, the longest first."""
        forms = sorted((form for form, word in self._by_form.items() if word.language == language), key=len)
        either = "|".join(map(re.escape, reversed(forms)))
        return re.compile(rf"\b(?:{either})\b" if language == "en" else either)


@functools.cache
def lexicon() -> Lexicon:
    """The package's own table, read once."""
    with resources.files("mertools").joinpath("lexicon.csv").open(encoding="utf-8", newline="") as file:
        return Lexicon([_row(cells) for cells in csv.DictReader(file)])


def _row(cells: Mapping[str, str]) -> Word:
    forms = tuple(form.strip() for form in cells["forms"].split(";") if form.strip())
    return Word(cells["word"], cells["language"], cells["group"], cells["family"], cells["in_text"] == "yes", forms)


def _fold(text: str) -> str:
    return re.sub(r"[-_ \t]+", " ", text.casefold().replace("’", "'")).strip(" ")


def _blanked(text: str, matches: Sequence[re.Match[str]]) -> str:
    """`text` with what matched replaced by as many strokes, so that positions stay."""
    for match in matches:
        text = text[: match.start()] + "~" * len(match[0]) + text[match.end() :]
    return text


def _is_negated(before: str, language: str) -> bool:
    """Whether a negation in the clause that ends `before` reaches its end."""
    clause = CLAUSE_ENDS[language].split(before)[-1]
    if not (negations := list(NEGATIONS[language].finditer(clause))):
        return False
    between = clause[negations[-1].end() :]
    return len(between.split() if language == "en" else between) <= REACH[language]
