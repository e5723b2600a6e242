"""A system: some features, the configuration chosen for them, and what it says of every clip."""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import cached_property

import numpy as np
from optuna.storages import BaseStorage

from fusion.cross_validation import Problem, average, out_of_fold, outer_probabilities
from fusion.inputs import MODALITIES, Variant
from fusion.pool_checks import check_pool
from fusion.ranking import Ranked, rank
from fusion.scheduling import train_all
from fusion.search import Plan, Progress, Search, search
from fusion.self_training import Teaching, self_train
from fusion.self_training_audit import SelfTraining
from fusion.teachers import Cohort
from fusion.training import Configuration, Trained
from mertools.clip import Clip
from mertools.metrics import confusion_matrix, waf
from mertools.predictions import Predictions


@dataclass(frozen=True)
class Answers:
    """What the networks of all folds say: `out_of_fold` of each training clip the one that has not seen it, `others` of
    all other clips the networks together. Both are in the corpus' order."""

    out_of_fold: Predictions
    others: Predictions


@dataclass(frozen=True)
class Run:
    """One network a fold, trained on the others, with their answers.

    `answers` are about the corpus' features, `variants` about other features of the same names.
    """

    folds: np.ndarray
    networks: tuple[Trained, ...]
    answers: Answers
    variants: Mapping[str, Answers]


@dataclass(frozen=True)
class System:
    """A searched fusion of the features of `problem`.

    `run` holds the networks that chose the configuration, `reruns` those of the chosen configuration with other seeds
    and folds. `nested` (len(train), C) are the probabilities of `cv-nested`, None where it was not asked for. Networks
    that learnt from clips without labels, too, come with their `self_training`.
    """

    problem: Problem
    search: Search
    run: Run
    reruns: tuple[Run, ...]
    nested: np.ndarray | None
    self_training: SelfTraining | None = None

    @property
    def features(self) -> tuple[str, ...]:
        return tuple(self.problem.inputs)

    @property
    def configuration(self) -> Configuration:
        """The chosen configuration."""
        return self.search.best.configuration

    @property
    def modalities(self) -> str:
        """The letters of the modalities used, in the order A, V, T."""
        used = {feature.letter for feature in self.problem.inputs.values()}
        return "".join(letter for letter in MODALITIES if letter in used)

    @property
    def train_waf(self) -> float:
        """What cross-validation says of the system, as the mean over folds: `cv-nested` where there is one, else
        `cv-paper`."""
        if self.nested is None:
            return self.search.best.value
        problem, predicted = self.problem, self.nested.argmax(axis=1)
        folds = [problem.folds == fold for fold in range(problem.fold_count)]
        return float(
            np.mean(
                [
                    waf(confusion_matrix(problem.targets[rows], predicted[rows], problem.material.classes))
                    for rows in folds
                ]
            )
        )

    @cached_property
    def parameters(self) -> int:
        """How many numbers one network has."""
        network = self.problem.material.untrained(self.configuration.hidden)
        return sum(value.numel() for value in network.parameters())


ProgressOf = Callable[[str, int], Progress]
"""Gives the progress of a search by its title and number of draws."""


class Laboratory:
    """Searches and systems over the features of one problem; what several ask for is made once."""

    def __init__(
        self,
        problem: Problem,
        clips: Sequence[Clip],
        draws: Sequence[Configuration],
        storage: BaseStorage,
        *,
        nested: bool,
        repeats: int,
        variants: Sequence[Variant] = (),
        progress: ProgressOf,
    ) -> None:
        """`clips` are the rows that `problem` counts. With `nested` every search also serves `cv-nested`; every system
        is trained `repeats` more times with other seeds and folds, and answers on `variants` too."""
        if nested and problem.redrawn:
            raise ValueError("folds that every draw draws anew hold no fold out of all draws: there is no cv-nested")
        self._problem, self._draws, self._storage = problem, draws, storage
        self._train_names = [clips[row].name for row in problem.train]
        train = set(problem.train.tolist())
        self._others = np.array([row for row in range(len(clips)) if row not in train], dtype=np.int64)
        self._other_names = [clips[row].name for row in self._others]
        self._outers = tuple(range(problem.fold_count)) if nested else ()
        self._repeats = repeats
        self._variants = variants
        self._progress = progress
        self._found: dict[tuple[tuple[str, ...], Plan], Search] = {}
        self._systems: dict[tuple, System] = {}

    @property
    def features(self) -> tuple[str, ...]:
        return tuple(self._problem.inputs)

    @property
    def available(self) -> dict[str, int]:
        """How many features there are of each modality that has one, by its letter, in the order A, V, T."""
        counts = Counter(one.letter for one in self._problem.inputs.values())
        return {letter: counts[letter] for letter in MODALITIES if counts[letter]}

    @property
    def resumed(self) -> int:
        """How many draws the study knew already, over all searches."""
        return sum(found.resumed for found in self._found.values())

    def ranking(self) -> list[Ranked]:
        """All features by their cross-validation alone (`cv-paper`), best first."""
        scores = {name: self._search((name,), Plan(outers=self._outers)).best.value for name in self._problem.inputs}
        return rank(scores, self._modality_of)

    def inner_ranking(self, outer: int) -> list[Ranked]:
        """All features by what the clips outside the outer fold say of them."""
        plan = Plan(outers=self._outers)
        scores = {name: self._search((name,), plan).inner[outer][0].inner_wafs[outer] for name in self._problem.inputs}
        return rank(scores, self._modality_of)

    def system(self, names: Sequence[str], inner: Callable[[int], Sequence[str]] | None = None) -> System:
        """The system of the features `names`.

        `inner` says which features an outer fold of `cv-nested` would have chosen, where that is not `names` in any
        case.
        """
        names = tuple(names)
        of_outer = self._of_outer(names, inner)
        key = (names, tuple(of_outer.values()))
        if key not in self._systems:
            self._systems[key] = self._make(names, of_outer)
        return self._systems[key]

    def self_trained(
        self,
        names: Sequence[str],
        inner: Callable[[int], Sequence[str]] | None,
        pool: np.ndarray,
        teaching: Teaching,
    ) -> System:
        """The system of the features `names`, whose networks learn from the clips `pool`, rows without labels, too.

        Configurations are those of the plain system: of the folds, and inside each outer fold. Re-runs are taught anew.
        A pool that its checks warn of teaches nothing, unless the `teaching` trusts it: the system is then the plain
        one, with an audit that says so.
        """
        plain, of_outer = self.system(names, inner), self._of_outer(tuple(names), inner)
        problem = self._problem.only(plain.features)
        checks = check_pool(problem.inputs, problem.train, pool, problem.seed)
        if any(checks.warnings) and not teaching.trusts_pool:
            teaching = replace(teaching, rounds=0)
        runs = [problem.of_draw(plain.search.best.number)]
        runs += [problem.again("repeat", number) for number in range(self._repeats)]
        nothing = np.empty(0, dtype=np.int64)
        cohorts = [Cohort(tuple(one.fold_members(plain.configuration)), nothing) for one in runs]
        courses, of_outers = [], {}
        outers_of = _grouped(of_outer)
        # The outer folds that read the system's own features are trained beside its folds.
        for features in dict.fromkeys([plain.features, *outers_of]):
            outers, own = outers_of.get(features, []), self._problem.only(features)
            beside = [] if features != plain.features else cohorts
            chosen = self._serving(features, outers).inner if outers else {}
            # One network scores an outer fold, as without a pool. Others teach beside it, so that what is audited on
            # the fold's clips was chosen by about as many teachers as choose for the folds.
            members = [
                own.outer_members(chosen[outer][0].configuration, outer)[: None if teaching.asks else 1]
                for outer in outers
            ]
            hidden = [own.held_out(outer) for outer in outers]
            more = [Cohort(tuple(of_outer), clips) for of_outer, clips in zip(members, hidden, strict=True)]
            found = self_train(own.material, own.training, [*beside, *more], pool, teaching, self._tell)
            courses += found[: len(beside)]
            of_outers |= dict(zip(outers, found[len(beside) :], strict=True))
        again = [self._run(one, course.kept.students) for one, course in zip(runs, courses, strict=True)]
        audited = tuple((of_outers[outer], problem.material.targets[problem.held_out(outer)]) for outer in self._outers)
        return replace(
            plain,
            run=again[0],
            reruns=tuple(again[1:]),
            nested=self._nested_of(of_outer, {outer: one.kept.students[0] for outer, one in of_outers.items()}),
            self_training=SelfTraining(teaching, courses[0], audited, problem.targets, pool, checks),
        )

    def _tell(self, number: int, networks: int) -> None:
        self._progress(f"self-training, round {number}: {networks} networks", 0)

    def _of_outer(
        self, names: tuple[str, ...], inner: Callable[[int], Sequence[str]] | None
    ) -> dict[int, tuple[str, ...]]:
        """The features that each outer fold would have chosen."""
        return {outer: names if inner is None else tuple(inner(outer)) for outer in self._outers}

    @property
    def _modality_of(self) -> dict[str, str]:
        return {name: one.provenance.modality for name, one in self._problem.inputs.items()}

    def _make(self, names: tuple[str, ...], of_outer: Mapping[int, tuple[str, ...]]) -> System:
        own = tuple(outer for outer, chosen in of_outer.items() if chosen == names)
        found = self._search(names, Plan(outers=self._outers if len(names) == 1 else own))
        problem = self._problem.only(names)
        return System(
            problem.without_clips(),
            found,
            self._run(problem.of_draw(found.best.number), found.networks),
            self._rerun(problem, found.best.configuration),
            self._nested(of_outer) if self._outers else None,
        )

    def _search(self, names: tuple[str, ...], plan: Plan) -> Search:
        if (names, plan) not in self._found:
            title = " + ".join(names) if plan.folds else f"{' + '.join(names)} (outer folds)"
            problem = self._problem.only(names)
            progress = self._progress(title, len(self._draws))
            self._found[names, plan] = search(problem, self._draws, plan, self._storage, progress)
        return self._found[names, plan]

    def _run(self, problem: Problem, networks: Sequence[Trained]) -> Run:
        variants = {variant.name: self._answer(problem.reading(variant.inputs), networks) for variant in self._variants}
        return Run(problem.folds, tuple(networks), self._answer(problem, networks), variants)

    def _answer(self, problem: Problem, networks: Sequence[Trained]) -> Answers:
        return Answers(
            out_of_fold(problem, networks, self._train_names),
            average(problem, [one.network for one in networks], self._others, self._other_names),
        )

    def _rerun(self, problem: Problem, configuration: Configuration) -> tuple[Run, ...]:
        again = [problem.again("repeat", number) for number in range(self._repeats)]
        members = [member for one in again for member in one.fold_members(configuration)]
        trained = dict(train_all(problem.material, problem.training, members))
        networks = iter([trained[place] for place in range(len(members))])
        return tuple(self._run(one, [next(networks) for _ in range(one.fold_count)]) for one in again)

    def _nested(self, of_outer: Mapping[int, tuple[str, ...]]) -> np.ndarray:
        """What the networks of the outer folds say of their folds' clips, (len(train), C)."""
        networks = {}
        for names, outers in _grouped(of_outer).items():
            found = self._serving(names, outers)
            networks |= {outer: found.inner[outer][1] for outer in outers}
        return self._nested_of(of_outer, networks)

    def _nested_of(self, of_outer: Mapping[int, tuple[str, ...]], networks: Mapping[int, Trained]) -> np.ndarray:
        """What `networks`, one an outer fold, say of their folds' clips, (len(train), C)."""
        probabilities = np.zeros((len(self._problem.train), self._problem.material.classes))
        for names, outers in _grouped(of_outer).items():
            problem = self._problem.only(names)
            for outer in outers:
                probabilities[problem.folds == outer] = outer_probabilities(problem, networks[outer], outer)
        return probabilities

    def _serving(self, names: tuple[str, ...], outers: Sequence[int]) -> Search:
        """A search over `names` that has trained the outer folds; one made before, if it has."""
        for (known, plan), found in self._found.items():
            if known == names and set(outers) <= set(plan.outers):
                return found
        return self._search(names, Plan(folds=False, outers=tuple(outers)))


def _grouped(of_outer: Mapping[int, tuple[str, ...]]) -> dict[tuple[str, ...], list[int]]:
    """The outer folds by the features that they read."""
    outers_of: dict[tuple[str, ...], list[int]] = defaultdict(list)
    for outer, names in of_outer.items():
        outers_of[names].append(outer)
    return outers_of
