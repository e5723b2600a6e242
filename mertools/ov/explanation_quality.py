"""How good a corpus of explanations is, as far as counting can tell: what a data card says of it."""

from __future__ import annotations

import math
import re
from collections import Counter
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from itertools import accumulate
from typing import Any

from mertools.lexicon import Lexicon, lexicon
from mertools.ov.explanations import Explanation
from mertools.ov.join import Evidence
from mertools.ov.language import LANGUAGES, language_of
from mertools.ov.prompts import UNJUDGED

REASONS_TOLD = 20
LABELS_TOLD = 25
"""The most frequent of each are told by name."""

PARTICULARS = re.compile(r"\S*[\d/\\]\S*|'[^']*'")
"""What makes two equal reasons differ: numbers and names of files."""


def quality(
    explanations: Iterable[Explanation], evidence: Mapping[str, Evidence] | None = None, words: Lexicon | None = None
) -> dict[str, Any]:
    """What a `Tally` counts over `explanations`."""
    tally = Tally(evidence, words)
    for one in explanations:
        tally.add(one)
    return tally.as_dict()


def modalities_disagree(one: Explanation, words: Lexicon) -> bool | None:
    """Whether sound and picture tell of other families of emotions; None where one of them names no emotion."""
    heard, seen = (_families(words.words_in(text, language_of(text)), words) for text in _sound_and_picture(one))
    return not heard & seen if heard and seen else None


def in_another_language(one: Explanation, language: str) -> bool:
    """Whether the description in `language` is not in it."""
    text = one.description(language)
    return bool(text) and language_of(text) != language


def length(text: str, language: str) -> int:
    """The words of an English text, the letters and digits of a Chinese one."""
    return len(text.split()) if language == "en" else sum(letter.isalnum() for letter in text)


def _sound_and_picture(one: Explanation) -> tuple[str, str]:
    return one.clues.get("audio", ""), one.clues.get("video", "")


def _families(labels: Iterable[str], words: Lexicon) -> set[str]:
    return {family for label in labels if (family := words.family(label))}


class _Lengths:
    """A histogram of whole numbers."""

    def __init__(self) -> None:
        self.counts: Counter[int] = Counter()

    def as_dict(self) -> dict[str, float]:
        total = self.counts.total()
        if not total:
            return {}
        quantiles = {"least": 0.0, "p5": 0.05, "median": 0.5, "p95": 0.95, "most": 1.0}
        found = {name: self._at(max(1, math.ceil(quantile * total))) for name, quantile in quantiles.items()}
        mean = sum(length * count for length, count in self.counts.items()) / total
        return {**found, "mean": round(mean, 2)}

    def _at(self, place: int) -> int:
        """The `place`-th smallest, from 1."""
        values = sorted(self.counts)
        passed = accumulate(self.counts[value] for value in values)
        return next(value for value, count in zip(values, passed, strict=True) if count >= place)


@dataclass
class _InOneLanguage:
    """What is counted of the texts of one language."""

    language: str
    described: int = 0
    astray: int = 0
    unlabelled: int = 0
    lengths: _Lengths = field(default_factory=_Lengths)
    per_clip: _Lengths = field(default_factory=_Lengths)
    labels: Counter[str] = field(default_factory=Counter)

    def add(self, one: Explanation) -> None:
        text, labels = one.description(self.language), one.labels(self.language)
        if not text:
            return
        self.described += 1
        self.astray += in_another_language(one, self.language)
        self.lengths.counts[length(text, self.language)] += 1
        self.per_clip.counts[len(labels)] += 1
        self.unlabelled += not labels
        self.labels.update(labels)

    def as_dict(self, words: Lexicon) -> dict[str, Any]:
        families: Counter[str] = Counter()
        for label, count in self.labels.items():
            families[words.family(label) or "outside the lexicon"] += count
        return {
            "described": self.described,
            "in_another_language": self.astray,
            "length_in": "words" if self.language == "en" else "characters",
            "length": self.lengths.as_dict(),
            "labels_a_clip": self.per_clip.as_dict(),
            "without_label": self.unlabelled,
            "different_labels": len(self.labels),
            "most_frequent": dict(self.labels.most_common(LABELS_TOLD)),
            "families": dict(families.most_common()),
        }


class Tally:
    """Counts explanations one by one; `evidence` is what a classifier says of clips, by name.

    Told are how many clips are explained and why the others are not; by language the lengths of descriptions, the
    labels and how many texts are in another language than they should be; of how many clips the clues of sound and
    picture name emotions without one family in common; and how often the labels hold the classifier's. Memory depends
    on how many different labels and reasons there are, not on the number of clips.
    """

    def __init__(self, evidence: Mapping[str, Evidence] | None = None, words: Lexicon | None = None) -> None:
        self.words = words or lexicon()
        self.evidence = evidence or {}
        self.clips = self.explained = self.unjudged = 0
        self.reasons: Counter[str] = Counter()
        self.known: Counter[str] = Counter()
        self.languages = {language: _InOneLanguage(language) for language in LANGUAGES}
        self.modalities: Counter[bool] = Counter()
        self.classifier: Counter[str] = Counter()

    def add(self, one: Explanation) -> None:
        """Count one explanation."""
        self.clips += 1
        self.known.update(f"{medium} clue" for medium in one.clues)
        self.known["subtitle"] += bool(one.subtitle or one.subtitle_english)
        if one.failed:
            self.reasons[PARTICULARS.sub("…", one.failed)] += 1
            return
        self.explained += 1
        self.unjudged += any(one.description(language) == UNJUDGED[language] for language in LANGUAGES)
        for counted in self.languages.values():
            counted.add(one)
        if (disagree := modalities_disagree(one, self.words)) is not None:
            self.modalities[disagree] += 1
        if evidence := self.evidence.get(one.name):
            self._compare(one.labels_en or one.labels_zh, evidence.label)

    def _compare(self, labels: tuple[str, ...], said: str) -> None:
        self.classifier["clips"] += 1
        groups = {self.words.group(label) or label for label in labels}
        self.classifier["same_group"] += (self.words.group(said) or said) in groups
        self.classifier["same_family"] += bool(_families(labels, self.words) & _families([said], self.words))

    def as_dict(self) -> dict[str, Any]:
        """All counts, as JSON holds them."""
        judged = self.modalities.total()
        return {
            "clips": self.clips,
            "explained": self.explained,
            "failed": self.clips - self.explained,
            "reasons": dict(self.reasons.most_common(REASONS_TOLD)),
            "nothing_known": self.unjudged,
            "with": dict(sorted(self.known.items())),
            "languages": {
                language: counted.as_dict(self.words)
                for language, counted in self.languages.items()
                if counted.described
            },
            "modalities": {
                "clips": judged,
                "disagree": self.modalities[True],
                "share": self.modalities[True] / judged if judged else None,
            },
            "classifier": _shares(self.classifier),
        }


def _shares(counts: Counter[str]) -> dict[str, float]:
    """The counts over their `clips`; nothing where no clip was compared."""
    if not (clips := counts["clips"]):
        return {}
    return {"clips": clips, **{name: counts[name] / clips for name in ("same_group", "same_family")}}
