"""Questions to a language model behind the OpenAI-compatible chat API, and its answers from the server or the cache."""

from __future__ import annotations

import asyncio
import threading
from collections import deque
from collections.abc import Coroutine, Iterable, Iterator, Mapping, Sequence
from concurrent.futures import FIRST_COMPLETED, Future, wait
from dataclasses import dataclass, replace
from typing import Any, TypeVar

from mertools import randomness
from mertools.errors import InputError
from mertools.media import MissingMedium, UnreadableMedia
from mertools.ov import message_parts
from mertools.ov.chat import NOT_IN_THE_CACHE, Answer, Medium, Question, Unreadable
from mertools.ov.connection import Connection, Server
from mertools.ov.exchanges import Exchange, Exchanges, exchange_key
from mertools.ov.prompts import REPAIR
from mertools.ov.refusals import is_refusal
from mertools.ov.retries import Retries
from mertools.ov.tries import Tries

T = TypeVar("T")

PENDING = 8
"""Questions taken ahead, in multiples of those asked at once: a slow one holds up the others no sooner."""

TOLD = 200
"""Characters of a refusal that its reason repeats."""


@dataclass(frozen=True)
class Parameters:
    """Which model is asked, and how it samples: the part of the cache's keys that all questions share."""

    model: str
    temperature: float = 0.0
    max_tokens: int = 1024
    seed: int = 0

    def as_dict(self) -> dict[str, object]:
        """The parameters by name."""
        return {
            "model": self.model,
            "temperature": float(self.temperature),
            "max_tokens": self.max_tokens,
            "seed": self.seed,
        }


class Client:
    """A `Chat` that asks a server, or the cache alone where `server` is None. Use it as a context manager.

    At most `concurrency` exchanges are under way at once; each is in the cache before its answer is given. With
    `retry_failed` a question whose cached exchanges came to nothing is asked anew.

    An answer that is unreadable, or cut off, is sent back once with what is wrong with it. A question without a value
    is an `Answer` with a reason. What would fail every question (no server, a wrong key, a model that is not there,
    media that may not be uploaded) raises InputError instead, and ends the client.
    """

    def __init__(
        self,
        server: Server | None,
        parameters: Parameters,
        exchanges: Exchanges,
        concurrency: int = 8,
        retries: Retries | None = None,
        retry_failed: bool = False,
    ) -> None:
        self._parameters = parameters
        self._exchanges = exchanges
        self._retry_failed = retry_failed
        self._connection = None if server is None else Connection(server)
        self._tries = Tries(self._connection, retries or Retries(), parameters.seed) if self._connection else None
        self._room = asyncio.Semaphore(concurrency)
        self._pending = PENDING * concurrency
        self._under_way: dict[str, asyncio.Task[Exchange]] = {}
        self._begin = exchanges.last_number()
        self._ended: Future[None] = Future()
        self._loop = asyncio.new_event_loop()
        self._thread = threading.Thread(target=self._loop.run_forever, name="language model", daemon=True)

    @property
    def source(self) -> Mapping[str, object]:
        """Model and parameters."""
        return self._parameters.as_dict()

    def __enter__(self) -> Client:
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._submit(self._close()).result()
        self._loop.call_soon_threadsafe(self._loop.stop)
        self._thread.join()
        self._loop.close()

    def answers(self, questions: Iterable[Question[T]], run: int = 0) -> Iterator[Answer[T]]:
        """See `Chat.answers`. Raises InputError for what would fail every question."""
        pending: deque[Future[Answer[T]]] = deque()
        try:
            for question in questions:
                pending.append(self._submit(self._answer(question, run)))
                while pending and (len(pending) >= self._pending or pending[0].done()):
                    yield self._result(pending.popleft())
            while pending:
                yield self._result(pending.popleft())
        finally:
            for one in pending:
                one.cancel()

    def _submit(self, work: Coroutine[Any, Any, T]) -> Future[T]:
        return asyncio.run_coroutine_threadsafe(work, self._loop)

    def _result(self, answer: Future[Answer[T]]) -> Answer[T]:
        wait((answer, self._ended), return_when=FIRST_COMPLETED)
        if self._ended.done():
            answer.cancel()
            self._ended.result()
        return answer.result()

    async def _close(self) -> None:
        others = asyncio.all_tasks() - {asyncio.current_task()}
        for task in others:
            task.cancel()
        await asyncio.gather(*others, return_exceptions=True)
        if self._connection is not None:
            await self._connection.__aexit__()
        await self._loop.shutdown_default_executor()

    async def _answer(self, question: Question[T], run: int) -> Answer[T]:
        answer = await self._converse(question, run, after=0)
        if answer.reason and answer.requests == 0 and self._retry_failed:
            answer = await self._converse(question, run, after=self._begin)
        return answer

    async def _converse(self, question: Question[T], run: int, after: int) -> Answer[T]:
        """The answer to a question, or to the one request to repair it; only exchanges numbered above `after` count."""
        text, fault, turns, requests = "", "", (), 0
        for _ in range(2):
            exchange, sent = await self._exchange(question, run, turns, after)
            requests += sent
            text = exchange.text or text
            if reason := _failure(exchange):
                return Answer(question, None, text, reason, requests)
            try:
                return Answer(question, _read(question, exchange), text, "", requests)
            except Unreadable as error:
                fault = str(error)
                turns = (exchange.text, REPAIR.format(fault=fault))
        return Answer(question, None, text, f"unreadable: {fault}", requests)

    async def _exchange(
        self, question: Question[T], run: int, turns: Sequence[str], after: int
    ) -> tuple[Exchange, int]:
        """An exchange and how many requests were sent for it now: none for one that is kept, or that another makes."""
        if question.load is not None and not question.media_key:
            raise ValueError(f"the question about {question.name} has media, and no key that tells them from others")
        key = exchange_key(self._parameters.as_dict(), question.schema, question.prompt, question.media_key, run, turns)
        if kept := self._exchanges.latest(key, after):
            return kept, 0
        if key in self._under_way:
            return await asyncio.shield(self._under_way[key]), 0
        task = asyncio.ensure_future(self._ask(key, question, run, turns))
        self._under_way[key] = task
        try:
            exchange = await task
        finally:
            del self._under_way[key]
        return exchange, exchange.requests

    async def _ask(self, key: str, question: Question[T], run: int, turns: Sequence[str]) -> Exchange:
        unasked = Exchange(key, self._parameters.model, {}, requests=0)
        if self._connection is None:
            return replace(unasked, reason=NOT_IN_THE_CACHE)
        async with self._room:
            if self._ended.done():
                self._ended.result()
            try:
                media = await self._media(question)
                exchange = await self._send(key, question, media, run, turns)
                self._exchanges.add(exchange)
            except (MissingMedium, UnreadableMedia) as error:
                return replace(unasked, reason=f"the media cannot be read: {error}")
            except InputError as error:
                # Told before there is room for another, which would fail alike.
                if not self._ended.done():
                    self._ended.set_exception(error)
                raise
            return exchange

    async def _media(self, question: Question[T]) -> Sequence[Medium]:
        if question.load is None:
            return ()
        self._connection.check_upload()
        try:
            return await asyncio.to_thread(question.load)
        except OSError as error:
            raise UnreadableMedia(error.strerror or str(error)) from error

    async def _send(
        self, key: str, question: Question[T], media: Sequence[Medium], run: int, turns: Sequence[str]
    ) -> Exchange:
        # Each run has a seed of its own, or a server that honours seeds would answer all of them alike.
        seed = randomness.seed_for(self._parameters.seed, "run", run) >> 32
        parameters = {**self._parameters.as_dict(), "seed": seed}
        messages = _messages(message_parts.sent(question.prompt, media), turns)
        outcome = await self._tries.send(key, {**parameters, "messages": messages}, question.schema)
        messages = _messages(message_parts.kept(question.prompt, media), turns)
        kept = {**parameters, "messages": messages, "schema": question.schema, "run": run}
        exchange = Exchange(key, self._parameters.model, kept, outcome.requests, reason=outcome.reason)
        reply = outcome.reply
        return exchange if reply is None else replace(exchange, **vars(reply))


def _messages(content: object, turns: Sequence[str]) -> list[dict]:
    speakers = ("user", "assistant", "user")
    return [{"role": role, "content": said} for role, said in zip(speakers, (content, *turns), strict=False)]


def _failure(exchange: Exchange) -> str:
    """Why an exchange has no answer that could be read, "" where it has one."""
    if exchange.reason:
        return exchange.reason
    if exchange.finish_reason == "content_filter":
        return "refused: by the server's content filter"
    refusal = exchange.refusal or (exchange.text if is_refusal(exchange.text) else "")
    return f"refused: {' '.join(refusal.split())[:TOLD]}" if refusal else ""


def _read(question: Question[T], exchange: Exchange) -> T:
    if exchange.finish_reason == "length":
        raise Unreadable(f"it was cut off after {exchange.request.get('max_tokens')} tokens; be shorter")
    return question.read(exchange.text)
