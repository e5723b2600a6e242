"""Rounds of teacher, selection and student: networks that learn from clips without labels, too.

A student is taught by networks of its own labelled clips alone. What is held out from it was then held out from its
teachers: the fold that chooses its epoch and says when to stop, and the outer fold that `cv-nested` scores. No label
outside a network's training folds has a part in what it is taught.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from functools import partial
from math import sqrt

import numpy as np

from fusion.cluster_teachers import PoolStructure, classifiers
from fusion.pseudo_labels import PseudoLabels, Selection
from fusion.scheduling import train_all
from fusion.teachers import CLUSTERS, KINDS, NETWORKS, Choice, Cohort, Teacher, answers, choose, panel, seeing, votes_of
from fusion.training import Material, Member, Trained, Training

TEACHERS = 3
"""Networks of a student's labelled clips that teach it together; they differ by their draws."""


@dataclass(frozen=True)
class Teaching:
    """How students are taught, for at most so many `rounds`.

    `teachers` are of one kind or of both. `views` are features by the name of a view: a network that sees these alone
    must agree. `votes` (V, N) are class numbers that others say of all clips, -1 where nothing; they must agree, too.
    `prior` names the estimate of the pool's class frequencies that the teachers' probabilities are moved to. With
    `given` nobody is asked: there is one round, on these labels, by the teachers `given_by`. A pool that its checks
    warn of teaches nothing, unless the teaching `trusts_pool`.
    """

    rounds: int = 1
    selection: Selection = field(default_factory=Selection)
    teachers: tuple[str, ...] = KINDS
    views: Mapping[str, tuple[str, ...]] = field(default_factory=dict)
    votes: np.ndarray | None = None
    prior: str | None = None
    given: PseudoLabels | None = None
    given_by: tuple[str, ...] = ()
    trusts_pool: bool = False

    @property
    def asks(self) -> bool:
        """Whether any teacher is asked."""
        return self.rounds > 0 and self.given is None


@dataclass(frozen=True)
class Round:
    """One round of a cohort; round 0 is that of the labelled clips alone, whose `choice` is None.

    `wafs` are the scores of the students and their fellow teachers on the clips that choose their epochs.
    """

    number: int
    choice: Choice | None
    students: tuple[Trained, ...]
    wafs: tuple[float, ...]

    @property
    def waf(self) -> float:
        """The mean of the scores."""
        return float(np.mean(self.wafs))

    def is_worse_than(self, before: Round) -> bool:
        """Whether the networks' scores fell, in the mean by more than the standard error of this mean."""
        change = np.subtract(self.wafs, before.wafs)
        return change.mean() < -change.std(ddof=1) / sqrt(len(change))


@dataclass(frozen=True)
class Course:
    """All rounds of a cohort. A round that is worse than the one before ends the course."""

    rounds: tuple[Round, ...]

    @property
    def kept(self) -> Round:
        """The round that counts: the last one, or the one before where the last one ended the course."""
        worse = len(self.rounds) > 1 and self.rounds[-1].is_worse_than(self.rounds[-2])
        return self.rounds[-2 if worse else -1]


def self_train(
    material: Material,
    training: Training,
    cohorts: Sequence[Cohort],
    pool: np.ndarray,
    teaching: Teaching,
    tell: Callable[[int, int], None] = lambda number, networks: None,
) -> list[Course]:
    """Teach the students of each cohort from the clips `pool`, rows of the data, and give their courses.

    `tell` is told of each round before it is trained: its number, and how many networks it has.
    """
    votes = _votes(material, training, cohorts, pool, teaching)
    linear = _linear_teachers(material, cohorts, pool) if teaching.asks and CLUSTERS in teaching.teachers else {}
    rounds: list[list[Round]] = [[] for _ in cohorts]
    choices: list[Choice | None] = [None] * len(cohorts)
    going = list(range(len(cohorts)))
    for number in range(teaching.rounds + 1):
        taught = {place: _taught(cohorts[place], choices[place]) for place in going}
        tell(number, TEACHERS * sum(map(len, taught.values())))
        teachers = _train_teachers(material, training, taught)
        for place, of_students in teachers.items():
            wafs = tuple(one.waf for own in of_students for one in own)
            rounds[place].append(Round(number, choices[place], tuple(own[0] for own in of_students), wafs))
        going = [place for place in going if rounds[place][-1] is Course(tuple(rounds[place])).kept]
        if number == teaching.rounds:
            break
        for place in going:
            own = _teachers(material, cohorts[place], teachers[place], linear.get(place), teaching)
            choices[place] = _choice(material, cohorts[place], own, votes[place], pool, teaching)
        # Whom nobody can teach anything has come to the end.
        going = [place for place in going if any(choices[place].of_students)]
    return [Course(tuple(own)) for own in rounds]


def _taught(cohort: Cohort, choice: Choice | None) -> list[Member]:
    pseudo = choice.of_students if choice else (None,) * len(cohort.members)
    return [replace(one, pseudo=own) for one, own in zip(cohort.members, pseudo, strict=True)]


def _train_teachers(
    material: Material, training: Training, taught: Mapping[int, Sequence[Member]]
) -> dict[int, list[list[Trained]]]:
    """The networks of each student by cohort: its own first, then those that only teach."""
    everyone = [
        replace(one, names=(*one.names, f"teacher {number}")) if number else one
        for own in taught.values()
        for one in own
        for number in range(TEACHERS)
    ]
    done = iter(_trained(material, training, everyone))
    return {place: [[next(done) for _ in range(TEACHERS)] for _ in own] for place, own in taught.items()}


def _trained(material: Material, training: Training, members: Sequence[Member]) -> list[Trained]:
    found = dict(train_all(material, training, members))
    return [found[place] for place in range(len(members))]


def _votes(
    material: Material, training: Training, cohorts: Sequence[Cohort], pool: np.ndarray, teaching: Teaching
) -> list[list[np.ndarray]]:
    """What views say of the pool and of a cohort's hidden clips, by cohort and student, (V, M + H).

    Views learn from labelled clips alone: taught by all teachers they would have no opinion of their own.
    """
    rows = [np.concatenate([pool, cohort.hidden]) for cohort in cohorts]
    others = [np.empty((0, len(own)), dtype=np.int8) for own in rows]
    if teaching.votes is not None:
        others = [teaching.votes[:, own] for own in rows]
    votes = [[own for _ in cohort.members] for own, cohort in zip(others, cohorts, strict=True)]
    for view, features in teaching.views.items() if teaching.asks else ():
        seen = seeing(material, features)
        members = [
            replace(one, names=(*one.names, f"view {view}"), pseudo=None)
            for cohort in cohorts
            for one in cohort.members
        ]
        done = iter(_trained(seen, training, members))
        for own_rows, of_cohort in zip(rows, votes, strict=True):
            for place, own in enumerate(of_cohort):
                of_cohort[place] = np.vstack([own, votes_of(seen, next(done).network, own_rows)])
    return votes


def _linear_teachers(material: Material, cohorts: Sequence[Cohort], pool: np.ndarray) -> dict[int, list[Teacher]]:
    """A classifier on the structure of the pool for each student of each cohort."""
    structure = PoolStructure(material.data, pool, cohorts[0].members[0].seed)
    return {place: classifiers(material, structure, cohort.members) for place, cohort in enumerate(cohorts)}


def _teachers(
    material: Material,
    cohort: Cohort,
    trained: Sequence[Sequence[Trained]],
    linear: Sequence[Teacher] | None,
    teaching: Teaching,
) -> Sequence[Teacher]:
    """The teacher of each student of a cohort; `trained` are the networks of each student's labelled clips."""
    if linear and NETWORKS not in teaching.teachers:
        return linear
    networks = [partial(answers, material, [one.network for one in own]) for own in trained]
    return panel(material, cohort.members, networks, linear) if linear else networks


def _choice(
    material: Material,
    cohort: Cohort,
    teachers: Sequence[Teacher],
    votes: Sequence[np.ndarray],
    pool: np.ndarray,
    teaching: Teaching,
) -> Choice:
    if teaching.given is not None:
        return Choice((teaching.given,) * len(teachers), teaching.given, None)
    return choose(material, cohort, teachers, votes, pool, teaching.selection, teaching.prior)
