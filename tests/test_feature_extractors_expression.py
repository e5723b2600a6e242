"""Faces in, features before the class layer and probabilities out."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from feature_extractors.catalog import CATALOG
from feature_extractors.encoder import Encoder, Encoding, Settings, build
from feature_extractors.expression import PROBABILITIES
from mertools.clip import Clip
from mertools.errors import InputError
from mertools.media import MissingMedium, UnreadableMedia, write_clip


@pytest.fixture(scope="module")
def encoder() -> Encoder:
    encoder = build(CATALOG["face-expression"], Settings(face_detector="dlib"))
    try:
        encoder.load("cpu")
    except InputError as error:
        pytest.skip(f"the weights cannot be had here: {str(error).splitlines()[0]}")
    return encoder


def crops(count: int, size: int = 64) -> np.ndarray:
    return np.random.default_rng(0).integers(0, 256, (count, size, size, 3)).astype(np.uint8)


def encode(encoder: Encoder, *clips: Clip) -> list[Encoding]:
    return encoder.encode([encoder.prepare(clip) for clip in clips])


def test_ready_crops(tmp_path: Path, encoder: Encoder) -> None:
    np.save(tmp_path / "long.npy", crops(100))
    np.save(tmp_path / "short.npy", crops(3, 112))
    long, short = encode(encoder, *(Clip(name, faces=tmp_path / f"{name}.npy") for name in ("long", "short")))
    assert long.frames.shape == (16, 128) and short.frames.shape == (3, 128)
    assert long.outputs["probabilities"].shape == (16, len(PROBABILITIES))
    np.testing.assert_allclose(long.outputs["probabilities"].sum(axis=1), 1, atol=1e-5)
    np.testing.assert_allclose(short.times, [0, 0.04, 0.08])
    assert (np.diff(long.times) > 0).all() and long.times[-1] < 4
    (alone,) = encode(encoder, Clip("short", faces=tmp_path / "short.npy"))
    np.testing.assert_allclose(alone.frames, short.frames, atol=1e-5)


def test_patches_are_what_the_features_are_the_mean_of(tmp_path: Path, encoder: Encoder) -> None:
    np.save(tmp_path / "crops.npy", crops(3))
    patches = build(CATALOG["face-expression-patches"], Settings(face_detector="dlib"))
    patches.load("cpu")
    clip = Clip("clip", faces=tmp_path / "crops.npy")
    (whole,), (parts,) = encode(encoder, clip), encode(patches, clip)
    assert parts.frames.shape == (3, 16, 128)
    np.testing.assert_allclose(parts.frames.mean(axis=1), whole.frames, atol=1e-5)
    # Row by row: what changes at the top of a face changes the first patches most.
    faces = patches.prepare(clip)
    darker = faces.images.copy()
    darker[:, :16] = 0
    (changed,) = patches.encode([replace(faces, images=darker)])
    difference = np.abs(changed.frames - parts.frames).mean(axis=(0, 2)).reshape(4, 4).mean(axis=1)
    assert difference[0] > 5 * difference[-1]


def test_blue_and_red_are_told_apart(tmp_path: Path, encoder: Encoder) -> None:
    np.save(tmp_path / "rgb.npy", crops(2))
    np.save(tmp_path / "bgr.npy", crops(2)[..., ::-1])
    rgb = encoder.prepare(Clip("a", faces=tmp_path / "rgb.npy"))
    bgr = encoder.prepare(Clip("a", faces=tmp_path / "bgr.npy", faces_order="bgr"))
    np.testing.assert_array_equal(rgb.images, bgr.images)


def test_clips_without_a_face_are_missing(tmp_path: Path, encoder: Encoder) -> None:
    write_clip(tmp_path / "grey.mp4", [np.full((120, 160, 3), 128, np.uint8)] * 5, 25)
    with pytest.raises(MissingMedium, match=r"^no face in any of 5 frames$"):
        encoder.prepare(Clip("grey", video=tmp_path / "grey.mp4"))
    with pytest.raises(UnreadableMedia, match="does not exist"):
        encoder.prepare(Clip("gone", video=tmp_path / "gone.mp4"))


def test_a_detector_that_cannot_be_loaded_ends_the_run(tmp_path: Path) -> None:
    (tmp_path / "yunet.onnx").write_bytes(b"not a network")
    broken = build(CATALOG["face-expression"], Settings("yunet", tmp_path / "yunet.onnx"))
    with pytest.raises(InputError, match="cannot be loaded as a YuNet model"):
        broken.load("cpu")
    with pytest.raises(InputError, match="There is no face detection model"):
        build(CATALOG["face-expression"], Settings("yunet", tmp_path / "absent.onnx"))


def test_weights_with_another_checksum_are_refused(tmp_path: Path) -> None:
    (tmp_path / "other.hdf5").write_bytes(b"other")
    card = replace(CATALOG["face-expression"], source=f"path:{tmp_path / 'other.hdf5'}")
    with pytest.raises(InputError, match="sha256"):
        build(card, Settings("dlib")).load("cpu")


def test_a_smile_is_happy(media_folder: Path, encoder: Encoder) -> None:
    (encoding,) = encode(encoder, Clip("smile", video=media_folder / "faces" / "fer_test.mp4"))
    mean = dict(zip(PROBABILITIES, encoding.outputs["probabilities"].mean(axis=0), strict=True))
    assert max(mean, key=mean.get) == "happy" and mean["happy"] > 0.6
    assert 10 <= len(encoding.frames) <= 16 and np.isfinite(encoding.frames).all()
