"""What a film is cut into: stretches that are measured, pieces made of them, and which pieces are kept (MER2024 §2.1).

All of it is a pure function of what was measured, so that limits can be tuned without decoding a film again.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field, replace

import numpy as np

DAMAGED = "damaged"
TOO_SHORT = "too short"
TOO_LONG = "too long"
SEVERAL_SPEAKERS = "several speakers"
NO_FACE = "no face"
SEVERAL_FACES = "several faces"
SEVERAL_PERSONS = "several persons"
REASONS = (DAMAGED, TOO_SHORT, TOO_LONG, SEVERAL_SPEAKERS, NO_FACE, SEVERAL_FACES, SEVERAL_PERSONS)
"""Why a piece is rejected, in the order in which it is looked at."""


@dataclass(frozen=True)
class Stretch:
    """A part of a film, in seconds: one subtitle, or speech without a pause.

    `turns` is how many speakers the subtitle marks with dashes.
    """

    begin: float
    end: float
    subtitle: str = ""
    subtitle_english: str = ""
    turns: int = 1

    @property
    def seconds(self) -> float:
        return self.end - self.begin


def vectors(rows: Sequence[Sequence[float]] = ()) -> np.ndarray:
    """Embeddings as (N, D), for N = 0 too."""
    return np.array(rows, float) if len(rows) else np.zeros((0, 0))


@dataclass(frozen=True)
class Seen:
    """What was measured on a stretch.

    `faces` (T,) counts the faces of each picture that was looked at; `identities` (N, D) are embeddings of the faces
    that are alone in their picture; `voice` (D,) is that of the speaker, of unit length, empty where none was made.
    `problem` says what could not be decoded.
    """

    faces: tuple[int, ...] = ()
    identities: np.ndarray = field(default_factory=vectors)
    voice: np.ndarray = field(default_factory=lambda: np.zeros(0))
    problem: str = ""


@dataclass(frozen=True)
class Piece:
    """Stretches of one film that make a clip, and what was measured on them together."""

    film: str
    stretch: Stretch
    seen: Seen
    merged: int = 1

    @property
    def name(self) -> str:
        """The film's name with the times in milliseconds: the same piece has the same name in every run."""
        return f"{self.film}_{round(1000 * self.stretch.begin):08d}_{round(1000 * self.stretch.end):08d}"

    def share_with_faces(self, fewest: int, most: int | None = None) -> float:
        """The share of pictures with at least `fewest` and at most `most` faces; 0 where none was looked at."""
        counts = np.array(self.seen.faces)
        return (
            float(np.mean((counts >= fewest) & (counts <= (fewest if most is None else most)))) if len(counts) else 0.0
        )

    def share_of_one_person(self, distance: float) -> float:
        """The share of faces that are at most `distance` from the one that most others are near to; 1 without faces."""
        faces = self.seen.identities
        if not len(faces):
            return 1.0
        distances = np.linalg.norm(faces[:, None] - faces[None], axis=2)
        return float((distances <= distance).mean(axis=1).max())


@dataclass(frozen=True)
class Limits:
    """What pieces are merged and kept by; lengths in seconds, shares of pictures and of faces."""

    shortest: float = 2.0
    longest: float = 16.0
    one_face_share: float = 0.6
    one_person_share: float = 0.8
    face_distance: float = 0.6
    longest_gap: float = 1.0
    voice_similarity: float = 0.7


@dataclass(frozen=True)
class Verdict:
    """Why a piece is rejected, with the figure that says so and the limit it missed; `reason` is "" for a kept one."""

    reason: str = ""
    figure: str = ""
    limit: str = ""


def judge(piece: Piece, limits: Limits) -> Verdict:
    """Whether a piece is kept; of several reasons against it the first in the order of REASONS."""
    seconds, one_face = piece.stretch.seconds, piece.share_with_faces(1)
    one_person = piece.share_of_one_person(limits.face_distance)
    if piece.seen.problem:
        return Verdict(DAMAGED, piece.seen.problem)
    if seconds < limits.shortest:
        return Verdict(TOO_SHORT, f"{seconds:.2f}", f"{limits.shortest:g}")
    if seconds > limits.longest:
        return Verdict(TOO_LONG, f"{seconds:.2f}", f"{limits.longest:g}")
    if piece.stretch.turns > 1:
        return Verdict(SEVERAL_SPEAKERS, str(piece.stretch.turns), "1")
    if one_face < limits.one_face_share:
        nobody = piece.share_with_faces(0) >= piece.share_with_faces(2, most=10**6)
        return Verdict(NO_FACE if nobody else SEVERAL_FACES, f"{one_face:.2f}", f"{limits.one_face_share:g}")
    if one_person < limits.one_person_share:
        return Verdict(SEVERAL_PERSONS, f"{one_person:.2f}", f"{limits.one_person_share:g}")
    return Verdict()


def merged(pieces: Iterable[Piece], limits: Limits) -> list[Piece]:
    """Neighbours of one voice as one piece, as long as the pause between them and the whole stay within `limits`.

    `pieces` are those of one film in the order of time. A piece without a voice stays alone.
    """
    result: list[Piece] = []
    for piece in pieces:
        if result and _belong_together(result[-1], piece, limits):
            result[-1] = _joined(result[-1], piece)
        else:
            result.append(piece)
    return result


def _belong_together(first: Piece, second: Piece, limits: Limits) -> bool:
    if not len(first.seen.voice) or not len(second.seen.voice):
        return False
    return (
        second.stretch.begin - first.stretch.end <= limits.longest_gap
        and second.stretch.end - first.stretch.begin <= limits.longest
        and float(first.seen.voice @ second.seen.voice) >= limits.voice_similarity
    )


def _joined(first: Piece, second: Piece) -> Piece:
    weights = first.stretch.seconds, second.stretch.seconds
    voice = weights[0] * first.seen.voice + weights[1] * second.seen.voice
    return replace(
        first,
        stretch=replace(first.stretch, end=second.stretch.end),
        seen=Seen(
            first.seen.faces + second.seen.faces,
            _stacked([first.seen.identities, second.seen.identities]),
            voice / np.linalg.norm(voice),
            "; ".join(filter(None, (first.seen.problem, second.seen.problem))),
        ),
        merged=first.merged + second.merged,
    )


def _stacked(parts: Sequence[np.ndarray]) -> np.ndarray:
    filled = [part for part in parts if len(part)]
    return np.concatenate(filled) if filled else parts[0]
