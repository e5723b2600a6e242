"""Which stretches are merged, and which pieces are kept, by what was measured."""

from __future__ import annotations

import numpy as np
import pytest

from mertools.prepare.pieces import Limits, Piece, Seen, Stretch, judge, merged, vectors

LIMITS = Limits()
ANNE, BOB = np.array([1.0, 0.0]), np.array([0.0, 1.0])


def piece(begin: float, end: float, voice: np.ndarray | None = None, **seen: object) -> Piece:
    seen = {"faces": (1, 1, 1, 1), "identities": vectors([[0.0, 0.0]] * 4), **seen}
    return Piece("film", Stretch(begin, end), Seen(voice=np.zeros(0) if voice is None else voice, **seen))


@pytest.mark.parametrize(
    "begin, end, seen, reason, figure",
    [
        (0, 4, {}, "", ""),
        (0, 1.5, {}, "too short", "1.50"),
        (0, 17, {}, "too long", "17.00"),
        (0, 4, {"faces": (0, 0, 0, 1)}, "no face", "0.25"),
        (0, 4, {"faces": (2, 3, 2, 1)}, "several faces", "0.25"),
        (0, 4, {"identities": vectors([[0, 0], [0, 0.1], [0, 0.9], [0, 1.0]])}, "several persons", "0.50"),
        (0, 4, {"problem": "the picture ends"}, "damaged", "the picture ends"),
        (0, 1, {"faces": (0,)}, "too short", "1.00"),
    ],
)
def test_a_piece_is_rejected_for_the_first_reason_with_its_figure(
    begin: float, end: float, seen: dict, reason: str, figure: str
) -> None:
    verdict = judge(piece(begin, end, **seen), LIMITS)
    assert (verdict.reason, verdict.figure) == (reason, figure)


def test_subtitles_of_two_speakers_are_rejected() -> None:
    dialogue = Piece("film", Stretch(0, 4, "Hi. Hello.", turns=2), Seen((1, 1), vectors([[0.0], [0.0]])))
    assert judge(dialogue, LIMITS).reason == "several speakers"


def test_limits_can_be_tuned_on_what_was_measured() -> None:
    seen = piece(0, 4, faces=(1, 2, 1, 2))
    assert judge(seen, LIMITS).reason == "several faces"
    assert judge(seen, Limits(one_face_share=0.5)).reason == ""


def test_neighbours_of_one_voice_become_one() -> None:
    (one,) = merged([piece(0, 2, ANNE), piece(2.5, 4, ANNE), piece(4.9, 6, ANNE)], LIMITS)
    assert (one.stretch.begin, one.stretch.end, one.merged) == (0, 6, 3)
    assert len(one.seen.faces) == 12
    assert one.name == "film_00000000_00006000"


@pytest.mark.parametrize(
    "second",
    [piece(2.5, 4, BOB), piece(3.5, 5, ANNE), piece(2.5, 17, ANNE), piece(2.5, 4)],
    ids=["other voice", "long pause", "too long together", "no voice"],
)
def test_others_stay_apart(second: Piece) -> None:
    first = piece(0, 2, ANNE)
    assert merged([first, second], LIMITS) == [first, second]
