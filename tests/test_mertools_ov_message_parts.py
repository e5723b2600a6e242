"""Media go into a message whole, and into the cache as digests."""

from __future__ import annotations

import base64
import hashlib
import io
import wave
from pathlib import Path

import numpy as np
import pytest
from scripted_server import ScriptedServer

from mertools.media import evenly, read_audio, read_frames
from mertools.ov.chat import Medium, Question
from mertools.ov.client import Client, Parameters
from mertools.ov.connection import Server
from mertools.ov.exchanges import Exchanges
from mertools.ov.message_parts import kept, sent

IMAGE = Medium("image", b"jpeg", "image/jpeg")


def test_text_alone_is_a_plain_string() -> None:
    assert sent("What is it?", []) == kept("What is it?", []) == "What is it?"


def test_media_stand_before_the_text_in_their_order() -> None:
    media = [Medium("audio", b"1", "audio/mpeg"), IMAGE, Medium("video", b"3", "video/mp4")]
    parts = sent("What is it?", media)
    assert [part["type"] for part in parts] == ["input_audio", "image_url", "video_url", "text"]
    assert parts[0]["input_audio"] == {"data": "MQ==", "format": "mp3"}
    assert [part["type"] for part in kept("What is it?", media)] == ["audio", "image", "video", "text"]


def test_what_is_kept_tells_media_apart_without_holding_them() -> None:
    digest = hashlib.sha256(b"jpeg").hexdigest()
    part = {"type": "image", "media_type": "image/jpeg", "bytes": 4, "sha256": digest}
    assert kept("?", [IMAGE]) == [part, {"type": "text", "text": "?"}]


@pytest.mark.parametrize("medium", [Medium("audio", b"", "audio/ogg"), Medium("smell", b"", "image/jpeg")])
def test_what_the_api_does_not_take_is_our_fault(medium: Medium) -> None:
    with pytest.raises(ValueError, match="no part of a chat message"):
        sent("?", [medium])


def test_real_sound_and_pictures_are_decodable_on_the_other_side(media_folder: Path, tmp_path: Path) -> None:
    import cv2

    clip = min((media_folder / "meld").glob("*.mp4"))
    samples = (read_audio(clip).samples * 32767).astype("<i2")
    images = read_frames(clip, evenly(3)).images

    def load() -> list[Medium]:
        frames = [cv2.imencode(".jpg", image[..., ::-1])[1].tobytes() for image in images]
        return [
            *(Medium("image", frame, "image/jpeg") for frame in frames),
            Medium("audio", wav(samples), "audio/wav"),
            Medium("video", clip.read_bytes(), "video/mp4"),
        ]

    with (
        ScriptedServer(lambda request: "fine") as server,
        Exchanges(tmp_path / "exchanges.sqlite") as exchanges,
        Client(Server(server.url), Parameters("scripted"), exchanges) as client,
    ):
        (answer,) = client.answers([Question(clip.name, "How are they?", str, load, media_key="digest")])
    assert answer.value == "fine"
    *pictures, sound, film, _ = server.requests[0]["messages"][0]["content"]
    assert len(pictures) == 3
    for part, image in zip(pictures, images, strict=True):
        pixels = cv2.imdecode(np.frombuffer(of_data_url(part["image_url"]["url"], "image/jpeg"), np.uint8), 1)
        assert pixels.shape == image.shape and np.abs(pixels[..., ::-1].astype(int) - image).mean() < 10
    with wave.open(io.BytesIO(base64.b64decode(sound["input_audio"]["data"]))) as file:
        assert (file.getframerate(), file.getnchannels()) == (16000, 1)
        assert np.array_equal(np.frombuffer(file.readframes(file.getnframes()), "<i2"), samples)
    (tmp_path / "film.mp4").write_bytes(of_data_url(film["video_url"]["url"], "video/mp4"))
    for image, other in zip(images, read_frames(tmp_path / "film.mp4", evenly(3)).images, strict=True):
        assert np.array_equal(image, other)


def of_data_url(url: str, media_type: str) -> bytes:
    head, _, data = url.partition(",")
    assert head == f"data:{media_type};base64"
    return base64.b64decode(data)


def wav(samples: np.ndarray) -> bytes:
    file = io.BytesIO()
    with wave.open(file, "wb") as sound:
        sound.setnchannels(1)
        sound.setsampwidth(2)
        sound.setframerate(16000)
        sound.writeframes(samples.tobytes())
    return file.getvalue()
