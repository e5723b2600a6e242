"""Descriptions become labels: as answered, or as the words for emotions in them; failures stay failures."""

from __future__ import annotations

from scripted_chat import ScriptedChat

from mertools.ov.answers import LABELS_SCHEMA
from mertools.ov.descriptions import Description
from mertools.ov.labelling import extract_labels, labels_offline
from mertools.ov.labels import OpenLabels
from mertools.ov.prompts import LABELS, LABELS_IN_CHINESE, UNJUDGED

ROWS = [
    Description("a", "", "He is happy, not afraid."),
    Description("b", "", "", failed="timed out"),
    Description("c", "", UNJUDGED["en"]),
    Description("d", "", "He talks."),
]


def test_by_a_language_model() -> None:
    chat = ScriptedChat(lambda question, run: "['Happy']" if question.name == "a" else "He talks a lot.")
    done = list(extract_labels(ROWS, chat))
    assert [one.row for one in done][:3] == [
        *(OpenLabels("a", ("happy",)), OpenLabels("b", (), "timed out"), OpenLabels("c", ()))
    ]
    assert done[3].row.labels == () and "prose" in done[3].row.failed
    assert [question.name for question in chat.asked] == ["a", "d"]
    assert chat.asked[0].prompt.startswith(LABELS) and chat.asked[0].schema == LABELS_SCHEMA


def test_in_chinese() -> None:
    chat = ScriptedChat(lambda question, run: "高兴、感激")
    (done,) = extract_labels([Description("a", "", "他很高兴。")], chat, language="zh")
    assert done.row.labels == ("高兴", "感激") and chat.asked[0].prompt.startswith(LABELS_IN_CHINESE)


def test_by_the_lexicon() -> None:
    assert [one.row for one in labels_offline(ROWS)] == [
        *(OpenLabels("a", ("happy",)), OpenLabels("b", (), "timed out"), OpenLabels("c", ()), OpenLabels("d", ()))
    ]
