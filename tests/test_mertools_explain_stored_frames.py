"""Stored frames as an explainer reads them: sampled, with utterances and regions, and only of its own encoder."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from tiny_explainer import AUDIO, micro_video
from tiny_lessons import write_frames

from mertools.errors import InputError
from mertools.explain.configuration import CANONICAL, LocalAttention
from mertools.explain.stored_frames import StoredFrames
from mertools.feature_store import FeatureWriter, Provenance, Row

LOCAL = LocalAttention(regions=("lips", "nose"), heads=4, landmarks=CANONICAL)
VIDEO = micro_video(patches=9, local_attention=LOCAL)
BRANCHES = {"audio": AUDIO, "video": VIDEO}


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    write_frames(tmp_path, AUDIO, "audio")
    write_frames(tmp_path, VIDEO, "video")
    return tmp_path


def test_a_clip_has_frames_utterances_and_regions(folder: Path) -> None:
    windows = {"clip 0": ((0.0, 0.2), (0.5, 1.5), (1.6, 2.0), (2.0, 2.5))}
    with StoredFrames(BRANCHES, folder, windows) as frames:
        media = frames.clip("clip 0")
        assert frames.windows("clip 0") == ((0.5, 1.5), (1.6, 2.0), (2.0, 2.5))  # the three longest, in order
        assert frames.windows("clip 1") == ()
    assert media["audio"].frames.shape == (1, 6, 12)
    assert media["audio"].windows is None
    assert media["video"].frames.shape == (1, 6, 9, 16)
    assert media["video"].windows is not None
    assert media["video"].windows.shape == (1, 3, 2)
    assert media["video"].regions is not None
    assert media["video"].regions.shape == (1, 6, 2, 9)
    assert media["video"].regions.any()
    assert media["video"].mask.all()


def test_a_clip_that_lacks_a_medium_has_one_frame_that_is_not_there(tmp_path: Path) -> None:
    provenance = Provenance(AUDIO.feature, "audio", "tiny", "none", "1", "{}", level="frame")
    frames = np.ones((3, 12), np.float32)
    with FeatureWriter(tmp_path / "tiny-audio.h5", provenance) as writer:
        writer.append(
            [
                Row("whole", "ok", utterance=frames[0], frames=frames, times=np.arange(3.0)),
                Row("silent", "missing", "no speech"),
                Row("broken", "failed", "truncated"),
            ]
        )
        writer.pack(["whole", "silent", "broken"])
    with StoredFrames({"audio": AUDIO}, tmp_path) as stored:
        media = stored.clip("silent")["audio"]
        assert (media.frames.shape, media.mask.any().item()) == ((1, 1, 12), False)
        stored.check_clips([("whole", ("audio",)), ("silent", ("audio",)), ("a picture", ("video",))])
        with pytest.raises(InputError, match=r"lacks 1 of 1 clips \(first: broken, which failed\)"):
            stored.check_clips([("broken", ("audio",))])
        assert stored.has_seconds("whole", 3.0)
        assert not stored.has_seconds("whole", 3.1)


def test_frames_of_another_encoder_are_refused_with_both_values(folder: Path) -> None:
    with StoredFrames(BRANCHES, folder) as frames:
        wanted = frames.provenance
        frames.check_encoders(wanted)
        wanted["audio"]["revision"] = "2"
        with pytest.raises(InputError, match="has revision '1', and the explainer is trained on '2'"):
            frames.check_encoders(wanted)
    with pytest.raises(InputError, match=r"made for 'tiny-audio' of shape \(13,\)"):
        StoredFrames({"audio": replace(AUDIO, width=13)}, folder)


def test_landmarks_that_are_not_there_are_refused(folder: Path) -> None:
    video = replace(VIDEO, local_attention=replace(LOCAL, landmarks=str(folder / "none.h5")))
    with pytest.raises(InputError, match="no file of landmarks"):
        StoredFrames({"video": video}, folder)
