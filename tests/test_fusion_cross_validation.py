"""Who trains, who chooses, who is scored; and that who is scored is seen by nobody."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
import torch
from optuna.storages import InMemoryStorage
from toy_problem import CLASSES, CONFIGURATION, DIMS, Small, make_clips, make_inputs, make_problem

from fusion.cross_validation import Problem, average, out_of_fold, outer_probabilities
from fusion.inputs import Data, Inputs
from fusion.search import Plan, draw, search
from fusion.training import Trained, predict, train
from mertools.metrics import confusion_matrix, waf

NAMES = [clip.name for clip in make_clips(90, 15)]


@pytest.fixture(scope="module")
def trained() -> tuple[Problem, list[Trained]]:
    problem = make_problem(epochs=5)
    return problem, train(problem.material, problem.training, problem.fold_members(CONFIGURATION))


def test_each_fold_chooses_once_and_the_others_train() -> None:
    problem = make_problem(folds=4)
    members = problem.fold_members(CONFIGURATION)
    assert sorted(np.concatenate([member.choose for member in members])) == list(range(90))
    for fold, member in enumerate(members):
        assert sorted([*member.train, *member.choose]) == list(range(90))
        np.testing.assert_array_equal(member.choose, problem.held_out(fold))
    assert len({member.names for member in members}) == 4


@pytest.mark.parametrize("folds", [3, 5])
def test_an_outer_fold_neither_trains_nor_chooses(folds: int) -> None:
    problem = make_problem(folds=folds)
    for outer in range(folds):
        member = problem.outer_member(CONFIGURATION, outer)
        held_out = set(problem.held_out(outer))
        assert not held_out & {*member.train, *member.choose}
        assert not set(member.train) & set(member.choose)
        assert len(held_out) + len(member.train) + len(member.choose) == 90
        assert member.names not in {other.names for other in problem.fold_members(CONFIGURATION)}


def test_out_of_fold_scores_are_those_that_were_reported(trained: tuple[Problem, list[Trained]]) -> None:
    problem, networks = trained
    said = out_of_fold(problem, networks, NAMES[:90])
    for fold, network in enumerate(networks):
        rows = problem.folds == fold
        assert float(waf(confusion_matrix(problem.targets[rows], said.classes[rows], CLASSES))) == network.waf
    np.testing.assert_allclose(said.probabilities.sum(axis=1), 1)
    lacking = np.stack([~one.mask[:90] for one in problem.inputs.values()], axis=1)
    assert not said.weights[lacking].any()
    np.testing.assert_allclose(said.weights.sum(axis=1), ~lacking.all(axis=1), atol=1e-6)
    assert said.features == tuple(DIMS) and said.names == tuple(NAMES[:90])


def test_the_answers_are_about_the_clips_and_not_their_copies() -> None:
    problem = make_problem(copies=1)
    networks = train(problem.material, problem.training, problem.fold_members(CONFIGURATION))
    plain = problem.reading(problem.inputs)
    assert not plain.copies and len(plain.material.data.values) == 105
    for one, two in (
        (out_of_fold(each, networks, NAMES[:90]) for each in (problem, plain)),
        (average(each, [one.network for one in networks], np.arange(90, 105), NAMES[90:]) for each in (problem, plain)),
    ):
        np.testing.assert_array_equal(one.probabilities, two.probabilities)


def test_other_clips_get_the_mean_of_the_networks_logits(trained: tuple[Problem, list[Trained]]) -> None:
    problem, networks = trained
    rows = np.array([104, 90, 95])
    said = average(problem, [one.network for one in networks], rows, ["x", "y", "z"])
    alone = [predict(problem.material, [one.network], rows).logits[0] for one in networks]
    expected = torch.softmax(torch.stack(alone).mean(dim=0).double(), dim=1)
    np.testing.assert_allclose(said.probabilities, expected, atol=1e-6)


def test_networks_are_a_function_of_seed_and_features_alone() -> None:
    problem = make_problem()
    names = {member.names for member in problem.only(["a1", "t1"]).fold_members(CONFIGURATION)}
    assert names.isdisjoint(member.names for member in problem.only(["a1", "v1"]).fold_members(CONFIGURATION))
    again = problem.again("repeat", 0)
    assert again.seed != problem.seed and not np.array_equal(again.folds, problem.folds)
    assert again.seed == problem.again("repeat", 0).seed != problem.again("repeat", 1).seed
    assert problem.of_draw(3) is problem
    redrawn = make_problem(redrawn=True)
    assert not np.array_equal(redrawn.of_draw(0).folds, redrawn.of_draw(1).folds)


def test_features_are_picked_and_replaced_by_name() -> None:
    problem = make_problem()
    part = problem.only(["t1", "a1"])
    assert list(part.material.data.shapes) == ["t1", "a1"] and part.material.data.dims == [4, 5]
    other = make_inputs(105, seed=9)
    assert torch.equal(
        part.reading(other).material.data.values, Data.of({n: other[n] for n in part.inputs}, "cpu").values
    )


def found(problem: Problem) -> dict:
    return search(problem, draw(Small, "random", 6, 0), Plan(outers=(0, 1, 2)), InMemoryStorage()).inner


def with_lies(problem: Problem, fold: int) -> Problem:
    """The problem with arbitrary features, masks and labels of a fold's clips, and of the clips to predict."""
    rows = np.concatenate([problem.held_out(fold), np.arange(90, 105)])
    chance = np.random.default_rng(1)

    def lie(one: Inputs, rows: np.ndarray) -> Inputs:
        values, mask = one.values.copy(), one.mask.copy()
        values[rows] = 100 * chance.normal(size=values[rows].shape)
        mask[rows] = chance.random(len(rows)) < 0.5
        return replace(one, values=np.where(mask[:, None], values, 0).astype(np.float32), mask=mask)

    targets = problem.material.targets.copy()
    targets[rows] = chance.integers(0, CLASSES, len(rows))
    inputs = {name: lie(one, rows) for name, one in problem.inputs.items()}
    copies = tuple({name: lie(one, rows[rows < 90]) for name, one in copy.items()} for copy in problem.copies)
    lying = replace(problem, inputs=inputs, copies=copies, material=replace(problem.material, targets=targets))
    return lying.only(inputs)


@pytest.mark.parametrize("copies", [0, 2])
@pytest.mark.parametrize("outer", [0, 1, 2])
def test_nothing_an_outer_fold_holds_reaches_its_network(outer: int, copies: int) -> None:
    """Neither its features, their copies nor its labels: configuration, epoch, weights, scaling and offset are the
    same."""
    problem = make_problem(epochs=4, class_weights=True, prior_adjustment=True, copies=copies)
    (trial, one), (lied_trial, other) = found(problem)[outer], found(with_lies(problem, outer))[outer]
    assert trial.configuration == lied_trial.configuration and trial.inner_wafs[outer] == lied_trial.inner_wafs[outer]
    assert one.epoch == other.epoch
    for name, value in one.network.parameters.items():
        assert torch.equal(value, other.network.parameters[name])
    assert torch.equal(one.network.scaling.mean, other.network.scaling.mean)
    assert torch.equal(one.network.scaling.factor, other.network.scaling.factor)
    assert torch.equal(one.network.offset, other.network.offset)
    moved = [found(with_lies(problem, (outer + step) % 3))[outer][1] for step in (1, 2)]
    assert any(not torch.equal(one.network.scaling.mean, each.network.scaling.mean) for each in moved)


def test_outer_probabilities_are_of_the_held_out_clips() -> None:
    problem = make_problem()
    (trained,) = train(problem.material, problem.training, [problem.outer_member(CONFIGURATION, 1)])
    said = outer_probabilities(problem, trained, 1)
    logits = predict(problem.material, [trained.network], problem.held_out(1)).logits[0]
    np.testing.assert_allclose(said, torch.softmax(logits.double(), dim=1))


@pytest.mark.parametrize("everyone", [False, True], ids=["in one fold", "in training"])
def test_a_feature_may_be_lacking_in_a_whole_fold(everyone: bool) -> None:
    problem = make_problem()
    rows = np.arange(90) if everyone else problem.held_out(1)
    mask = problem.inputs["v1"].mask.copy()
    mask[rows] = False
    inputs = {**problem.inputs, "v1": replace(problem.inputs["v1"], mask=mask)}
    problem = make_problem(inputs=inputs)
    for names in (["v1"], list(DIMS)):
        part = problem.only(names)
        networks = train(part.material, part.training, part.fold_members(CONFIGURATION))
        assert np.isfinite(out_of_fold(part, networks, NAMES[:90]).probabilities).all()
        average_of_all = average(part, [one.network for one in networks], np.arange(90, 105), NAMES[90:])
        assert np.isfinite(average_of_all.probabilities).all()


def test_all_networks_of_an_outer_fold_leave_it_out() -> None:
    problem = make_problem()
    found = problem.outer_members(CONFIGURATION, 1)
    assert found[0].names == problem.outer_member(CONFIGURATION, 1).names and len({one.names for one in found}) == 2
    assert [problem.folds[np.searchsorted(problem.train, one.choose[0])] for one in found] == [2, 0]
    for one in found:
        assert not set(problem.held_out(1)) & {*one.train, *one.choose}
        assert len(one.train) + len(one.choose) + len(problem.held_out(1)) == len(problem.train)
