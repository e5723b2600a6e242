"""Judgements: what one judge said of several systems against one truth, and what that comes to."""

from __future__ import annotations

import statistics
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from mertools.errors import InputError
from mertools.intervals import mean_estimate
from mertools.ov.judging import TRUTH, Verdicts

SEES_THE_TRUTH = "sees the truth"
"""What stands behind the name of a system that was chosen by the truth, in every table."""


@dataclass(frozen=True)
class JudgedSystem:
    """The verdicts on one system, run by run.

    `file` is where its descriptions stand; `failed` counts clips of the truth that it does not describe, which have 0
    in everything. A checkpoint is one `epoch` of a training called `series`. `chosen_by` is the metric by which an
    oracle chose its descriptions, "" for a system that does not know the truth.
    """

    name: str
    runs: tuple[Verdicts, ...]
    file: str = ""
    failed: int = 0
    series: str = ""
    epoch: int = 0
    chosen_by: str = ""

    def means(self, metric: str) -> dict[str, float]:
        """By clip the mean over runs; clips that no run has judged are left out."""
        given: dict[str, list[float]] = {}
        for run in self.runs:
            for clip, value in run.values.get(metric, {}).items():
                given.setdefault(clip, []).append(value)
        return {clip: statistics.fmean(values) for clip, values in given.items()}

    def unjudged(self, run: int) -> int:
        """How many clips lack some number in a run."""
        return len(set().union(*self.runs[run].unjudged.values()))


@dataclass(frozen=True)
class Judgement:
    """What a judge said.

    `judge` is its name and parameters and `date` when it was asked (UTC); `truth` says which file is the truth and has
    its `fingerprint`; `seed` is that of the intervals. `systems` holds the truth itself too, as `judging.TRUTH`.
    """

    judge: Mapping[str, Any]
    date: str
    truth: Mapping[str, Any]
    clips: tuple[str, ...]
    systems: tuple[JudgedSystem, ...]
    seed: int = 0
    made: Mapping[str, Any] = field(default_factory=dict)


@dataclass(frozen=True)
class JudgedScore:
    """The mean of a metric over `n` clips with its 95 % interval; over several runs the means of these and `std`."""

    value: float
    std: float | None
    low: float
    high: float
    n: int


def truth_of(judgement: Judgement) -> JudgedSystem:
    """The truth among a judgement's systems."""
    return next(system for system in judgement.systems if system.name == TRUTH)


def score(system: JudgedSystem, metric: str, seed: int) -> JudgedScore | None:
    """The score of a system; None where the metric was not asked about, or no run has a number."""
    runs = [
        mean_estimate(np.array([(value, 1.0) for value in given.values()]), seed, "judge")
        for run in system.runs
        if (given := run.values.get(metric))
    ]
    if not runs:
        return None
    values = [run.value for run in runs]
    return JudgedScore(
        statistics.fmean(values),
        statistics.stdev(values) if len(runs) > 1 else None,
        statistics.fmean(run.low for run in runs),
        statistics.fmean(run.high for run in runs),
        min(run.n for run in runs),
    )


def check_together(judgements: Sequence[Judgement], names: Sequence[str], *, mixed_judges: bool) -> None:
    """Refuse judgements that do not belong into one table; `names` are those of their files.

    Raises InputError for another truth, for a system that two judgements by one judge have, and, unless `mixed_judges`,
    for another judge or the same with other parameters.
    """
    first = judgements[0]
    for other, name in zip(judgements[1:], names[1:], strict=True):
        if other.truth["fingerprint"] != first.truth["fingerprint"]:
            raise InputError(
                f"{name} was judged against another truth ({other.truth['file']}) than {names[0]} "
                f"({first.truth['file']}): their scores are of different things."
            )
        if other.judge != first.judge and not mixed_judges:
            raise InputError(
                f"{names[0]} was judged by {told(first.judge)}, {name} by {told(other.judge)}. What two judges give is "
                "not to be compared; --mixed-judges puts it side by side, with a column that says whose is whose."
            )
    seen: dict[tuple[str, str], str] = {}
    for judgement, name in zip(judgements, names, strict=True):
        for system in judgement.systems:
            key = (told(judgement.judge), system.name)
            if system.name != TRUTH and seen.setdefault(key, name) != name:
                raise InputError(
                    f"{system.name!r} stands in {seen[key]} and in {name}. Show one of them, or rename it."
                )


def told(judge: Mapping[str, Any]) -> str:
    """A judge in words: its name, and its parameters in brackets."""
    parameters = [f"{name.replace('_', ' ')} {value}" for name, value in judge.items() if name != "model"]
    return str(judge["model"]) + (f" ({', '.join(parameters)})" if parameters else "")


def automatic_scores(judgement: Judgement) -> Iterable[tuple[str, str, str, float]]:
    """Name, system, metric and value of each description, the mean over runs; the metric's name names the judge."""
    for system in judgement.systems:
        for metric in dict.fromkeys(metric for run in system.runs for metric in run.values):
            for clip, value in system.means(metric).items():
                yield clip, system.name, f"{metric} by {judgement.judge['model']}", value
