"""Finding, following and cropping faces, and reading ready crops."""

from __future__ import annotations

import hashlib
import pickle
from pathlib import Path

import cv2
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from mertools.errors import InputError
from mertools.faces import (
    Box,
    DlibDetector,
    YuNetDetector,
    choose_face,
    crop_faces,
    face_detector,
    read_crops,
    square,
)
from mertools.media import (
    Frames,
    FrameStream,
    MissingMedium,
    UnreadableMedia,
    decoding_once,
    evenly,
    read_frames,
    write_clip,
)


class Scripted:
    """A detector that gives what it was told to, frame by frame."""

    name = "scripted"

    def __init__(self, *boxes: list[Box]) -> None:
        self.boxes = iter(boxes)

    def detect(self, image: np.ndarray) -> list[Box]:
        return next(self.boxes)


def coordinates(height: int = 100, width: int = 120) -> np.ndarray:
    """An image whose red is its row and whose green is its column."""
    image = np.zeros((height, width, 3), np.uint8)
    image[..., 0] = np.arange(height)[:, None]
    image[..., 1] = np.arange(width)[None, :]
    return image


def frames(count: int) -> Frames:
    return Frames([coordinates()] * count, np.arange(count) / 25)


# ---- following one face


def test_the_largest_face_first_then_the_nearest() -> None:
    big, small, big_again = (10, 10, 50, 50), (70, 70, 90, 90), (14, 12, 30, 30)
    detector = Scripted([small, big], [], [(60, 60, 118, 98), big_again], [small])
    track = crop_faces(frames(4), detector, margin=0)
    assert [crop.shape for crop in track.crops] == [(40, 40, 3), (17, 17, 3), (20, 20, 3)]
    np.testing.assert_array_equal(track.times, [0, 2 / 25, 3 / 25])
    assert track.frames_seen == 4
    assert track.problem is None


def test_no_face_is_a_missing_medium() -> None:
    with pytest.raises(MissingMedium, match=r"^no face in any of 3 frames$"):
        crop_faces(frames(3), Scripted([], [], []))
    with pytest.raises(MissingMedium, match=r"^no face in any of 1 frames \(the video ends early\)$"):
        crop_faces(Frames([coordinates()], np.zeros(1), "the video ends early"), Scripted([]))


def test_what_is_wrong_with_the_frames_is_passed_on() -> None:
    damaged = Frames([coordinates()], np.zeros(1), "the video ends early")
    assert crop_faces(damaged, Scripted([(10, 10, 50, 50)])).problem == "the video ends early"


def test_a_stream_of_frames_is_cropped_alike(tmp_path: Path) -> None:
    write_clip(tmp_path / "clip.mp4", [coordinates()] * 10, 25)
    boxes = [[(10, 10, 50, 50)]] * 4
    streamed = crop_faces(FrameStream(tmp_path / "clip.mp4", evenly(4)), Scripted(*boxes))
    at_once = crop_faces(read_frames(tmp_path / "clip.mp4", evenly(4)), Scripted(*boxes))
    np.testing.assert_array_equal(streamed.crops, at_once.crops)
    np.testing.assert_array_equal(streamed.times, at_once.times)


def test_encoders_that_share_a_clip_share_its_faces(tmp_path: Path) -> None:
    write_clip(tmp_path / "clip.mp4", [coordinates()] * 10, 25)
    detector = Scripted(*[[(10, 10, 50, 50)]] * 10)
    with decoding_once():
        tracks = [crop_faces(FrameStream(tmp_path / "clip.mp4", choose), detector) for choose in (evenly(4), None)]
    assert [len(track.crops) for track in tracks] == [4, 10]
    assert next(detector.boxes, None) is None


# ---- crops


def test_a_crop_shows_what_lies_in_the_square() -> None:
    (crop,) = crop_faces(frames(1), Scripted([(20, 30, 60, 70)]), margin=0.25).crops
    assert crop.shape == (60, 60, 3)
    np.testing.assert_array_equal(crop[:, 0, 0], np.arange(20, 80))
    np.testing.assert_array_equal(crop[0, :, 1], np.arange(10, 70))


def test_beyond_the_border_the_border_is_repeated() -> None:
    (crop,) = crop_faces(frames(1), Scripted([(-10, -20, 30, 20)]), margin=0).crops
    assert crop.shape == (40, 40, 3)
    np.testing.assert_array_equal(crop[:, 20, 0], [0] * 20 + list(range(20)))
    np.testing.assert_array_equal(crop[20, :, 1], [0] * 10 + list(range(30)))


def test_crops_of_a_size() -> None:
    for size in (24, 40, 96):
        (crop,) = crop_faces(frames(1), Scripted([(20, 30, 60, 70)]), margin=0, size=size).crops
        assert crop.shape == (size, size, 3)
        assert crop[..., 0].mean() == pytest.approx(49.5, abs=1)


@given(
    st.tuples(st.floats(-200, 300), st.floats(-200, 300)),
    st.tuples(st.floats(1, 400), st.floats(1, 400)),
    st.floats(0, 1),
)
def test_any_box_gives_a_square_crop(corner: tuple[float, float], extent: tuple[float, float], margin: float) -> None:
    box = (*corner, corner[0] + extent[0], corner[1] + extent[1])
    left, top, right, bottom = square(box, margin)
    assert right - left == pytest.approx(bottom - top)
    assert (left + right) / 2 == pytest.approx((box[0] + box[2]) / 2)
    (crop,) = crop_faces(frames(1), Scripted([box]), margin=margin).crops
    assert crop.shape == (crop.shape[0], crop.shape[0], 3)
    assert crop.flags.c_contiguous


def test_choosing_among_no_boxes() -> None:
    assert choose_face([], None) is None
    assert choose_face([], (0, 0, 1, 1)) is None


# ---- detectors


def test_auto_takes_yunet_where_its_model_is(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("MERTOOLS_CACHE", str(tmp_path))
    assert face_detector("auto").name == "dlib-hog"
    with pytest.raises(InputError, match=r"there is no yunet\*\.onnx in .*Give the file, or put it there"):
        face_detector("yunet")
    (tmp_path / "faces").mkdir()
    (tmp_path / "faces" / "yunet_n.onnx").write_bytes(b"weights")
    digest = hashlib.sha256(b"weights").hexdigest()[:8]
    assert face_detector("auto").name == face_detector("yunet").name == f"yunet:yunet_n:{digest}"
    assert face_detector("dlib").name == "dlib-hog"
    (tmp_path / "other.onnx").write_bytes(b"other weights")
    assert face_detector("auto", tmp_path / "other.onnx").name.startswith("yunet:other:")


def test_what_is_no_detector_is_refused(tmp_path: Path) -> None:
    with pytest.raises(InputError, match=r"Unknown face detector 'dlip'. Did you mean 'dlib'\?"):
        face_detector("dlip")
    with pytest.raises(InputError, match=r"There is no face detection model .*absent\.onnx"):
        face_detector("yunet", tmp_path / "absent.onnx")
    (tmp_path / "broken.onnx").write_bytes(b"no weights")
    with pytest.raises(InputError, match=r"broken\.onnx cannot be loaded as a YuNet model"):
        face_detector("yunet", tmp_path / "broken.onnx").detect(coordinates())


@pytest.mark.parametrize("shape", [(1, 1), (2, 3000), (48, 64), (2160, 3840)])
def test_dlib_finds_nothing_in_nothing(shape: tuple[int, int]) -> None:
    assert DlibDetector().detect(np.full((*shape, 3), 90, np.uint8)) == []


def test_detectors_travel_to_worker_processes(tmp_path: Path) -> None:
    (tmp_path / "yunet.onnx").write_bytes(b"weights")
    for detector in (DlibDetector(), YuNetDetector(tmp_path / "yunet.onnx")):
        name = detector.name
        copy = pickle.loads(pickle.dumps(detector))  # noqa: S301
        assert copy == detector
        assert copy.name == name


def test_both_detectors_follow_the_one_face_of_a_real_clip(media_folder: Path) -> None:
    stream = FrameStream(media_folder / "faces" / "fer_test.mp4", evenly(6))
    for detector in (DlibDetector(), YuNetDetector(media_folder / "faces" / "yunet_n_640_640.onnx")):
        track = crop_faces(stream, detector, size=112)
        assert len(track.crops) >= 4
        assert {crop.shape for crop in track.crops} == {(112, 112, 3)}
        assert track.frames_seen == 6
        assert set(track.times) <= set(stream.times)


def test_both_detectors_mark_the_same_face_whatever_the_size_of_the_frame(media_folder: Path) -> None:
    (image,) = read_frames(media_folder / "faces" / "fer_test.mp4", evenly(1)).images
    sides, centres = [], []
    for detector in (DlibDetector(), YuNetDetector(media_folder / "faces" / "yunet_n_640_640.onnx")):
        for scale in (1, 3):
            (box,) = detector.detect(cv2.resize(image, None, fx=scale, fy=scale))
            left, top, right, bottom = (x / scale for x in square(box, 0))
            sides.append(right - left)
            centres.append(((left + right) / 2, (top + bottom) / 2))
    assert max(sides) < 1.5 * min(sides)
    assert np.ptp(centres, axis=0).max() < 0.3 * min(sides)


def test_dlib_looks_again_for_small_faces(media_folder: Path) -> None:
    # People at a counter, faces of 50 to 75 pixels in 1280.
    track = crop_faces(FrameStream(media_folder / "meld" / "dia42_utt1.mp4", evenly(8)), DlibDetector())
    assert len(track.crops) >= 4


# ---- ready crops


@pytest.fixture
def crops() -> np.ndarray:
    return np.random.default_rng(0).integers(0, 256, (12, 16, 16, 3), dtype=np.uint8)


@pytest.mark.parametrize("order", ["rgb", "bgr"])
def test_crops_from_an_array(tmp_path: Path, crops: np.ndarray, order: str) -> None:
    np.save(tmp_path / "clip.npy", crops if order == "rgb" else crops[..., ::-1])
    track = read_crops(tmp_path / "clip.npy", order)
    np.testing.assert_array_equal(track.crops, crops)
    np.testing.assert_allclose(track.times, np.arange(12) / 25)
    assert track.frames_seen == 12
    assert track.problem is None
    assert type(track.crops[0]) is np.ndarray
    assert track.crops[0].flags.c_contiguous


def test_crops_are_chosen_by_time(tmp_path: Path, crops: np.ndarray) -> None:
    np.save(tmp_path / "clip.npy", crops)
    track = read_crops(tmp_path / "clip.npy", choose=evenly(3), frames_per_second=12)
    np.testing.assert_array_equal(track.crops, crops[[2, 6, 10]])
    np.testing.assert_allclose(track.times, [2 / 12, 6 / 12, 10 / 12])
    assert track.frames_seen == 3


@pytest.mark.parametrize("order", ["rgb", "bgr"])
def test_crops_from_a_folder_come_in_natural_order(tmp_path: Path, crops: np.ndarray, order: str) -> None:
    folder = tmp_path / "脸 of clip"
    folder.mkdir()
    for index, crop in enumerate(crops):
        stored = crop if order == "rgb" else crop[..., ::-1]
        (folder / f"frame_{index}.png").write_bytes(cv2.imencode(".png", stored[..., ::-1])[1].tobytes())
    (folder / "notes.txt").write_text("not an image")
    (folder / "._frame_0.png").write_bytes(b"left by another system")
    track = read_crops(folder, order)
    np.testing.assert_array_equal(track.crops, crops)
    np.testing.assert_array_equal(read_crops(folder, order, evenly(2)).crops, crops[[3, 9]])


def test_images_that_cannot_be_read_are_left_out(tmp_path: Path, crops: np.ndarray) -> None:
    for index in range(3):
        (tmp_path / f"{index}.png").write_bytes(cv2.imencode(".png", crops[index])[1].tobytes())
    (tmp_path / "1.png").write_bytes(b"no image")
    (tmp_path / "3.png").touch()
    track = read_crops(tmp_path)
    assert len(track.crops) == 2
    np.testing.assert_allclose(track.times, [0, 2 / 25])
    assert track.problem == f"2 of 4 images in {tmp_path.name} cannot be read"
    for index in range(3):
        (tmp_path / f"{index}.png").write_bytes(b"no image")
    with pytest.raises(UnreadableMedia, match=r"4 of 4 images in .* cannot be read"):
        read_crops(tmp_path)


@pytest.mark.parametrize("empty", [np.zeros((0, 112, 112, 3), np.uint8), np.zeros((5, 0, 0, 3)), np.array([])])
def test_no_crops_are_a_missing_medium(tmp_path: Path, empty: np.ndarray) -> None:
    np.save(tmp_path / "clip.npy", empty)
    with pytest.raises(MissingMedium, match=r"^no face crops in clip\.npy$"):
        read_crops(tmp_path / "clip.npy")
    (tmp_path / "folder").mkdir()
    with pytest.raises(MissingMedium, match=r"^no face crops in folder$"):
        read_crops(tmp_path / "folder")


def test_what_holds_no_crops_is_unreadable(tmp_path: Path, crops: np.ndarray) -> None:
    (tmp_path / "empty.npy").touch()
    (tmp_path / "text.npy").write_text("no array")
    (tmp_path / "pickle.npy").write_bytes(pickle.dumps(crops))
    np.save(tmp_path / "objects.npy", np.array([crops, None], dtype=object), allow_pickle=True)
    np.save(tmp_path / "float.npy", crops / 255)
    np.save(tmp_path / "grey.npy", crops[..., 0])
    np.save(tmp_path / "whole.npy", crops)
    (tmp_path / "cut.npy").write_bytes((tmp_path / "whole.npy").read_bytes()[:1000])
    wanted = "wanted a .npy file of (T, H, W, 3) uint8 crops, or a folder of images"
    reasons = {
        "absent.npy": "the face crops absent.npy do not exist",
        "empty.npy": f"empty.npy is empty (0 bytes); {wanted}",
        "text.npy": "text.npy cannot be read: the magic string is not correct",
        "pickle.npy": "pickle.npy cannot be read: the magic string is not correct",
        "objects.npy": "objects.npy cannot be read: Array can't be memory-mapped: Python objects in dtype",
        "cut.npy": "cut.npy cannot be read: mmap length is greater than file size",
        "float.npy": f"float.npy holds (12, 16, 16, 3) float64; {wanted}",
        "grey.npy": f"grey.npy holds (12, 16, 16) uint8; {wanted}",
    }
    for name, reason in reasons.items():
        with pytest.raises(UnreadableMedia) as caught:
            read_crops(tmp_path / name)
        assert str(caught.value).startswith(reason)
