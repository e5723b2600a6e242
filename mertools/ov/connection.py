"""One request to a server of the OpenAI-compatible chat API: bounded in time and size, with its troubles named."""

from __future__ import annotations

import asyncio
import json
import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import urlsplit

import openai

from mertools.errors import InputError
from mertools.model_sources.downloads import without_credentials
from mertools.ov.message_parts import encodable
from mertools.ov.private_addresses import is_private
from mertools.ov.retries import retry_after_seconds

LONGEST_BYTES = 8 << 20
"""No answer is longer: a server that never stops is cut off."""

CONNECT_SECONDS = 10
LISTING_SECONDS = 30
"""How long a server may take to be reached, and to name its models."""

SHORTEST_SECRET = 8
"""A shorter key is a word such as `none`, for servers that want any."""

TEMPORARY = (408, 409, 425, 429)
"""Statuses worth another try, beside those from 500."""

BROKEN = 500
NOT_IMPLEMENTED = 501

SAID = 300
"""Characters of a server's error that are told."""


@dataclass(frozen=True)
class Server:
    """Where a language model is served. `key` is sent to it and told to no one.

    A request may take `timeout_seconds` from first to last byte, however steadily they drip. Media go to a public
    address only with `allow_upload`.
    """

    url: str
    key: str = field(default="", repr=False)
    timeout_seconds: float = 300
    allow_upload: bool = False

    def __post_init__(self) -> None:
        if not _is_address(self.url):
            raise InputError(
                f"{self.name!r} is not the address of a server. Wanted one such as http://127.0.0.1:8080/v1."
            )
        # Further on, the message about such a header would repeat it.
        if not re.fullmatch(r"[!-~]*", self.key):
            raise InputError(
                "The key in OPENAI_API_KEY holds a space or another character that no key has. Set it anew."
            )

    @property
    def name(self) -> str:
        """The address as it may be told."""
        return without_credentials(self.url)


@dataclass(frozen=True)
class Reply:
    """What a model answered: its text, or a refusal in the place of one, why it ended, and who says so."""

    text: str
    refusal: str
    finish_reason: str
    served_model: str
    usage: Mapping[str, Any]


class Temporary(Exception):
    """A request that failed and may not fail again; the message is the reason.

    `after_seconds` is how long the server wants to be left alone, `broken` whether the connection itself failed.
    """

    def __init__(self, reason: str, after_seconds: float | None = None, broken: bool = False) -> None:
        super().__init__(reason)
        self.after_seconds = after_seconds
        self.broken = broken


class Rejected(Exception):
    """A request that the server will not answer, however often it is sent; the message is the reason."""

    def __init__(self, reason: str, status: int) -> None:
        super().__init__(reason)
        self.status = status


class _TooLong(openai.OpenAIError):
    """An answer of more than LONGEST_BYTES."""


class Connection:
    """A connection to a server, of one event loop. Use it as an asynchronous context manager."""

    def __init__(self, server: Server) -> None:
        self.server = server
        self._private = is_private(server.url)
        self._openai = openai.AsyncOpenAI(
            base_url=server.url,
            api_key=server.key or "none",
            max_retries=0,
            timeout=openai.Timeout(None, connect=CONNECT_SECONDS),
            http_client=_BoundedClient(
                secret=server.key,
                follow_redirects=False,
                # A server in the house is spoken to directly, never through the proxy that leads out of it.
                trust_env=not self._private,
            ),
        )

    async def __aenter__(self) -> Connection:
        return self

    async def __aexit__(self, *_: object) -> None:
        await self._openai.close()

    def check_upload(self) -> None:
        """Raise InputError where media may not be sent to this server."""
        if not self._private and not self.server.allow_upload:
            raise InputError(
                f"{self.server.name} is not a private address, and the clips' sound and pictures would be sent there. "
                "The licences of emotion corpora forbid to pass media on. Serve a model yourself (mertools ov serve), "
                "or say --allow-upload if your corpus permits it."
            )

    async def complete(self, body: Mapping[str, Any]) -> Reply:
        """Send a request for one chat completion.

        Raises Temporary or Rejected, and InputError for what is wrong with every request: the key, the model's name,
        the address.
        """
        try:
            async with asyncio.timeout(self.server.timeout_seconds):
                # As bytes: the typed call would look at every field twice, a fifth of what an answer costs.
                content = await self._openai.post("/chat/completions", cast_to=bytes, body=body)
        except TimeoutError:
            raise Temporary(f"no whole answer within {self.server.timeout_seconds:g} s") from None
        except openai.APIStatusError as error:
            raise self._refused(error, body["model"]) from None
        except (openai.APIConnectionError, _TooLong) as error:
            # Some versions of the SDK pass on what its HTTP client raises, others call it trouble with the connection.
            cause = error.__cause__ or error
            if isinstance(cause, _TooLong):
                raise Rejected(str(cause), 200) from None
            said = _folded(str(cause))[:SAID].rstrip(".") or type(cause).__name__
            raise Temporary(f"the connection failed ({said})", broken=True) from None
        return _reply(content)

    async def is_there(self) -> bool:
        """Whether anyone answers at the server's address, be it with an error."""
        try:
            await self._models()
        except openai.APIStatusError:
            return True
        except (openai.OpenAIError, TimeoutError):
            return False
        return True

    async def models(self) -> list[str]:
        """The models that the server names, empty for a server without such a list or with a broken one.

        Raises InputError where no one answers, or not yet.
        """
        try:
            content = await self._models()
        except openai.APIStatusError as error:
            refused = self._refused(error, "")
            if error.status_code != 404 and isinstance(refused, InputError):
                raise refused from None
            # 500 is a list that is broken for good, as that of `transformers serve` without a hub to look at.
            if isinstance(refused, Temporary) and error.status_code != BROKEN:
                raise InputError(
                    f"{self.server.name} cannot say yet which models it has ({refused}). Try again in a while."
                ) from None
            return []
        except (openai.OpenAIError, TimeoutError):
            raise self.unreachable() from None
        try:
            return [str(model["id"]) for model in json.loads(content)["data"]]
        except (ValueError, LookupError, TypeError):
            return []

    async def _models(self) -> bytes:
        async with asyncio.timeout(LISTING_SECONDS):
            return await self._openai.get("/models", cast_to=bytes)

    def unreachable(self) -> InputError:
        """What to say when no one answers."""
        return InputError(
            f"No language model answers at {self.server.name}. Start one: mertools ov serve. Or name another with "
            "--server, or with the environment variable OPENAI_BASE_URL."
        )

    def _refused(self, error: openai.APIStatusError, model: str) -> Exception:
        status, code, said = error.status_code, error.code, _said(error)
        name = self.server.name
        if status < 400:
            elsewhere = without_credentials(error.response.headers.get("location", "another address"))
            return InputError(f"{name} sends us on to {elsewhere}. If that is right, name it with --server.")
        if status == 401:
            return InputError(f"{name} does not accept the key: {said}. Set the environment variable OPENAI_API_KEY.")
        if status == 402 or code == "insufficient_quota":
            return InputError(f"{name} wants to be paid first: {said}.")
        if status == 404:
            return InputError(
                f"{name} has no model {model!r}, or is not the address of a chat API: {said}. See to --model and "
                "--server, which mostly ends in /v1."
            )
        if code in ("content_filter", "content_policy_violation"):
            return Rejected(f"refused: {said}", status)
        if status in TEMPORARY or (status >= 500 and status != NOT_IMPLEMENTED):
            return Temporary(f"status {status}: {said}", retry_after_seconds(error.response.headers.get("retry-after")))
        return Rejected(f"status {status}: {said}", status)


def _is_address(url: str) -> bool:
    try:
        parts = urlsplit(url)
        return parts.scheme in ("http", "https") and bool(parts.hostname) and parts.port != 0
    except ValueError:
        return False


async def served_models(server: Server) -> list[str]:
    """The models that a server names; see `Connection.models`."""
    async with Connection(server) as connection:
        return await connection.models()


class _BoundedClient(openai.DefaultAsyncHttpxClient):
    """An HTTP client that reads no body beyond LONGEST_BYTES, and blots out the key where a server repeats it."""

    def __init__(self, secret: str, **options: Any) -> None:
        super().__init__(**options)
        self._secret = secret.encode() if len(secret) >= SHORTEST_SECRET else b""

    async def send(self, request: Any, **options: Any) -> Any:
        response = await super().send(request, **(options | {"stream": True}))
        body = bytearray()
        try:
            async for part in response.aiter_bytes():
                body += part
                if len(body) > LONGEST_BYTES:
                    raise _TooLong(f"the answer is longer than {LONGEST_BYTES >> 20} MB")
        finally:
            await response.aclose()
        content = bytes(body).replace(self._secret, b"***") if self._secret else bytes(body)
        # The body is decoded by now: what described its encoding no longer holds.
        headers = {
            name: value
            for name, value in response.headers.items()
            if name not in ("content-encoding", "content-length", "transfer-encoding")
        }
        return type(response)(response.status_code, headers=headers, content=content, request=request)


def _reply(content: bytes) -> Reply:
    try:
        answer = json.loads(content)
        choice = answer["choices"][0]
        message = choice["message"]
        return Reply(
            _text(message.get("content")),
            _text(message.get("refusal")),
            _text(choice.get("finish_reason")),
            _text(answer.get("model")),
            answer.get("usage") or {},
        )
    except (ValueError, LookupError, TypeError, AttributeError, RecursionError):
        beginning = _folded(content[:SAID].decode(errors="replace"))
        raise Temporary(f"what came is no chat completion: {beginning!r}") from None


def _text(value: object) -> str:
    return encodable(value) if isinstance(value, str) else ""


def _said(error: openai.APIStatusError) -> str:
    body = error.body
    message = body.get("message") if isinstance(body, dict) else body
    return _folded(str(message or error.response.text))[:SAID].rstrip(".") or "no reason given"


def _folded(text: str) -> str:
    return " ".join(_text(text).split())
