"""Clips for raters: small, playable, and without what the file says of itself."""

from __future__ import annotations

from pathlib import Path

import av
import numpy as np
import pytest

from mertools.clip import Clip
from mertools.media import MissingMedium, UnreadableMedia, read_audio, read_frames, write_clip, write_sound
from mertools.report.rating_clips import write_small_clip

SOUND = np.sin(np.arange(16_000) / 7).astype(np.float32) / 3


def frames(height: int, width: int, count: int = 50) -> list[np.ndarray]:
    return [np.full((height, width, 3), 3 * number, np.uint8) for number in range(count)]


def test_large_clips_become_small(tmp_path: Path) -> None:
    write_clip(tmp_path / "large.mp4", frames(720, 1280), 50, SOUND)
    path = write_small_clip(Clip("large", video=tmp_path / "large.mp4"), tmp_path / "small")
    assert path == tmp_path / "small.mp4"
    small = read_frames(path)
    assert small.images[0].shape == (480, 854, 3)
    # One second at 30 frames a second, its sound as long as it was.
    assert len(small.images) == 30
    assert read_audio(path).duration_seconds == pytest.approx(1, abs=0.05)
    with av.open(str(path)) as container:
        assert [stream.codec_context.name for stream in container.streams] == ["h264", "aac"]


def test_small_clips_keep_their_size_and_sound_of_another_file_is_theirs(tmp_path: Path) -> None:
    write_clip(tmp_path / "v.mp4", frames(48, 64, 25), 25)
    write_sound(tmp_path / "a.flac", SOUND)
    path = write_small_clip(Clip("c", video=tmp_path / "v.mp4", audio=tmp_path / "a.flac"), tmp_path / "small")
    assert read_frames(path).images[0].shape == (48, 64, 3)
    assert np.abs(read_audio(path).samples).max() > 0.2


def test_tags_are_left_behind(tmp_path: Path) -> None:
    write_clip(tmp_path / "v.mp4", frames(48, 64, 5), 25)
    with av.open(str(tmp_path / "v.mp4")) as source, av.open(str(tmp_path / "tagged.mp4"), "w") as target:
        target.metadata["title"] = "this one is happy"
        stream = target.add_stream_from_template(source.streams.video[0])
        for packet in source.demux(video=0):
            if packet.size:
                packet.stream = stream
                target.mux(packet)
    assert b"happy" in (tmp_path / "tagged.mp4").read_bytes()
    path = write_small_clip(Clip("c", video=tmp_path / "tagged.mp4"), tmp_path / "small")
    assert b"happy" not in path.read_bytes()


def test_sound_alone_and_text_alone(tmp_path: Path) -> None:
    write_sound(tmp_path / "a.flac", SOUND)
    path = write_small_clip(Clip("c", audio=tmp_path / "a.flac"), tmp_path / "small")
    assert path.suffix == ".flac"
    assert read_audio(path).duration_seconds == pytest.approx(1, abs=0.01)
    assert write_small_clip(Clip("c", subtitle="x"), tmp_path / "none") is None


def test_what_cannot_be_read_is_said(tmp_path: Path) -> None:
    with pytest.raises(UnreadableMedia):
        write_small_clip(Clip("c", video=tmp_path / "absent.mp4"), tmp_path / "small")
    write_clip(tmp_path / "silent.mp4", frames(48, 64, 5), 25)
    with pytest.raises(MissingMedium):
        write_small_clip(Clip("c", audio=tmp_path / "silent.mp4"), tmp_path / "small")
