"""How a step over clips went: counted while it runs, and told at its end."""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, TypeVar

from mertools.commands.display import print_table

if TYPE_CHECKING:
    from mertools.ov.asking import Done, Row

    R = TypeVar("R", bound=Row)

REASONS_SHOWN = 20
FAILED_STRICTLY = 3
HEADER = ("step", "ok", "failed", "requests", "from the cache", "not asked")


@dataclass
class Outcome:
    """What became of the rows of one step.

    `requests` counts those sent, `cached` the rows whose answer was known, `unasked` those that needed none; `failures`
    are names and reasons.
    """

    step: str
    ok: int = 0
    requests: int = 0
    cached: int = 0
    unasked: int = 0
    failures: list[tuple[str, str]] = field(default_factory=list)

    def counted(self, rows: Iterable[Done[R]], total: int, progress: Callable[[int, int, int], None]) -> Iterator[R]:
        """The rows, counted as they pass; `total` is how many there will be."""
        for done, one in enumerate(rows, start=1):
            self._count(one)
            progress(done, total, len(self.failures))
            yield one.row

    def _count(self, one: Done[R]) -> None:
        if one.row.failed:
            self.failures.append((one.row.name, one.row.failed))
        else:
            self.ok += 1
        if one.requests is None:
            self.unasked += 1
        elif one.requests == 0:
            self.cached += 1
        else:
            self.requests += one.requests

    def as_dict(self) -> dict[str, object]:
        """The counts, as result.json keeps them."""
        counts = {name: getattr(self, name) for name in ("step", "ok", "requests", "cached", "unasked")}
        return counts | {"failed": len(self.failures)}


def summed(outcomes: Sequence[Outcome]) -> list[Outcome]:
    """The outcomes by step, those of all runs and combinations together."""
    by_step: dict[str, Outcome] = {}
    for one in outcomes:
        sum_ = by_step.setdefault(one.step, Outcome(one.step))
        sum_.ok += one.ok
        sum_.requests += one.requests
        sum_.cached += one.cached
        sum_.unasked += one.unasked
        sum_.failures += one.failures
    return list(by_step.values())


def show(outcomes: Sequence[Outcome]) -> None:
    """Print how many clips of each step ended how, and why those failed that did."""
    print_table(HEADER, [_cells(outcome) for outcome in outcomes])
    failures = [(outcome.step, *failure) for outcome in outcomes for failure in outcome.failures]
    if failures:
        sys.stdout.write("\n")
        print_table(("step", "clip", "reason"), failures[:REASONS_SHOWN])
    if len(failures) > REASONS_SHOWN:
        sys.stdout.write(f"and {len(failures) - REASONS_SHOWN} more: their reasons stand in the files\n")


def status(outcomes: Iterable[Outcome], strict: bool) -> int:
    """The exit status: FAILED_STRICTLY where it is strict and a clip failed."""
    return FAILED_STRICTLY if strict and any(outcome.failures for outcome in outcomes) else 0


def _cells(outcome: Outcome) -> list[str]:
    numbers = (outcome.ok, len(outcome.failures), outcome.requests, outcome.cached, outcome.unasked)
    return [outcome.step, *map(str, numbers)]
