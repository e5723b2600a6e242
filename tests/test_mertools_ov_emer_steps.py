"""EMER's steps between people: clues become one text, and the text names emotions."""

from __future__ import annotations

from scripted_chat import ScriptedChat

from mertools.clip import Clip
from mertools.ov.descriptions import Description
from mertools.ov.emer_answers import Annotation
from mertools.ov.emer_steps import clue_lines, name_emotions, summarise, summarise_offline
from mertools.ov.labels import OpenLabels

CLIP = Clip("a", subtitle="你好")
ANNOTATIONS = {
    "a": [
        Annotation("a", "annotator-1", {"face": "He  frowns", "tone": "", "content": "He asks why.", "scene": ""}),
        Annotation("a", "annotator-2", {"face": "His eyes\nare wet!", "tone": "Low.", "content": "He asks why."}),
    ]
}
LINES = ["He frowns", "His eyes are wet!", "Low.", "He asks why."]


def test_clues_of_one_aspect_together_and_each_once() -> None:
    assert clue_lines(ANNOTATIONS["a"]) == LINES


def test_the_summary() -> None:
    chat = ScriptedChat(lambda question, run: "He frowns and asks why.")
    (done,) = summarise([CLIP], ANNOTATIONS, chat, "en")
    (asked,) = chat.asked
    assert [f'"Clue Description {n}": {line}' in asked.prompt for n, line in enumerate(LINES, start=1)] == [True] * 4
    assert (done.row.description, done.row.subtitle, done.row.failed) == ("He frowns and asks why.", "你好", "")
    assert done.row.source["model"] == "scripted"
    (done,) = summarise([CLIP], ANNOTATIONS, ScriptedChat(lambda question, run: "他皱着眉头。"), "en")
    assert (done.row.description, done.row.failed) == ("", "the text is not in English")
    (done,) = summarise_offline([CLIP], ANNOTATIONS, "en")
    assert done.row.description == "He frowns. His eyes are wet! Low. He asks why."


def test_emotions() -> None:
    chat = ScriptedChat(lambda question, run: "anxious, sad")
    rows = [Description("a", "", "He frowns."), Description("b", "", "", failed="refused")]
    assert [done.row for done in name_emotions(rows, chat)] == [
        OpenLabels("a", ("anxious", "sad")),
        OpenLabels("b", (), "refused"),
    ]
    (asked,) = chat.asked
    assert (
        asked.prompt.endswith("Input: He frowns.\nOutput:") and "He looks happy but is actually anxious" in asked.prompt
    )
