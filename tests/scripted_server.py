"""A server of the OpenAI-compatible chat API that answers by a script: well, badly, late or never.

    with ScriptedServer(lambda request: Reply("['happy']")) as server:
        ...  # server.url, and afterwards server.requests

It runs in a thread of its own and copes with hundreds of connections.
"""

from __future__ import annotations

import asyncio
import json
import threading
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from http import HTTPStatus
from typing import Any

DRIBBLE_SECONDS = 0.02
"""Between two bytes of a dribbling answer."""


@dataclass(frozen=True)
class Reply:
    """What the server does with one request.

    `text` is the answer in a chat completion; `body` a whole body in its place, whatever it is. With a `status` from
    300, `text` is the error's message and `code` its code. A reply that is `cut` ends in the middle of its body, one
    that is `endless` never ends: `dribble` sends a byte now and then, `flood` as many as are taken.
    """

    text: str = ""
    status: int = 200
    delay_seconds: float = 0
    headers: Mapping[str, str] = field(default_factory=dict)
    finish_reason: str = "stop"
    refusal: str | None = None
    code: str | None = None
    body: bytes | None = None
    cut: bool = False
    endless: str = ""


Script = Callable[[Mapping[str, Any]], Reply | str]


def prompt_of(request: Mapping[str, Any]) -> str:
    """The text of a request's last message."""
    content = request["messages"][-1]["content"]
    return content if isinstance(content, str) else content[-1]["text"]


class ScriptedServer:
    """Serves while it is entered. `requests` are the chat completions asked for, as JSON, oldest first; `headers` the
    headers that came with them, `listings` how often the models were asked for, `most_at_once` how many requests were
    under way together. `listing` answers for the models in their place."""

    def __init__(
        self, script: Script, models: tuple[str, ...] = ("scripted",), listing: Reply | None = None, keep: bool = True
    ) -> None:
        self.requests: list[Mapping[str, Any]] = []
        self.headers: list[Mapping[str, str]] = []
        self.listings = 0
        self.most_at_once = 0
        self.url = ""
        self._error: Exception | None = None
        self._script = script
        self._models = models
        self._listing = listing
        self._keep = keep
        self._at_once = 0
        self._connections: set[asyncio.Task] = set()
        self._loop = asyncio.new_event_loop()
        self._thread = threading.Thread(target=self._loop.run_forever, daemon=True)

    @property
    def prompts(self) -> list[str]:
        """The text of each request's last message."""
        return [prompt_of(request) for request in self.requests]

    def __enter__(self) -> ScriptedServer:
        self._thread.start()
        asyncio.run_coroutine_threadsafe(self._open(), self._loop).result()
        return self

    def __exit__(self, *_: object) -> None:
        """Stop; an exception of the script, which a client takes for a connection that broke, is the test's."""
        self.stop()
        if self._error is not None:
            raise self._error

    def stop(self) -> None:
        """Go away, in the middle of whatever is under way."""
        if self._loop.is_closed():
            return
        asyncio.run_coroutine_threadsafe(self._close(), self._loop).result()
        self._loop.call_soon_threadsafe(self._loop.stop)
        self._thread.join()
        self._loop.close()

    async def _open(self) -> None:
        self._server = await asyncio.start_server(self._connected, "127.0.0.1", 0, backlog=1024)
        self.url = f"http://127.0.0.1:{self._server.sockets[0].getsockname()[1]}/v1"

    async def _close(self) -> None:
        self._server.close()
        for connection in self._connections:
            connection.cancel()
        await asyncio.gather(*self._connections, return_exceptions=True)

    async def _connected(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        task = asyncio.current_task()
        self._connections.add(task)
        try:
            while await self._serve(reader, writer):
                pass
        except (ConnectionError, asyncio.IncompleteReadError, asyncio.CancelledError):
            pass
        finally:
            self._connections.discard(task)
            writer.close()

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> bool:
        """Answer one request; whether the connection can take another."""
        head = (await reader.readuntil(b"\r\n\r\n")).decode("latin-1")
        line, *fields = head.strip().split("\r\n")
        method, path, _ = line.split(" ")
        headers = {name.lower(): value for name, _, value in (one.partition(": ") for one in fields)}
        content = await reader.readexactly(int(headers.get("content-length", 0)))
        if (method, path) == ("GET", "/v1/models"):
            self.listings += 1
            if self._listing is not None:
                return await _write(writer, self._listing, _error(self._listing))
            data = [{"id": name, "object": "model"} for name in self._models]
            return await _write(writer, Reply(body=json.dumps({"object": "list", "data": data}).encode()), b"")
        if (method, path) != ("POST", "/v1/chat/completions"):
            return await _write(writer, Reply("no such path", status=404), _error(Reply("no such path")))
        request = json.loads(content)
        if self._keep:
            self.requests.append(request)
            self.headers.append(headers)
        try:
            reply = self._script(request)
        except Exception as error:
            self._error = self._error or error
            raise ConnectionError from error
        reply = Reply(reply) if isinstance(reply, str) else reply
        self._at_once += 1
        self.most_at_once = max(self.most_at_once, self._at_once)
        try:
            await asyncio.sleep(reply.delay_seconds)
        finally:
            self._at_once -= 1
        return await _write(writer, reply, _completion(request, reply) if reply.status < 300 else _error(reply))


async def _write(writer: asyncio.StreamWriter, reply: Reply, usual_body: bytes) -> bool:
    body = usual_body if reply.body is None else reply.body
    length = "Transfer-Encoding: chunked" if reply.endless else f"Content-Length: {len(body)}"
    lines = [f"HTTP/1.1 {reply.status} {HTTPStatus(reply.status).phrase}", "Content-Type: application/json", length]
    lines += [f"{name}: {value}" for name, value in reply.headers.items()]
    head = ("\r\n".join(lines) + "\r\n\r\n").encode()
    if reply.endless:
        writer.write(head)
        await _never_end(writer, reply.endless)
    writer.write(head + (body[: len(body) // 2] if reply.cut else body))
    await writer.drain()
    return not reply.cut


async def _never_end(writer: asyncio.StreamWriter, kind: str) -> None:
    chunk = b"1\r\n \r\n" if kind == "dribble" else b"10000\r\n" + b" " * 0x10000 + b"\r\n"
    while True:
        writer.write(chunk)
        await writer.drain()
        await asyncio.sleep(DRIBBLE_SECONDS if kind == "dribble" else 0)


def _completion(request: Mapping[str, Any], reply: Reply) -> bytes:
    message = {"role": "assistant", "content": reply.text, "refusal": reply.refusal}
    return json.dumps(
        {
            "id": "chatcmpl-0",
            "object": "chat.completion",
            "created": 0,
            "model": request["model"],
            "choices": [{"index": 0, "message": message, "finish_reason": reply.finish_reason}],
            "usage": {"prompt_tokens": 1, "completion_tokens": 1, "total_tokens": 2},
        }
    ).encode()


def _error(reply: Reply) -> bytes:
    return json.dumps({"error": {"message": reply.text, "code": reply.code}}).encode()
