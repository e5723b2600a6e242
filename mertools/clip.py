"""Clip: one utterance of one person, and where its media lie."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

HEAD_AND_TAIL_BYTES = 1 << 16


@dataclass(frozen=True, slots=True)
class Clip:
    """One row of a manifest. Paths are absolute and already checked to stay inside the manifest's folder.

    Fields that the manifest leaves empty are None (paths) or "" (texts). `faces` is a `.npy` file of (T, H, W, 3) uint8
    crops or a folder of images, in the channel order `faces_order`. `columns` holds the manifest's further columns.
    """

    name: str
    video: Path | None = None
    audio: Path | None = None
    faces: Path | None = None
    faces_order: str = "rgb"
    subtitle: str = ""
    subtitle_english: str = ""
    subtitle_source: str = ""
    split: str = ""
    label: str = ""
    open_labels: tuple[str, ...] = ()
    speaker: str = ""
    columns: Mapping[str, str] = field(default_factory=dict, hash=False)

    @property
    def sound(self) -> Path | None:
        """The file whose audio track is the clip's sound: `audio`, else `video`."""
        return self.audio or self.video

    @property
    def text(self) -> str:
        """Both subtitles, as what lexical encoders read; empty where the clip has none."""
        return "\n".join(part for part in (self.subtitle, self.subtitle_english) if part)

    def media_key(self, modality: str) -> str:
        """A digest of what an encoder of `modality` reads from this clip; "" where the clip has no such medium.

        For files: size and a hash of the first and last 64 KiB, so that a changed clip is noticed without reading a
        terabyte of video. For a folder of face crops: the names and sizes of its files. Labels and splits play no part.
        """
        if modality == "text":
            # The language an encoder reads is on its card, so both subtitles count.
            return _digest(f"{self.subtitle}\x1f{self.subtitle_english}".encode()) if self.text else ""
        path = self._file(modality)
        if path is None or not path.exists():
            return ""
        order = self.faces_order.encode() if modality == "video" and self.faces else b""
        if path.is_dir():
            entries = sorted((entry.name, entry.stat().st_size) for entry in path.iterdir() if entry.is_file())
            return _digest(order, repr(entries).encode())
        size = path.stat().st_size
        with path.open("rb") as file:
            head = file.read(HEAD_AND_TAIL_BYTES)
            file.seek(max(0, size - HEAD_AND_TAIL_BYTES))
            tail = file.read(HEAD_AND_TAIL_BYTES)
        return _digest(order, str(size).encode(), head, tail)

    def is_away(self, modality: str) -> bool:
        """Whether the file that an encoder of `modality` reads is named, but not there."""
        path = None if modality == "text" else self._file(modality)
        return path is not None and not path.exists()

    def _file(self, modality: str) -> Path | None:
        return self.sound if modality == "audio" else self.faces or self.video


def _digest(*parts: bytes) -> str:
    digest = hashlib.sha256()
    for part in parts:
        digest.update(len(part).to_bytes(8, "big"))
        digest.update(part)
    return digest.hexdigest()[:32]
