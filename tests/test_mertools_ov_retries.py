"""How long a client waits before it tries again."""

from __future__ import annotations

from datetime import UTC, datetime

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mertools.ov.retries import Retries, retry_after_seconds

NOW = datetime(2024, 5, 1, 12, 0, 0, tzinfo=UTC)
DRAWS = st.floats(0, 1, exclude_max=True)


@given(st.integers(1, 60), DRAWS)
def test_waits_double_up_to_the_longest(attempt: int, draw: float) -> None:
    wanted = min(2 ** (attempt - 1), 120)
    assert wanted / 2 <= Retries().wait_seconds(attempt, None, draw) <= wanted


@given(st.integers(1, 60), st.floats(0, 1e6), DRAWS)
def test_the_server_is_left_alone_as_long_as_it_asks_within_reason(attempt: int, asked: float, draw: float) -> None:
    assert min(asked, 120) <= Retries().wait_seconds(attempt, asked, draw) <= min(asked + 1, 120)


@pytest.mark.parametrize(
    ("header", "seconds"),
    [
        (None, None),
        ("", None),
        ("0", 0),
        ("30", 30),
        ("Wed, 01 May 2024 12:00:20 GMT", 20),
        ("Wed, 01 May 2024 11:00:00 GMT", 0),
        ("Wed, 01 May 2024 12:00:20 -0000", 20),
        ("soon", None),
        ("-5", None),
    ],
)
def test_both_ways_to_say_when(header: str | None, seconds: float | None) -> None:
    assert retry_after_seconds(header, NOW) == seconds


@given(st.text())
def test_no_header_is_too_odd(header: str) -> None:
    seconds = retry_after_seconds(header, NOW)
    assert seconds is None or seconds >= 0
