"""Choose a configuration by cross-validation over draws from the paper's space (MER2024 §3.3)."""

from __future__ import annotations

import hashlib
import itertools
import time
from collections.abc import Callable, Hashable, Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import Any

import numpy as np
from optuna.storages import BaseStorage

from fusion.cross_validation import Problem
from fusion.models.model import FusionModel
from fusion.scheduling import train_all
from fusion.study import Study
from fusion.training import Configuration, Member, Trained
from mertools.randomness import generator
from mertools.run_record import fingerprint

SAMPLERS = ("random", "grid")

DRAWS_AT_ONCE = 25
"""Draws that a worker claims at a time: few enough for several workers to share a search, enough to fill stacks."""

WAITING_SECONDS = 1.0
"""Between looks at whether other workers have told what this one waits for."""

PROCEDURE = 1
"""Rises with any change to what a configuration's value is: studies of another procedure are not continued."""


@dataclass(frozen=True)
class Plan:
    """What is trained for each configuration: the networks of all folds, and those of the outer folds `outers`."""

    folds: bool = True
    outers: tuple[int, ...] = ()


@dataclass(frozen=True)
class Trial:
    """One draw with what it is worth.

    `value` is the mean of `fold_wafs` (estimate `cv-paper`), or of the inner scores where a plan has no folds;
    `epochs` (from 0) are those that the folds chose. `inner_wafs` are the inner scores by outer fold. `repeats` is the
    earlier draw whose value this one was told.
    """

    number: int
    configuration: Configuration
    value: float
    fold_wafs: tuple[float, ...]
    epochs: tuple[int, ...]
    inner_wafs: Mapping[int, float]
    repeats: int | None

    def as_json(self) -> dict[str, Any]:
        """The trial as it stands in result.json."""
        return {
            "number": self.number,
            **asdict(self.configuration),
            "value": self.value,
            "folds": list(self.fold_wafs),
            "inner": {str(outer): waf for outer, waf in self.inner_wafs.items()},
            "repeats": self.repeats,
        }


@dataclass(frozen=True)
class Search:
    """All draws in their order, the best one of the folds with its networks, and the best one for each outer fold.

    The first of equal draws counts. `networks` is () where the plan had no folds. `resumed` are the draws that the
    study knew already.
    """

    trials: tuple[Trial, ...]
    best: Trial
    networks: tuple[Trained, ...]
    inner: Mapping[int, tuple[Trial, Trained]]
    resumed: int


Progress = Callable[[int, int, float | None], None]
"""Told how many draws are known, how many there are, and the best value so far."""


def draw(model: type[FusionModel], sampler: str, count: int, seed: int) -> list[Configuration]:
    """`count` configurations drawn from the model's space with replacement, or the whole grid of it."""
    space = model.search_space
    if sampler == "grid":
        return [Configuration(**dict(zip(space, values, strict=True))) for values in itertools.product(*space.values())]
    chance = generator(seed, "search")
    return [
        Configuration(**{name: choices[chance.integers(len(choices))] for name, choices in space.items()})
        for _ in range(count)
    ]


def search(
    problem: Problem,
    draws: Sequence[Configuration],
    plan: Plan,
    storage: BaseStorage,
    progress: Progress = lambda known, total, best: None,
) -> Search:
    """Train every draw as `plan` says, and choose.

    The study in `storage` is named by all that decides about the values: who searches the same again goes on where it
    ended, and several workers divide the draws among themselves. A draw that repeats another is told its value.
    """
    keys: list[Hashable] = list(range(len(draws))) if problem.redrawn else list(draws)
    study = Study(storage, _study_name(problem, draws, plan), problem.material.model.search_space, draws, keys)
    study.refresh()
    resumed = len(study.told())
    best = _Best()

    def tell(told: Mapping[int, tuple[float, Any]]) -> None:
        progress(len(told), len(draws), max((value for value, _ in told.values()), default=None))

    with study.beating():
        while True:
            study.claim(DRAWS_AT_ONCE)
            to_train = study.to_train()
            for number, networks in _train(problem, draws, to_train, plan):
                study.tell(number, networks.value, networks.outcome)
                best.offer(number, networks)
                tell(study.told())
            study.tell_repeated()
            told = study.told()
            tell(told)
            if len(told) == len(draws):
                break
            if not to_train:
                time.sleep(WAITING_SECONDS)
                study.refresh()
    return _choose(problem, draws, plan, told, keys, best, resumed)


@dataclass(frozen=True)
class _Networks:
    """What a plan trained for one draw: a network a fold, and one for each outer fold."""

    folds: tuple[Trained, ...]
    outers: dict[int, Trained]

    @property
    def value(self) -> float:
        return float(np.mean([one.waf for one in self.folds or self.outers.values()]))

    @property
    def outcome(self) -> dict[str, Any]:
        """What the study keeps beside the value."""
        return {
            "folds": [one.waf for one in self.folds],
            "epochs": [one.epoch for one in self.folds],
            "inner": {str(outer): one.waf for outer, one in self.outers.items()},
        }


class _Best:
    """The best networks so far, of the folds and of each outer fold: others need no memory."""

    def __init__(self) -> None:
        self._scored: dict[int | None, tuple[float, int, tuple[Trained, ...]]] = {}

    def offer(self, number: int, networks: _Networks) -> None:
        """Keep what is better than before; the earlier of equal draws is."""
        offered = {outer: (one.waf, (one,)) for outer, one in networks.outers.items()}
        if networks.folds:
            offered[None] = (networks.value, networks.folds)
        for slot, (score, trained) in offered.items():
            if slot not in self._scored or (score, -number) > (self._scored[slot][0], -self._scored[slot][1]):
                self._scored[slot] = (score, number, trained)

    def get(self, slot: int | None, number: int) -> tuple[Trained, ...] | None:
        """The networks of the outer fold `slot`, or of the folds for None, if they are those of draw `number`."""
        _, best, trained = self._scored.get(slot, (0.0, None, None))
        return trained if best == number else None


def _members(problem: Problem, configuration: Configuration, number: int, plan: Plan) -> list[Member]:
    """The members of the folds, then those of the outer folds."""
    own = problem.of_draw(number)
    folds = own.fold_members(configuration) if plan.folds else []
    return folds + [own.outer_member(configuration, outer) for outer in plan.outers]


def _train(
    problem: Problem, draws: Sequence[Configuration], numbers: Sequence[int], plan: Plan
) -> Iterator[tuple[int, _Networks]]:
    """Train the draws `numbers` together, and give each when it is whole."""
    members = {number: _members(problem, draws[number], number, plan) for number in numbers}
    places = [(number, place) for number, own in members.items() for place in range(len(own))]
    done: dict[int, dict[int, Trained]] = {number: {} for number in numbers}
    everyone = list(itertools.chain.from_iterable(members.values()))
    for index, trained in train_all(problem.material, problem.training, everyone):
        number, place = places[index]
        done[number][place] = trained
        if len(done[number]) == len(members[number]):
            in_order = [one for _, one in sorted(done.pop(number).items())]
            folds = len(in_order) - len(plan.outers)
            yield number, _Networks(tuple(in_order[:folds]), dict(zip(plan.outers, in_order[folds:], strict=True)))


def _choose(
    problem: Problem,
    draws: Sequence[Configuration],
    plan: Plan,
    told: Mapping[int, tuple[float, dict[str, Any]]],
    keys: Sequence[Hashable],
    kept: _Best,
    resumed: int,
) -> Search:
    first: dict[Hashable, int] = {}
    trials = []
    for number, (value, outcome) in told.items():
        earlier = first.setdefault(keys[number], number)
        trials.append(
            Trial(
                number,
                draws[number],
                value,
                tuple(outcome["folds"]),
                tuple(outcome["epochs"]),
                {int(outer): waf for outer, waf in outcome["inner"].items()},
                None if earlier == number else earlier,
            )
        )
    # max gives the first of equals.
    best = max(trials, key=lambda trial: trial.value)
    chosen = {outer: max(trials, key=lambda trial: trial.inner_wafs[outer]) for outer in plan.outers}

    def networks(slot: int | None, trial: Trial) -> tuple[Trained, ...]:
        # What another worker, or this one before it was ended, has trained comes out the same again.
        known = kept.get(slot, trial.number)
        if known is None:
            again = Plan(folds=True) if slot is None else Plan(folds=False, outers=(slot,))
            ((_, trained),) = _train(problem, draws, [trial.number], again)
            known = trained.folds or tuple(trained.outers.values())
        return known

    return Search(
        tuple(trials),
        best,
        networks(None, best) if plan.folds else (),
        {outer: (trial, networks(outer, trial)[0]) for outer, trial in chosen.items()},
        resumed,
    )


def _study_name(problem: Problem, draws: Sequence[Configuration], plan: Plan) -> str:
    """The features, and a fingerprint of everything that decides about the values of the draws."""
    material, train = problem.material, problem.train
    rows = material.versions(train).T.flatten()
    tensors = (material.data.values[rows].cpu().numpy(), material.data.present[rows].cpu().numpy())
    arrays = (*tensors, material.targets[train], problem.folds)
    decides = {
        "procedure": PROCEDURE,
        "model": material.model.__name__,
        "features": {name: asdict(shape) for name, shape in material.data.shapes.items()},
        "data": [hashlib.sha256(np.ascontiguousarray(array)).hexdigest() for array in arrays],
        "classes": material.classes,
        "training": asdict(problem.training),
        "seed": problem.seed,
        "redrawn": problem.redrawn,
        "draws": [asdict(configuration) for configuration in draws],
        "plan": asdict(plan),
    }
    return f"{'+'.join(problem.inputs)[:100]}-{fingerprint(decides)}"
