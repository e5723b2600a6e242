"""The options that every command with a language model has, and the chat they open."""

from __future__ import annotations

import argparse
import socket
from pathlib import Path

import pytest
from scripted_server import Reply, ScriptedServer

from mertools.commands.language_model_options import CACHE_NAME, add_language_model_options, open_chat
from mertools.errors import InputError
from mertools.ov.chat import Answer, Question


@pytest.fixture(autouse=True)
def environment(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("OPENAI_BASE_URL", "OPENAI_API_KEY"):
        monkeypatch.delenv(name, raising=False)


def parsed(*words: str) -> argparse.Namespace:
    parser = argparse.ArgumentParser()
    add_language_model_options(parser)
    return parser.parse_args(words)


def ask(folder: Path, *words: str, prompt: str = "well?") -> tuple[Answer, dict]:
    with open_chat(parsed(*words), folder / CACHE_NAME) as chat:
        (answer,) = chat.answers([Question("a", prompt, str)])
        return answer, dict(chat.source)


def test_the_servers_only_model_is_asked_as_the_options_say(tmp_path: Path) -> None:
    words = ["--temperature", "0.7", "--max-tokens", "64", "--seed", "3"]
    with ScriptedServer(lambda request: "fine", models=("qwen",)) as server:
        answer, source = ask(tmp_path, "--server", server.url, *words)
        again, _ = ask(tmp_path, "--server", server.url, *words)
        other, _ = ask(tmp_path, "--server", server.url, *words, "--seed", "4")
    assert (answer.value, answer.requests, again.requests, other.requests) == ("fine", 1, 0, 1)
    assert source == {"model": "qwen", "temperature": 0.7, "max_tokens": 64, "seed": 3}
    sent = server.requests[0]
    assert (sent["model"], sent["temperature"], sent["max_tokens"]) == ("qwen", 0.7, 64)
    assert sent["seed"] != server.requests[1]["seed"]
    assert (tmp_path / CACHE_NAME).is_file()


def test_the_environment_names_server_and_key(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    with ScriptedServer(lambda request: "fine") as server:
        monkeypatch.setenv("OPENAI_BASE_URL", server.url)
        monkeypatch.setenv("OPENAI_API_KEY", "sk-0123456789\n")
        ask(tmp_path, "--cache", str(tmp_path / "elsewhere" / "kept.sqlite"))
    assert server.headers[0]["authorization"] == "Bearer sk-0123456789"
    assert (tmp_path / "elsewhere" / "kept.sqlite").is_file()


def test_replay_needs_no_server(tmp_path: Path) -> None:
    with ScriptedServer(lambda request: "fine", models=("qwen",)) as server:
        ask(tmp_path, "--server", server.url)
    assert ask(tmp_path, "--replay")[0].value == "fine"
    assert ask(tmp_path, "--replay", "--model", "qwen")[0].value == "fine"
    unknown, _ = ask(tmp_path, "--replay", prompt="something else?")
    assert (unknown.value, unknown.reason, unknown.requests) == (None, "not in the cache", 0)


def test_retry_failed(tmp_path: Path) -> None:
    replies = iter([Reply("too long", 400), Reply("fine")])
    with ScriptedServer(lambda request: next(replies)) as server:
        assert ask(tmp_path, "--server", server.url)[0].reason == "status 400: too long"
        assert ask(tmp_path, "--server", server.url)[0].requests == 0
        assert ask(tmp_path, "--server", server.url, "--retry-failed")[0].value == "fine"


@pytest.mark.parametrize(
    ("words", "models", "message"),
    [
        ([], ("qwen", "salmonn"), "has the models qwen, salmonn. Choose one with --model"),
        ([], (), "has the models none"),
        (["--model", "qwem"], ("qwen", "salmonn"), "Did you mean 'qwen'?"),
    ],
)
def test_which_model(tmp_path: Path, words: list[str], models: tuple[str, ...], message: str) -> None:
    with (
        ScriptedServer(lambda request: "fine", models=models) as server,
        pytest.raises(InputError) as caught,
    ):
        ask(tmp_path, "--server", server.url, *words)
    assert message in str(caught.value) and not server.requests


def test_a_model_that_the_server_does_not_name(tmp_path: Path) -> None:
    with ScriptedServer(lambda request: request["model"], models=()) as server:
        assert ask(tmp_path, "--server", server.url, "--model", "mine")[0].value == "mine"
    with ScriptedServer(lambda request: request["model"], models=("other",)) as server:
        assert ask(tmp_path, "--server", server.url, "--model", str(tmp_path))[0].value == str(tmp_path)


@pytest.mark.parametrize(
    ("status", "message"), [(503, "cannot say yet which models it has (status 503: Loading"), (401, "OPENAI_API_KEY")]
)
def test_a_server_that_does_not_list_its_models_now(tmp_path: Path, status: int, message: str) -> None:
    with (
        ScriptedServer(lambda request: "fine", listing=Reply("Loading model", status)) as server,
        pytest.raises(InputError) as caught,
    ):
        ask(tmp_path, "--server", server.url, "--model", "scripted")
    assert message in str(caught.value)


@pytest.mark.parametrize("status", [404, 500])
def test_a_server_without_a_list_of_models(tmp_path: Path, status: int) -> None:
    with ScriptedServer(lambda request: "fine", listing=Reply("no such path", status)) as server:
        assert ask(tmp_path, "--server", server.url, "--model", "mine")[0].value == "fine"


def test_no_server_says_how_to_start_one(tmp_path: Path) -> None:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        url = f"http://127.0.0.1:{taken.getsockname()[1]}/v1"
        with pytest.raises(InputError, match=f"No language model answers at {url}. Start one: mertools ov serve"):
            ask(tmp_path, "--server", url)


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (["--server", "127.0.0.1:8080"], "is not the address of a server"),
        (["--server", "ftp://models/v1"], "Wanted one such as http://127.0.0.1:8080/v1"),
        (["--server", "http://[::1/v1"], "is not the address of a server"),
        (["--server", "http://localhost:99999/v1"], "is not the address of a server"),
        (["--replay"], "There is no cache"),
        (["--replay", "--retry-failed"], "Give one of them"),
    ],
)
def test_options_that_make_no_sense(tmp_path: Path, words: list[str], message: str) -> None:
    with pytest.raises(InputError) as caught:
        ask(tmp_path, *words)
    assert message in str(caught.value)
    assert not list(tmp_path.iterdir())


@pytest.mark.parametrize("words", [["--temperature", "3"], ["--temperature", "nan"], ["--concurrency", "0"]])
def test_values_out_of_bounds(words: list[str]) -> None:
    with pytest.raises(SystemExit):
        parsed(*words)
