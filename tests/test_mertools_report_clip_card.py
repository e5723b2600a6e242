from __future__ import annotations

import pytest

from mertools.clip import Clip
from mertools.lexicon import lexicon
from mertools.ov.clues import Clue
from mertools.ov.labels import OpenLabels
from mertools.report.clip_card import clauses, clip_card
from mertools.report.explanations import ExplainingSystem, Explanation

CLIP = Clip("a", label="surprise", open_labels=("surprise", "astonished", "happy"), speaker="Anna")


def card(*labels: str, failed: str = "") -> dict[str, object]:
    """The card of CLIP with one system's labels."""
    said = Explanation(labels=OpenLabels("a", labels, failed))
    return clip_card(CLIP, [ExplainingSystem("one", {"a": said})], None, lexicon())


def test_labels_are_hits_by_their_group_of_synonyms() -> None:
    (said,) = card("surprised", "joyful", "sad")["systems"]
    assert said["labels"] == [("surprised", True), ("joyful", True), ("sad", False)]
    # Three true labels of two meanings, both found.
    assert said["found"] == (2, 2)


def test_a_clip_is_missed_where_systems_have_labels_and_none_is_true() -> None:
    assert card("sad")["missed"] and card()["missed"]
    assert not card("astonished")["missed"]
    failed = card(failed="timed out")
    assert failed["failed"] and not failed["missed"]


def test_a_card_is_found_by_all_its_words() -> None:
    assert card("Sad")["words"] == "a anna surprise astonished happy sad"


@pytest.mark.parametrize("listed", [None, "loud", [1, None], {"clause": "loud"}])
def test_a_source_may_list_no_clauses(listed: object) -> None:
    assert clauses(Clue("a", "audio", "text", {"clauses": listed})) == []


def test_numbers_that_are_none_are_left_out() -> None:
    (row,) = clauses(
        Clue("a", "audio", "text", {"clauses": [{"clause": "x", "value": float("nan"), "percentile": True}]})
    )
    assert row == {"clause": "x", "signal": "", "value": None, "percentile": None, "seconds": None}
