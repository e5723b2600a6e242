"""Landmarks of faces: who finds them, and the file they are kept in."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any, Protocol

import h5py
import numpy as np

from mertools.clip import Clip
from mertools.errors import InputError
from mertools.explain.configuration import CANONICAL, Branch
from mertools.explain.regions import DLIB, MEDIAPIPE, clip_regions
from mertools.faces import FaceDetector, choose_face
from mertools.media import FrameStream, MissingMedium
from mertools.registry import look_up

SAME_FRAME_SECONDS = 0.05
"""A frame's landmarks may have been found in the frame before or after it, at 25 frames a second."""


class LandmarkFinder(Protocol):
    """Finds landmarks. `scheme` says in which order they come (`regions.OUTLINES`)."""

    scheme: str

    def find(self, image: np.ndarray) -> np.ndarray | None:
        """The points (N, 2) of one face in an (H, W, 3) uint8 RGB image, x and y in [0, 1]; None without a face."""
        ...


@dataclass(frozen=True)
class DlibLandmarks:
    """dlib's predictor of 68 points (Kazemi & Sullivan 2014) in the faces that `detector` finds, from a .dat file."""

    model: Path
    detector: FaceDetector
    scheme = DLIB

    def find(self, image: np.ndarray) -> np.ndarray | None:
        """As `LandmarkFinder.find`; raises InputError for a file that is no such predictor."""
        import dlib

        box = choose_face(self.detector.detect(image), None)
        if box is None:
            return None
        left, top, right, bottom = (round(edge) for edge in box)
        shape = self._predictor(np.ascontiguousarray(image), dlib.rectangle(left, top, right - 1, bottom - 1))
        height, width = image.shape[:2]
        return np.array([(point.x / width, point.y / height) for point in shape.parts()])

    @cached_property
    def _predictor(self) -> Any:
        import dlib

        try:
            return dlib.shape_predictor(str(self.model))
        except RuntimeError as error:
            raise InputError(
                f"{self.model} is no shape predictor of dlib's. Wanted shape_predictor_68_face_landmarks.dat "
                "(dlib.net/files)."
            ) from error


@dataclass(frozen=True)
class MediaPipeLandmarks:
    """MediaPipe's face mesh (Lugaresi et al. 2019), from a face_landmarker.task file."""

    model: Path
    scheme = MEDIAPIPE

    def find(self, image: np.ndarray) -> np.ndarray | None:
        """As `LandmarkFinder.find`; raises InputError where MediaPipe is not installed."""
        library, landmarker = self._landmarker
        picture = library.Image(image_format=library.ImageFormat.SRGB, data=np.ascontiguousarray(image))
        faces = landmarker.detect(picture).face_landmarks
        return np.array([(point.x, point.y) for point in faces[0]]) if faces else None

    @cached_property
    def _landmarker(self) -> tuple[Any, Any]:
        try:
            import mediapipe
            from mediapipe.tasks.python import BaseOptions, vision
        except ModuleNotFoundError as error:
            raise InputError(
                "MediaPipe's landmarks need its package: pip install mediapipe. dlib's are there without: --finder dlib"
            ) from error
        options = vision.FaceLandmarkerOptions(base_options=BaseOptions(model_asset_path=str(self.model)))
        return mediapipe, vision.FaceLandmarker.create_from_options(options)


def landmark_finder(name: str, model: Path, detector: FaceDetector) -> LandmarkFinder:
    """The finder `dlib` or `mediapipe` with its `model` file; dlib's looks in the faces that `detector` finds.

    Raises InputError for an unknown name, and where there is no such file.
    """
    look_up("finder of landmarks", name, {DLIB: None, MEDIAPIPE: None})
    if not model.is_file():
        raise InputError(f"There is no file {model}. Give the model that {name} finds landmarks by.")
    return DlibLandmarks(model, detector) if name == DLIB else MediaPipeLandmarks(model)


def find_landmarks(
    clip: Clip, finder: LandmarkFinder, choose: Callable[[np.ndarray], np.ndarray]
) -> tuple[np.ndarray, np.ndarray]:
    """Times (T,) and landmarks (T, N, 2) of the frames of `clip` that `choose` picks by their times.

    NaN where a frame has no face; N is 0 where none has. Raises MissingMedium and UnreadableMedia.
    """
    if clip.video is None:
        raise MissingMedium("no video")
    times, faces = [], []
    for time, image in FrameStream(clip.video, choose):
        times.append(time)
        faces.append(finder.find(image))
    count = next((len(face) for face in faces if face is not None), 0)
    points = np.full((len(faces), count, 2), np.nan)
    for place, face in zip(points, faces, strict=True):
        if face is not None:
            place[:] = face
    return np.array(times), points


def write_landmarks(path: Path, scheme: str, clips: Iterable[tuple[str, np.ndarray, np.ndarray]]) -> None:
    """Write name, times (T,) and points (T, N, 2) of `clips`; the file is there when all are."""
    path.parent.mkdir(parents=True, exist_ok=True)
    unfinished = path.with_name(f".{path.name}")
    with h5py.File(unfinished, "w") as file:
        file.attrs["scheme"] = scheme
        for name, times, points in clips:
            group = file.create_group(name)
            group["times"], group["points"] = times, points
    unfinished.replace(path)


class LandmarkFile:
    """The landmarks of a corpus, read when asked for."""

    def __init__(self, path: Path) -> None:
        """Open the file at `path`; raises InputError where there is none, or it is no file of landmarks."""
        try:
            self._file = h5py.File(path)
            self.scheme = str(self._file.attrs["scheme"])
        except (OSError, KeyError) as error:
            raise InputError(
                f"{path} is no file of landmarks. Make one: mertools explain landmarks --data manifest.csv"
            ) from error

    def points(self, name: str, times: np.ndarray) -> np.ndarray | None:
        """The landmarks (T, N, 2) of clip `name` at `times` (T,) seconds, NaN where there is no face or no frame.

        None for a clip that the file does not have, or in which no face was found.
        """
        if name not in self._file or not self._file[name]["points"].shape[1]:
            return None
        known = self._file[name]["times"][:]
        nearest = np.abs(known[None] - times[:, None]).argmin(axis=1)
        points = self._file[name]["points"][:][nearest]
        points[np.abs(known[nearest] - times) > SAME_FRAME_SECONDS] = np.nan
        return points

    def close(self) -> None:
        self._file.close()


class FaceRegions:
    """Which patches of a branch's frames show which part of the face, clip by clip."""

    def __init__(self, branch: Branch) -> None:
        """Open the landmarks that `branch`, which has local attention, names; raises InputError as `LandmarkFile`."""
        self._local, self._patches = branch.local_attention, branch.patches
        is_canonical = self._local.landmarks == CANONICAL
        self._file = None if is_canonical else LandmarkFile(Path(self._local.landmarks))

    def of(self, name: str, times: np.ndarray) -> np.ndarray:
        """The masks (T, R, P) bool of clip `name` at `times` (T,) seconds, all False where there are no landmarks.

        Raises InputError for patches that are no square.
        """
        if self._file is None:
            return clip_regions(self._local, self._patches, len(times), None, CANONICAL)
        points = self._file.points(name, times)
        if points is None:
            return np.zeros((len(times), len(self._local.regions), self._patches), dtype=bool)
        return clip_regions(self._local, self._patches, len(times), points, self._file.scheme)
