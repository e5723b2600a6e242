"""Clues from a multimodal model: what it says of each clip's sound, pictures or both (MER2024 §3.2, Table 3)."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import asdict
from typing import Any

from mertools.clip import Clip
from mertools.ov.answers import read_text
from mertools.ov.asking import Asked, Done, ask
from mertools.ov.chat import Answer, Chat, Question
from mertools.ov.clip_media import ClipMedia, Preparation, lacking
from mertools.ov.clues import Clue
from mertools.ov.language import subtitle_of
from mertools.ov.prompts import clue_prompt
from mertools.ov.takes import Takes


def ask_clues(
    clips: Iterable[Clip],
    perceived: Sequence[str],
    chat: Chat,
    takes: Takes,
    *,
    style: str = "mer2024",
    language: str = "en",
    preparation: Preparation,
    run: int = 0,
) -> Iterator[Done[Clue]]:
    """A clue for each clip and each of `perceived` (`audio`, `video`, `audio-video`), in the clips' order.

    `style` is one of `prompts.STYLES`; where its question holds the subtitle, that is the one in `language`. A clip
    that lacks the medium fails with the reason, and is not asked about.
    """
    source = {**chat.source, "style": style, "run": run, "media": asdict(takes) | asdict(preparation)}
    items = (
        _item(clip, one, takes, preparation, clue_prompt(style, one, subtitle_of(clip, language)), source)
        for clip in clips
        for one in perceived
    )
    return ask(items, chat, run)


def _item(
    clip: Clip, perceived: str, takes: Takes, preparation: Preparation, prompt: str, source: Mapping[str, Any]
) -> Asked[str, Clue] | Clue:
    if reason := lacking(clip, perceived):
        return Clue(clip.name, perceived, "", source, failed=reason)
    media = ClipMedia(clip, perceived, takes, preparation)

    def clue(answer: Answer[str]) -> Clue:
        return Clue(clip.name, perceived, answer.value or "", source, failed=answer.reason)

    return Asked(Question(clip.name, prompt, read_text, media.load, media.key), clue)
