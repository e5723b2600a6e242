"""Choosing what to annotate: the paper's example, a pencil's, and what holds for any votes."""

from __future__ import annotations

from collections import Counter
from fractions import Fraction

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mertools.emotions import MER2024
from mertools.errors import InputError
from mertools.prepare.selection import Vote, choose, equal_places, vote


def test_the_papers_example() -> None:
    """MER2024 §2.2: happy 10 times and neutral 6 times is max(6, 10) / 16."""
    told = vote("clip", ["happy"] * 10 + ["neutral"] * 6, MER2024, seed=0)
    assert (told.label, told.count, told.share) == ("happy", 10, Fraction(10, 16))


def test_a_tie_of_labels_is_drawn_by_the_seed_whatever_the_order_of_systems() -> None:
    drawn = {vote("clip", ["sad", "angry"], MER2024, seed) for seed in range(20)}
    assert {told.label for told in drawn} == {"sad", "angry"} and {told.share for told in drawn} == {Fraction(1, 2)}
    assert all(
        vote("clip", ["sad", "angry"], MER2024, seed) == vote("clip", ["angry", "sad"], MER2024, seed)
        for seed in range(20)
    )


def test_the_selection_equals_the_pencils() -> None:
    """7 places and three classes with 4, 3 and 1 clips: 3 + 3 + 1 are the equal places, and all go round. With 6 it is
    2 + 2 + 1, and the sixth goes to the class whose third clip is clearer.
    """
    counts = {
        "happy": {"h1": 4, "h2": 4, "h3": 3, "h4": 2},
        "sad": {"s1": 4, "s2": 3, "s3": 2},
        "surprise": {"u1": 2},
    }
    votes = {name: Vote(label, count, 4) for label, clips in counts.items() for name, count in clips.items()}
    assert choose(votes, MER2024, 7, seed=0) == ["h1", "h2", "h3", "s1", "s2", "s3", "u1"]
    assert choose(votes, MER2024, 6, seed=0) == ["h1", "h2", "h3", "s1", "s2", "u1"]
    # 2 places for three classes: the two clearest votes are happy ones, but a class gets one place more at most.
    two = choose(votes, MER2024, 2, seed=0)
    assert two[1] == "s1" and two[0] in ("h1", "h2")
    with pytest.raises(InputError, match="There are 8 clips to choose from, 9 are asked for"):
        choose(votes, MER2024, 9, seed=0)


def test_equal_votes_are_decided_by_the_seed() -> None:
    votes = {f"clip-{number}": Vote("happy", 3, 4) for number in range(40)}
    assert choose(votes, MER2024, 10, seed=0) == choose(votes, MER2024, 10, seed=0)
    assert choose(votes, MER2024, 10, seed=0) != choose(votes, MER2024, 10, seed=1)


@pytest.mark.parametrize(
    ("available", "count", "places"),
    [
        ({"a": 10, "b": 10, "c": 10}, 9, {"a": 3, "b": 3, "c": 3}),
        ({"a": 10, "b": 1, "c": 10}, 9, {"a": 4, "b": 1, "c": 4}),
        ({"a": 10, "b": 1, "c": 3}, 11, {"a": 7, "b": 1, "c": 3}),
        ({"a": 10, "b": 0, "c": 10}, 5, {"a": 2, "b": 0, "c": 2}),
        ({"a": 2, "b": 2}, 1, {"a": 0, "b": 0}),
    ],
)
def test_places_are_filled_like_water(available: dict[str, int], count: int, places: dict[str, int]) -> None:
    assert equal_places(available, count) == places


SYSTEMS = st.integers(1, 5).flatmap(
    lambda systems: st.lists(
        st.lists(st.sampled_from(MER2024.names), min_size=systems, max_size=systems), min_size=1, max_size=40
    )
)


@given(SYSTEMS, st.data())
def test_what_holds_for_any_votes(predicted: list[list[str]], data: st.DataObject) -> None:
    names = [f"clip-{number}" for number in range(len(predicted))]
    count, seed = data.draw(st.integers(1, len(names))), data.draw(st.integers(0, 3))
    votes = {name: vote(name, row, MER2024, seed) for name, row in zip(names, predicted, strict=True)}
    chosen = choose(votes, MER2024, count, seed)
    assert len(chosen) == len(set(chosen)) == count

    # Deterministic, whatever the order of clips and systems.
    clips = data.draw(st.permutations(names))
    systems = data.draw(st.permutations(range(len(predicted[0]))))
    again = {name: vote(name, [predicted[names.index(name)][k] for k in systems], MER2024, seed) for name in clips}
    assert choose(again, MER2024, count, seed) == chosen

    # Balanced: a class has fewer places than another, beyond the one that does not go round, if it has no more clips.
    places, available = (Counter(votes[name].label for name in group) for group in (chosen, names))
    assert all(
        places[one] >= places[other] - 1 or places[one] == available[one]
        for one in MER2024.names
        for other in MER2024.names
    )
    # The clearest: no clip that was left has a higher share than one of its class that was chosen.
    for label in MER2024.names:
        shares = [votes[name].share for name in chosen if votes[name].label == label]
        left = [votes[name].share for name in names if votes[name].label == label and name not in chosen]
        assert not shares or not left or min(shares) >= max(left)
