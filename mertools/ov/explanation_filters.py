"""Which explanations not to train on: those that speak of another medium, of odd length, or that models dispute.

After AffectGPT's second paper, which filters 115,595 descriptions to 31,327 in two levels: by mismatch of medium and
length, and by agreement between models. How it measures either is not printed; what follows is ours.
"""

from __future__ import annotations

import csv
import re
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path

from mertools.lexicon import Lexicon
from mertools.ov.explanation_quality import in_another_language, length
from mertools.ov.explanations import Explanation
from mertools.ov.language import LANGUAGES, language_of
from mertools.whole_files import whole_file

COLUMNS = ("name", "filter", "reason", "figure")

SEEN = re.compile(
    r"\b(?:face|facial|smil\w+|frown\w*|grin\w*|eye|eyes|eyebrows?|brows?|gaz\w+|glanc\w+|looks? (?:at|down|up|away)|"
    r"gestures?|gesturing|posture|nodd?\w*|wear(?:s|ing)|dressed|clothes|clothing|hair|camera|screen|background is|"
    r"sits|sitting|stands|standing|video|image|frames?)\b|脸|面部|表情|眼|眉|目光|微笑|手势|动作|姿势|穿|衣服|头发|镜头|画面|视频",
    re.IGNORECASE,
)
"""Words of what is seen alone."""
HEARD = re.compile(
    r"\b(?:voices?|vocal|tone|tones|intonation|pitch|loud\w*|volume|speech rate|speaking rate|accent|audio|sounds?|"
    r"acoustic|music|whisper\w*|shout\w*|hears?|heard)\b|声音|嗓音|语气|语调|音调|音量|语速|口音|音频|音乐|听",
    re.IGNORECASE,
)
"""Words of what is heard alone."""
FOREIGN = {"audio": SEEN, "video": HEARD}
"""By the medium of a clue: the words of the other one."""
SENTENCE_ENDS = re.compile(r"(?<=[.!?])\s+|(?<=[。！？；])|\n")


@dataclass(frozen=True)
class Rejection:
    """Why one filter rejects one clip; `figure` is the number that it judges by, None where it has none."""

    name: str
    filter: str
    reason: str
    figure: float | None = None


@dataclass(frozen=True)
class Completeness:
    """Rejects what failed, and descriptions in another language than they should be."""

    def __call__(self, one: Explanation) -> Iterator[Rejection]:
        """The rejections of one explanation."""
        if one.failed:
            yield Rejection(one.name, "failed", one.failed)
        for language in LANGUAGES:
            if in_another_language(one, language):
                found = language_of(one.description(language))
                yield Rejection(one.name, "language", f"description_{language} is in {found}")


@dataclass(frozen=True)
class MediumFilter:
    """Rejects a clip where more than `most_share` of the sentences of a clue speak of what its model cannot perceive.

    A model that hears alone and tells of a smile has made it up.
    """

    most_share: float = 0.5

    def __call__(self, one: Explanation) -> Iterator[Rejection]:
        """The rejections of one explanation."""
        for medium, foreign in FOREIGN.items():
            sentences = [part for part in SENTENCE_ENDS.split(one.clues.get(medium, "")) if part.strip()]
            if not sentences:
                continue
            share = sum(bool(foreign.search(sentence)) for sentence in sentences) / len(sentences)
            if share > self.most_share:
                what = "seen" if medium == "audio" else "heard"
                yield Rejection(one.name, "medium", f"sentences of the {medium} clue on what is {what}", share)


@dataclass(frozen=True)
class LengthFilter:
    """Rejects a description that is much too short or long, and two that cannot say the same.

    `words` and `characters` are the least and the most of an English and a Chinese description; `ratio` is that of
    Chinese characters to English words.
    """

    words: tuple[int, int] = (8, 300)
    characters: tuple[int, int] = (12, 550)
    ratio: tuple[float, float] = (0.6, 4.0)

    def __call__(self, one: Explanation) -> Iterator[Rejection]:
        """The rejections of one explanation."""
        if one.failed:
            return
        lengths = {}
        for language, bounds, unit in (("en", self.words, "words"), ("zh", self.characters, "characters")):
            if text := one.description(language):
                lengths[language] = length(text, language)
                if not bounds[0] <= lengths[language] <= bounds[1]:
                    yield Rejection(one.name, "length", f"{unit} of description_{language}", lengths[language])
        if len(lengths) == 2 and lengths["en"]:
            ratio = lengths["zh"] / lengths["en"]
            if not self.ratio[0] <= ratio <= self.ratio[1]:
                yield Rejection(one.name, "length", "Chinese characters an English word", ratio)


@dataclass(frozen=True)
class AgreementFilter:
    """Rejects a clip where less than `least_share` of other `systems` share a label with it, by synonym group.

    `systems` maps names to the labels of clips. A system that says nothing of a clip does not count, and a clip of
    which none says anything is kept: nobody disputes it.
    """

    systems: Mapping[str, Mapping[str, Iterable[str]]]
    words: Lexicon
    least_share: float = 0.5

    def __call__(self, one: Explanation) -> Iterator[Rejection]:
        """The rejections of one explanation."""
        others = [self._groups(labels) for of_clip in self.systems.values() if (labels := of_clip.get(one.name))]
        if one.failed or not others:
            return
        own = self._groups((*one.labels_en, *one.labels_zh))
        share = sum(bool(own & other) for other in others) / len(others)
        if share < self.least_share:
            yield Rejection(one.name, "agreement", f"of {len(others)} other systems that share a label", share)

    def _groups(self, labels: Iterable[str]) -> set[str]:
        return {self.words.group(label) or label.casefold() for label in labels}


def write_rejected(path: Path, rejections: Iterable[Rejection]) -> None:
    """Write rejected.csv, a row for each filter that rejects a clip, atomically."""
    with whole_file(path) as file:
        writer = csv.writer(file, lineterminator="\n")
        writer.writerow(COLUMNS)
        for one in rejections:
            figure = "" if one.figure is None else f"{one.figure:g}"
            writer.writerow([one.name, one.filter, one.reason, figure])
