"""The local server of the embedded language model: what it refuses, and that it serves and ends."""

from __future__ import annotations

import json
import os
import signal
import socket
import subprocess
import sys
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from types import SimpleNamespace

import pytest
from local_servers import ANSWER, LocalModel, ask, smollm2_server, transformers_server

from mertools.__main__ import dispatch
from mertools.errors import InputError
from mertools.ov import local_server
from mertools.ov.client import Client, Parameters
from mertools.ov.connection import Server
from mertools.ov.descriptions import Description
from mertools.ov.exchanges import Exchanges
from mertools.ov.labelling import extract_labels
from mertools.ov.local_server import LocalServer, ServerSettings, serving

LABELS = {
    "type": "object",
    "properties": {"labels": {"type": "array", "items": {"type": "string"}, "maxItems": 4}},
    "required": ["labels"],
    "additionalProperties": False,
}


@contextmanager
def client_of(at: LocalModel, folder: Path) -> Iterator[Client]:
    """The suite's own client of a local server."""
    with (
        Exchanges(folder / "exchanges.sqlite") as exchanges,
        Client(Server(at.address), Parameters(at.model, max_tokens=100), exchanges) as chat,
    ):
        yield chat


class BrokenLlama:
    """Stands in for xllamacpp where no server is ever made."""

    def CommonParams(self) -> SimpleNamespace:
        parts = {name: SimpleNamespace() for name in ("model", "cpuparams", "cpuparams_batch")}
        return SimpleNamespace(**parts)

    def Server(self, parameters: object) -> None:
        raise RuntimeError("Failed to init server.")


@pytest.fixture
def broken_llama(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(local_server, "import_module", lambda name: BrokenLlama())


def test_a_missing_extra_says_how_to_get_it(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "xllamacpp", None)
    with pytest.raises(InputError, match=r"pip install 'mertools\[smollm2\]'.*--server"):
        dispatch(["ov", "serve", "--port", "0"])


@pytest.mark.usefixtures("broken_llama")
def test_refuses_what_is_no_model(tmp_path: Path) -> None:
    (tmp_path / "model.gguf").write_bytes(b"PK\x03\x04 and so on")
    with pytest.raises(InputError, match=r"model\.gguf is not a GGUF file: it begins with b'PK"):
        dispatch(["ov", "serve", "--model", str(tmp_path / "model.gguf")])
    with pytest.raises(InputError, match=r"no model file .*absent\.gguf"):
        LocalServer(ServerSettings(model=tmp_path / "absent.gguf"))
    (tmp_path / "model.gguf").write_bytes(b"GGUF and nothing more")
    with pytest.raises(InputError, match=r"llama\.cpp cannot serve .*model\.gguf: Failed to init server\."):
        LocalServer(ServerSettings(model=tmp_path / "model.gguf"))


@pytest.mark.usefixtures("broken_llama")
def test_a_port_that_is_taken_is_one_error(tmp_path: Path) -> None:
    (tmp_path / "model.gguf").write_bytes(b"GGUF")
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        with pytest.raises(InputError, match=rf"Cannot listen at 127\.0\.0\.1:{port}: .*in use.*--port"):
            LocalServer(ServerSettings(model=tmp_path / "model.gguf", port=port))


@pytest.mark.parametrize("port", ["-1", "65536", "http"])
def test_a_port_is_a_number(port: str, capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit, match="2"):
        dispatch(["ov", "serve", f"--port={port}"])
    assert f"{port!r} is not a port" in capsys.readouterr().err


def test_what_is_wrong_in_the_other_process_is_said_in_this_one(tmp_path: Path) -> None:
    pytest.importorskip("xllamacpp", reason="the extra smollm2 is not installed")
    with pytest.raises(InputError, match="no model file"), serving(ServerSettings(model=tmp_path / "absent.gguf")):
        pass


@pytest.mark.slow
def test_smollm2_answers_in_words_and_by_a_schema() -> None:
    with smollm2_server() as server:
        assert server.address.startswith("http://127.0.0.1:")
        with urllib.request.urlopen(f"{server.address}/models", timeout=10) as answer:
            assert [model["id"] for model in json.load(answer)["data"]] == [server.model]
        assert ask(server, "Name three emotions.")
        labels = json.loads(ask(server, "Name three emotions.", LABELS, max_tokens=100))
        assert labels.keys() == {"labels"} and all(isinstance(label, str) for label in labels["labels"])
    with pytest.raises(OSError, match="refused"):
        urllib.request.urlopen(f"{server.address}/models", timeout=10)


@pytest.mark.slow
def test_the_command_says_where_it_serves_and_ends_quietly() -> None:
    with smollm2_server():
        pass
    command = [sys.executable, "-m", "mertools", "ov", "serve", "--port", "0", "--context", "512", "--parallel", "1"]
    process = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
    said = process.stdout.readline()
    assert said.startswith("Serving SmolLM2-135M-Instruct at http://127.0.0.1:") and "/v1 (" in said
    assert "stand-in" in process.stdout.readline()
    process.send_signal(signal.SIGINT)
    assert process.communicate(timeout=20) == ("", "") and process.returncode == 0


@pytest.mark.slow
def test_the_server_ends_with_the_process_that_wanted_it() -> None:
    with smollm2_server():
        pass
    code = (
        "from mertools.ov.local_server import serving\n"
        "if __name__ == '__main__':\n"
        "    with serving() as address:\n"
        "        print(address, flush=True)\n"
        "        input()\n"
    )
    process = subprocess.Popen([sys.executable, "-c", code], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
    address = process.stdout.readline().strip()
    os.kill(process.pid, signal.SIGKILL)
    process.wait()
    for _ in range(100):
        try:
            urllib.request.urlopen(f"{address}/models", timeout=1).close()
        except OSError:
            return
        signal.sigtimedwait([], 0.1)
    pytest.fail("the server outlived its parent")


@pytest.mark.slow
def test_smollm2_does_not_repeat_itself_for_ever(tmp_path: Path) -> None:
    """Without its frequency penalty this list has no end."""
    with smollm2_server() as server, client_of(server, tmp_path) as chat:
        (done,) = extract_labels([Description("a", "", "She smiles: she is happy and grateful.", {}, {})], chat)
    assert not done.row.failed and 1 <= len(done.row.labels) < 12


@pytest.mark.slow
def test_transformers_serves_a_tiny_model(tmp_path: Path) -> None:
    with transformers_server(tmp_path) as server:
        assert ask(server, "Name three emotions.") == ANSWER
        with client_of(server, tmp_path) as chat:
            (done,) = extract_labels([Description("a", "", "She is happy.", {}, {})], chat)
    assert done.row.labels == ("happy", "surprised")
