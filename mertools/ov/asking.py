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

MOST_UNASKED = 1000
"""Rows that need no answer are held back until those before them have theirs, but no more than so many."""


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

    `items` is read only as far as the language model has room for questions, and no further than MOST_UNASKED rows that
    need none, so that a corpus of any size passes.
    """
    waiting = _Waiting(iter(items))
    while not waiting.ended:
        for answer in chat.answers(waiting.questions(), run):
            yield from map(Done, waiting.unasked_rows())
            yield Done(waiting.next_asked().row(answer), answer.requests)
        yield from map(Done, waiting.unasked_rows())


class _Waiting(Generic[T, R]):
    """The items that were read and are not given yet."""

    def __init__(self, items: Iterator[Asked[T, R] | R]) -> None:
        self._items = items
        self._read: deque[Asked[T, R] | R] = deque()
        self._unasked = 0
        self.ended = False

    def questions(self) -> Iterator[Question[T]]:
        """The questions of further items, until there are none or too many rows wait behind others."""
        while self._unasked < MOST_UNASKED:
            item = next(self._items, None)
            if item is None:
                self.ended = True
                return
            self._read.append(item)
            if isinstance(item, Asked):
                yield item.question
            else:
                self._unasked += 1

    def unasked_rows(self) -> Iterator[R]:
        """The rows before the next one that waits for an answer."""
        while self._read and not isinstance(self._read[0], Asked):
            self._unasked -= 1
            yield self._read.popleft()

    def next_asked(self) -> Asked[T, R]:
        return self._read.popleft()
