"""The probe is the same on every machine, and tells encoders apart."""

from __future__ import annotations

import hashlib
import sys
import wave
from collections.abc import Mapping
from pathlib import Path

import numpy as np
import pytest
import tiny_audio
import tiny_text
from tiny_checkpoints import source_of

from feature_extractors.catalog import CATALOG
from feature_extractors.probe import FACE_COUNTS, SOUND_SECONDS, faces, scenes, sound, write_probe
from mertools.__main__ import dispatch
from mertools.commands.features_fingerprint import fingerprint
from mertools.errors import InputError
from mertools.faces import read_crops
from mertools.media import read_audio, read_frames


def test_the_probe_is_the_same_everywhere() -> None:
    samples = sound(3.0)
    # Sines may differ in their last bit, which rounding to 16 bits hides but for a sample in a million.
    np.testing.assert_allclose(samples[[0, 5000, 20000, 47999]], [75, 70, -56, -5662], atol=1)
    assert abs(int(np.abs(samples).max()) - 21126) <= 1
    assert hashlib.sha256(faces(40).tobytes()).hexdigest().startswith("f668d4a747edcd67")
    assert hashlib.sha256(scenes(40).tobytes()).hexdigest().startswith("c510c88d0966c9f5")


@pytest.mark.parametrize("seconds", SOUND_SECONDS)
def test_a_longer_sound_begins_like_a_shorter_one(seconds: float) -> None:
    samples = sound(seconds)
    assert samples.dtype == np.int16 and len(samples) == round(seconds * 16000)
    np.testing.assert_array_equal(samples[:48000], sound(3.0))


def test_the_files_hold_what_was_generated(tmp_path: Path) -> None:
    for clip, seconds in zip(write_probe(tmp_path, "audio"), SOUND_SECONDS, strict=True):
        assert read_audio(clip.sound).duration_seconds == pytest.approx(seconds)
        with wave.open(str(clip.sound)) as file:
            assert file.getframerate() == 16000 and file.getnchannels() == 1
    for clip, count in zip(write_probe(tmp_path, "video"), FACE_COUNTS, strict=True):
        np.testing.assert_array_equal(np.stack(read_crops(clip.faces, clip.faces_order).crops), faces(count))
        shown = np.stack(read_frames(clip.video).images)
        assert shown.shape == scenes(count).shape
        assert np.abs(shown.astype(int) - scenes(count)).mean() < 3
    (clip,) = write_probe(tmp_path, "text")
    assert clip.subtitle and clip.subtitle_english


@pytest.mark.parametrize(
    ("feature", "dim", "clips"),
    [
        ("egemaps", 88, ["sound_3.00s", "sound_9.99s", "sound_12.30s"]),
        ("minilm", 384, ["sentence"]),
        ("face-expression", 128, ["faces_12", "faces_40"]),
    ],
)
def test_fingerprint_of_an_encoder(
    capsys: pytest.CaptureFixture[str], feature: str, dim: int, clips: list[str]
) -> None:
    assert dispatch(["features", "fingerprint", feature, "--device", "cpu"]) == 0
    first = capsys.readouterr().out
    origin, vectors = ([line.split("\t") for line in part.splitlines()[1:]] for part in first.split("\n\n"))
    assert [row[0] for row in origin] == ["feature", "source", "revision", "recipe"] and origin[0][1] == feature
    assert [row[0] for row in vectors] == clips
    assert all(int(row[1]) == dim and len(row) == 11 and float(row[2]) > 0 for row in vectors)
    assert len({tuple(row[2:]) for row in vectors}) == len(clips)
    dispatch(["features", "fingerprint", feature, "--device", "cpu"])
    assert capsys.readouterr().out == first


@pytest.mark.parametrize("name", CATALOG)
def test_every_encoder_has_a_fingerprint(
    name: str,
    tiny_sources: Mapping[str, str],
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    monkeypatch.setitem(sys.modules, "funasr", tiny_audio.funasr())
    source = source_of(name, tmp_path, tiny_sources)
    weights = ["--weights", source] if source else []
    with tiny_text.run_code_from(tmp_path / "modules"):
        assert dispatch(["features", "fingerprint", name, "--device", "cpu", "--trust-remote-code", *weights]) == 0
    rows = [line.split("\t") for line in capsys.readouterr().out.split("\n\n")[1].splitlines()[1:]]
    clips = {"audio": len(SOUND_SECONDS), "video": len(FACE_COUNTS), "text": 1}
    assert len({tuple(row[2:]) for row in rows}) == len(rows) == clips[CATALOG[name].modality]
    assert all(np.isfinite(float(value)) for row in rows for value in row[1:])


def test_what_is_rounding_does_not_show() -> None:
    vector = np.zeros(8, dtype=np.float32)
    vector[:3] = 3, 4, 1e-9
    assert fingerprint(vector) == ["5", "3", "4", "0", "0", "0", "0", "0", "0"]
    assert fingerprint(vector * (1 + 1e-6))[:3] == ["5", "3", "4"]


def test_an_unknown_feature_is_refused_with_the_nearest_name() -> None:
    with pytest.raises(InputError, match="Did you mean 'egemaps'"):
        dispatch(["features", "fingerprint", "egemap"])
