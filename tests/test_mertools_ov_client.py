"""Questions are answered, or failed with their reason, whatever the server does."""

from __future__ import annotations

import base64
import io
import json
import logging
import os
import random
import re
import signal
import socket
import subprocess
import sys
import threading
import time
import wave
from collections import Counter
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import Any

import pytest
from scripted_server import Reply, Script, ScriptedServer

from mertools.errors import InputError
from mertools.media import UnreadableMedia
from mertools.ov import connection
from mertools.ov.chat import Answer, Medium, Question, Unreadable
from mertools.ov.client import Client, Parameters
from mertools.ov.connection import Connection, Server
from mertools.ov.exchanges import Exchanges
from mertools.ov.prompts import REPAIR
from mertools.ov.retries import Retries

QUICK = Retries(tries=3, first_wait_seconds=0.01, longest_wait_seconds=0.5)
SCHEMA = {"type": "array", "items": {"type": "string"}}


def labels(text: str) -> tuple[str, ...]:
    """A reader that takes lists in JSON, numbered lists, and lists amid prose."""
    if numbered := re.findall(r"^\d+\. (.+)$", text, re.MULTILINE):
        return tuple(numbered)
    found = re.search(r"\[.*?\]", text, re.DOTALL)
    try:
        items = json.loads(found[0]) if found else None
    except ValueError:
        items = None
    if items is None or not all(isinstance(item, str) for item in items):
        raise Unreadable("it is not a list of strings")
    return tuple(items)


def question(name: str, **more: Any) -> Question[tuple[str, ...]]:
    return Question(name, f"Which emotions are in {name}?", labels, **more)


def clip_of(request: Mapping[str, Any]) -> str:
    content = request["messages"][0]["content"]
    text = content if isinstance(content, str) else content[-1]["text"]
    return re.search(r"in (\S+)\?", text)[1]


def ask(
    server: ScriptedServer | None,
    cache: Path,
    questions: list[Question],
    run: int = 0,
    concurrency: int = 16,
    retry_failed: bool = False,
    timeout_seconds: float = 30,
    **parameters: Any,
) -> list[Answer]:
    address = None if server is None else Server(server.url, timeout_seconds=timeout_seconds)
    with (
        Exchanges(cache) as exchanges,
        Client(address, Parameters("scripted", **parameters), exchanges, concurrency, QUICK, retry_failed) as client,
    ):
        return list(client.answers(iter(questions), run))


@pytest.fixture
def cache(tmp_path: Path) -> Path:
    return tmp_path / "exchanges.sqlite"


# What the server does with the clips of one kind: the n-th request about a clip (from 0) gives a reply; what comes of
# the clip, labels or the beginning of a reason; and how many requests that takes.
GOOD = '["happy", "it\'s complicated"]'
KINDS: dict[str, tuple[Callable[[int], Reply | str], tuple[str, ...] | str, int]] = {
    "good": (lambda n: GOOD, ("happy", "it's complicated"), 1),
    "prose": (lambda n: f"Of course! The emotions are {GOOD}. Do you need more?", ("happy", "it's complicated"), 1),
    "numbered": (lambda n: "1. happy\n2. it's complicated", ("happy", "it's complicated"), 1),
    "none": (lambda n: "[]", (), 1),
    "busy": (lambda n: Reply("slow down", 429, headers={"Retry-After": "0"}) if n == 0 else GOOD, ("happy",), 2),
    "always-busy": (lambda n: Reply("slow down", 429), "status 429: slow down", 3),
    "broken": (lambda n: Reply("out of memory", 500) if n < 2 else GOOD, ("happy",), 3),
    "always-broken": (lambda n: Reply("out of memory", 500), "status 500: out of memory", 3),
    "timeout": (lambda n: Reply(GOOD, delay_seconds=60), "no whole answer within 2 s", 3),
    "slow-once": (lambda n: Reply(GOOD, delay_seconds=60 if n == 0 else 0), ("happy",), 2),
    "dribble": (lambda n: Reply(endless="dribble"), "no whole answer within 2 s", 3),
    "half-a-body": (lambda n: Reply(GOOD, cut=True), "the connection failed", 3),
    "cut-once": (lambda n: Reply(GOOD, cut=True) if n == 0 else GOOD, ("happy",), 2),
    "not-json": (lambda n: Reply(body=b"<html>Welcome"), "what came is no chat completion: '<html>Welcome'", 3),
    "no-choices": (lambda n: Reply(body=b'{"choices": []}'), "what came is no chat completion", 3),
    "half-json": (lambda n: '["happy", "sa' if n == 0 else GOOD, ("happy",), 2),
    "always-half": (lambda n: '["happy", "sa', "unreadable: it is not a list of strings", 2),
    "too-long": (lambda n: Reply(GOOD, finish_reason="length"), "unreadable: it was cut off after 1024 tokens", 2),
    "wrong-schema": (lambda n: "[1, 2]" if n == 0 else GOOD, ("happy",), 2),
    "refused": (lambda n: "I'm sorry, but I can't assist with that.", "refused: I'm sorry, but", 1),
    "refused-zh": (lambda n: "抱歉，我无法协助。", "refused: 抱歉", 1),
    "refused-field": (lambda n: Reply(refusal="No."), "refused: No.", 1),
    "filtered": (lambda n: Reply(finish_reason="content_filter"), "refused: by the server's content filter", 1),
    "filtered-400": (lambda n: Reply("the policy", 400, code="content_filter"), "refused: the policy", 1),
    "empty": (lambda n: " \n", "the answer was empty", 2),
    "empty-once": (lambda n: "" if n == 0 else GOOD, ("happy",), 2),
    "rejected": (lambda n: Reply("the prompt is too long", 400), "status 400: the prompt is too long", 1),
    "forbidden": (lambda n: Reply("not for you", 403), "status 403: not for you", 1),
}


def scripted(kinds: Mapping[str, Callable[[int], Reply | str]]) -> Script:
    asked: Counter[str] = Counter()

    def script(request: Mapping[str, Any]) -> Reply | str:
        clip = clip_of(request)
        asked[clip] += 1
        return kinds[clip.partition("_")[0]](asked[clip] - 1)

    return script


def test_200_clips_come_through_whatever_the_server_does(cache: Path) -> None:
    names = [f"{kind}_{number}" for number, kind in zip(range(200), list(KINDS) * 8, strict=False)]
    questions = [question(name) for name in names]
    expected = sum(KINDS[name.partition("_")[0]][2] for name in names)
    with ScriptedServer(scripted({kind: reply for kind, (reply, _, _) in KINDS.items()})) as server:
        answers = ask(server, cache, questions, concurrency=32, timeout_seconds=2)
        assert [answer.question.name for answer in answers] == names
        for answer in answers:
            _, outcome, requests = KINDS[answer.question.name.partition("_")[0]]
            assert answer.requests == requests, answer
            if isinstance(outcome, str):
                assert answer.value is None and answer.reason.startswith(outcome), answer
            else:
                assert answer.value[:1] == outcome[:1] and answer.reason == "", answer
        assert len(server.requests) == expected

        again = ask(server, cache, questions)
        assert len(server.requests) == expected, "a second run asks nothing"
        assert [(one.value, one.reason, one.requests) for one in again] == [
            (one.value, one.reason, 0) for one in answers
        ]
        replayed = ask(None, cache, questions)
        assert [(one.value, one.reason) for one in replayed] == [(one.value, one.reason) for one in answers]


def test_retry_failed_asks_the_failed_ones_anew(cache: Path) -> None:
    names = [f"{kind}_0" for kind in ("good", "refused", "always-half", "rejected", "empty", "half-json")]
    questions = [question(name) for name in names] + [question("refused_0")]
    with ScriptedServer(scripted({kind: reply for kind, (reply, _, _) in KINDS.items()})) as server:
        ask(server, cache, questions)
    with ScriptedServer(lambda request: GOOD) as server:
        answers = ask(server, cache, questions, retry_failed=True)
        assert sorted(map(clip_of, server.requests)) == ["always-half_0", "empty_0", "refused_0", "rejected_0"]
        assert not any(answer.reason for answer in answers)
        assert all(answer.reason == "" for answer in ask(server, cache, questions, retry_failed=True))
        assert len(server.requests) == 4
    with Exchanges(cache) as exchanges:
        assert sum(one.status == "failed" for one in exchanges) == 2, "what failed before stays for an audit"


def test_a_busy_server_is_left_alone_as_long_as_it_asks(cache: Path) -> None:
    arrivals = []

    def script(request: Mapping[str, Any]) -> Reply:
        arrivals.append(time.monotonic())
        return Reply(GOOD) if len(arrivals) == 2 else Reply("slow down", 429, headers={"Retry-After": "1"})

    with (
        ScriptedServer(script) as server,
        Exchanges(cache) as exchanges,
        Client(Server(server.url), Parameters("m"), exchanges, retries=Retries(first_wait_seconds=0)) as client,
    ):
        (answer,) = client.answers([question("a")])
    assert answer.requests == 2 and arrivals[1] - arrivals[0] >= 1


def test_an_unreadable_answer_is_sent_back_with_what_is_wrong(cache: Path) -> None:
    with ScriptedServer(lambda request: GOOD if len(request["messages"]) == 3 else "happy, I think") as server:
        (answer,) = ask(server, cache, [question("a")])
    assert answer.value == ("happy", "it's complicated") and answer.text == GOOD and answer.requests == 2
    assert server.requests[1]["messages"] == [
        {"role": "user", "content": "Which emotions are in a?"},
        {"role": "assistant", "content": "happy, I think"},
        {"role": "user", "content": REPAIR.format(fault="it is not a list of strings")},
    ]


def test_answers_come_in_order_from_a_bounded_window(cache: Path) -> None:
    taken = []

    def questions() -> Iterator[Question]:
        for number in range(200):
            taken.append(number)
            yield question(f"clip_{number:03d}")

    def script(request: Mapping[str, Any]) -> Reply:
        return Reply(GOOD, delay_seconds=0.3 if clip_of(request).endswith("0") else 0)

    with (
        ScriptedServer(script) as server,
        Exchanges(cache) as exchanges,
        Client(Server(server.url), Parameters("scripted"), exchanges, concurrency=4) as client,
    ):
        given = 0
        for number, answer in enumerate(client.answers(questions())):
            given += 1
            assert answer.question.name == f"clip_{number:03d}"
            assert len(taken) <= number + 1 + 8 * 4
        assert given == 200 and server.most_at_once <= 4


def test_64_are_asked_at_once(cache: Path) -> None:
    with ScriptedServer(lambda request: Reply(GOOD, delay_seconds=0.5)) as server:
        ask(server, cache, [question(f"clip_{number}") for number in range(128)], concurrency=64)
    assert server.most_at_once == 64


def test_equal_questions_are_one_exchange(cache: Path) -> None:
    equal = [Question(name, "Which emotions are in this?", labels) for name in "abcdefgh"]
    with ScriptedServer(lambda request: Reply(GOOD, delay_seconds=0.1)) as server:
        answers = ask(server, cache, equal)
    assert len(server.requests) == 1 and sum(answer.requests for answer in answers) == 1
    assert {answer.value for answer in answers} == {("happy", "it's complicated")}


def test_runs_are_exchanges_of_their_own(cache: Path) -> None:
    with ScriptedServer(lambda request: GOOD) as server:
        for run in (0, 1, 0, 1):
            ask(server, cache, [question("a")], run=run)
    first, second = server.requests
    assert first["messages"] == second["messages"] and first["seed"] != second["seed"]


def test_answers_of_one_call_feed_the_questions_of_another(cache: Path) -> None:
    with (
        ScriptedServer(lambda request: GOOD) as server,
        Exchanges(cache) as exchanges,
        Client(Server(server.url), Parameters("scripted"), exchanges, concurrency=4) as client,
    ):
        first = client.answers(question(f"clip_{number}") for number in range(50))
        second = list(client.answers(question(f"again_{answer.question.name}") for answer in first))
    assert [one.question.name for one in second] == [f"again_clip_{number}" for number in range(50)]


def test_leaving_early_is_quick_and_loses_nothing(cache: Path) -> None:
    def script(request: Mapping[str, Any]) -> Reply:
        return Reply(GOOD, delay_seconds=0 if clip_of(request) == "clip_0" else 60)

    begin = time.monotonic()
    with (
        ScriptedServer(script) as server,
        Exchanges(cache) as exchanges,
        Client(Server(server.url), Parameters("scripted"), exchanges, concurrency=4) as client,
    ):
        next(client.answers(question(f"clip_{number}") for number in range(50)))
    assert time.monotonic() - begin < 10
    assert ask(None, cache, [question("clip_0")])[0].value == ("happy", "it's complicated")
    assert ask(None, cache, [question("clip_1")])[0].reason == "not in the cache"


def test_a_schema_is_sent_where_the_server_has_such_a_thing(cache: Path) -> None:
    with ScriptedServer(lambda request: GOOD) as server:
        ask(server, cache, [question(f"clip_{number}", schema=SCHEMA) for number in range(20)])
    assert all(request["response_format"]["json_schema"]["schema"] == SCHEMA for request in server.requests)


@pytest.mark.parametrize("status", [400, 422, 501])
def test_a_server_without_schemas_is_asked_for_one_once(cache: Path, status: int) -> None:
    def script(request: Mapping[str, Any]) -> Reply:
        return Reply("unknown field response_format", status) if "response_format" in request else Reply(GOOD)

    with ScriptedServer(script) as server:
        answers = ask(server, cache, [question(f"clip_{number}", schema=SCHEMA) for number in range(20)])
    assert not any(answer.reason for answer in answers)
    assert sum("response_format" in request for request in server.requests) == 1 and len(server.requests) == 21


def test_a_server_that_has_schemas_is_not_doubted_for_a_bad_question(cache: Path) -> None:
    def script(request: Mapping[str, Any]) -> Reply:
        return Reply("too long", 400) if clip_of(request) in ("clip_0", "clip_5") else Reply(GOOD)

    with ScriptedServer(script) as server:
        questions = [question(f"clip_{number}", schema=SCHEMA) for number in range(8)]
        reasons = [answer.reason for answer in ask(server, cache, questions, concurrency=1)]
    assert reasons[0].startswith("status 400") and reasons[5].startswith("status 400") and reasons.count("") == 6
    assert sum("response_format" not in request for request in server.requests) == 1


def wav() -> bytes:
    file = io.BytesIO()
    with wave.open(file, "wb") as sound:
        sound.setnchannels(1)
        sound.setsampwidth(2)
        sound.setframerate(16000)
        sound.writeframes(bytes(3200))
    return file.getvalue()


def test_media_reach_the_server_whole_and_the_cache_as_digests(cache: Path) -> None:
    media = [
        Medium("image", b"jpeg", "image/jpeg"),
        Medium("video", b"mp4", "video/mp4"),
        Medium("audio", wav(), "audio/wav"),
    ]
    threads = set()

    def load() -> list[Medium]:
        threads.add(threading.current_thread().name)
        return media

    asked = question("a", load=load, media_key="digest")
    with ScriptedServer(lambda request: GOOD) as server:
        assert ask(server, cache, [asked])[0].value
    image, video, audio, text = server.requests[0]["messages"][0]["content"]
    assert image == {"type": "image_url", "image_url": {"url": "data:image/jpeg;base64,anBlZw=="}}
    assert video == {"type": "video_url", "video_url": {"url": "data:video/mp4;base64,bXA0"}}
    assert audio["input_audio"]["format"] == "wav" and base64.b64decode(audio["input_audio"]["data"]) == wav()
    assert text == {"type": "text", "text": asked.prompt}
    assert "language model" not in threads, "media are decoded beside the requests, not between them"
    with Exchanges(cache) as exchanges:
        (kept,) = exchanges
    assert [part["type"] for part in kept.request["messages"][0]["content"]] == ["image", "video", "audio", "text"]
    assert len(json.dumps(kept.request)) < 1500

    def never() -> list[Medium]:
        raise AssertionError("decoded, though the answer is known")

    assert ask(None, cache, [question("a", load=never, media_key="digest")])[0].value


def test_media_that_cannot_be_read_fail_their_clip(cache: Path) -> None:
    def load() -> list[Medium]:
        raise UnreadableMedia("a.mp4 is empty (0 bytes)")

    with ScriptedServer(lambda request: GOOD) as server:
        answers = ask(server, cache, [question("a", load=load, media_key="digest"), question("b")])
    assert [answer.reason for answer in answers] == ["the media cannot be read: a.mp4 is empty (0 bytes)", ""]
    assert len(server.requests) == 1


PUBLIC = "http://192.0.9.1:9/v1"


def test_media_go_to_no_public_address(cache: Path) -> None:
    loaded = []
    asked = question("a", load=lambda: loaded.append(1), media_key="digest")
    with (
        Exchanges(cache) as exchanges,
        Client(Server(PUBLIC), Parameters("m"), exchanges) as client,
        pytest.raises(InputError, match=r"192\.0\.9\.1.*licences.*--allow-upload"),
    ):
        list(client.answers([asked]))
    assert not loaded


def test_media_go_where_the_user_says_so() -> None:
    Connection(Server(PUBLIC, allow_upload=True)).check_upload()
    Connection(Server("http://127.0.0.1:9/v1")).check_upload()


def test_a_private_server_is_spoken_to_past_every_proxy(cache: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("NO_PROXY", raising=False)
    monkeypatch.delenv("no_proxy", raising=False)
    with ScriptedServer(lambda request: GOOD) as proxy, ScriptedServer(lambda request: GOOD) as server:
        monkeypatch.setenv("HTTP_PROXY", proxy.url)
        monkeypatch.setenv("ALL_PROXY", proxy.url)
        assert ask(server, cache, [question("a")])[0].value
    assert len(server.requests) == 1


def test_nobody_is_followed_elsewhere(cache: Path) -> None:
    with ScriptedServer(lambda request: GOOD) as elsewhere:
        script = lambda request: Reply("moved", 307, headers={"Location": f"{elsewhere.url}/chat/completions"})  # noqa: E731
        with ScriptedServer(script) as server, pytest.raises(InputError, match="sends us on to"):
            ask(server, cache, [question("a")])
    assert not elsewhere.requests


def test_an_answer_without_end_is_cut_off(cache: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(connection, "LONGEST_BYTES", 1 << 20)
    for status in (200, 500):
        with ScriptedServer(lambda request, status=status: Reply(status=status, endless="flood")) as server:
            (answer,) = ask(server, cache, [question(f"clip_{status}")])
        assert answer.reason == "the answer is longer than 1 MB" and answer.requests == 1


def test_no_server_at_all_stops_at_once(cache: Path) -> None:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        url = f"http://127.0.0.1:{taken.getsockname()[1]}/v1"
    begin = time.monotonic()
    with (
        Exchanges(cache) as exchanges,
        Client(Server(url), Parameters("m"), exchanges) as client,
        pytest.raises(InputError, match=f"No language model answers at {url}.*mertools ov serve"),
    ):
        list(client.answers(question(f"clip_{number}") for number in range(100)))
    assert time.monotonic() - begin < 5
    with Exchanges(cache) as exchanges:
        assert not list(exchanges), "nothing is held against the clips"


def test_a_server_that_dies_stops_the_run_and_fails_no_clip(cache: Path) -> None:
    with Exchanges(cache) as exchanges:
        server = ScriptedServer(lambda request: Reply(GOOD, delay_seconds=0.05))
        with server, Client(Server(server.url), Parameters("m"), exchanges, 2, QUICK) as client:
            answers = client.answers(question(f"clip_{number}") for number in range(400))
            assert next(answers).value
            server.stop()
            with pytest.raises(InputError, match="No language model answers"):
                list(answers)
            with pytest.raises(InputError, match="No language model answers"):
                list(client.answers([question("another")]))
        assert all(exchange.status == "answered" for exchange in exchanges)


KEY = "sk-secret-0123456789"


@pytest.mark.parametrize(
    ("status", "code", "wanted"),
    [
        (401, None, "does not accept the key.*OPENAI_API_KEY"),
        (402, None, "wants to be paid"),
        (429, "insufficient_quota", "wants to be paid"),
        (404, "model_not_found", "has no model 'm'"),
    ],
)
def test_what_concerns_everyone_stops_the_run_and_tells_no_key(
    cache: Path, status: int, code: str | None, wanted: str
) -> None:
    with ScriptedServer(lambda request: Reply(f"no, {KEY} is wrong", status, code=code)) as server:
        with (
            Exchanges(cache) as exchanges,
            Client(Server(server.url, KEY), Parameters("m"), exchanges, concurrency=4) as client,
            pytest.raises(InputError, match=wanted) as caught,
        ):
            list(client.answers(question(f"clip_{number}") for number in range(100)))
        assert len(server.requests) <= 4
    assert "***" in str(caught.value) and KEY not in str(caught.value)


def test_the_key_reaches_the_server_and_no_other_place(cache: Path, caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.DEBUG)
    replies = [Reply(f"your key {KEY}", 400), Reply(f"your key {KEY}"), Reply(refusal=KEY), Reply(f"{KEY}", 500)]
    asked = iter(replies * 3)
    with (
        ScriptedServer(lambda request: next(asked)) as server,
        Exchanges(cache) as exchanges,
        Client(Server(server.url, KEY), Parameters("m"), exchanges, 1, QUICK) as client,
    ):
        answers = list(client.answers(question(f"clip_{number}") for number in range(4)))
        assert KEY not in repr(answers) + repr(client.source) + repr(Server(server.url, KEY))
    assert all(headers["authorization"] == f"Bearer {KEY}" for headers in server.headers)
    assert KEY not in caplog.text
    for file in cache.parent.iterdir():
        assert KEY.encode() not in file.read_bytes()


@pytest.mark.parametrize("key", ["sk-secret\n0123", "sk secret", "sk-sécret"])
def test_a_key_that_no_header_can_hold_is_refused_without_repeating_it(key: str) -> None:
    with pytest.raises(InputError, match="OPENAI_API_KEY") as caught:
        Server("http://127.0.0.1:8080/v1", key)
    assert key not in str(caught.value)


@pytest.mark.parametrize("url", ["http://127.0.0.1:8080/v1?key=sk-secret", "http://127.0.0.1:8080/v1#sk-secret"])
def test_a_key_behind_the_address_is_refused_without_repeating_it(url: str) -> None:
    with pytest.raises(InputError, match=r"behind http://127.0.0.1:8080/v1: leave that out.*OPENAI_API_KEY") as caught:
        Server(url)
    assert "sk-secret" not in str(caught.value)


def test_text_that_no_file_could_hold_is_kept(cache: Path) -> None:
    body = b'{"choices": [{"message": {"content": "[\\"\\ud83d\\"]"}, "finish_reason": "stop"}]}'
    with ScriptedServer(lambda request: Reply(body=body)) as server:
        (answer,) = ask(server, cache, [question("a\ud83d")])
    assert answer.value == ("?",)
    assert ask(None, cache, [question("a\ud83d")])[0].value == ("?",)


def test_media_without_a_key_are_our_fault(cache: Path) -> None:
    with pytest.raises(ValueError, match="the question about a has media"):
        ask(None, cache, [question("a", load=list)])


def test_an_answer_that_nests_too_deep(cache: Path) -> None:
    with ScriptedServer(lambda request: Reply(body=b"[" * 200_000)) as server:
        (answer,) = ask(server, cache, [question("a")])
    assert answer.reason.startswith("what came is no chat completion")


def test_a_fault_in_reading_is_ours(cache: Path) -> None:
    def faulty(text: str) -> None:
        raise ZeroDivisionError

    with ScriptedServer(lambda request: GOOD) as server, pytest.raises(ZeroDivisionError):
        ask(server, cache, [Question("a", "?", faulty)])


SCRIPT = """
import re, sys
from pathlib import Path

from mertools.ov.chat import Question, Unreadable
from mertools.ov.client import Client, Parameters
from mertools.ov.connection import Connection, Server
from mertools.ov.exchanges import Exchanges

def read(text):
    if text != "yes":
        raise Unreadable("say yes")

questions = [Question(f"clip {{n}}", f"Is it {{n}}?", read) for n in range({clips})]
with Exchanges(Path(sys.argv[2])) as exchanges, Client(
    Server(sys.argv[1]), Parameters("scripted"), exchanges, concurrency={concurrency}
) as client:
    assert all(answer.reason == "" for answer in client.answers(questions))
"""
CLIPS, CONCURRENCY = 150, 8


@pytest.mark.skipif(sys.platform == "win32", reason="POSIX signals")
@pytest.mark.parametrize("kills", [3, pytest.param(30, marks=[pytest.mark.slow, pytest.mark.timeout(1800)])])
def test_killed_at_random_moments(tmp_path: Path, kills: int) -> None:
    program = tmp_path / "run.py"
    program.write_text(SCRIPT.format(clips=CLIPS, concurrency=CONCURRENCY))

    def script(request: Mapping[str, Any]) -> Reply:
        repaired = len(request["messages"]) == 3 or not request["messages"][0]["content"].endswith("7?")
        return Reply("yes" if repaired else "no", delay_seconds=0.02)

    generator, folders, interrupted = random.Random(0), 0, 0
    cache, seen, repeats = tmp_path / "0.sqlite", Counter(), 0
    with ScriptedServer(script) as server:
        longest = 4.0
        while True:
            known = kept_conversations(cache)
            begin = time.monotonic()
            whole = run_within(program, server.url, cache, generator.uniform(0.5, longest), interrupted >= kills)
            asked = [json.dumps(request["messages"]) for request in server.requests]
            server.requests.clear()
            assert not known & set(asked), "what is in the cache is asked again"
            repeats += sum(seen[one] > 0 for one in asked)
            seen.update(asked)
            interrupted += not whole
            assert repeats <= interrupted * CONCURRENCY
            if whole:
                longest = max(time.monotonic() - begin, 1.0)
                assert len(seen) == CLIPS + sum(str(number).endswith("7") for number in range(CLIPS))
                if interrupted >= kills:
                    break
                folders += 1
                cache, seen, repeats = tmp_path / f"{folders}.sqlite", Counter(), 0


def run_within(program: Path, url: str, cache: Path, seconds: float, patiently: bool) -> bool:
    """Run the program; whether it ended before it was killed, after `seconds` unless `patiently`."""
    environment = {**os.environ, "PYTHONPATH": str(Path(__file__).parent.parent)}
    process = subprocess.Popen([sys.executable, program, url, cache], env=environment, stderr=subprocess.PIPE)
    try:
        _, errors = process.communicate(timeout=None if patiently else seconds)
    except subprocess.TimeoutExpired:
        process.send_signal(signal.SIGKILL)
        process.communicate()
        return False
    assert process.returncode == 0, errors.decode()
    return True


def kept_conversations(cache: Path) -> set[str]:
    if not cache.exists():
        return set()
    with Exchanges(cache) as exchanges:
        return {json.dumps(exchange.request["messages"]) for exchange in exchanges}
