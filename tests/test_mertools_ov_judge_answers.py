"""What counts as a judge's score, and what never becomes one."""

from __future__ import annotations

from contextlib import suppress

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mertools.ov.chat import Unreadable
from mertools.ov.judge_answers import MODALITIES, read_modalities, read_score

TENTHS = st.integers(0, 100).map(lambda tenths: tenths / 10)


@given(
    score=TENTHS, around=st.sampled_from(["{}", " {}\n", "Score: {}", "score = {}", "**{}**", "{}.", "{}/10", "'{}'"])
)
def test_a_score_by_itself_is_read(score: float, around: str) -> None:
    assert read_score(around.format(score)) == score


@pytest.mark.parametrize(
    ("text", "score"),
    [
        ("8", 8),
        ("10", 10),
        ("0", 0),
        ("10.0", 10),
        ("8/10", 8),
        ("8 out of 10", 8),
        ("Score: 8", 8),
        ("**Score:** 7.5", 7.5),
        ("The score is 6.", 6),
        ("<think>5? No.</think>\n4", 4),
    ],
)
def test_forms_of_a_score(text: str, score: float) -> None:
    assert read_score(text) == score


@pytest.mark.parametrize(
    ("text", "fault"),
    [
        ("11", "11 is not from 0 to 10"),
        ("10.1", "not from 0 to 10"),
        ("-1", "not from 0 to 10"),
        ("85/100", "a score of 100"),
        ("4/5", "a score of 5"),
        ("15/10", "not from 0 to 10"),
        ("eight", "not one number"),
        ("8-9", "not one number"),
        ("7,5", "not one number"),
        ("80%", "not one number"),
        ("8 because both smile", "not one number"),
        ("Score: 8\n\nBoth have 2 clues.", "not one number"),
        ("True clues: 3, predicted clues: 2. Score: 5", "not one number"),
        ("nan", "not one number"),
        ("inf", "not one number"),
        ("1e1", "not one number"),
        ("８", "not one number"),
        ("", "empty"),
        ("<think>8</think>", "empty"),
    ],
)
def test_what_is_no_score_is_refused(text: str, fault: str) -> None:
    with pytest.raises(Unreadable, match=fault):
        read_score(text)


@given(st.text(max_size=40))
def test_a_text_is_a_score_of_the_scale_or_refused(text: str) -> None:
    with suppress(Unreadable):
        assert 0 <= read_score(text) <= 10


@pytest.mark.parametrize(
    ("text", "modalities"),
    [
        ("visual, audio", {"visual", "audio"}),
        ("Output: visual, audio, content", set(MODALITIES)),
        ("['audio', 'visual']", {"visual", "audio"}),
        ("Content", {"content"}),
        ("audio and content", {"audio", "content"}),
        ("[]", set()),
        ("none", set()),
    ],
)
def test_modalities(text: str, modalities: set[str]) -> None:
    assert read_modalities(text) == modalities


@pytest.mark.parametrize(
    "text", ["smell", "visual, text", "3", "All modalities are covered by the input.", "", "['audio'"]
)
def test_what_is_no_modality_is_refused(text: str) -> None:
    with pytest.raises(Unreadable):
        read_modalities(text)
