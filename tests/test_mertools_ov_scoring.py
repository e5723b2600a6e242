"""Scores of labels by each grouping, by pencil, and what is told beside them."""

from __future__ import annotations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from mertools.errors import InputError
from mertools.lexicon import lexicon
from mertools.ov.groupings import ByClip, BySynonyms, Exact
from mertools.ov.labels import OpenLabels
from mertools.ov.scoring import CANDIDATES, RANDOM_SEEDS, System, baselines, check_names, score, score_systems
from mertools.set_metrics import SET_LEVEL

TRUTH = {
    "a": ("happy", "Grateful"),
    "b": ("Angry", "furious", "lamp"),
    "c": ("worried",),
    "d": ("it's complicated",),
    "e": ("sad",),
}
PREDICTED = {
    "a": OpenLabels("a", ("JOYFUL", "joyful", "excited")),
    "b": OpenLabels("b", ("anger",)),
    "c": OpenLabels("c", (), "no answer"),
    "d": OpenLabels("d", ("It’s complicated", "chair")),
    "x": OpenLabels("x", ("sad",)),
}


def test_by_synonyms() -> None:
    """Accuracy: a 1/2, b 1/1, d 1/2; recall: a 1/2, b 1/2 (angry and furious are one), d 1."""
    found = score(TRUTH, PREDICTED, BySynonyms(lexicon()), SET_LEVEL, seed=0)
    values = {name: estimate.value for name, estimate in found.estimates.items()}
    assert values == pytest.approx({"avg": 0.4, "accuracy": (0.5 + 1 + 0.5) / 5, "recall": (0.5 + 0.5 + 1) / 5})
    assert (found.failed, found.missing, found.ungrouped, found.as_they_are) == (1, 1, 0, 0)
    assert found.predicted.labels == 5 and found.predicted.unknown == {"it's complicated": 1, "chair": 1}
    assert found.predicted.share == pytest.approx(3 / 5)


def test_by_spelling() -> None:
    """a and b have nothing in common; d 1/2 and 1."""
    found = score(TRUTH, PREDICTED, Exact(), SET_LEVEL, seed=0)
    assert found.estimates["accuracy"].value == pytest.approx(0.5 / 5)
    assert found.estimates["recall"].value == pytest.approx(1 / 5)
    assert found.predicted.share == 1


def test_clips_whose_grouping_failed_are_left_out_and_counted() -> None:
    grouping = ByClip({"a": (("happy", "joyful"), ("excited",)), "b": ()}, failed={"c": "no", "d": "no", "e": "no"})
    found = score(TRUTH, PREDICTED, grouping, SET_LEVEL, seed=0)
    assert (found.ungrouped, found.as_they_are, found.failed) == (3, 1, 0)
    assert found.estimates["accuracy"].value == pytest.approx((0.5 + 0) / 2)
    assert found.estimates["accuracy"].n == 2
    with pytest.raises(InputError, match="No clip is left"):
        score(TRUTH, PREDICTED, ByClip({}, dict.fromkeys(TRUTH, "no")), SET_LEVEL, seed=0)


def test_runs_are_scored_by_their_own_grouping() -> None:
    asked = []

    def judge(truth, predicted, run):
        asked.append(run)
        return Exact()

    system = System("mine", (PREDICTED, PREDICTED))
    (found,) = score_systems(TRUTH, [system], judge, SET_LEVEL, 0)
    assert asked == [0, 1] and found.runs[0] == found.runs[1]


@pytest.mark.parametrize("language", CANDIDATES)
def test_baselines(language: str) -> None:
    clips = [f"clip {number}" for number in range(300)]
    empty, chance = baselines(clips, CANDIDATES[language], seed=0)
    assert [row.labels for row in empty.runs[0].values()] == [()] * 300
    assert len(chance.runs) == RANDOM_SEEDS
    drawn = [row.labels for row in chance.runs[0].values()]
    assert {label for labels in drawn for label in labels} == set(CANDIDATES[language])
    # A clip's label depends on its name alone.
    assert baselines(clips[::-1], CANDIDATES[language], seed=0)[1].runs[0] == chance.runs[0] != chance.runs[1]
    assert all(lexicon().group(label) for label in CANDIDATES[language])


def test_names_that_do_not_match_are_shown_on_either_side() -> None:
    truth = [f"t{number}" for number in range(5)]
    check_names(truth, truth, [*truth, "more"], "p.csv")
    with pytest.raises(InputError, match=r"no labels for 5 of 5 .*'t0', 't1', 't2'\).*'p0', 'p1', 'p2'\)"):
        check_names(truth, truth, [f"p{number}" for number in range(5)], "p.csv")


LABELS = st.lists(st.sampled_from([*(word.word for word in lexicon().words), "lamp", "it's", "x y"]), min_size=1)


@settings(deadline=None, max_examples=50)
@given(st.lists(LABELS, min_size=1, max_size=5))
def test_truth_against_itself_is_one(labels: list[list[str]]) -> None:
    truth = {str(clip): tuple(of_clip) for clip, of_clip in enumerate(labels)}
    predicted = {clip: OpenLabels(clip, tuple(map(str.upper, truth[clip][::-1]))) for clip in truth}
    for grouping in (Exact(), BySynonyms(lexicon())):
        found = score(truth, predicted, grouping, SET_LEVEL, 0)
        assert {estimate.value for estimate in found.estimates.values()} == {1.0}
