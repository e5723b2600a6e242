"""People's ratings beside automatic metrics and the paper's table."""

from __future__ import annotations

import pytest

from mertools.ov.automatic_scores import AutomaticScore
from mertools.ov.rating import Key, draw_study
from mertools.report.ratings import correlations, name_in_paper, printed_ratings

CLIPS = ["x", "y"]
PEOPLE = {("x", "a"): 1.0, ("y", "a"): 2.0, ("x", "b"): 3.0, ("y", "b"): 4.0, ("x", "t"): 4.0, ("y", "t"): 4.0}


@pytest.fixture(scope="module")
def key() -> Key:
    return draw_study({system: dict.fromkeys(CLIPS, "text") for system in "abt"}, CLIPS, 1, 0, truth="t")


def means(key: Key) -> dict[str, float]:
    return {item.id: PEOPLE[item.clip, item.system] for item in key.items}


def scored(metric: str, **by_pair: float) -> list[AutomaticScore]:
    return [AutomaticScore(pair[0], pair[1], metric, value) for pair, value in by_pair.items()]


def test_correlations_by_pencil(key: Key) -> None:
    scores = [
        *scored("same", xa=0, ya=1, xb=2, yb=9),
        *scored("turned", xa=4, ya=3, xb=2, yb=1),
        *scored("flat", xa=5, ya=5, xb=5, yb=5),
    ]
    same, turned, flat = correlations(scores, key, means(key))
    assert (same.metric, same.n_items, same.n_systems) == ("same", 4, 2)
    assert (same.items, same.systems) == pytest.approx((1, 1))
    assert (turned.items, turned.systems) == pytest.approx((-1, -1))
    assert (flat.items, flat.systems) == (None, None)
    # Ranks 1 2 3 4 against 2 1 3 4: 1 - 6 x 2 / (4 x 15).
    (mixed,) = correlations(scored("mixed", xa=2, ya=1, xb=3, yb=4), key, means(key))
    assert mixed.items == pytest.approx(0.8)


def test_the_truth_and_what_people_did_not_rate_are_left_out(key: Key) -> None:
    scores = scored("m", xa=0, ya=1, xb=2, yb=3, xt=10, yt=10, zz=4)
    (found,) = correlations(scores, key, means(key))
    assert (found.items, found.n_items, found.n_systems) == (pytest.approx(1), 4, 2)
    rated = {item.id: 1.0 for item in key.items if item.system == "a" and item.clip == "x"}
    (found,) = correlations(scores, key, rated)
    assert (found.items, found.n_items, found.systems, found.n_systems) == (None, 1, None, 1)
    (found,) = correlations(scores, key, {})
    assert (found.items, found.n_items, found.systems, found.n_systems) == (None, 0, None, 0)


def test_the_papers_table(key: Key) -> None:
    printed = printed_ratings()
    assert len(printed) == 11 and printed["Valley"] == "2.45"
    assert [model for model in printed if model.endswith(", sees the truth")] == [
        f"{kind} ({by}), sees the truth" for kind in ("Baseline", "AffectGPT") for by in ("Clue", "Label")
    ]
    assert name_in_paper("valley", key, printed) == "Valley"
    assert name_in_paper("t", key, printed) == "Ground Truth"
    assert name_in_paper("a", key, printed) == ""
