"""A search comes out the same whoever made it: one process or two, at once or after it was killed."""

from __future__ import annotations

import multiprocessing
import random
import time
from collections import Counter
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import optuna
import pytest
import torch
from optuna.storages import BaseStorage, InMemoryStorage, JournalStorage
from optuna.storages.journal import JournalFileBackend, JournalFileSymlinkLock
from search_worker import PLAN, outcome, toy_draws, toy_problem, work
from toy_problem import DIMS, Small, make_inputs, make_problem

import fusion.search
from fusion.cross_validation import Problem
from fusion.models import MODELS
from fusion.search import Plan, Search, draw, search
from fusion.study import open_storage
from fusion.training import Configuration

PROCESSES = multiprocessing.get_context("forkserver")
PROCESSES.set_forkserver_preload(["search_worker"])


@pytest.fixture(scope="module")
def uninterrupted() -> tuple[Any, ...]:
    return outcome(search(toy_problem(), toy_draws(), PLAN, InMemoryStorage()))


@pytest.fixture
def trained(monkeypatch: pytest.MonkeyPatch) -> list[Configuration]:
    """The configurations that searches train from here on."""
    found: list[Configuration] = []
    train = fusion.search._train

    def counting(problem: Problem, draws: list[Configuration], numbers: list[int], plan: Plan) -> object:
        found.extend(draws[number] for number in numbers)
        return train(problem, draws, numbers, plan)

    monkeypatch.setattr(fusion.search, "_train", counting)
    return found


def quick(**settings: Any) -> Problem:
    return make_problem(epochs=1, **settings)


def test_draws_are_a_function_of_the_seed() -> None:
    model = MODELS["attention"]
    one = draw(model, "random", 50, 3)
    assert one == draw(model, "random", 50, 3) and one[:20] == draw(model, "random", 20, 3)
    assert one != draw(model, "random", 50, 4)
    for name, choices in model.search_space.items():
        assert {getattr(configuration, name) for configuration in one} == set(choices)


def test_the_grid_is_the_papers_24_configurations() -> None:
    grid = draw(MODELS["attention"], "grid", 50, 0)
    assert len(grid) == len(set(grid)) == 24
    assert {configuration.hidden for configuration in grid} == {64, 128, 256}
    assert {configuration.learning_rate for configuration in grid} == {1e-3, 1e-4}
    assert {configuration.dropout for configuration in grid} == {0.2, 0.3, 0.4, 0.5}


def test_a_repeated_draw_is_told_and_not_trained(trained: list[Configuration]) -> None:
    draws = draw(Small, "random", 40, 0)
    seen = []
    found = search(quick(), draws, PLAN, InMemoryStorage(), lambda *known: seen.append(known))
    assert Counter(trained) == Counter(set(draws)), "each configuration once"
    assert [trial.configuration for trial in found.trials] == draws
    for trial in found.trials:
        first = found.trials[draws.index(trial.configuration)]
        assert trial.repeats == (None if first is trial else first.number)
        assert (trial.value, trial.fold_wafs, trial.inner_wafs) == (first.value, first.fold_wafs, first.inner_wafs)
    assert seen[-1] == (40, 40, found.best.value)
    known = [count for count, _, _ in seen]
    assert known == sorted(known)


def test_the_first_of_the_best_is_chosen() -> None:
    found = search(quick(), draw(Small, "random", 20, 0), PLAN, InMemoryStorage())
    values = [trial.value for trial in found.trials]
    assert found.best.value == max(values) and found.best.number == values.index(max(values))
    assert found.best.value == np.mean(found.best.fold_wafs)
    assert [one.waf for one in found.networks] == list(found.best.fold_wafs)
    assert [one.epoch for one in found.networks] == list(found.best.epochs)
    for outer, (trial, trained) in found.inner.items():
        inner = [one.inner_wafs[outer] for one in found.trials]
        assert trial.number == inner.index(max(inner)) and trained.waf == max(inner)


def test_without_folds_the_inner_scores_are_the_value() -> None:
    found = search(quick(), draw(Small, "random", 5, 0), Plan(folds=False, outers=(2,)), InMemoryStorage())
    assert found.networks == () and found.best.fold_wafs == ()
    assert found.best.value == found.best.inner_wafs[2] == found.inner[2][1].waf


def test_redrawn_folds_make_every_draw_its_own(trained: list[Configuration]) -> None:
    """As the released code does: equal draws are other networks on other folds."""
    draws = [draw(Small, "random", 1, 0)[0]] * 4
    found = search(quick(redrawn=True), draws, Plan(), InMemoryStorage())
    assert len(trained) == 4 and len({trial.value for trial in found.trials}) > 1
    assert all(trial.repeats is None for trial in found.trials)


def test_more_outer_folds_change_no_network() -> None:
    draws = draw(Small, "random", 3, 0)
    one = search(quick(), draws, Plan(outers=(0, 1, 2)), InMemoryStorage())
    two = search(quick(), draws, Plan(folds=False, outers=(1,)), InMemoryStorage())
    assert [trial.inner_wafs[1] for trial in one.trials] == [trial.inner_wafs[1] for trial in two.trials]
    for name, value in one.inner[1][1].network.parameters.items():
        assert torch.equal(value, two.inner[1][1].network.parameters[name])


def test_a_finished_search_is_not_made_again(tmp_path: Path, trained: list[Configuration]) -> None:
    location = str(tmp_path / "search.journal")
    draws = draw(Small, "random", 10, 0)
    one = search(quick(), draws, PLAN, open_storage(location))
    before = len(trained)
    two = search(quick(), draws, PLAN, open_storage(location))
    assert (one.resumed, two.resumed) == (0, 10)
    # What is chosen is trained again, since studies hold no networks.
    assert len(trained) - before <= 1 + len(PLAN.outers)
    assert outcome(one) == outcome(two)


def changed_search(problem: Problem, storage: BaseStorage, draws: list[Configuration] | None = None) -> Search:
    return search(problem, draws or draw(Small, "random", 3, 0), Plan(), storage)


@pytest.mark.parametrize(
    "settings",
    [
        {"seed": 1},
        {"class_weights": True},
        {"epochs": 2},
        {"inputs": make_inputs(105, seed=1)},
        {"copies": 1},
        {"folds": 4},
        {"targets": np.arange(105) % 2},
        {"model": type("Other", (Small,), {})},
    ],
    ids=lambda settings: next(iter(settings)),
)
def test_another_search_is_another_study(settings: dict) -> None:
    storage = InMemoryStorage()
    changed_search(make_problem(**{"epochs": 1}), storage)
    other = changed_search(make_problem(**{"epochs": 1, **settings}), storage)
    assert other.resumed == 0 and len(storage.get_all_studies()) == 2


def test_other_copies_and_another_consistency_are_another_study() -> None:
    storage = InMemoryStorage()
    problem = quick(copies=2)
    one, two = (replace(problem, copies=problem.copies[place:][:1]).only(problem.inputs) for place in (0, 1))
    weighed = replace(one, training=replace(one.training, consistency=0.5))
    for each in (problem, one, two, weighed):
        assert changed_search(each, storage).resumed == 0
    assert len(storage.get_all_studies()) == 4
    assert changed_search(weighed, storage).resumed == 3
    weightless = replace(one, training=replace(one.training, consistency=0.0))
    assert changed_search(weightless, storage).resumed == 3, "no weight is no consistency"


def test_what_is_not_trained_on_does_not_name_a_study() -> None:
    """The pool of clips to predict may grow: the search is the same."""
    storage = InMemoryStorage()
    changed_search(quick(), storage)
    inputs = make_inputs(105)
    more = {
        name: replace(one, values=np.concatenate([one.values, one.values[:9]]), mask=np.append(one.mask, one.mask[:9]))
        for name, one in inputs.items()
    }
    assert changed_search(quick(inputs=more, others=24), storage).resumed == 3


def test_a_study_is_optunas_own(tmp_path: Path) -> None:
    """Whoever reads studies, such as optuna-dashboard, finds parameters and values."""
    location = f"sqlite:///{tmp_path / 'search.db'}"
    found = search(quick(), draw(Small, "random", 12, 0), PLAN, open_storage(location))
    (name,) = optuna.get_all_study_names(location)
    assert name.startswith("+".join(DIMS))
    study = optuna.load_study(study_name=name, storage=location)
    assert study.best_value == found.best.value and study.direction.name == "MAXIMIZE"
    assert len(study.trials) == 12 and {trial.state.name for trial in study.trials} == {"COMPLETE"}
    for trial in study.trials:
        ours = found.trials[trial.user_attrs["draw"]]
        assert trial.value == ours.value
        assert Configuration(**trial.params) == ours.configuration
        assert trial.user_attrs["outcome"]["folds"] == list(ours.fold_wafs)


def wait_for(condition: Callable[[], bool], seconds: float = 60) -> None:
    deadline = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < deadline
        time.sleep(0.005)


def test_a_killed_search_goes_on(
    tmp_path: Path, uninterrupted: tuple[Any, ...], monkeypatch: pytest.MonkeyPatch
) -> None:
    chance = random.Random(0)
    location, log = tmp_path / "search.journal", tmp_path / "log"
    for attempt in range(1, 4):
        worker = PROCESSES.Process(target=work, args=(str(location), log))
        worker.start()
        wait_for(lambda count=attempt: log.exists() and log.read_text().count("begin") == count)
        time.sleep(chance.uniform(0, 0.6))
        worker.kill()
        worker.join()
    # A worker may be killed with the lock in its hands, which is stale after 30 s, or before it says who it is.
    monkeypatch.setattr("fusion.study.BEAT_SECONDS", 1)
    lock = JournalFileSymlinkLock(str(location), grace_period=3)
    found = search(toy_problem(), toy_draws(), PLAN, JournalStorage(JournalFileBackend(str(location), lock)))
    assert outcome(found) == uninterrupted


@pytest.mark.parametrize("kind", ["journal", "sqlite"])
def test_two_workers_divide_a_search(tmp_path: Path, uninterrupted: tuple[Any, ...], kind: str) -> None:
    location = str(tmp_path / "journal") if kind == "journal" else f"sqlite:///{tmp_path / 'search.db'}"
    queue, log = PROCESSES.Queue(), tmp_path / "log"
    workers = [PROCESSES.Process(target=work, args=(location, log, queue)) for _ in range(2)]
    for worker in workers:
        worker.start()
    outcomes = [queue.get(timeout=60) for _ in workers]
    for worker in workers:
        worker.join()
    assert outcomes == [uninterrupted] * 2
    draws = toy_draws()
    numbers = [int(line) for line in log.read_text().split() if line != "begin"]
    assert Counter(draws[number] for number in numbers) == Counter(set(draws)), "no configuration is trained twice"


def test_an_interrupted_search_lets_its_draws_wait(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    location = str(tmp_path / "search.journal")
    draws = draw(Small, "grid", 0, 0)
    whole = outcome(search(quick(), draws, Plan(), InMemoryStorage()))

    def interrupted(known: int, total: int, best: float | None) -> None:
        if known == 3:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        search(quick(), draws, Plan(), open_storage(location), interrupted)
    storage = open_storage(location)
    (study,) = optuna.get_all_study_names(storage)
    states = Counter(trial.state.name for trial in optuna.load_study(study_name=study, storage=storage).trials)
    assert states["COMPLETE"] == 3 and not states["RUNNING"]
    began = time.monotonic()
    found = search(quick(), draws, Plan(), open_storage(location))
    assert time.monotonic() - began < 20, "nobody is waited for"
    assert found.resumed == 3 and outcome(found) == whole
