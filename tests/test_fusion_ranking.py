"""The best features of each modality, by what each reaches alone."""

from __future__ import annotations

from fusion.ranking import Ranked, rank, top

MODALITY = {"a1": "audio", "a2": "audio", "a3": "audio", "t1": "text", "v1": "video"}


def test_the_best_come_first_and_equals_by_name() -> None:
    ranking = rank({"t1": 0.4, "a2": 0.5, "a1": 0.3, "v1": 0.5, "a3": 0.3}, MODALITY)
    assert [entry.feature for entry in ranking] == ["a2", "v1", "t1", "a1", "a3"]
    assert ranking[0] == Ranked("audio", "a2", 0.5)


def test_top_takes_the_best_of_each_modality() -> None:
    ranking = rank({"a1": 0.3, "a2": 0.5, "a3": 0.4, "t1": 0.4, "v1": 0.6}, MODALITY)
    assert top(1, ranking) == ["a2", "v1", "t1"]
    assert top(2, ranking) == ["a2", "a3", "v1", "t1"]
    assert top(1, ranking, "TA") == ["a2", "t1"]
    assert top(9, ranking, "A") == ["a1", "a2", "a3"]
    assert top(1, [], "A") == []


def test_rankings_that_agree_on_the_best_ask_for_one_system() -> None:
    """Else each would be a search of its own: networks depend on the order of their features."""
    one = rank({"a1": 0.3, "a2": 0.5, "a3": 0.1, "t1": 0.4, "v1": 0.6}, MODALITY)
    two = rank({"a1": 0.5, "a2": 0.3, "a3": 0.1, "t1": 0.4, "v1": 0.6}, MODALITY)
    assert top(2, one) == top(2, two)
