"""Whose face it is, by a tiny network in SFace's place; dlib's own weights are a download of 93 MB."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from mertools.errors import InputError
from mertools.prepare import face_identity
from mertools.prepare.face_identity import SFaceIdentity


@pytest.fixture
def tiny(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> SFaceIdentity:
    """The mean colour of the aligned face in place of a network, and landmarks at fixed places in the box."""
    onnx = pytest.importorskip("onnx")
    node = onnx.helper.make_node("ReduceMean", ["data"], ["fc1"], axes=[2, 3], keepdims=0)
    data = onnx.helper.make_tensor_value_info("data", onnx.TensorProto.FLOAT, [1, 3, 112, 112])
    out = onnx.helper.make_tensor_value_info("fc1", onnx.TensorProto.FLOAT, [1, 3])
    opset = onnx.helper.make_opsetid("", 11)
    model = onnx.helper.make_model(onnx.helper.make_graph([node], "tiny", [data], [out]), opset_imports=[opset])
    model.ir_version = 7
    path = tmp_path / "tiny.onnx"
    onnx.save(model, path)

    def five_points(image: np.ndarray, box: tuple, landmarks: Path) -> np.ndarray:
        left, top, right, bottom = box
        places = np.array([[0.3, 0.35], [0.7, 0.35], [0.5, 0.6], [0.35, 0.8], [0.65, 0.8]])
        return [left, top] + places * [right - left, bottom - top]

    monkeypatch.setattr(face_identity, "_five_points", five_points)
    return SFaceIdentity(path, tmp_path / "landmarks.dat")


def test_vectors_are_of_unit_length_and_of_the_face_alone(tiny: SFaceIdentity) -> None:
    image = np.full((200, 200, 3), 128, np.uint8)
    image[40:160, 40:160] = 200, 20, 20
    red = tiny.embed(image, (40, 40, 160, 160))
    image[:10] = 0
    assert np.linalg.norm(red) == pytest.approx(1)
    np.testing.assert_allclose(tiny.embed(image, (40, 40, 160, 160)), red, atol=0.05)
    image[40:160, 40:160] = 20, 200, 20
    assert np.linalg.norm(tiny.embed(image, (40, 40, 160, 160)) - red) > 0.5
    assert tiny.name.startswith("sface:tiny:")


def test_a_file_that_is_no_network_is_refused(tmp_path: Path, tiny: SFaceIdentity) -> None:
    path = tmp_path / "broken.onnx"
    path.write_bytes(b"no network")
    with pytest.raises(InputError, match="cannot be loaded"):
        SFaceIdentity(path, tiny.landmarks).embed(np.zeros((50, 50, 3), np.uint8), (0, 0, 50, 50))
    with pytest.raises(InputError, match="There is no face recognition model"):
        face_identity.face_identity(tmp_path / "absent.onnx")
