"""Teachers that have looked at the pool: how clips are described, and what few labels then suffice for."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from toy_problem import CLASSES, CONFIGURATION, DIMS, make_inputs, make_problem

from fusion import cluster_teachers
from fusion.cluster_teachers import DRAWS, NEVER, PoolStructure, classifiers
from fusion.cross_validation import Problem
from fusion.teachers import panel

TRAIN, POOL = 36, np.arange(36, 336)


def problem_of(**settings: object) -> Problem:
    inputs = make_inputs(336, skill=1.0, lacking=0.1)
    return make_problem(train=TRAIN, others=300, inputs=inputs, **settings)


def parts(described: np.ndarray, problem: Problem) -> dict[str, np.ndarray]:
    """The columns of a description by feature: components, and three times the root of the clips in clusters."""
    roots = [round(np.sqrt(one.mask[POOL].sum())) for one in problem.inputs.values()]
    widths = [dim + DRAWS * root for (_, dim), root in zip(DIMS.values(), roots, strict=True)]
    assert described.shape[1] == sum(widths)
    return dict(zip(problem.inputs, np.split(described, np.cumsum(widths)[:-1], axis=1), strict=True))


def test_a_clip_is_described_by_what_it_has(monkeypatch: pytest.MonkeyPatch) -> None:
    problem = problem_of()
    structure = PoolStructure(problem.material.data, POOL, seed=0)
    described = structure.describe(np.arange(336))
    for name, part in parts(described, problem).items():
        has = problem.inputs[name].mask
        assert not part[~has].any() and part[has].any(axis=1).all()
        near = part[has][:, DIMS[name][1] :]
        assert near.min() >= 0 and np.allclose(near.sum(axis=1), near.sum(axis=1)[0]), "shares of nearness"
    assert np.array_equal(described, PoolStructure(problem.material.data, POOL, seed=0).describe(np.arange(336)))
    assert not np.array_equal(described, PoolStructure(problem.material.data, POOL, seed=1).describe(np.arange(336)))
    monkeypatch.setattr(cluster_teachers, "ROWS_AT_ONCE", 50)
    assert np.allclose(described, structure.describe(np.arange(336)), atol=1e-6), "many at once or few"


def test_the_structure_is_that_of_the_pool_alone() -> None:
    """Neither labels nor the features of training clips have a part in it."""
    one = problem_of()
    inputs = {
        name: replace(own, values=np.where(np.arange(336)[:, None] < TRAIN, 9.0, own.values).astype(np.float32))
        for name, own in one.inputs.items()
    }
    other = make_problem(train=TRAIN, others=300, inputs=inputs)
    described = [PoolStructure(own.material.data, POOL, seed=0).describe(POOL) for own in (one, other)]
    assert np.array_equal(*described)


def test_few_labels_suffice() -> None:
    problem = problem_of()
    structure = PoolStructure(problem.material.data, POOL, seed=0)
    for teacher in classifiers(problem.material, structure, problem.fold_members(CONFIGURATION)):
        said = teacher(POOL)
        assert said.shape == (len(POOL), CLASSES)
        assert (said.argmax(axis=1) == POOL % CLASSES).mean() > 0.9


def test_a_class_without_a_training_clip_is_never_said() -> None:
    problem = problem_of()
    member = problem.fold_members(CONFIGURATION)[0]
    known = replace(member, train=member.train[problem.material.targets[member.train] != 1])
    structure = PoolStructure(problem.material.data, POOL, seed=0)
    said = classifiers(problem.material, structure, [known])[0](POOL)
    assert (said[:, 1] == NEVER).all() and set(said.argmax(axis=1)) == {0, 2}


def test_who_knows_one_class_says_it() -> None:
    problem = problem_of()
    member = problem.fold_members(CONFIGURATION)[0]
    known = replace(member, train=member.train[problem.material.targets[member.train] == 1])
    structure = PoolStructure(problem.material.data, POOL, seed=0)
    said = classifiers(problem.material, structure, [known])[0](POOL)
    assert (said.argmax(axis=1) == 1).all() and np.isfinite(said).all()


def test_a_pool_smaller_than_the_clusters_is_described() -> None:
    problem = problem_of()
    structure = PoolStructure(problem.material.data, POOL[:9], seed=0)
    assert np.isfinite(structure.describe(np.arange(336))).all()


def test_of_two_kinds_the_one_that_knows_is_heard() -> None:
    """One is right and says so softly, the other guesses and is sure: temperatures tell them apart."""
    problem = problem_of()
    members = problem.fold_members(CONFIGURATION)
    rng = np.random.default_rng(0)

    def knows(rows: np.ndarray) -> np.ndarray:
        return 0.5 * np.eye(CLASSES)[rows % CLASSES]

    def guesses(rows: np.ndarray) -> np.ndarray:
        return 20 * np.eye(CLASSES)[rng.integers(CLASSES, size=len(rows))]

    together = panel(problem.material, members, [knows] * len(members), [guesses] * len(members))
    assert len(together) == len(members)
    assert (together[0](POOL).argmax(axis=1) == POOL % CLASSES).all()


@pytest.mark.parametrize("different", [1, 3, 40])
def test_clips_that_are_the_same_are_described(different: int) -> None:
    """As sentences are that several clips say."""
    rng = np.random.default_rng(0)
    inputs = {
        name: replace(one, values=one.values[rng.integers(different, size=336)])
        for name, one in make_inputs(336, lacking=0).items()
    }
    problem = make_problem(train=TRAIN, others=300, inputs=inputs)
    described = PoolStructure(problem.material.data, POOL, seed=0).describe(np.arange(336))
    assert np.isfinite(described).all()


def test_a_feature_that_few_clips_of_the_pool_have_is_found(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(cluster_teachers, "CLIPS", 20)
    inputs = make_inputs(336, lacking=0)
    for name, having in (("a2", 1), ("v1", 7)):
        inputs[name] = replace(inputs[name], mask=np.arange(336) >= 336 - having)
    problem = make_problem(train=TRAIN, others=300, inputs=inputs)
    described = PoolStructure(problem.material.data, POOL, seed=0).describe(np.arange(336))
    assert np.isfinite(described).all()
