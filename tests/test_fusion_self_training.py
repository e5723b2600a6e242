"""Rounds of teacher, selection and student; what is held out from a student is held out from its teachers."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np
import pytest
from toy_problem import CLASSES, CONFIGURATION, DIMS, make_inputs, make_problem

from fusion.cross_validation import Problem, outer_probabilities
from fusion.pseudo_labels import PseudoLabels, Selection
from fusion.self_training import Course, Round, Teaching, self_train
from fusion.teachers import Cohort, answers
from fusion.training import train

TRAIN, POOL = 36, np.arange(36, 336)


def problem_of(**settings: Any) -> Problem:
    inputs = make_inputs(336, skill=1.0, lacking=0.1)
    return make_problem(train=TRAIN, others=300, inputs=inputs, **{"epochs": 12, **settings})


def outer_cohort(problem: Problem, outer: int = 0) -> Cohort:
    return Cohort((problem.outer_member(CONFIGURATION, outer),), problem.held_out(outer))


def courses(problem: Problem, teaching: Teaching, cohorts: list[Cohort] | None = None) -> list[Course]:
    cohorts = cohorts or [Cohort(tuple(problem.fold_members(CONFIGURATION)), np.empty(0, dtype=np.int64))]
    return self_train(problem.material, problem.training, cohorts, POOL, teaching)


def accuracy(problem: Problem, course: Course, number: int) -> float:
    """Of the students of a round, each alone, on the whole pool, whose classes nobody was told."""
    said = [answers(problem.material, [one.network], POOL).argmax(axis=1) for one in course.rounds[number].students]
    return float(np.mean([own == POOL % CLASSES for own in said]))


def test_students_are_better_than_the_labelled_clips_alone_make_them() -> None:
    problem = problem_of(epochs=30)
    cohort = Cohort(tuple(problem.fold_members(CONFIGURATION)[:1]), np.empty(0, dtype=np.int64))
    (course,) = courses(problem, Teaching(selection=Selection(quantile=0.8)), [cohort])
    assert [one.number for one in course.rounds] == [0, 1] and course.rounds[0].choice is None
    assert accuracy(problem, course, 1) > accuracy(problem, course, 0) + 0.03
    together = course.rounds[1].choice.together
    chosen = together.probabilities.argmax(axis=1) == together.rows % CLASSES
    assert set(together.rows) <= set(POOL) and chosen.mean() > accuracy(problem, course, 0), "the surest are better"


def test_round_0_are_the_plain_networks() -> None:
    problem = problem_of(epochs=3)
    (course,) = courses(problem, Teaching())
    plain = train(problem.material, problem.training, problem.fold_members(CONFIGURATION))
    assert [(one.epoch, one.waf) for one in course.rounds[0].students] == [(one.epoch, one.waf) for one in plain]


def test_no_label_of_the_held_out_fold_plays_a_part() -> None:
    """Labels of the outer fold, of the pool and of any other split may be anything."""
    one = problem_of(epochs=4)
    targets = one.material.targets.copy()
    targets[one.held_out(0)] = (targets[one.held_out(0)] + 1) % CLASSES
    targets[POOL] = np.random.default_rng(0).integers(0, CLASSES, len(POOL))
    other = replace(one, material=replace(one.material, targets=targets))
    said = []
    for problem in (one, other):
        (course,) = courses(problem, Teaching(rounds=2, prior="em"), [outer_cohort(problem)])
        said.append(outer_probabilities(problem, course.kept.students[0], 0))
        assert course.rounds[1].choice.evidence.hidden.shape == (len(problem.held_out(0)), CLASSES)
    assert np.array_equal(*said)


def test_a_worse_round_ends_a_course_and_does_not_count() -> None:
    problem = problem_of()
    misled = PseudoLabels(POOL, np.eye(CLASSES)[(POOL + 1) % CLASSES], np.ones(len(POOL)))
    good, bad = (replace(misled, probabilities=np.eye(CLASSES)[(POOL + shift) % CLASSES]) for shift in (0, 1))
    (kept,), (stopped,) = (courses(problem, Teaching(given=given, given_by=("me",))) for given in (good, bad))
    assert kept.kept.number == 1 and stopped.kept.number == 0
    assert stopped.rounds[1].waf < stopped.rounds[0].waf


def test_a_round_counts_unless_it_is_worse_than_chance_has_it() -> None:
    wafs = [(0.5, 0.6, 0.5), (0.6, 0.7, 0.6), (0.7, 0.5, 0.6), (0.5, 0.3, 0.5)]
    rounds = [Round(number, None, (), own) for number, own in enumerate(wafs)]
    kept = [Course(tuple(rounds[:count])).kept.number for count in (1, 2, 3, 4)]
    assert kept == [0, 1, 2, 2], "one network was worse, another better; then all were worse"


def test_where_nothing_is_accepted_a_course_ends() -> None:
    (course,) = courses(problem_of(epochs=1), Teaching(rounds=3, selection=Selection(thresholds=(2.0, 2.0, 2.0))))
    assert len(course.rounds) == 1 and course.kept.number == 0


def test_views_and_others_must_agree() -> None:
    problem = problem_of()
    selection, networks = Selection(quantile=1), ("networks",)
    alone = courses(problem, Teaching(selection=selection, teachers=networks))[0].rounds[1].choice
    views = {"text": ("t1",), "video": ("v1",)}
    agreed = courses(problem, Teaching(selection=selection, teachers=networks, views=views))[0].rounds[1].choice

    def precision(given: PseudoLabels) -> float:
        return float((given.probabilities.argmax(axis=1) == given.rows % CLASSES).mean())

    assert set(agreed.together.rows) < set(alone.together.rows) == set(POOL)
    assert precision(agreed.together) > precision(alone.together)
    votes = np.full((1, len(problem.material.targets)), -1, dtype=np.int8)
    votes[0, POOL[:100]] = POOL[:100] % CLASSES
    told = courses(problem, Teaching(selection=selection, teachers=networks, votes=votes))[0].rounds[1].choice.together
    of_voted = np.isin(told.rows, POOL[:100])
    assert (told.probabilities.argmax(axis=1) == told.rows % CLASSES)[of_voted].all(), "who is told agrees"
    assert set(POOL[100:]) <= set(told.rows), "who says nothing does not object"


@pytest.mark.parametrize("prior", ["em", "bbse"])
def test_the_pools_priors_are_found_and_used(prior: str) -> None:
    rare = POOL[(POOL % CLASSES == 2) & (np.arange(len(POOL)) % 12 != 2)]
    problem = problem_of()
    pool = np.setdiff1d(POOL, rare)
    cohort = Cohort(tuple(problem.fold_members(CONFIGURATION)), np.empty(0, dtype=np.int64))
    (plain,), (moved,) = (
        self_train(problem.material, problem.training, [cohort], pool, Teaching(selection=Selection(1.0), prior=name))
        for name in (None, prior)
    )
    found = moved.rounds[1].choice.evidence.pool_priors
    real = (pool % CLASSES == 2).mean()
    assert abs(found[prior][2] - real) < 0.12
    counts = [(one.rounds[1].choice.together.probabilities[:, 2]).sum() for one in (plain, moved)]
    assert counts[1] <= counts[0]


def test_one_feature_is_no_other_story() -> None:
    problem = problem_of(epochs=2).only(["a1"])
    (course,) = courses(problem, Teaching(views={"audio": ("a1",), "video": ("v1",)}))
    assert set(DIMS) > set(problem.inputs) and len(course.rounds) == 2
