"""What was said is kept, found again under its key, and never lost or replaced."""

from __future__ import annotations

import json
import multiprocessing
import os
import sqlite3
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mertools.errors import InputError
from mertools.ov.exchanges import Exchange, Exchanges, exchange_key

VALUES = st.none() | st.booleans() | st.integers() | st.text()
CONTENTS = st.fixed_dictionaries(
    {
        "parameters": st.dictionaries(st.text(), VALUES),
        "schema": st.none() | st.dictionaries(st.text(), VALUES),
        "prompt": st.text(),
        "media_key": st.text(),
        "run": st.integers(0, 100),
        "turns": st.lists(st.text(), max_size=2),
    }
)


def canonical(content: dict[str, Any]) -> str:
    return json.dumps(content, sort_keys=True)


@given(CONTENTS, CONTENTS)
def test_keys_are_equal_where_the_contents_are(one: dict[str, Any], other: dict[str, Any]) -> None:
    assert (exchange_key(**one) == exchange_key(**other)) == (canonical(one) == canonical(other))


@given(CONTENTS, st.data())
def test_a_key_says_everything(content: dict[str, Any], data: st.DataObject) -> None:
    part = data.draw(st.sampled_from(sorted(content)))
    changed = content | {part: data.draw(CONTENTS)[part]}
    assert (exchange_key(**content) == exchange_key(**changed)) == (canonical(content) == canonical(changed))


@given(CONTENTS)
def test_a_key_does_not_depend_on_the_order_of_names(content: dict[str, Any]) -> None:
    turned = content | {"parameters": dict(reversed(content["parameters"].items()))}
    assert exchange_key(**content) == exchange_key(**turned)


def test_prompt_and_media_do_not_run_into_each_other() -> None:
    assert exchange_key({}, None, "ab", "c", 0) != exchange_key({}, None, "a", "bc", 0)
    assert exchange_key({}, None, "a", "", 0) != exchange_key({}, None, "a", "", 1)
    assert exchange_key({}, None, "a", "", 0, ("b",)) != exchange_key({}, None, "a", "", 0, ("b", ""))


WHOLE = Exchange(
    "key",
    "qwen",
    {"messages": [{"role": "user", "content": "怎么了？"}]},
    2,
    text="['高兴']",
    refusal="no",
    finish_reason="stop",
    usage={"total_tokens": 3},
    served_model="qwen2.5",
    reason="why",
)


def test_an_exchange_is_kept_whole(tmp_path: Path) -> None:
    with Exchanges(tmp_path / "new" / "exchanges.sqlite") as exchanges:
        assert exchanges.latest("key") is None and exchanges.last_number() == 0
        exchanges.add(WHOLE)
    with Exchanges(tmp_path / "new" / "exchanges.sqlite") as exchanges:
        assert exchanges.latest("key") == WHOLE and list(exchanges) == [WHOLE]
        assert exchanges.models() == ["qwen"] and WHOLE.status == "failed"


def test_the_latest_counts_and_the_earlier_stay(tmp_path: Path) -> None:
    with Exchanges(tmp_path / "exchanges.sqlite") as exchanges:
        for number in range(3):
            exchanges.add(Exchange("key", "m", {}, 1, text=str(number)))
        assert exchanges.latest("key").text == "2" and [one.text for one in exchanges] == ["0", "1", "2"]
        assert exchanges.last_number() == 3 and exchanges.latest("key", after=3) is None
        assert exchanges.latest("key", after=2).text == "2"


def test_anyone_can_read_it_with_sql(tmp_path: Path) -> None:
    with Exchanges(tmp_path / "exchanges.sqlite") as exchanges:
        exchanges.add(WHOLE)
    row = sqlite3.connect(tmp_path / "exchanges.sqlite").execute(
        "SELECT status, reason, text, json_extract(request, '$.messages[0].content') FROM exchanges"
    )
    assert row.fetchall() == [("failed", "why", "['高兴']", "怎么了？")]


def add_and_die(path: Path) -> None:
    exchanges = Exchanges(path)
    for number in range(10):
        exchanges.add(Exchange(str(number), "m", {}, 1, text="yes"))
    os.kill(os.getpid(), 9)


def add_many(path: Path, name: str) -> None:
    with Exchanges(path) as exchanges:
        for number in range(200):
            exchanges.add(Exchange(f"{name} {number}", "m", {}, 1, text="x" * 1000))


def test_what_was_added_survives_a_killed_process(tmp_path: Path) -> None:
    process = multiprocessing.get_context("spawn").Process(target=add_and_die, args=(tmp_path / "exchanges.sqlite",))
    process.start()
    process.join()
    with Exchanges(tmp_path / "exchanges.sqlite") as exchanges:
        assert [one.key for one in exchanges] == [str(number) for number in range(10)]


def test_several_processes_share_a_file(tmp_path: Path) -> None:
    path = tmp_path / "exchanges.sqlite"
    context = multiprocessing.get_context("spawn")
    processes = [context.Process(target=add_many, args=(path, name)) for name in "ab"]
    for process in processes:
        process.start()
    for process in processes:
        process.join()
        assert process.exitcode == 0
    with Exchanges(path) as exchanges:
        assert exchanges.last_number() == 400 and len({one.key for one in exchanges}) == 400


@pytest.mark.parametrize("content", [b"name,openset\n" * 200, b"SQLite format 3\0" + b"\xff" * 5000])
def test_a_file_of_another_kind_is_refused_and_left_alone(tmp_path: Path, content: bytes) -> None:
    path = tmp_path / "labels.csv"
    path.write_bytes(content)
    with pytest.raises(InputError, match=r"labels\.csv cannot be used.*--cache"):
        Exchanges(path)
    assert path.read_bytes() == content


def test_a_file_of_a_later_version_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "exchanges.sqlite"
    Exchanges(path).close()
    database = sqlite3.connect(path)
    database.execute("PRAGMA user_version = 2")
    database.close()
    with pytest.raises(InputError, match="version 2"):
        Exchanges(path)
