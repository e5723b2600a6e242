"""Oracles take the best of every clip, say so, and gain nothing from clips that nobody describes."""

from __future__ import annotations

from mertools.ov.descriptions import Description
from mertools.ov.judgements import JudgedSystem
from mertools.ov.judging import Verdicts
from mertools.ov.oracle import NOBODY, Candidate, make_oracle, oracle_descriptions

CLIPS = ("a", "b", "c", "d")


def candidate(name: str, clues: dict[str, float], labels: dict[str, float], failed: str = "d") -> Candidate:
    """A system with these scores; those of `failed` clips are 0, clips without a score were not judged."""
    zero = dict.fromkeys(failed, 0.0)
    unjudged = {clip: "refused" for clip in CLIPS if clip not in {**clues, **zero}}
    values = {"clue_overlap": clues | zero, "label_overlap": labels | zero}
    system = JudgedSystem(name, (Verdicts(values, {"clue_overlap": unjudged}),), failed=len(failed))
    described = {clip: Description(clip, "", f"{name} {clip}", source={"model": name}) for clip in CLIPS}
    return Candidate(system, {clip: one for clip, one in described.items() if clip not in failed})


FIRST = candidate("first", {"a": 9, "b": 2}, {"a": 1, "b": 2, "c": 5})
SECOND = candidate("second", {"a": 3, "b": 2}, {"a": 8, "b": 7, "c": 5})


def test_the_best_by_clues_and_by_labels() -> None:
    clue = make_oracle("Baseline", "clue_overlap", [FIRST, SECOND], CLIPS)
    label = make_oracle("Baseline", "label_overlap", [FIRST, SECOND], CLIPS)
    # Of equals the first; nobody's clip c was judged by clues.
    assert [one and one.system.name for one in clue.chosen.values()] == ["first", "first", None, None]
    assert [one and one.system.name for one in label.chosen.values()] == ["second", "second", "first", None]
    (verdicts,) = clue.system.runs
    assert verdicts.values == {"clue_overlap": {"a": 9, "b": 2, "d": 0}, "label_overlap": {"a": 1, "b": 2, "d": 0}}
    assert verdicts.unjudged["clue_overlap"] == {"c": NOBODY}
    assert label.system.runs[0].values["label_overlap"] == {"a": 8, "b": 7, "c": 5, "d": 0}
    assert (clue.system.failed, label.system.failed) == (1, 1)


def test_an_oracle_is_called_what_it_is() -> None:
    oracle = make_oracle("Baseline", "label_overlap", [FIRST, SECOND], CLIPS)
    assert oracle.system.name == "Baseline (Label), sees the truth"
    rows = list(oracle_descriptions(oracle, {"model": "judge"}))
    assert [row.description for row in rows] == ["second a", "second b", "first c", ""]
    assert rows[0].source == {
        "oracle": "Baseline (Label), sees the truth",
        "chosen_by": "label_overlap",
        "sees_the_truth": True,
        "judge": {"model": "judge"},
        "system": "second",
        "of": {"model": "second"},
    }
    assert rows[3].failed == NOBODY


def test_a_description_is_chosen_before_a_failure() -> None:
    failed = candidate("failed", {}, {}, failed="abcd")
    oracle = make_oracle("Baseline", "clue_overlap", [failed, candidate("poor", {"a": 0}, {})], ["a"])
    assert oracle.chosen["a"] is not None and oracle.chosen["a"].system.name == "poor"
