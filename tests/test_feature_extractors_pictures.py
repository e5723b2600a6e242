"""Which pictures visual encoders see; every card from a tiny checkpoint of its architecture."""

from __future__ import annotations

import pickle
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from tiny_video import BUILDERS, crops, encode, encoder

from feature_extractors.catalog import CATALOG
from feature_extractors.encoder import Settings, build
from feature_extractors.pictures import LAST, SPREAD, chooser, fill
from feature_extractors.runner import extract
from mertools.clip import Clip
from mertools.errors import InputError
from mertools.feature_store import read_features
from mertools.media import MissingMedium, write_clip

CARDS = pytest.mark.parametrize("name", BUILDERS)
RECIPES = pytest.mark.parametrize("recipe", ["mer2024", "masked"])


@CARDS
@RECIPES
def test_structure(
    name: str, recipe: str, tiny_sources: Mapping[str, str], crop_clips: list[Clip], frame_clips: list[Clip]
) -> None:
    if CATALOG[name].recipe(recipe)["picture"] == "frame":
        crop_clips = frame_clips
    one = encoder(name, tiny_sources, recipe)
    # Prepared as workers do it: by a copy without a model that has travelled.
    worker = pickle.loads(pickle.dumps(encoder(name, tiny_sources, recipe, load=False)))  # noqa: S301 (our own bytes)
    prepared = [worker.prepare(clip) for clip in crop_clips]
    assert all(item.images.dtype == np.uint8 for item in prepared)
    together = one.encode(prepared)
    for clip, encoding in zip(crop_clips, together, strict=True):
        assert encoding.frames.dtype == np.float32 and np.isfinite(encoding.frames).all()
        assert len(encoding.frames) == len(encoding.times)
        assert (encoding.times >= 0).all() and encoding.times.max() < int(clip.name) / 25
        (alone,) = encode(one, [clip])
        np.testing.assert_allclose(alone.frames, encoding.frames, atol=1e-4)
    provenance = one.provenance("frame")
    assert provenance.source == tiny_sources[name] and len(provenance.revision) == 32


@CARDS
def test_a_clip_without_pictures_is_missing(name: str, tiny_sources: Mapping[str, str], tmp_path: Path) -> None:
    one = encoder(name, tiny_sources, load=False)
    with pytest.raises(MissingMedium, match=r"^no video$"):
        one.prepare(Clip("sound", audio=tmp_path / "sound.wav"))
    write_clip(tmp_path / "grey.mp4", [np.full((120, 160, 3), 128, np.uint8)] * 5, 25)
    if one.recipe["picture"] == "face":
        with pytest.raises(MissingMedium, match=r"^no face in any of \d frames$"):
            one.prepare(Clip("grey", video=tmp_path / "grey.mp4"))


def test_all_in_one_run(tiny_sources: Mapping[str, str], frame_clips: list[Clip], tmp_path: Path) -> None:
    np.save(tmp_path / "faces.npy", crops(9))
    everything = [*(replace(clip, faces=tmp_path / "faces.npy") for clip in frame_clips), Clip("nothing", subtitle="!")]
    sources = {name: tiny_sources[name] for name in ("clip-base", "videomae-base-mer2023", "eva02-base", "eva-clip-g")}
    encoders = [build(CATALOG[name], Settings("dlib", sources=sources)) for name in sources]
    outcomes = extract(everything, encoders, tmp_path / "features", level="utterance", workers=0, device="cpu")
    for outcome, one in zip(outcomes, encoders, strict=True):
        assert [row.status for row in outcome.rows] == ["ok", "ok", "missing"]
        assert outcome.rows[-1].reason == "no video"
        (wanted,) = encode(encoder(one.name, tiny_sources), everything[:1])
        stored = read_features(outcome.path).utterance[0]
        np.testing.assert_allclose(stored, wanted.frames.reshape(-1, len(stored)).mean(axis=0), atol=1e-5)


def test_detected_faces(media_folder: Path, tiny_sources: Mapping[str, str]) -> None:
    one = encoder("dinov2-large", tiny_sources, "masked")
    clip = Clip("smile", video=media_folder / "faces" / "fer_test.mp4")
    prepared = one.prepare(clip)
    assert prepared.images.shape[1:] == (3, 32, 32) and 10 < len(prepared.images) <= 64
    assert (np.diff(prepared.times) > 0).all()
    assert one.recipe["face_detector"] == "dlib-hog" and one.recipe["crop"] == 224


def test_a_detector_that_cannot_be_loaded_ends_the_run(tmp_path: Path, tiny_sources: Mapping[str, str]) -> None:
    (tmp_path / "yunet.onnx").write_bytes(b"not a network")
    settings = Settings("yunet", tmp_path / "yunet.onnx", sources={"clip-base": tiny_sources["clip-base"]})
    with pytest.raises(InputError, match="cannot be loaded as a YuNet model"):
        build(CATALOG["clip-base"], settings).load("cpu")


def test_no_batch_on_the_device_is_larger_than_said(
    tiny_sources: Mapping[str, str], crop_clips: list[Clip], monkeypatch: pytest.MonkeyPatch
) -> None:
    one = encoder("clip-base", tiny_sources)
    whole, sizes, features = encode(one, crop_clips), [], one.features
    monkeypatch.setattr(one, "at_once", 50)
    monkeypatch.setattr(one, "features", lambda images: sizes.append(len(images)) or features(images))
    for before, after in zip(whole, encode(one, crop_clips), strict=True):
        np.testing.assert_allclose(after.frames, before.frames, atol=1e-6)
    assert sizes == [50, 50, 13]


@given(frames=st.integers(1, 900), count=st.sampled_from([8, 16, 64]), spacing=st.sampled_from(["index", "time"]))
def test_a_number_of_frames(frames: int, count: int, spacing: str) -> None:
    chosen = chooser({"frames": count, "spacing": spacing})(np.arange(frames) / 25)
    assert len(chosen) == min(count, frames) and (np.diff(chosen) > 0).all()
    assert chosen[0] >= 0 and chosen[-1] < frames
    if spacing == "index":
        assert chosen[0] == 0
    for how in (LAST, SPREAD):
        filled = fill(len(chosen), count, how)
        assert len(filled) == count and set(filled) == set(range(len(chosen)))
        times_shown = np.bincount(filled)
        assert how == LAST or times_shown.max() - times_shown.min() <= 1


def test_frames_by_stride_and_by_interval() -> None:
    times = np.arange(20) / 25
    np.testing.assert_array_equal(chooser({"stride": 4})(times), [0, 4, 8, 12, 16])
    by_interval = chooser({"interval_seconds": 0.16})
    np.testing.assert_array_equal(by_interval(times + 0.3), [0, 4, 8, 12, 16])
    np.testing.assert_array_equal(by_interval(np.arange(40) / 50), [0, 8, 16, 24, 32])
    np.testing.assert_array_equal(by_interval(np.array([0.0, 0.5, 0.51, 1.0])), [0, 1, 3])
