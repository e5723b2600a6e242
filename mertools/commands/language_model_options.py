"""What commands that ask language models share: the options, and the chat they describe."""

from __future__ import annotations

import argparse
import os
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

from mertools.commands.command_line import count, positive
from mertools.errors import InputError
from mertools.registry import look_up

if TYPE_CHECKING:
    from mertools.ov.chat import Chat
    from mertools.ov.connection import Server
    from mertools.ov.exchanges import Exchanges

LOCAL_SERVER = "http://127.0.0.1:8080/v1"
"""Where `mertools ov serve` listens."""

CACHE_NAME = "exchanges.sqlite"
"""What the cache is called beside a command's output, where `--cache` does not say otherwise."""


def add_language_model_options(parser: argparse.ArgumentParser) -> None:
    """Which language model is asked, how, and where its answers are kept."""
    group = parser.add_argument_group(
        "language model", "Any server of the OpenAI-compatible chat API. Its key is read from $OPENAI_API_KEY."
    )
    group.add_argument(
        "--server", metavar="URL", help=f"the server's address (default: $OPENAI_BASE_URL, else {LOCAL_SERVER})"
    )
    group.add_argument("--model", metavar="NAME", help="the model's name there (default: the server's only one)")
    group.add_argument("--concurrency", type=positive, default=8, metavar="N", help="questions asked at once")
    group.add_argument(
        "--timeout",
        type=positive,
        default=300,
        metavar="SECONDS",
        help="how long an answer may take, to its last word",
    )
    group.add_argument("--temperature", type=temperature, default=0.0, help="0 for the likeliest answer, up to 2")
    group.add_argument("--max-tokens", type=positive, default=1024, metavar="N", help="where an answer is cut off")
    group.add_argument("--seed", type=count, default=0, help="of what is drawn, by the server too where it takes seeds")
    group.add_argument(
        "--cache", type=Path, metavar="FILE", help=f"where exchanges are kept (default: {CACHE_NAME} beside the output)"
    )
    group.add_argument("--retry-failed", action="store_true", help="ask anew what has failed before")
    group.add_argument("--allow-upload", action="store_true", help="send sound and pictures to public addresses too")
    group.add_argument("--replay", action="store_true", help="answers from the cache alone, without a server")


@contextmanager
def open_chat(options: argparse.Namespace, cache: Path) -> Iterator[Chat]:
    """The language model that the options name, its exchanges kept in the file `cache` unless they name another.

    Raises InputError for a server that is not there or lacks the model, and with `--replay` for a cache that is not
    there.
    """
    from mertools.ov.client import Client, Parameters
    from mertools.ov.exchanges import Exchanges

    cache = options.cache or cache
    if options.replay:
        if options.retry_failed:
            raise InputError("--replay asks no server, and --retry-failed would have to. Give one of them.")
        if not cache.is_file():
            raise InputError(f"There is no cache {cache} to replay. Name one with --cache, or leave out --replay.")
    server = None if options.replay else _server(options)
    with Exchanges(cache) as exchanges:
        model = _replayed_model(options.model, exchanges) if server is None else _served_model(options.model, server)
        parameters = Parameters(model, options.temperature, options.max_tokens, options.seed)
        with Client(server, parameters, exchanges, options.concurrency, retry_failed=options.retry_failed) as chat:
            yield chat


def temperature(text: str) -> float:
    """An option's value that is a number from 0 to 2."""
    try:
        value = float(text)
    except ValueError:
        value = -1.0
    if not 0 <= value <= 2:
        raise argparse.ArgumentTypeError(f"{text!r} is not a number from 0 to 2")
    return value


def _server(options: argparse.Namespace) -> Server:
    from mertools.ov.connection import Server

    return Server(
        options.server or os.environ.get("OPENAI_BASE_URL") or LOCAL_SERVER,
        os.environ.get("OPENAI_API_KEY", "").strip(),
        options.timeout,
        options.allow_upload,
    )


def _served_model(name: str | None, server: Server) -> str:
    """The model asked for, or the only one there is."""
    import asyncio

    from mertools.ov.connection import served_models

    models = asyncio.run(served_models(server))
    if name is None:
        return _only(models, server.name)
    # A server that names no models may still have this one, and transformers' serves folders it does not name.
    if models and not Path(name).is_dir():
        look_up(f"model of {server.name}", name, dict.fromkeys(models))
    return name


def _replayed_model(name: str | None, exchanges: Exchanges) -> str:
    models = exchanges.models()
    if name is None:
        return _only(models, str(exchanges.path))
    look_up(f"model in {exchanges.path}", name, dict.fromkeys(models))
    return name


def _only(models: Sequence[str], where: str) -> str:
    if len(models) != 1:
        raise InputError(f"{where} has the models {', '.join(models) or 'none'}. Choose one with --model.")
    return models[0]
