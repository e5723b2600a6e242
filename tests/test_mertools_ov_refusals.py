"""Refusals are told from answers, in English and Chinese."""

from __future__ import annotations

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mertools.ov.refusals import is_refusal

REFUSALS = [
    "I'm sorry, but I can't assist with that.",
    "I’m sorry, I cannot help with identifying people in videos.",
    "Sorry, but I am unable to process audio files.",
    "I am very sorry, but as a text model I am not able to listen.",
    "I apologize, but I cannot provide an analysis of real people.",
    "My apologies, but I won't describe this person.",
    "I cannot assist with this request.",
    "I can't help with that",
    "Unfortunately, I'm unable to provide that information.",
    "I must decline to guess at a person's feelings.",
    "As an AI language model, I cannot perceive emotions.",
    "As an AI, I don't have the ability to watch videos.",
    "**I'm sorry**, but I can't do that.",
    "\n  I'm afraid I can't do that.",
    "This request violates our policies.",
    "抱歉，我无法协助处理该请求。",
    "很抱歉，我不能分析真实人物的情绪。",
    "对不起，作为语言模型，我没有办法听到声音。",
    "我无法提供相关信息。",
    "我不能为您完成这个请求",
    "作为一个人工智能语言模型，我无法感知情绪。",
]

ANSWERS = [
    "",
    "[]",
    "['sorry', 'afraid']",
    "happy, sorry",
    "Sorry, sad, guilty",
    "sorry and ashamed",
    "I cannot determine the emotional state of the individual from these clues alone.",
    "We cannot recognize his emotional state.",
    "The woman says that she is sorry, but she cannot help him. She seems torn.",
    "She apologizes: \"I'm sorry, but I can't assist you.\" Her voice trembles.",
    "The individual is unable to hide his anger.",
    "He is afraid that he cannot pay. He worries.",
    "Unable to judge the emotional state.",
    "他说抱歉，我无法帮助你。他的声音很低。",
    "抱歉、难过、内疚",
    "无法判断情绪状态。",
    "我无法确定他的情绪状态。",
]


@pytest.mark.parametrize("text", REFUSALS)
def test_refusals(text: str) -> None:
    assert is_refusal(text)


@pytest.mark.parametrize("text", ANSWERS)
def test_answers(text: str) -> None:
    assert not is_refusal(text)


@given(st.lists(st.sampled_from([*REFUSALS, "happy", "it's complicated"]), min_size=1))
def test_a_list_is_an_answer_whatever_it_holds(labels: list[str]) -> None:
    assert not is_refusal(json.dumps(labels)) and not is_refusal(str(labels))


@given(st.sampled_from(REFUSALS), st.text(max_size=2000))
def test_what_follows_a_refusal_does_not_undo_it(refusal: str, rest: str) -> None:
    assert is_refusal(f"{refusal} {rest}")
