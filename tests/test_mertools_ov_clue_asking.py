"""Clues: which prompt and which media are sent for which clip, and what becomes of clips without the medium."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from scripted_chat import ScriptedChat

from mertools.clip import Clip
from mertools.media import write_clip
from mertools.ov import prompts
from mertools.ov.clip_media import Preparation
from mertools.ov.clue_asking import ask_clues
from mertools.ov.takes import EVERYTHING, Takes

HOW = {"language": "en", "preparation": Preparation(frames=2)}


@pytest.fixture
def clips(tmp_path: Path) -> list[Clip]:
    """One with sound and picture, one without sound, one that is only text."""
    pictures = [np.full((32, 48, 3), 90, np.uint8)] * 4
    write_clip(tmp_path / "both.mp4", pictures, 4, np.zeros(16_000))
    write_clip(tmp_path / "mute.mp4", pictures, 4)
    return [
        Clip("both", video=tmp_path / "both.mp4", subtitle="我很好。", subtitle_english="I'm fine."),
        Clip("mute", video=tmp_path / "mute.mp4"),
        Clip("text", subtitle="x"),
    ]


def test_each_medium_of_each_clip(clips: list[Clip]) -> None:
    chat = ScriptedChat(lambda question, run: f"{len(question.prompt)} {run}")
    done = list(ask_clues(clips, ["audio", "video"], chat, Takes(images=True, audio=True), run=1, **HOW))
    assert [(one.row.name, one.row.modality) for one in done] == [
        (name, modality) for name in ("both", "mute", "text") for modality in ("audio", "video")
    ]
    assert [one.row.failed for one in done] == [
        *("", "", "mute.mp4 has no audio stream", "", "the clip has no sound", "the clip has no video")
    ]
    assert [question.prompt for question in chat.asked] == [
        *(prompts.CLUES["audio"], prompts.CLUES["video"], prompts.CLUES["video"])
    ]
    assert [[part.kind for part in media] for media in chat.media] == [["audio"], ["image"] * 2, ["image"] * 2]
    assert done[0].row.text.endswith(" 1")
    source = done[0].row.source
    assert (source["model"], source["style"], source["run"], source["media"]["frames"]) == ("scripted", "mer2024", 1, 2)


@pytest.mark.parametrize("style", prompts.STYLES)
def test_styles(clips: list[Clip], style: str) -> None:
    chat = ScriptedChat(lambda question, run: "x")
    (done,) = ask_clues(clips[:1], ["audio-video"], chat, EVERYTHING, style=style, **HOW)
    (question,) = chat.asked
    assert (
        question.prompt
        == {
            "mer2024": prompts.CLUES["audio-video"],
            "emer": prompts.ONE_STEP.format(subtitle="I'm fine."),
            "subtitle": prompts.SUBTITLE_CLUES["audio-video"].format(subtitle="I'm fine."),
            "notes": prompts.CLUES["audio-video"],
        }[style]
    )
    assert [part.kind for part in chat.media[0]] == ["video", "audio"]
    assert done.row.source["style"] == style


def test_styles_without_a_subtitle(clips: list[Clip]) -> None:
    chat = ScriptedChat(lambda question, run: "x")
    for style in ("emer", "subtitle"):
        list(ask_clues(clips[1:2], ["video"], chat, EVERYTHING, style=style, **HOW))
    assert "<Subtitle> </Subtitle>" in chat.asked[0].prompt
    assert chat.asked[1].prompt == prompts.CLUES["video"]
