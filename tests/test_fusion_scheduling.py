"""Members are stacked where they can be, and what nobody waits for is ended."""

from __future__ import annotations

import threading
import time
from dataclasses import replace

import pytest
import torch
from toy_problem import CONFIGURATION, make_problem

from fusion import scheduling
from fusion.cross_validation import Problem
from fusion.models import MODELS
from fusion.scheduling import train_all
from fusion.training import Member, train


def mixed(problem: Problem) -> list[Member]:
    """Members of two sizes, two learning rates and two numbers of batches."""
    found = []
    for configuration in (
        CONFIGURATION,
        replace(CONFIGURATION, hidden=4),
        replace(CONFIGURATION, learning_rate=1e-3),
        replace(CONFIGURATION, dropout=0.5),
    ):
        found += [*problem.fold_members(configuration), problem.outer_member(configuration, 1)]
    return found


def test_everyone_comes_out_as_if_alone(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(scheduling, "MEMBERS_A_STACK", 4)
    problem = make_problem(train=101, epochs=2)
    everyone = mixed(problem)
    done = dict(train_all(problem.material, problem.training, everyone))
    assert sorted(done) == list(range(len(everyone)))
    for place in (0, 3, 6, 13):
        (alone,) = train(problem.material, problem.training, [everyone[place]])
        assert done[place].waf == alone.waf and done[place].epoch == alone.epoch
        for name, value in alone.network.parameters.items():
            assert torch.equal(value, done[place].network.parameters[name])


def test_threads_do_not_draw_each_others_weights(monkeypatch: pytest.MonkeyPatch) -> None:
    """torch.nn draws from one generator for all threads."""
    monkeypatch.setattr(scheduling, "MEMBERS_A_STACK", 1)
    monkeypatch.setattr(scheduling, "cores", lambda: 8)
    problem = make_problem(MODELS["attention-release"], epochs=1)
    everyone = [problem.outer_member(replace(CONFIGURATION, dropout=rate / 100), 0) for rate in range(40)]
    runs = [dict(train_all(problem.material, problem.training, everyone)) for _ in range(2)]
    for place in range(len(everyone)):
        for name, value in runs[0][place].network.parameters.items():
            assert torch.equal(value, runs[1][place].network.parameters[name])


def test_stacks_share_shape_rate_and_steps_and_the_longest_begin() -> None:
    everyone = mixed(make_problem(train=101))
    stacks = scheduling._stacks(everyone, 4)
    assert sorted(place for stack in stacks for place in stack) == list(range(len(everyone)))
    for stack in stacks:
        assert len(stack) <= 4
        one = {(m.configuration.hidden, m.configuration.learning_rate, m.steps) for m in (everyone[p] for p in stack)}
        assert len(one) == 1
    sizes = [(everyone[stack[0]].configuration.hidden, everyone[stack[0]].steps) for stack in stacks]
    assert sizes == sorted(sizes, reverse=True)


def test_epochs_are_counted() -> None:
    problem = make_problem(epochs=3)
    ticks, lock = [], threading.Lock()

    def tick(count: int) -> None:
        with lock:
            ticks.append(count)

    everyone = mixed(problem)
    list(train_all(problem.material, problem.training, everyone, tick))
    assert sum(ticks) == 3 * len(everyone)


def test_nobody_trains_for_nobody(monkeypatch: pytest.MonkeyPatch) -> None:
    """Who stops asking, by an exception or Ctrl-C, waits for an epoch and not for the search."""
    monkeypatch.setattr(scheduling, "MEMBERS_A_STACK", 1)
    endless = make_problem(epochs=10**6)
    before, during = threading.active_count(), []

    def interrupted(futures: object) -> None:
        time.sleep(0.5)
        during.append(threading.active_count())
        raise KeyboardInterrupt

    monkeypatch.setattr(scheduling, "as_completed", interrupted)
    began = time.monotonic()
    with pytest.raises(KeyboardInterrupt):
        next(train_all(endless.material, endless.training, mixed(endless)))
    assert time.monotonic() - began < 10
    assert during[0] > before and threading.active_count() == before


def test_a_fault_in_a_thread_is_raised(monkeypatch: pytest.MonkeyPatch) -> None:
    def broken(*_: object) -> None:
        raise RuntimeError("out of memory")

    monkeypatch.setattr(scheduling, "train", broken)
    problem = make_problem()
    with pytest.raises(RuntimeError, match="out of memory"):
        list(train_all(problem.material, problem.training, mixed(problem)))
