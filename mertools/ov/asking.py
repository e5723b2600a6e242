"""A step of the pipeline: clips in, one row each out, some of them asked of a language model, in the clips' order."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from typing import Generic, Protocol, TypeVar

from mertools.ov.chat import Answer, Chat, Question

T = TypeVar("T")


class Row(Protocol):
    """A line of a step's file: the clip's name, and why it failed."""

    @property
    def name(self) -> str: ...

    @property
    def failed(self) -> str: ...


R = TypeVar("R", bound=Row)


@dataclass(frozen=True)
class Asked(Generic[T, R]):
    """A row that depends on an answer."""

    question: Question[T]
    row: Callable[[Answer[T]], R]


@dataclass(frozen=True)
class Done(Generic[R]):
    """A finished row; `requests` counts those it took, 0 from the cache, None where nothing had to be asked."""

    row: R
    requests: int | None = None


def ask(items: Iterable[Asked[T, R] | R], chat: Chat, run: int = 0) -> Iterator[Done[R]]:
    """The rows of `items` in their order, as answers come in; rows that need no answer pass through.

    `items` is read only as far as the language model has room for questions, so that a corpus of any size passes.
    """
    waiting: deque[Asked[T, R] | R] = deque()

    def questions() -> Iterator[Question[T]]:
        for item in items:
            waiting.append(item)
            if isinstance(item, Asked):
                yield item.question

    for answer in chat.answers(questions(), run):
        while not isinstance(waiting[0], Asked):
            yield Done(waiting.popleft())
        yield Done(waiting.popleft().row(answer), answer.requests)
    yield from map(Done, waiting)
