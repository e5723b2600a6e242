"""Steps: every clip comes out once, in its order, asked or not, and no more questions lie in memory than are needed."""

from __future__ import annotations

from unittest import mock

from hypothesis import given
from hypothesis import strategies as st
from scripted_chat import ScriptedChat

from mertools.ov import asking
from mertools.ov.asking import MOST_UNASKED, Asked, ask
from mertools.ov.chat import Answer, Question
from mertools.ov.labels import OpenLabels


def asked(name: str) -> Asked:
    def row(answer: Answer[str]) -> OpenLabels:
        return OpenLabels(name, (answer.value,))

    return Asked(Question(name, name, str), row)


@given(st.lists(st.booleans(), max_size=30), st.integers(1, 9), st.integers(1, 9))
def test_rows_come_in_order(needs: list[bool], ahead: int, most: int) -> None:
    items = [asked(str(i)) if need else OpenLabels(str(i), ("known",)) for i, need in enumerate(needs)]
    chat = ScriptedChat(lambda question, run: f"{question.name} in run {run}", ahead)
    with mock.patch.object(asking, "MOST_UNASKED", most):
        done = list(ask(items, chat, run=3))
    assert [one.row.name for one in done] == [str(i) for i in range(len(needs))]
    for number, (one, need) in enumerate(zip(done, needs, strict=True)):
        assert one.row.labels == ((f"{number} in run 3",) if need else ("known",))
        assert one.requests == (1 if need else None)
    assert len(chat.asked) == sum(needs)


def test_clips_are_read_only_as_far_as_there_is_room() -> None:
    read = 0

    def items():
        nonlocal read
        for number in range(1000):
            read += 1
            yield asked(str(number))

    rows = ask(items(), ScriptedChat(lambda question, run: "x", ahead=8))
    for _ in range(10):
        next(rows)
    assert read < 30


def test_rows_that_need_no_answer_do_not_pile_up() -> None:
    read = 0

    def items():
        nonlocal read
        for number in range(10 * MOST_UNASKED):
            read += 1
            yield asked(str(number)) if number % 5000 == 4999 else OpenLabels(str(number), ())

    count = 0
    for _ in ask(items(), ScriptedChat(lambda question, run: "x")):
        count += 1
        assert read - count <= MOST_UNASKED + 1
    assert count == 10 * MOST_UNASKED
