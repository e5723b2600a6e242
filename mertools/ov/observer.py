"""The observer: measured signals of voice and face put into words, clues without any model's guess.

Every clause is tied to its number. What is ordinary is ordinary for the corpus: loud, high or angry is what few of its
training clips are (`mertools.ov.signals`). A face's expression is what a small network measures on single frames; on a
corpus that it takes for happier than it is, only a face that it takes for happier than nine of ten others looks happy.
"""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Iterator, Sequence
from contextlib import ExitStack
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import ClassVar

from mertools.clip import Clip
from mertools.clip_rows import FAILED, OK
from mertools.corpus import TRAIN
from mertools.errors import InputError
from mertools.feature_store import FeatureReader, FrameReader, Row, read_provenance
from mertools.ov.clues import Clue
from mertools.ov.observer_words import LANGUAGES, Words
from mertools.ov.signals import Reference, Stretch, face_signals, stretches, voice_signals

OBSERVER_VERSION = 1
"""Rises with any change to what is said of the same measurements."""

LOW, HIGH = 25, 75
"""A property of the voice is said to be low or high where it lies in the outer quarters of the corpus."""
CLEAR_SHARE, CLEAR_PERCENTILE = 0.5, 90
"""A face looks like an expression of which it has this mean probability, and a higher one than so many of 100 clips.

Chosen on training clips (docs/choices.md).
"""
NEUTRAL = "neutral"


@dataclass(frozen=True)
class Clause:
    """A piece of a sentence and the number behind it.

    `percentile` says how many of 100 clips of the reference have a smaller `value`; `seconds` is from when to when the
    clause holds, None for all the clip.
    """

    clause: str
    signal: str
    value: float
    percentile: float
    seconds: tuple[float, float] | None = None


def observe(features: Path, clips: Sequence[Clip], language: str = "en") -> Iterator[Clue]:
    """Two clues of each clip, `audio` and `video`, from the files egemaps.h5 and face-expression.h5 in `features`.

    What is ordinary is told by the clips of split `train`, by all where there are none of it. `language` is "en" or
    "zh". A clip without speech or without a face has a clue that says so; one whose extraction failed has a failed one.

    Raises InputError for feature files that are absent, that lack clips or, for the face, frames, and where nothing was
    measured on any clip of the reference.
    """
    reference = [clip for clip in clips if clip.split == TRAIN] or list(clips)
    source = {
        "observer": OBSERVER_VERSION,
        "language": language,
        "reference": {"split": reference[0].split, "clips": len(reference)},
    }
    with ExitStack() as stack:
        observers = [
            stack.enter_context(kind(features, clips, reference, LANGUAGES[language])) for kind in (_Voice, _Face)
        ]
        for clip in clips:
            for observer in observers:
                yield observer.clue(clip.name, source)


class _Observer(ExitStack):
    """What looks at one modality; a context manager that holds its feature file open."""

    feature: ClassVar[str]
    modality: ClassVar[str]
    reader: ClassVar[type[FeatureReader]]

    def __init__(self, features: Path, clips: Sequence[Clip], reference: Sequence[Clip], words: Words) -> None:
        super().__init__()
        path = features / f"{self.feature}.h5"
        self._provenance = read_provenance(path)
        self._rows = self.enter_context(self.reader(path))
        self._words = words
        _refuse_gaps(path, self._rows.names, clips)
        rows = (self._rows[clip.name] for clip in reference)
        self._reference = Reference(self.signals(row) for row in rows if row.status == OK)
        if not self._reference.signals:
            raise InputError(
                f"{path}: none of {len(reference)} clips of split {reference[0].split!r} is ok, so that nothing says "
                "what is ordinary. Look at them with: mertools features info"
            )

    def clue(self, name: str, source: dict[str, object]) -> Clue:
        row = self._rows[name]
        if row.status == FAILED:
            return Clue(name, self.modality, "", source, failed=row.reason)
        if row.status != OK:
            return Clue(name, self.modality, self.nothing(row.reason), source)
        clauses, text = self.tell(row)
        return Clue(name, self.modality, text, {**source, "clauses": [asdict(clause) for clause in clauses]})

    @abstractmethod
    def signals(self, row: Row) -> dict[str, float]:
        """What is measured on a clip, by signal."""

    @abstractmethod
    def tell(self, row: Row) -> tuple[list[Clause], str]:
        """What there is to say of a clip: in pieces, and as a sentence."""

    @abstractmethod
    def nothing(self, reason: str) -> str:
        """What there is to say of a clip that lacks the modality."""


class _Voice(_Observer):
    feature, modality, reader = "egemaps", "audio", FeatureReader

    def signals(self, row: Row) -> dict[str, float]:
        return voice_signals(row.utterance, self._provenance.columns)

    def tell(self, row: Row) -> tuple[list[Clause], str]:
        clauses = []
        for signal, value in self.signals(row).items():
            percentile = self._reference.percentile(signal, value)
            clauses.append(Clause(self._words.compared(signal, percentile, LOW, HIGH), signal, value, percentile))
        # What is least ordinary comes first.
        clauses.sort(key=lambda clause: -abs(clause.percentile - 50))
        return clauses, self._words.of_voice([clause.clause for clause in clauses])

    def nothing(self, reason: str) -> str:
        return self._words.no_voice.format(reason)


class _Face(_Observer):
    feature, modality, reader = "face-expression", "video", FrameReader

    def signals(self, row: Row) -> dict[str, float]:
        return face_signals(row.outputs["probabilities"], self._expressions)

    def tell(self, row: Row) -> tuple[list[Clause], str]:
        shares = self.signals(row)
        percentiles = {
            expression: self._reference.percentile(expression, share) for expression, share in shares.items()
        }
        course = stretches(row.outputs["probabilities"], row.times, self._expressions)
        strongest = max(shares, key=shares.__getitem__)
        clear = [
            expression
            for expression in sorted(shares, key=lambda expression: -shares[expression])
            if expression != NEUTRAL
            and shares[expression] >= CLEAR_SHARE
            and percentiles[expression] >= CLEAR_PERCENTILE
        ]
        if not clear and strongest != NEUTRAL:
            unclear = Clause(self._words.unclear_face, strongest, shares[strongest], percentiles[strongest])
            return [unclear], self._words.unclear_face
        clauses = [
            self._clause(expression, shares[expression], percentiles[expression], course)
            for expression in clear or [NEUTRAL]
        ]
        return clauses, self._words.of_face([clause.clause for clause in clauses])

    def nothing(self, reason: str) -> str:
        return self._words.no_face.format(reason)

    @property
    def _expressions(self) -> tuple[str, ...]:
        return self._provenance.frame_columns["probabilities"]

    def _clause(self, expression: str, share: float, percentile: float, course: Sequence[Stretch]) -> Clause:
        words = self._words
        looks, often, rare = words.face[expression], words.share(share), words.share(percentile / 100)
        text = words.on_average.format(looks, often)
        if expression != NEUTRAL:
            text = words.standing_out.format(looks, often, rare)
        own = [stretch for stretch in course if stretch.expression == expression]
        if not own or len(course) == 1:
            return Clause(text, expression, share, percentile)
        longest = max(own, key=lambda stretch: stretch.end - stretch.begin)
        begin = None if longest is course[0] else longest.begin
        end = None if longest is course[-1] else longest.end
        seconds = (longest.begin, longest.end)
        return Clause(text + words.span(begin, end), expression, share, percentile, seconds)


def _refuse_gaps(path: Path, names: Sequence[str], clips: Sequence[Clip]) -> None:
    known = set(names)
    lacking = [clip.name for clip in clips if clip.name not in known]
    if lacking:
        raise InputError(
            f"{path} lacks {len(lacking)} of {len(clips)} clips (first: {lacking[0]}). "
            f"Run: python extract.py --feature {path.stem} --level frame"
        )
