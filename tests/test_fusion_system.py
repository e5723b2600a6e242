"""A laboratory makes each search once; its systems are honest about what chose them."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import Any

import numpy as np
import pytest
import torch
from optuna.storages import InMemoryStorage
from toy_problem import CLASSES, DIMS, LABELS, Small, make_clips, make_inputs, make_problem

import fusion.system
from fusion.cross_validation import Problem, outer_probabilities
from fusion.inputs import Inputs, Variant
from fusion.ranking import top
from fusion.search import draw, search
from fusion.self_training import Teaching
from fusion.system import Laboratory, System
from mertools.intervals import estimates
from mertools.metrics import confusion_matrix, waf


def laboratory(problem: Problem | None = None, draws: int = 3, **settings: Any) -> Laboratory:
    problem = problem or make_problem(epochs=2)
    clips = make_clips(len(problem.train), len(problem.material.targets) - len(problem.train))
    return Laboratory(
        problem,
        clips,
        draw(Small, "random", draws, 0),
        InMemoryStorage(),
        **{"nested": True, "repeats": 0, "progress": lambda title, count: lambda *known: None, **settings},
    )


@pytest.fixture
def searched(monkeypatch: pytest.MonkeyPatch) -> list[tuple[tuple[str, ...], bool, tuple[int, ...]]]:
    """The searches made from here on: features, whether over all folds, outer folds."""
    found = []

    def counting(problem: Problem, draws: Sequence, plan: Any, *more: Any) -> Any:
        found.append((tuple(problem.inputs), plan.folds, plan.outers))
        return search(problem, draws, plan, *more)

    monkeypatch.setattr(fusion.system, "search", counting)
    return found


def same(one: System, two: System) -> bool:
    return all(
        torch.equal(value, b.network.parameters[name])
        for a, b in zip(one.run.networks, two.run.networks, strict=True)
        for name, value in a.network.parameters.items()
    )


def test_what_several_ask_for_is_made_once(searched: list) -> None:
    lab = laboratory()
    singles = {name: lab.system([name]) for name in lab.features}
    assert len(searched) == 4
    ranking = lab.ranking()
    assert {entry.feature: entry.waf for entry in ranking} == {n: s.search.best.value for n, s in singles.items()}
    for outer in range(3):
        inner = {entry.feature: entry.waf for entry in lab.inner_ranking(outer)}
        assert inner == {name: one.search.inner[outer][0].inner_wafs[outer] for name, one in singles.items()}
    assert len(searched) == 4, "rankings cost nothing more"
    assert lab.system(["a1"]) is singles["a1"]

    def best(count: int, letters: str) -> System:
        return lab.system(top(count, ranking, letters), lambda outer: top(count, lab.inner_ranking(outer), letters))

    for letters in ("AV", "AT", "VT", "AVT"):
        for count in (1, 2):
            best(count, letters)
    made = len(searched)
    for letters in ("AV", "AT", "VT", "AVT"):
        for count in (1, 2, 2):
            best(count, letters)
    assert len(searched) == made
    assert len({(names, folds) for names, folds, _ in searched if folds}) == sum(folds for _, folds, _ in searched)
    assert lab.resumed == 0


def test_modalities_are_counted_in_order() -> None:
    lab = laboratory()
    assert lab.available == {"A": 2, "V": 1, "T": 1} and lab.features == tuple(DIMS)
    system = lab.system(["t1", "a1"])
    assert system.modalities == "AT" and system.features == ("t1", "a1")
    assert system.parameters == sum(p.numel() for p in system.problem.material.untrained(8).parameters()) or (
        system.configuration.hidden == 4
    )


def misleading() -> tuple[Problem, int]:
    """Two audio features; in the clips of one outer fold alone, and only there, `a2` tells the class exactly."""
    problem = make_problem(epochs=6)
    inputs = dict(problem.inputs)
    outer = 2
    rng = np.random.default_rng(0)
    rows = np.arange(105)
    for name, skilled in (("a1", problem.folds != outer), ("a2", problem.folds == outer)):
        dim = inputs[name].values.shape[1]
        knows = np.append(skilled, np.zeros(15, dtype=bool))
        values = 0.3 * rng.normal(size=(105, dim)) + 3 * knows[:, None] * np.eye(dim)[rows % CLASSES]
        inputs[name] = replace(inputs[name], values=values.astype(np.float32), mask=np.ones(105, dtype=bool))
    return make_problem(epochs=6, inputs=inputs), outer


def test_outer_folds_rank_by_what_they_do_not_hold(searched: list) -> None:
    problem, outer = misleading()
    lab = laboratory(problem)
    assert top(1, lab.inner_ranking(outer), "A") == ["a1"], "a2 is good only where this ranking does not look"

    def inner(outer: int) -> list[str]:
        return ["a2"] if outer == 0 else ["a1"]

    system = lab.system(["a1"], inner)
    for fold, name in enumerate(("a2", "a1", "a1")):
        part = problem.only([name])
        _, trained = lab.system([name]).search.inner[fold]
        np.testing.assert_array_equal(system.nested[problem.folds == fold], outer_probabilities(part, trained, fold))
    assert same(system, lab.system(["a1"])), "the networks that predict are those of the features themselves"


def test_the_nested_estimate_is_the_mean_over_folds() -> None:
    system = laboratory().system(["a1", "t1"])
    problem = system.problem
    predicted = system.nested.argmax(axis=1)
    labels = estimates(problem.targets, predicted, LABELS, 0, problem.folds, resamples=10)
    assert system.train_waf == pytest.approx(labels["waf"].value)
    np.testing.assert_allclose(system.nested.sum(axis=1), 1)
    without = laboratory(nested=False).system(["a1", "t1"])
    assert without.nested is None and without.train_waf == without.search.best.value
    assert same(system, without), "asking for the estimate changes no network"


def test_reruns_have_other_folds_and_seeds() -> None:
    lab = laboratory(repeats=2)
    system = lab.system(["a1", "v1"])
    one, two = system.reruns
    folds = [run.folds for run in (system.run, one, two)]
    assert not any(np.array_equal(a, b) for a, b in ((folds[0], folds[1]), (folds[1], folds[2]), (folds[0], folds[2])))
    said = [run.answers.others.probabilities for run in (system.run, one, two)]
    assert not np.array_equal(said[0], said[1]) and not np.array_equal(said[1], said[2])
    for run in system.reruns:
        for fold, trained in enumerate(run.networks):
            rows = run.folds == fold
            score = waf(confusion_matrix(system.problem.targets[rows], run.answers.out_of_fold.classes[rows], CLASSES))
            assert float(score) == trained.waf
    again = laboratory(repeats=2).system(["a1", "v1"])
    np.testing.assert_array_equal(again.reruns[1].answers.others.probabilities, said[2])


def noisy(inputs: dict[str, Inputs], known: np.ndarray) -> dict[str, Inputs]:
    chance = np.random.default_rng(5)
    return {
        name: replace(
            one,
            values=np.where(known[:, None], one.values + chance.normal(size=one.values.shape), 0).astype(np.float32),
            mask=one.mask & known,
        )
        for name, one in inputs.items()
    }


def test_variants_are_read_by_the_same_networks_and_change_nothing() -> None:
    problem = make_problem(epochs=2)
    clips, known = make_clips(90, 15), np.arange(105) >= 60
    same_again = Variant("same", problem.inputs, frozenset(clip.name for clip in clips))
    other = Variant(
        "noise", noisy(problem.inputs, known), frozenset(c.name for c, k in zip(clips, known, strict=True) if k)
    )
    plain = laboratory(problem, repeats=1).system(["a1", "t1"])
    system = laboratory(problem, repeats=1, variants=[same_again, other]).system(["a1", "t1"])
    assert same(plain, system)
    for without, run in zip((plain.run, *plain.reruns), (system.run, *system.reruns), strict=True):
        assert list(run.variants) == ["same", "noise"]
        for which in ("out_of_fold", "others"):
            expected = getattr(without.answers, which).probabilities
            np.testing.assert_array_equal(getattr(run.answers, which).probabilities, expected)
            np.testing.assert_array_equal(getattr(run.variants["same"], which).probabilities, expected)
            assert not np.array_equal(getattr(run.variants["noise"], which).probabilities, expected)


def test_a_corpus_without_clips_to_predict_is_cross_validated() -> None:
    system = laboratory(make_problem(epochs=1, others=0, inputs=make_inputs(90)), repeats=1).system(["a1", "t1"])
    assert system.run.answers.others.probabilities.shape == (0, CLASSES)
    assert system.run.answers.others.weights.shape == (0, 2)


def test_folds_that_every_draw_redraws_have_no_nested_estimate() -> None:
    with pytest.raises(ValueError, match="cv-nested"):
        laboratory(make_problem(redrawn=True))
    system = laboratory(make_problem(epochs=1, redrawn=True), nested=False).system(["a1"])
    best = system.search.best
    np.testing.assert_array_equal(system.run.folds, system.problem.of_draw(best.number).folds)


def test_labels_of_chance_are_not_taken_for_skill() -> None:
    """Shuffled labels: the nested estimate's interval covers chance, and cv-paper lies above the estimate.

    Chance is known of the accuracy on even classes. Of the WAF it depends on how even the predictions are.
    """
    papers, nesteds = [], []
    for seed in range(3):
        chance = np.random.default_rng(seed)
        targets = np.append(chance.permutation(np.arange(150) % CLASSES), np.full(3, -1))
        inputs = make_inputs(153, seed, lacking=0.1)
        problem = make_problem(train=150, others=3, inputs=inputs, targets=targets, epochs=15, folds=4, seed=seed)
        system = laboratory(problem, draws=8).system(list(DIMS))
        nested = estimates(problem.targets, system.nested.argmax(axis=1), LABELS, seed, problem.folds)
        assert nested["acc"].low < 1 / CLASSES < nested["acc"].high
        papers.append(system.search.best.value)
        nesteds.append(nested["waf"].value)
    assert np.mean(papers) > np.mean(nesteds) + 0.02


def test_outer_folds_teach_with_the_features_they_chose() -> None:
    problem, _ = misleading()
    lab = laboratory(problem, repeats=1)

    def inner(outer: int) -> list[str]:
        return ["a2"] if outer == 0 else ["a1"]

    pool = np.setdiff1d(np.arange(len(problem.material.targets)), problem.train)
    plain, taught = lab.system(["a1"], inner), lab.self_trained(["a1"], inner, pool, Teaching())
    assert plain.self_training is None and len(taught.reruns) == 1
    assert taught.nested.sum(axis=1) == pytest.approx(1)
    for outer, (course, truth) in enumerate(taught.self_training.outer):
        assert truth.tolist() == problem.targets[problem.folds == outer].tolist()
        own = problem.only(inner(outer))
        said = outer_probabilities(own, course.kept.students[0], outer)
        assert np.array_equal(taught.nested[problem.folds == outer], said)
    first = taught.self_training.course.rounds[0].students
    assert [one.waf for one in first] == [one.waf for one in plain.run.networks], "round 0 is the plain system"
