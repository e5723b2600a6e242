"""Translation: only what is in the other language is asked about, and an answer in the wrong one is refused."""

from __future__ import annotations

import pytest
from scripted_chat import ScriptedChat

from mertools.clip import Clip
from mertools.ov.clues import Clue
from mertools.ov.descriptions import Description
from mertools.ov.labels import OpenLabels
from mertools.ov.language import is_in, subtitle_of
from mertools.ov.translation import translate_clues, translate_descriptions, translate_labels


def test_texts() -> None:
    chat = ScriptedChat(lambda question, run: "He is glad.")
    rows = [
        Description("a", "我很好。", "他很高兴。", {"label": "happy"}, {"model": "m"}),
        Description("b", "", "He is sad."),
        Description("c", "", "", failed="timed out"),
    ]
    done = [one.row for one in translate_descriptions(rows, chat, "en")]
    assert (done[0].description, done[0].subtitle, done[0].evidence) == ("He is glad.", "我很好。", {"label": "happy"})
    assert done[0].source["model"] == "m" and done[0].source["translator"]["model"] == "scripted"
    assert done[1:] == rows[1:] and len(chat.asked) == 1 and "他很高兴。" in chat.asked[0].prompt


@pytest.mark.parametrize("answer", ["", "He is 高兴."])
def test_what_is_no_translation_fails(answer: str) -> None:
    (done,) = translate_clues([Clue("a", "audio", "他很高兴。")], ScriptedChat(lambda question, run: answer), "en")
    assert done.row.text == "" and done.row.failed.startswith("translation: ")


def test_into_chinese() -> None:
    chat = ScriptedChat(lambda question, run: "他很高兴。")
    (done,) = translate_clues([Clue("a", "audio", "He is glad.")], chat, "zh")
    assert done.row.text == "他很高兴。"


def test_labels() -> None:
    chat = ScriptedChat(lambda question, run: '["happy", "grateful"]')
    rows = [OpenLabels("a", ("高兴", "感激")), OpenLabels("b", ("sad",)), OpenLabels("c", ()), OpenLabels("d", (), "x")]
    done = [one.row for one in translate_labels(rows, chat, "en")]
    assert done == [OpenLabels("a", ("happy", "grateful")), *rows[1:]]
    assert len(chat.asked) == 1 and "高兴, 感激" in chat.asked[0].prompt
    for answer in ("[]", "['高兴']"):
        (failed,) = translate_labels(rows[:1], ScriptedChat(lambda question, run: answer), "en")  # noqa: B023
        assert failed.row.labels == () and failed.row.failed.startswith("translation: ")


def test_languages() -> None:
    assert is_in("en", "fine, 3 %") and not is_in("en", "很 fine")
    assert is_in("zh", "很 fine") and not is_in("zh", "fine")
    both = Clip("a", subtitle="好", subtitle_english="good")
    assert (subtitle_of(both, "en"), subtitle_of(both, "zh")) == ("good", "好")
    assert subtitle_of(Clip("a", subtitle="good"), "en") == "good"
    assert subtitle_of(Clip("a", subtitle_english="good"), "zh") == "good"
