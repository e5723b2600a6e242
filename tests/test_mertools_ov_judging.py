"""A scripted judge whose answers are known: what its verdicts come to, and what failures do to them."""

from __future__ import annotations

import pytest
from scripted_chat import ScriptedChat

from mertools.ov.chat import Question
from mertools.ov.judging import METRICS, TRUTH, Truth, judge, question_count

TEXTS = {"a": "He smiles {and} laughs: joy.", "b": "Her voice trembles: fear."}
TRUE = Truth(TEXTS)


def script(question: Question, run: int) -> str:
    """A judge that summarises a text by its first word and gives equals a 10, others a 4.5; the voice is sound."""
    prompt = question.prompt
    if "Scores range" in prompt:
        true, predicted = (line.partition(": ")[2] for line in prompt.splitlines()[-3:-1])
        return "Score: 10" if true == predicted else "4.5"
    text = prompt.splitlines()[-2].partition(": ")[2]
    if "modalities" in prompt:
        return "audio, content" if "voice" in text else "visual"
    return text.split()[0]


def test_verdicts_are_what_the_judge_says() -> None:
    chat = ScriptedChat(script)
    found = judge(chat, TRUE, {"mine": {"a": "He is sad.", "b": "My voice is low.", "other": "x"}})
    assert list(found) == ["mine", TRUTH]
    assert found["mine"].values == {
        "clue_overlap": {"a": 10, "b": 4.5},
        "label_overlap": {"a": 10, "b": 4.5},
        "audio": {"a": 0, "b": 1},
        "visual": {"a": 1, "b": 0},
        "content": {"a": 0, "b": 1},
        "modalities": {"a": 1, "b": 2},
    }
    assert {found[TRUTH].values[metric][clip] for metric in METRICS[:2] for clip in TEXTS} == {10}
    assert not any(reasons for one in found.values() for reasons in one.unjudged.values())
    assert len(chat.asked) == question_count(TRUE, {"mine": {"a": "", "b": "", "other": ""}}) == 24


def test_the_truth_passes_the_first_question_too() -> None:
    chat = ScriptedChat(script)
    judge(chat, TRUE, {})
    summaries = [one.prompt for one in chat.asked if TEXTS["a"] in one.prompt and "modalities" not in one.prompt]
    assert {prompt[:16] for prompt in summaries} == {"Please extract t", "Please summarize"}
    assert not any(TEXTS["a"] in one.prompt for one in chat.asked if "Scores range" in one.prompt)


def test_a_malformed_score_is_no_number() -> None:
    def odd(question: Question, run: int) -> str:
        if "True clues" in question.prompt:
            return {"a": "11", "b": "rather high"}[question.name]
        if "modalities" in question.prompt:
            return "smell"
        return script(question, run)

    found = judge(ScriptedChat(odd), TRUE, {})[TRUTH]
    assert found.values["clue_overlap"] == found.values["audio"] == found.values["modalities"] == {}
    assert set(found.unjudged["clue_overlap"]) == set(found.unjudged["audio"]) == {"a", "b"}
    assert "11 is not from 0 to 10" in found.unjudged["clue_overlap"]["a"]
    assert found.values["label_overlap"] == {"a": 10, "b": 10}


def test_without_a_summary_nothing_is_compared() -> None:
    def mute(question: Question, run: int) -> str:
        return "" if "Please extract" in question.prompt and "joy" in question.prompt else script(question, run)

    told: list[bool] = []
    found = judge(ScriptedChat(mute), TRUE, {"mine": {"a": "x", "b": "y"}}, told=told.append)
    assert found["mine"].unjudged["clue_overlap"] == {"a": "summary of the truth: the answer is empty"}
    assert found[TRUTH].unjudged["clue_overlap"] == {"a": "summary: the answer is empty"}
    assert list(found["mine"].values["clue_overlap"]) == ["b"]
    assert len(told) == question_count(TRUE, {"mine": {"a": "x", "b": "y"}})


def test_a_clip_that_is_not_described_has_nothing_right_and_is_not_asked_about() -> None:
    chat = ScriptedChat(script)
    found = judge(chat, TRUE, {"mine": {"b": "y"}})["mine"]
    assert all(found.values[metric]["a"] == 0 for metric in METRICS)
    assert sum(one.name == "a" for one in chat.asked) == 2 + 5


def test_true_labels_have_no_clues() -> None:
    truth = Truth({"a": "joy, pride"}, are_labels=True)
    chat = ScriptedChat(script)
    found = judge(chat, truth, {"mine": {"a": "joy, and more"}})
    assert set(found["mine"].values) == set(METRICS) - {"clue_overlap"}
    assert set(found[TRUTH].values) == {"label_overlap"}
    assert len(chat.asked) == question_count(truth, {"mine": {"a": ""}})


@pytest.mark.parametrize("run", [0, 1])
def test_runs_are_told_apart(run: int) -> None:
    chat = ScriptedChat(lambda question, run: str(7 + run) if "Scores range" in question.prompt else "visual")
    assert set(judge(chat, TRUE, {}, run)[TRUTH].values["clue_overlap"].values()) == {7 + run}
