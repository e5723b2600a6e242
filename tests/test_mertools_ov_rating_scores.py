"""From ratings to means, intervals and agreement: against pencil and paper."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from mertools.errors import InputError
from mertools.ov.rating import Key, draw_study
from mertools.ov.rating_scores import agreement, as_numbers, item_means, rater_counts, system_scores

CLIPS = ["x", "y", "z"]
SYSTEMS = ["a", "b"]


@pytest.fixture(scope="module")
def key() -> Key:
    return draw_study({system: {clip: f"{system}{clip}" for clip in CLIPS} for system in SYSTEMS}, CLIPS, 2, 0)


def rated(key: Key, **by_rater: dict[str, str]) -> dict[str, dict[str, int]]:
    """Ratings given as `{"a": "123"}`: by system the ratings of clips x, y and z; a point is an item left out."""
    number = {(item.system, item.clip): item.id for item in key.items}
    return {
        rater.replace("_", "-"): {
            number[system, clip]: int(value)
            for system, values in of_systems.items()
            for clip, value in zip(CLIPS, values, strict=True)
            if value != "."
        }
        for rater, of_systems in by_rater.items()
    }


def test_means_and_counts_by_pencil(key: Key) -> None:
    ratings = rated(key, rater_1={"a": "123", "b": "444"}, rater_2={"a": "224", "b": "444"})
    a, b = system_scores(key, ratings)
    assert (a.system, a.clips, a.counts) == ("a", 3, (1, 3, 1, 1))
    assert a.mean == pytest.approx(14 / 6)
    # Every resample lies between the clip rated lowest (1.5) and the one rated highest (3.5).
    assert 1.5 <= a.low < a.mean < a.high <= 3.5
    # People who always say 4 leave no doubt.
    assert (b.mean, b.low, b.high) == (4, 4, 4)
    first, second = rater_counts(ratings)
    assert (first.rater, first.mean, first.counts) == ("rater-1", 3, (1, 1, 1, 3))
    assert second.counts == (0, 2, 0, 4)


def test_more_raters_of_one_mind_make_no_interval_narrower(key: Key) -> None:
    """Clips are drawn, not ratings: five people who agree on three clips know three clips."""
    one = rated(key, rater_1={"a": "124", "b": "111"})
    many = {f"rater-{number}": one["rater-1"] for number in range(5)}
    assert [(s.mean, s.low, s.high) for s in system_scores(key, one)] == [
        pytest.approx((s.mean, s.low, s.high)) for s in system_scores(key, many)
    ]


def test_what_is_left_out_counts_for_nothing(key: Key) -> None:
    ratings = rated(key, rater_1={"a": "4..", "b": "1.3"}, rater_2={"a": "2..", "b": "..3"})
    a, b = system_scores(key, ratings)
    assert (a.mean, a.low, a.high, a.clips) == (3, 3, 3, 1)
    assert (b.mean, b.clips) == (pytest.approx(7 / 3), 2)
    assert sorted(item_means(ratings).values()) == [1, 3, 3]


def test_a_system_of_which_nothing_was_rated_is_refused(key: Key) -> None:
    with pytest.raises(InputError, match="Nothing of 'b' was rated"):
        system_scores(key, rated(key, rater_1={"a": "123"}))


def test_raters_of_one_mind_agree(key: Key) -> None:
    same = {"a": "123", "b": "441"}
    assert agreement(key, rated(key, rater_1=same, rater_2=same)) == {"nominal": 1, "ordinal": 1, "interval": 1}
    apart = agreement(key, rated(key, rater_1={"a": "111", "b": "444"}, rater_2={"a": "444", "b": "111"}))
    assert all(alpha < 0 for alpha in apart.values())
    assert agreement(key, rated(key, rater_1=same)) == {"nominal": None, "ordinal": None, "interval": None}


@given(values=st.lists(st.integers(1, 4), min_size=12, max_size=12))
def test_means_are_the_means(values: list[int]) -> None:
    key = draw_study({system: dict.fromkeys(CLIPS, "t") for system in SYSTEMS}, CLIPS, 2, 0)
    grid = np.array(values).reshape(2, 6)
    ratings = {
        rater: dict(zip([item.id for item in key.items], row.tolist(), strict=True))
        for rater, row in zip(key.orders, grid, strict=True)
    }
    for score in system_scores(key, ratings, resamples=50):
        places = [place for place, item in enumerate(key.items) if item.system == score.system]
        assert score.mean == pytest.approx(grid[:, places].mean())
        assert score.low <= score.high
        assert sum(score.counts) == 6


def test_the_order_of_systems_is_the_keys(key: Key) -> None:
    ratings = rated(key, rater_1={"a": "123", "b": "441"})
    turned = replace(key, systems=("b", "a"))
    assert system_scores(turned, ratings) == system_scores(key, ratings)[::-1]


def test_answers_become_numbers() -> None:
    assert as_numbers({"r": {"i": "3"}}) == {"r": {"i": 3}}
