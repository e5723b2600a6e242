"""A language model in memory that answers by a function; it repairs nothing and keeps nothing."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Iterable, Iterator, Mapping
from typing import TypeVar

from mertools.media import MissingMedium, UnreadableMedia
from mertools.ov.chat import Answer, Medium, Question, Unreadable

T = TypeVar("T")


class ScriptedChat:
    """Takes up to `ahead` questions before it answers the first; `asked` and `media` are what it was given."""

    def __init__(self, script: Callable[[Question, int], str], ahead: int = 4) -> None:
        self.script = script
        self.ahead = ahead
        self.asked: list[Question] = []
        self.media: list[list[Medium]] = []

    @property
    def source(self) -> Mapping[str, object]:
        return {"model": "scripted", "temperature": 0}

    def answers(self, questions: Iterable[Question[T]], run: int = 0) -> Iterator[Answer[T]]:
        pending: deque[Question[T]] = deque()
        for question in questions:
            self.asked.append(question)
            pending.append(question)
            if len(pending) >= self.ahead:
                yield self._answer(pending.popleft(), run)
        while pending:
            yield self._answer(pending.popleft(), run)

    def _answer(self, question: Question[T], run: int) -> Answer[T]:
        text = ""
        try:
            self.media.append(list(question.load()) if question.load else [])
            text = self.script(question, run)
            return Answer(question, question.read(text), text, "", 1)
        except (MissingMedium, UnreadableMedia, Unreadable) as error:
            return Answer(question, None, text, str(error), 1)
