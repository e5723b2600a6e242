"""A request that is sent until it is answered: patient with servers, but not for ever."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from mertools import randomness
from mertools.ov.connection import NOT_IMPLEMENTED, Connection, Rejected, Reply, Temporary
from mertools.ov.retries import Retries

UNKNOWN_FIELD = (400, 422, NOT_IMPLEMENTED)
"""How servers say that they know no `response_format`."""

EMPTY_ANSWERS = 2
"""How many empty answers are as good as none."""


@dataclass(frozen=True)
class Outcome:
    """A model's reply, or the `reason` why there is none, after so many `requests`."""

    reply: Reply | None
    reason: str
    requests: int


class Tries:
    """Sends requests over one connection.

    Whether the server can be held to a JSON schema is found out by the first request that has one.
    """

    def __init__(self, connection: Connection, retries: Retries, seed: int) -> None:
        self._connection = connection
        self._retries = retries
        self._seed = seed
        self._answered = False
        self._follows_schemas: bool | None = None
        self._probing = asyncio.Lock()

    async def send(self, key: str, body: Mapping[str, Any], schema: Mapping[str, object] | None) -> Outcome:
        """Ask for a chat completion, by `schema` where the server has such a thing.

        `key` names the request: the waits between its tries are a function of the seed and of it. Raises InputError for
        what is wrong with every request, and where the server is not there, or no longer.
        """
        if schema is not None and self._follows_schemas is None:
            # One asks and the others wait for what it learns, lest all of them are turned away.
            async with self._probing:
                if self._follows_schemas is None:
                    return await self._try(key, body, schema)
        return await self._try(key, body, schema)

    async def _try(self, key: str, body: Mapping[str, Any], schema: Mapping[str, object] | None) -> Outcome:
        free = schema is None or self._follows_schemas is False
        reason, empty = "", 0
        for attempt in range(1, self._retries.tries + 1):
            try:
                reply = await self._connection.complete(body if free else {**body, **_held_to(schema)})
            except Rejected as error:
                reason = str(error)
                if free or self._follows_schemas or error.status not in UNKNOWN_FIELD:
                    return Outcome(None, reason, attempt)
                free = True
            except Temporary as error:
                reason = str(error)
                last = attempt == self._retries.tries
                if error.broken and (last or not self._answered) and not await self._connection.is_there():
                    raise self._connection.unreachable() from None
                if not last:
                    await asyncio.sleep(self._wait_seconds(key, attempt, error))
            else:
                self._answered = True
                if schema is not None and self._follows_schemas is None:
                    self._follows_schemas = not free
                if reply.text.strip() or reply.refusal or reply.finish_reason == "content_filter":
                    return Outcome(reply, "", attempt)
                reason, empty = f"the answer was empty (it ended by {reply.finish_reason or 'itself'})", empty + 1
                if empty == EMPTY_ANSWERS:
                    return Outcome(None, reason, attempt)
        return Outcome(None, f"{reason}; tried {self._retries.tries} times", self._retries.tries)

    def _wait_seconds(self, key: str, attempt: int, error: Temporary) -> float:
        draw = randomness.generator(self._seed, "retry", key, attempt).random()
        return self._retries.wait_seconds(attempt, error.after_seconds, draw)


def _held_to(schema: Mapping[str, object] | None) -> dict:
    return {
        "response_format": {"type": "json_schema", "json_schema": {"name": "answer", "strict": True, "schema": schema}}
    }
