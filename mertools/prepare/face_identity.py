"""Whose face it is: embeddings of faces that lie close together for one person."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from functools import cache, cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any, Protocol

import numpy as np

from mertools.errors import InputError
from mertools.faces import Box

if TYPE_CHECKING:
    import dlib

WHEEL = "pypi:face_recognition_models==0.1.3/face_recognition_models/models"
NETWORK = f"{WHEEL}/dlib_face_recognition_resnet_model_v1.dat"
NETWORK_SHA256 = "55533b28a95800a551ba546ba62fe69625c7e95a7061c338adffead08719da30"
LANDMARKS = f"{WHEEL}/shape_predictor_68_face_landmarks.dat"
LANDMARKS_SHA256 = "fbdc2cb80eb9aa7a758672cbfdda32ba6300efe9b6e6c7a299ff7e736b11b92f"


class FaceIdentity(Protocol):
    """Embeds faces. `name` identifies the network and its weights; `distance` is up to which two are of one person.

    Networks are cheap to make and to pickle; each process loads the model when it embeds for the first time.
    """

    @property
    def name(self) -> str: ...

    @property
    def distance(self) -> float: ...

    def embed(self, image: np.ndarray, box: Box) -> np.ndarray:
        """The face in `box` of an (H, W, 3) uint8 RGB image as a vector (D,); how far two are apart is what counts."""
        ...


@dataclass(frozen=True)
class DlibIdentity:
    """dlib's ResNet of 128 dimensions (King 2017), aligned by 68 landmarks; both from a wheel, by `face_identity`."""

    network: Path
    landmarks: Path

    name = "dlib-resnet-v1"
    distance = 0.6
    """Of its vectors as they come, which are not of unit length; the margin that it was trained to."""

    def embed(self, image: np.ndarray, box: Box) -> np.ndarray:
        import dlib

        image = np.ascontiguousarray(image)
        shape = _dlib_landmarks(self.landmarks)(image, dlib.rectangle(*(round(side) for side in box)))
        return np.array(_dlib_network(self.network).compute_face_descriptor(image, shape))


@dataclass(frozen=True)
class SFaceIdentity:
    """SFace (Zhong et al. 2021), or a network of its form, by OpenCV's FaceRecognizerSF from the user's .onnx file.

    Aligned by five of dlib's landmarks. Raises InputError, when it first embeds, for a file that OpenCV cannot load.
    """

    model: Path
    landmarks: Path

    distance = 1.128
    """OpenCV's limit for SFace: a cosine of 0.363, as the distance of two vectors of unit length is the same."""

    @cached_property
    def name(self) -> str:
        return f"sface:{self.model.stem}:{hashlib.sha256(self.model.read_bytes()).hexdigest()[:8]}"

    def embed(self, image: np.ndarray, box: Box) -> np.ndarray:
        """See FaceIdentity; of unit length."""
        network = _sface_model(self.model)
        left, top, right, bottom = box
        row = [left, top, right - left, bottom - top, *_five_points(image, box, self.landmarks).ravel(), 1.0]
        aligned = network.alignCrop(np.ascontiguousarray(image[..., ::-1]), np.array(row, np.float32))
        vector = network.feature(aligned).ravel().astype(float)
        return vector / max(np.linalg.norm(vector), 1e-9)


def _five_points(image: np.ndarray, box: Box, landmarks: Path) -> np.ndarray:
    """Eyes, nose and corners of the mouth, each pair from the image's left, as OpenCV wants them: (5, 2) pixels."""
    import dlib

    rectangle = dlib.rectangle(*(round(side) for side in box))
    shape = _dlib_landmarks(landmarks)(np.ascontiguousarray(image), rectangle)
    points = np.array([(point.x, point.y) for point in shape.parts()], float)
    # By the order of the 68 points of iBUG 300-W.
    return np.stack([points[36:42].mean(0), points[42:48].mean(0), points[30], points[48], points[54]])


def face_identity(model: Path | None = None) -> FaceIdentity:
    """dlib's network, or SFace where `model`, its .onnx file, is given; downloaded unless it is here.

    Raises InputError where there is no such file, and where dlib's cannot be had.
    """
    from mertools.model_sources import fetch

    if model is not None and not model.is_file():
        raise InputError(f"There is no face recognition model {model}.")
    landmarks = fetch(LANDMARKS, sha256=LANDMARKS_SHA256).path
    if model is not None:
        return SFaceIdentity(model, landmarks)
    return DlibIdentity(fetch(NETWORK, sha256=NETWORK_SHA256).path, landmarks)


@cache
def _dlib_landmarks(path: Path) -> dlib.shape_predictor:
    import dlib

    return dlib.shape_predictor(str(path))


@cache
def _dlib_network(path: Path) -> Any:
    import dlib

    return dlib.face_recognition_model_v1(str(path))


@cache
def _sface_model(path: Path) -> Any:
    import cv2

    try:
        return cv2.FaceRecognizerSF.create(str(path), "")
    except cv2.error as error:
        raise InputError(
            f"{path} cannot be loaded as a face recognition model ({error.err}). Wanted an .onnx file such as "
            "face_recognition_sface_2021dec.onnx."
        ) from error
