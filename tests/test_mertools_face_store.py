"""Files of face crops give back what was cut, and refuse what does not belong together."""

from __future__ import annotations

import pickle
from dataclasses import replace
from pathlib import Path

import h5py
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from tiny_video import crops

from mertools.clip import Clip
from mertools.errors import InputError
from mertools.face_store import Cutting, FaceFile, FaceRow, FaceWriter, decoded, encoded
from mertools.feature_store import read_features
from mertools.media import MissingMedium, UnreadableMedia, evenly, every

CUTTING = Cutting("dlib-hog", 224)
WIDEST_ERROR, MEAN_ERROR = 16, 1.5
"""How far JPEG may take a picture as smooth as a face from what it was, in levels of 256."""


def row(name: str, frames: int = 4, seed: int = 0, without: tuple[int, ...] = (), key: str = "") -> FaceRow:
    """Crops that grow from frame to frame; those of the frames `without` are lacking."""
    images = [crops(2, 40 + 10 * index, seed)[index % 2] for index in range(frames)]
    content = [b"" if index in without else encoded(image, 224) for index, image in enumerate(images)]
    return FaceRow(name, "ok", "", key, np.arange(frames) / 25, content)


def write(path: Path, *rows: FaceRow, order: tuple[str, ...] = (), cutting: Cutting = CUTTING) -> FaceFile:
    with FaceWriter(path, cutting) as writer:
        for one in rows:
            writer.append([one])
        writer.pack(order)
    return FaceFile(path)


@given(side=st.integers(64, 300), seed=st.integers(0, 9))
def test_a_crop_comes_back_as_it_was(side: int, seed: int) -> None:
    crop = crops(1, side, seed)[0]
    content = encoded(crop, 300)
    error = np.abs(decoded(np.frombuffer(content, np.uint8)).astype(int) - crop)
    assert error.max() <= WIDEST_ERROR and error.mean() <= MEAN_ERROR
    assert decoded(np.frombuffer(encoded(crop, 100), np.uint8)).shape == (min(side, 100),) * 2 + (3,)


def test_the_frames_that_an_encoder_chooses(tmp_path: Path) -> None:
    file = write(tmp_path / "faces.h5", row("one", 6), row("two", 9, without=(0, 5)))
    track = file.track(Clip("two"), every(), 64)
    np.testing.assert_array_equal(track.times, np.array([1, 2, 3, 4, 6, 7, 8]) / 25)
    assert {crop.shape for crop in track.crops} == {(64, 64, 3)} and track.frames_seen == 9 and track.problem is None
    few = file.track(Clip("two"), evenly(3), 64)
    # Frames 1, 4 and 7 of nine.
    np.testing.assert_array_equal(few.times, np.array([1, 4, 7]) / 25)
    np.testing.assert_array_equal(few.crops[2], track.crops[5])
    with pytest.raises(MissingMedium, match="no face in any of 1 frames"):
        file.track(Clip("two"), lambda times: np.array([5]), 64)
    travelled = pickle.loads(pickle.dumps(file))  # noqa: S301 (our own bytes)
    np.testing.assert_array_equal(travelled.track(Clip("two"), every(), 64).crops, track.crops)


def test_what_became_of_a_clip_is_told_to_its_encoder(tmp_path: Path) -> None:
    heads = [FaceRow("blind", "missing", "no video"), FaceRow("text", "failed", "text.mp4 is not media")]
    half = replace(row("half"), reason="half.mp4 ends early")
    file = write(tmp_path / "faces.h5", *heads, half)
    with pytest.raises(MissingMedium, match=r"^no video$"):
        file.track(Clip("blind"), every(), 64)
    with pytest.raises(UnreadableMedia, match=r"^text.mp4 is not media$"):
        file.track(Clip("text"), every(), 64)
    assert file.track(Clip("half"), every(), 64).problem == "half.mp4 ends early"
    (tmp_path / "text.mp4").write_text("hello")
    with pytest.raises(UnreadableMedia, match=r"^text.mp4 is not media$"):
        file.track(Clip("text", video=tmp_path / "text.mp4"), every(), 64)
    with pytest.raises(UnreadableMedia, match=r"^faces.h5 lacks the clip$"):
        file.track(Clip("other"), every(), 64)


def test_the_crops_of_another_video_are_not_taken(tmp_path: Path) -> None:
    (tmp_path / "a.mp4").write_bytes(b"first")
    clip = Clip("a", video=tmp_path / "a.mp4")
    file = write(tmp_path / "faces.h5", row("a", key=clip.media_key("video")))
    assert len(file.track(clip, every(), 64).crops) == 4
    (tmp_path / "a.mp4").write_bytes(b"second")
    with pytest.raises(
        UnreadableMedia, match="the video has changed since its faces were cut; run mertools data faces"
    ):
        file.track(clip, every(), 64)
    (tmp_path / "a.mp4").unlink()
    assert len(file.track(clip, every(), 64).crops) == 4, "crops do without the video they were cut from"


def test_packing_takes_the_newest_row_of_each_clip(tmp_path: Path) -> None:
    path = tmp_path / "faces.h5"
    write(path, *(row(name, seed=number) for number, name in enumerate("abcd")))
    new = row("b", 7, seed=9, without=(3,))
    file = write(path, FaceRow("e", "missing", "no face in any of 3 frames"), new, order=("e", "b", "a"))
    with h5py.File(path) as content:
        assert [name.decode() for name in content["names"][:]] == ["e", "b", "a", "c", "d"]
        np.testing.assert_array_equal(content["offsets"][:], [0, 0, 7, 11, 15, 19])
        assert content["jpeg_offsets"][-1] == content["sizes"][:].sum() == len(content["jpeg"])
    wanted = [decoded(np.frombuffer(crop, np.uint8)) for crop in new.crops if crop]
    for crop, image in zip(file.track(Clip("b"), every(), 100).crops[5:], wanted[5:], strict=True):
        np.testing.assert_array_equal(crop, image)
    np.testing.assert_array_equal(
        file.track(Clip("d"), every(), 64).crops,
        write(tmp_path / "alone.h5", row("d", seed=3)).track(Clip("d"), every(), 64).crops,
    )
    assert not path.with_suffix(".parts").exists()


def test_failed_clips_are_tried_again(tmp_path: Path) -> None:
    write(tmp_path / "faces.h5", row("a", key="1"), FaceRow("b", "failed"), FaceRow("c", "missing", media_key="3"))
    with FaceWriter(tmp_path / "faces.h5", CUTTING) as writer:
        assert writer.finished() == {"a": "1", "c": "3"}


@pytest.mark.parametrize("packed", [True, False])
@pytest.mark.parametrize(
    "other", [Cutting("yunet:a:12345678", 224), Cutting("dlib-hog", 112), Cutting("dlib-hog", 224, 0.3)]
)
def test_refuses_to_go_on_otherwise(tmp_path: Path, other: Cutting, packed: bool) -> None:
    with FaceWriter(tmp_path / "faces.h5", CUTTING) as writer:
        writer.append([row("a")])
        if packed:
            writer.pack([])
    with pytest.raises(InputError, match=r"was cut with (detector|side|margin) .*, now asked for is .*--out"):
        FaceWriter(tmp_path / "faces.h5", other)


def test_refuses_files_that_hold_no_crops(tmp_path: Path) -> None:
    with pytest.raises(InputError, match=r"There is no file of face crops .* Run: mertools data faces --out"):
        FaceFile(tmp_path / "absent.h5")
    with FaceWriter(tmp_path / "begun.h5", CUTTING) as writer:
        writer.append([row("a")])
    with pytest.raises(InputError, match=r"An unfinished one stands in .*begun\.parts"):
        FaceFile(tmp_path / "begun.h5")
    (tmp_path / "text.h5").write_text("hello")
    with pytest.raises(InputError, match="not an HDF5 file"):
        FaceFile(tmp_path / "text.h5")
    with h5py.File(tmp_path / "other.h5", "w") as file:
        file["names"] = [1]
    with pytest.raises(InputError, match="no file of face crops"):
        FaceFile(tmp_path / "other.h5")
    write(tmp_path / "faces.h5", row("a"))
    with pytest.raises(InputError, match="no feature file of this suite"):
        read_features(tmp_path / "faces.h5")


def test_damaged_crops_are_told(tmp_path: Path) -> None:
    file = write(tmp_path / "faces.h5", row("a"), row("b"))
    with h5py.File(tmp_path / "faces.h5", "r+") as content:
        content["jpeg"][: content["sizes"][0]] = 0
    with pytest.raises(UnreadableMedia, match=r"faces\.h5 is damaged where it holds the crops of this clip"):
        file.track(Clip("a"), every(), 64)
    assert len(file.track(Clip("b"), every(), 64).crops) == 4
