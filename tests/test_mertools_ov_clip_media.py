"""The media of a question: what goes out is decodable, and is told apart by its key."""

from __future__ import annotations

import io
import wave
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from mertools.clip import Clip
from mertools.corpus import read_manifest
from mertools.errors import InputError
from mertools.media import UnreadableMedia, read_audio, write_clip, write_sound
from mertools.ov.clip_media import ClipMedia, Preparation, check_takes, lacking
from mertools.ov.takes import EVERYTHING, Takes

FRAMES = Takes(images=True, audio=True)


@pytest.fixture
def clip(tmp_path: Path) -> Clip:
    """Two seconds: ten red to green pictures, and a tone."""
    colours = [np.full((64, 96, 3), (255 - 25 * i, 25 * i, 0), np.uint8) for i in range(10)]
    tone = np.sin(np.arange(32_000) / 16_000 * 2 * np.pi * 440).astype(np.float32) / 2
    write_clip(tmp_path / "clip.mp4", colours, 5, tone)
    return Clip("clip", video=tmp_path / "clip.mp4")


def decoded_wav(content: bytes) -> np.ndarray:
    with wave.open(io.BytesIO(content)) as file:
        assert (file.getnchannels(), file.getsampwidth(), file.getframerate()) == (1, 2, 16_000)
        return np.frombuffer(file.readframes(file.getnframes()), "<i2") / 2**15


def decoded_jpeg(content: bytes) -> np.ndarray:
    import cv2

    return cv2.imdecode(np.frombuffer(content, np.uint8), cv2.IMREAD_COLOR)[..., ::-1]


def test_frames_and_sound(clip: Clip) -> None:
    *images, sound = ClipMedia(clip, "audio-video", FRAMES, Preparation(frames=5, longest_side=48)).load()
    assert [(part.kind, part.media_type) for part in images] == [("image", "image/jpeg")] * 5
    assert (sound.kind, sound.media_type) == ("audio", "audio/wav")
    pictures = [decoded_jpeg(part.content) for part in images]
    assert {picture.shape for picture in pictures} == {(32, 48, 3)}
    reds = [picture[..., 0].mean() for picture in pictures]
    assert reds == sorted(reds, reverse=True) and reds[0] - reds[-1] > 150
    np.testing.assert_allclose(decoded_wav(sound.content), read_audio(clip.video).samples, atol=1e-3)


def test_the_file_itself_goes_to_models_that_take_it_with_the_sound_apart(clip: Clip) -> None:
    video, sound = ClipMedia(clip, "audio-video", EVERYTHING).load()
    assert (video.kind, video.media_type, video.content) == ("video", "video/mp4", clip.video.read_bytes())
    assert sound.kind == "audio"
    (alone,) = ClipMedia(clip, "audio", EVERYTHING).load()
    assert alone == sound


def test_keys_tell_media_apart_without_decoding(clip: Clip, tmp_path: Path) -> None:
    write_sound(tmp_path / "other.flac", np.zeros(16_000))
    variants = [
        ClipMedia(clip, "audio", EVERYTHING),
        ClipMedia(clip, "video", EVERYTHING),
        ClipMedia(clip, "audio-video", EVERYTHING),
        ClipMedia(clip, "video", FRAMES),
        ClipMedia(clip, "video", FRAMES, Preparation(frames=4)),
        ClipMedia(clip, "video", FRAMES, Preparation(longest_side=48)),
        ClipMedia(replace(clip, audio=tmp_path / "other.flac"), "audio", EVERYTHING),
    ]
    assert len({variant.key for variant in variants}) == len(variants)
    renamed = replace(clip, name="another", subtitle="x", faces=tmp_path / "faces.npy")
    assert [ClipMedia(renamed, one.perceived, one.takes).key for one in variants[:4]] == [
        one.key for one in variants[:4]
    ]


def test_what_is_lacking_is_known_before_anything_is_decoded(clip: Clip, tmp_path: Path) -> None:
    write_sound(tmp_path / "sound.flac", np.zeros(16_000))
    write_clip(tmp_path / "silent.mp4", [np.zeros((16, 16, 3), np.uint8)] * 3, 5)
    (tmp_path / "empty.mp4").touch()
    assert [lacking(clip, one) for one in ("audio", "video", "audio-video")] == ["", "", ""]
    assert lacking(Clip("x", subtitle="x"), "audio") == "the clip has no sound"
    assert lacking(Clip("x", audio=tmp_path / "sound.flac"), "audio-video") == "the clip has no video"
    assert lacking(Clip("x", video=tmp_path / "sound.flac"), "video") == "sound.flac has no video stream"
    assert lacking(Clip("x", video=tmp_path / "silent.mp4"), "audio") == "silent.mp4 has no audio stream"
    assert "empty (0 bytes)" in lacking(Clip("x", video=tmp_path / "empty.mp4"), "video")
    assert "does not exist" in lacking(Clip("x", video=tmp_path / "absent.mp4"), "audio")


def test_damage_that_headers_hide_is_told_when_it_is_decoded(clip: Clip) -> None:
    content = bytearray(clip.video.read_bytes())
    begin = content.index(b"mdat") + 4
    size = int.from_bytes(content[begin - 8 : begin - 4], "big") - 8
    content[begin : begin + size] = bytes(size)
    damaged = clip.video.with_name("damaged.mp4")
    damaged.write_bytes(content)
    assert lacking(replace(clip, video=damaged), "video") == ""
    with pytest.raises(UnreadableMedia):
        ClipMedia(replace(clip, video=damaged), "video", FRAMES).load()


def test_a_model_is_only_asked_what_it_can_take() -> None:
    check_takes(EVERYTHING, "audio-video", "m")
    check_takes(Takes(images=True), "video", "m")
    with pytest.raises(InputError, match="'m' takes no sound"):
        check_takes(Takes(images=True), "audio-video", "m")
    with pytest.raises(InputError, match="'m' takes no pictures"):
        check_takes(Takes(audio=True), "video", "m")


def test_real_recordings(media_folder: Path) -> None:
    corpus = read_manifest(media_folder / "meld" / "manifest.csv")
    for clip in corpus.clips:
        assert lacking(clip, "audio-video") == ""
        *images, sound = ClipMedia(clip, "audio-video", FRAMES, Preparation(frames=4)).load()
        assert len(images) == 4
        for image in images:
            assert max(decoded_jpeg(image.content).shape) == 768 and len(image.content) > 5_000
        samples = decoded_wav(sound.content)
        assert len(samples) > 8_000 and np.abs(samples).max() > 0.01
