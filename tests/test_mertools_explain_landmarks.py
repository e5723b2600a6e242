"""Landmarks found by dlib on drawn faces, and kept in a file."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from broken_corpus import portrait

from mertools.__main__ import dispatch
from mertools.clip import Clip
from mertools.errors import InputError
from mertools.explain.configuration import Branch, LocalAttention, QFormer
from mertools.explain.landmarks import FaceRegions, LandmarkFile, find_landmarks, landmark_finder, write_landmarks
from mertools.faces import DlibDetector, choose_face
from mertools.media import every, write_clip


def face_branch(landmarks: str) -> Branch:
    """Sixteen patches and a class token; no frame borrows another's regions."""
    local = LocalAttention(landmarks=landmarks, nearest_frames=0)
    return Branch("patches", width=8, patches=17, image_qformer=QFormer(), local_attention=local)


@pytest.fixture(scope="module")
def predictor(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A predictor of 68 points, all of them near the middle of the face, that has seen three drawn faces."""
    import dlib

    images = portrait(3)
    faces = []
    for image in images:
        left, top, right, bottom = map(round, choose_face(DlibDetector().detect(image), None))
        box = dlib.rectangle(left, top, right, bottom)
        middle = np.array([(left + right) / 2, (top + bottom) / 2])
        offsets = np.array([(number % 8 - 4, number // 8 - 4) for number in range(68)])
        points = [dlib.point(*point) for point in (middle + offsets).astype(int).tolist()]
        faces.append([dlib.full_object_detection(box, dlib.points(points))])
    options = dlib.shape_predictor_training_options()
    options.tree_depth, options.cascade_depth, options.num_trees_per_cascade_level = 2, 2, 5
    options.oversampling_amount, options.random_seed = 5, "0"
    path = tmp_path_factory.mktemp("dlib") / "points.dat"
    dlib.train_shape_predictor(images, faces, options).save(str(path))
    return path


def test_dlib_finds_points_of_drawn_faces(tmp_path: Path, predictor: Path) -> None:
    images = portrait(4)
    images[2] = np.full_like(images[2], 128)
    write_clip(tmp_path / "clip.mp4", images, 25)
    finder = landmark_finder("dlib", predictor, DlibDetector())
    times, points = find_landmarks(Clip("clip", video=tmp_path / "clip.mp4"), finder, every())
    assert points.shape == (4, 68, 2) and np.isnan(points[2]).all()
    np.testing.assert_allclose(times, [0, 0.04, 0.08, 0.12])
    left, top, right, bottom = choose_face(DlibDetector().detect(images[0]), None)
    height, width = images[0].shape[:2]
    middle = ((left + right) / 2 / width, (top + bottom) / 2 / height)
    np.testing.assert_allclose(points[0].mean(axis=0), middle, atol=0.05)

    write_landmarks(tmp_path / "landmarks.h5", finder.scheme, [("clip", times, points), ("bare", times, points[:, :0])])
    file = LandmarkFile(tmp_path / "landmarks.h5")
    assert file.scheme == "dlib"
    read = file.points("clip", np.array([0.0, 0.081, 0.13, 5.0]))
    np.testing.assert_array_equal(read[0], points[0])
    assert np.isnan(read[[1, 3]]).all()
    np.testing.assert_array_equal(read[2], points[3])
    assert file.points("bare", times) is None and file.points("absent", times) is None
    file.close()

    branch = face_branch(str(tmp_path / "landmarks.h5"))
    masks = FaceRegions(branch).of("clip", times)
    assert masks.shape == (4, 8, 17) and masks[[0, 1, 3]].any(axis=2).all() and not masks[2].any()
    assert not FaceRegions(branch).of("bare", times).any()


def test_crops_of_faces_need_no_landmarks() -> None:
    masks = FaceRegions(face_branch("canonical")).of("any", np.zeros(3))
    assert masks.shape == (3, 8, 17) and masks.any(axis=2).all()
    with pytest.raises(InputError, match=r"absent\.h5 is no file of landmarks"):
        FaceRegions(face_branch("absent.h5"))


def test_the_command(tmp_path: Path, predictor: Path, capsys: pytest.CaptureFixture[str]) -> None:
    write_clip(tmp_path / "face.mp4", portrait(3), 25)
    write_clip(tmp_path / "grey.mp4", [np.full((120, 160, 3), 128, np.uint8)] * 3, 25)
    (tmp_path / "manifest.csv").write_text("name,video,subtitle\nface,face.mp4,\ngrey,grey.mp4,\nsilent,,Hello.\n")
    words = ["explain", "landmarks", "--data", str(tmp_path / "manifest.csv"), "--face-detector", "dlib"]
    out = tmp_path / "landmarks.h5"
    assert dispatch([*words, "--model", str(predictor), "--out", str(out)]) == 0
    assert capsys.readouterr().out == f"{out}: landmarks of 1 of 3 clips (dlib)\n"
    assert LandmarkFile(out).points("face", np.zeros(1)).shape == (1, 68, 2)
    with pytest.raises(InputError, match="does not read whole pictures"):
        dispatch([*words, "--model", str(predictor), "--feature", "face-expression-patches"])


def test_what_cannot_find_landmarks(tmp_path: Path) -> None:
    with pytest.raises(InputError, match=r"There is no file .*absent\.dat"):
        landmark_finder("dlib", tmp_path / "absent.dat", DlibDetector())
    (tmp_path / "other.dat").write_text("not a predictor")
    with pytest.raises(InputError, match="no shape predictor of dlib's"):
        landmark_finder("dlib", tmp_path / "other.dat", DlibDetector()).find(portrait(1)[0])
    with pytest.raises(InputError, match=r"Unknown finder of landmarks 'mediapip'\. Did you mean"):
        landmark_finder("mediapip", tmp_path / "other.dat", DlibDetector())
    with pytest.raises(InputError, match="is no file of landmarks"):
        LandmarkFile(tmp_path / "other.dat")
