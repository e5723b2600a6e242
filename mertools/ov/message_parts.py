"""A prompt and its media as the content of a chat message: as it is sent, and as it is kept."""

from __future__ import annotations

import hashlib
from base64 import b64encode
from collections.abc import Sequence

from mertools.ov.chat import Medium

AUDIO_FORMATS = {"audio/wav": "wav", "audio/mpeg": "mp3"}
"""The sounds that the chat API takes."""


def sent(prompt: str, media: Sequence[Medium]) -> str | list[dict]:
    """The content of a message with the media themselves, before the text as models were trained; or the bare text.

    Raises ValueError for a kind of medium, or of audio, that the chat API does not have.
    """
    prompt = encodable(prompt)
    if not media:
        return prompt
    return [*map(_part, media), {"type": "text", "text": prompt}]


def kept(prompt: str, media: Sequence[Medium]) -> str | list[dict]:
    """The same with kind, type, size and digest in the place of each medium."""
    prompt = encodable(prompt)
    if not media:
        return prompt
    described = [
        {
            "type": medium.kind,
            "media_type": medium.media_type,
            "bytes": len(medium.content),
            "sha256": hashlib.sha256(medium.content).hexdigest(),
        }
        for medium in media
    ]
    return [*described, {"type": "text", "text": prompt}]


def encodable(text: str) -> str:
    """The text without half surrogate pairs, which JSON can spell, and no file and no request can hold."""
    return text.encode(errors="replace").decode()


def _part(medium: Medium) -> dict:
    data = b64encode(medium.content).decode()
    if medium.kind in ("image", "video"):
        kind = f"{medium.kind}_url"
        return {"type": kind, kind: {"url": f"data:{medium.media_type};base64,{data}"}}
    if medium.kind == "audio" and medium.media_type in AUDIO_FORMATS:
        return {"type": "input_audio", "input_audio": {"data": data, "format": AUDIO_FORMATS[medium.media_type]}}
    raise ValueError(f"no part of a chat message for {medium.kind!r} of type {medium.media_type!r}")
