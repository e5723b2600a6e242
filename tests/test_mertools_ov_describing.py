"""Clues, subtitle and evidence become descriptions; what needs no language model is not asked."""

from __future__ import annotations

import pytest
from scripted_chat import ScriptedChat

from mertools.clip import Clip
from mertools.ov.clues import ClipClues, Clue
from mertools.ov.describing import Told, describe, describe_offline
from mertools.ov.prompts import DISAMBIGUATION, NOTED_QUESTION, UNJUDGED

CLIP = Clip("a", subtitle="我很好。", subtitle_english="I'm fine.")
VOICE = Clue("a", "audio", "The voice trembles.", {"model": "salmonn"})
FACE = Clue("a", "video", "He frowns.", {"model": "univi"})


def described(clip: Clip, *clues: Clue, told: str = "", chat: ScriptedChat | None = None, **how):
    chat = chat or ScriptedChat(lambda question, run: " He is sad. ")
    evidence = {clip.name: Told(told, {"label": "sad"})} if told else {}
    (done,) = describe([clip], {clip.name: ClipClues(clues)} if clues else {}, chat, evidence=evidence, **how)
    return done, [question.prompt for question in chat.asked]


@pytest.mark.parametrize("language", ["en", "zh"])
def test_clues_and_subtitle_in_one_question(language: str) -> None:
    done, (prompt,) = described(CLIP, FACE, VOICE, language=language, run=2)
    assert "The voice trembles.\nHe frowns." in prompt
    assert {"en": "I'm fine.", "zh": "我很好。"}[language] in prompt
    assert prompt.startswith(DISAMBIGUATION[language].split("{")[0])
    row = done.row
    assert (row.description, row.failed, row.evidence) == ("He is sad.", "", {})
    assert row.subtitle == {"en": "I'm fine.", "zh": "我很好。"}[language]
    assert row.source["model"] == "scripted" and row.source["run"] == 2
    assert [clue["model"] for clue in row.source["clues"]] == ["salmonn", "univi"]
    assert done.requests == 1


def test_without_a_subtitle_the_clues_stand() -> None:
    done, prompts = described(Clip("a"), FACE, VOICE)
    assert done.row.description == "The voice trembles.\nHe frowns." and prompts == [] and done.requests is None


def test_without_clues_the_subtitle_is_reasoned_about() -> None:
    done, (prompt,) = described(CLIP)
    assert done.row.description == "He is sad." and "I'm fine." in prompt and "Clues" not in prompt
    noticed_nothing = Clue("a", "audio", "")
    assert described(CLIP, noticed_nothing)[1] == [prompt]


@pytest.mark.parametrize("language", ["en", "zh"])
def test_of_what_is_not_known_nothing_is_asked(language: str) -> None:
    done, prompts = described(Clip("a"), language=language)
    assert (done.row.description, done.row.failed, prompts) == (UNJUDGED[language], "", [])


def test_evidence_enters_the_question() -> None:
    done, (prompt,) = described(CLIP, VOICE, told="It gives sad 90 %.")
    assert "It gives sad 90 %." in prompt and done.row.evidence == {"label": "sad"}
    # With evidence there is something to weigh, also where a subtitle or clues are lacking.
    assert len(described(Clip("a"), VOICE, told="It gives sad 90 %.")[1]) == 1
    assert len(described(Clip("a"), told="It gives sad 90 %.")[1]) == 1


def test_one_step_clues_are_the_description() -> None:
    clue = Clue("a", "audio-video", "All in one.", {"style": "emer"})
    done, prompts = described(CLIP, clue)
    assert done.row.description == "All in one." and prompts == []
    assert len(described(CLIP, clue, VOICE)[1]) == 1


def test_the_notes_style() -> None:
    _, (prompt,) = described(CLIP, VOICE, FACE, style="notes")
    assert prompt.startswith("The facial expression of the person in the video is He frowns, and the tone of voice is")
    assert prompt.endswith(NOTED_QUESTION)


def test_failures_are_told_and_never_described() -> None:
    done, prompts = described(CLIP, Clue("a", "audio", "", failed="clip.mp4 has no audio stream"))
    assert (done.row.description, done.row.failed) == ("", "audio clue: clip.mp4 has no audio stream")
    assert prompts == []
    done, _ = described(CLIP, VOICE, chat=ScriptedChat(lambda question, run: ""))
    assert done.row.description == "" and "empty" in done.row.failed


def test_without_a_language_model() -> None:
    failed = Clue("b", "audio", "", failed="no sound")
    clips = [CLIP, Clip("b", subtitle="x"), Clip("c")]
    clues = {"a": ClipClues((VOICE, FACE)), "b": ClipClues((failed,))}
    rows = [done.row for done in describe_offline(clips, clues)]
    assert rows[0].description == 'The voice trembles. He frowns. The person says: "I\'m fine."'
    assert (rows[1].description, rows[1].failed) == ("", "audio clue: no sound")
    assert (rows[2].description, rows[2].failed) == (UNJUDGED["en"], "")
