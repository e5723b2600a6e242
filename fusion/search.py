"""Choose a configuration: random draws from the paper's space, by cross-validation, in Optuna (MER2024 §3.3)."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import optuna

from fusion.cross_validation import CrossValidation, Problem, cross_validate
from mertools.randomness import seed_for


@dataclass(frozen=True)
class Trial:
    """One draw: its configuration and score; `repeats` is the earlier trial whose draw it repeats, untrained."""

    number: int
    configuration: dict[str, Any]
    value: float
    repeats: int | None

    def as_json(self) -> dict[str, Any]:
        """The trial as it stands in result.json."""
        return {"number": self.number, **self.configuration, "value": self.value, "repeats": self.repeats}


@dataclass(frozen=True)
class Search:
    """All draws in order, and the cross-validation of the best one (the first, among equals)."""

    trials: tuple[Trial, ...]
    best: CrossValidation


def search(problem: Problem, draws: int, progress: Callable[[Trial, float], None] | None = None) -> Search:
    """Draw `draws` configurations with replacement and keep the one with the highest cross-validated WAF.

    The paper's 50 draws from 24 points repeat themselves; a repeated draw is told the known value and not trained
    again. `progress` is called after each draw with the trial and the best score so far.
    """
    optuna.logging.set_verbosity(optuna.logging.WARNING)
    sampler = optuna.samplers.RandomSampler(seed=seed_for(problem.seed, "search", *problem.inputs) % 2**32)
    study = optuna.create_study(direction="maximize", sampler=sampler)
    first: dict[tuple[Any, ...], Trial] = {}
    trials: list[Trial] = []
    best: CrossValidation | None = None
    for number in range(draws):
        asked = study.ask()
        configuration = {
            name: asked.suggest_categorical(name, choices) for name, choices in problem.model.search_space.items()
        }
        known = first.get(tuple(configuration.values()))
        if known is None:
            result = cross_validate(problem, configuration)
            if best is None or result.waf > best.waf:
                best = result
            trial = first[tuple(configuration.values())] = Trial(number, configuration, result.waf, None)
        else:
            trial = Trial(number, configuration, known.value, known.number)
        study.tell(asked, trial.value)
        trials.append(trial)
        if progress is not None:
            progress(trial, best.waf)
    return Search(tuple(trials), best)
