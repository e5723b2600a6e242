"""What is asked of a language model and what it answers: the values that the steps and the client exchange."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Generic, Protocol, TypeVar

T = TypeVar("T")

NOT_IN_THE_CACHE = "not in the cache"
"""The reason where no server may be asked."""


class Unreadable(Exception):
    """An answer that is not what was asked; the message says what is wrong with it, to the model and to the log."""


@dataclass(frozen=True)
class Medium:
    """A part of a question that is not text.

    `kind` is `image`, `video` or `audio`, `content` a whole file (JPEG, MP4, WAV) and `media_type` its type, such as
    `audio/wav`.
    """

    kind: str
    content: bytes
    media_type: str


@dataclass(frozen=True)
class Question(Generic[T]):
    """One prompt about one clip.

    `read` turns the answer's text into a value and raises Unreadable for a text that is not what was asked for.
    `load` gives the media, decoded only when the question is really asked; `media_key` is a digest of what it will
    give, "" without media. `schema` is the JSON schema to follow where the server can be held to one.
    `name` is the clip's, for messages alone: equal questions of two clips are one exchange.
    """

    name: str
    prompt: str
    read: Callable[[str], T]
    load: Callable[[], Sequence[Medium]] | None = None
    media_key: str = ""
    schema: Mapping[str, object] | None = None


@dataclass(frozen=True)
class Answer(Generic[T]):
    """What came of a question: a `value`, or the `reason` why there is none ("" where there is one).

    `text` is the model's last text, "" where it never answered; `requests` counts those sent now, 0 for an answer from
    the cache.
    """

    question: Question[T]
    value: T | None
    text: str
    reason: str
    requests: int


class Chat(Protocol):
    """A language model that answers questions; `mertools.ov.client` has the one that speaks to a server."""

    @property
    def source(self) -> Mapping[str, object]:
        """What a result says of where it came from: model and parameters, never a key."""

    def answers(self, questions: Iterable[Question[T]], run: int = 0) -> Iterator[Answer[T]]:
        """The answers in the order of the questions, each question taken only when there is room for it.

        `run` tells repeated runs of the same questions apart.
        """
