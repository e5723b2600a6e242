"""The clips that annotators see: small copies, made by several processes, and made once over interrupted exports."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

from feature_extractors.runner import Preparation, Task
from mertools.clip import Clip
from mertools.clip_rows import OK
from mertools.commands.display import clip_progress
from mertools.report.rating_clips import MEDIA_TYPES, write_small_clip

COPIER = "copier"


class Copier:
    """Writes a small copy of a clip into `folder`; it stands where an encoder stands in `Preparation`."""

    modality = "text"
    """Which medium the preparation's key is of: the one whose key costs nothing to compute."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder

    def prepare(self, clip: Clip) -> Path | None:
        """The copy's file, None for a clip of text alone; raises what `write_small_clip` does."""
        stem = self._folder / _file_name(clip)
        there = (stem.with_suffix(suffix) for suffix in MEDIA_TYPES)
        return next((path for path in there if path.exists()), None) or write_small_clip(clip, stem)


def copy_clips(clips: Sequence[Clip], folder: Path, workers: int) -> tuple[dict[str, Path | None], dict[str, str]]:
    """Write small copies of `clips` into `folder`: their files by name, and of those that cannot be read the reason.

    Copies that an earlier call has made are kept: their names tell what they were made of, and to raters nothing.
    """
    folder.mkdir(parents=True, exist_ok=True)
    media: dict[str, Path | None] = {}
    unreadable: dict[str, str] = {}
    with (
        clip_progress("encoding", "unreadable") as progress,
        Preparation({COPIER: Copier(folder)}, min(workers, len(clips))) as preparation,
    ):
        for task, results in preparation.run(Task(clip, (COPIER,)) for clip in clips):
            result = results[COPIER]
            if result.status == OK:
                media[task.clip.name] = result.item
            else:
                unreadable[task.clip.name] = result.reason
            progress(len(media) + len(unreadable), len(clips), len(unreadable))
    return media, unreadable


def _file_name(clip: Clip) -> str:
    # Face crops are not shown: what is shown is the video's.
    shown = replace(clip, faces=None)
    told = "\x1f".join([clip.name, shown.media_key("video"), shown.media_key("audio")])
    return f"clip-{hashlib.sha256(told.encode()).hexdigest()[:16]}"
