"""A search in a process of its own, which says when it begins and which draws it trains."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

from toy_problem import Small, make_problem

import fusion.search
from fusion.cross_validation import Problem
from fusion.search import Plan, Search, draw, search
from fusion.study import open_storage
from fusion.training import Configuration

PLAN = Plan(outers=(0, 1, 2))
EPOCHS = 15


def toy_problem() -> Problem:
    return make_problem(epochs=EPOCHS)


def toy_draws() -> list[Configuration]:
    """16 draws of 8 configurations, so that some repeat others."""
    return draw(Small, "random", 16, 0)


def outcome(found: Search) -> tuple[Any, ...]:
    """Everything of a search that does not say how it came about."""
    networks = [*found.networks, *(trained for _, trained in found.inner.values())]
    return (
        [trial.as_json() for trial in found.trials],
        found.best.number,
        {outer: trial.number for outer, (trial, _) in found.inner.items()},
        [{name: value.tolist() for name, value in trained.network.parameters.items()} for trained in networks],
    )


def work(location: str, log: Path, queue: Any = None) -> None:
    """Search, with a line in `log` for the beginning and for each draw trained; the outcome goes into `queue`."""
    train = fusion.search._train

    def logged(problem: Problem, draws: Sequence[Configuration], numbers: Sequence[int], plan: Plan) -> Iterator:
        for number in numbers if plan == PLAN else ():
            say(log, str(number))
        yield from train(problem, draws, numbers, plan)

    fusion.search._train = logged
    problem, draws = toy_problem(), toy_draws()
    say(log, "begin")
    found = search(problem, draws, PLAN, open_storage(location))
    if queue is not None:
        queue.put(outcome(found))


def say(log: Path, line: str) -> None:
    with log.open("a") as file:
        file.write(f"{line}\n")
