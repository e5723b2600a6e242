"""The clips that go to people: small copies, as many as are asked for and can be read."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from mertools.clip import Clip
from mertools.commands.display import clip_progress
from mertools.errors import InputError
from mertools.media import MissingMedium, UnreadableMedia


def write_small_clips(
    clips: Sequence[Clip], wanted: int, folder: Path
) -> tuple[dict[str, Path | None], dict[str, str]]:
    """Write the first `wanted` of `clips` that can be read: their files by name, and why others were passed over."""
    from mertools.report.rating_clips import write_small_clip

    folder.mkdir(parents=True, exist_ok=True)
    media: dict[str, Path | None] = {}
    unreadable: dict[str, str] = {}
    with clip_progress("encoding", "unreadable") as progress:
        for clip in clips:
            progress(len(media), wanted, len(unreadable))
            if len(media) == wanted:
                return media, unreadable
            try:
                media[clip.name] = write_small_clip(clip, folder / f"clip-{len(media) + 1:02d}")
            except (MissingMedium, UnreadableMedia) as error:
                unreadable[clip.name] = str(error)
        progress(len(media), wanted, len(unreadable))
    if len(media) < wanted:
        name, reason = next(iter(unreadable.items()))
        raise InputError(
            f"{len(media)} of {len(clips)} clips can be read; {wanted} are asked for. First: {name}: {reason}."
        )
    return media, unreadable
