"""The only place that finds and crops faces, or reads ready crops.

A crop is a square around one face: the square with the area of the detector's box and its centre, widened by `margin`
of its side on each side, so that crops from different detectors show a face at about the same size.
"""

from __future__ import annotations

import hashlib
import re
from dataclasses import dataclass
from functools import cache, cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any, Protocol

import numpy as np

from mertools.errors import InputError
from mertools.media import Chooser, Frames, FrameStream, MissingMedium, UnreadableMedia, every, once
from mertools.registry import look_up

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

Box = tuple[float, float, float, float]
"""Left, top, right, bottom in pixels; may reach beyond the image."""

DETECTION_SIDE = 640
"""Detectors look at images of at most this width and height: their time grows with the area."""

YUNET_CONFIDENCE = 0.85
"""Lower ones let averted heads and a clock pass for faces in TV clips; OpenCV's own 0.9 loses faces in profile."""

MARGIN = 0.15
"""Takes in forehead and chin and leaves out most hair, as the pictures of FER2013 do that expression nets learn on."""

IMAGE_SUFFIXES = (".png", ".jpg", ".jpeg", ".bmp", ".webp")


class FaceDetector(Protocol):
    """Finds faces. `name` identifies the detector and its weights in a feature's recipe.

    Detectors are cheap to make and to pickle; each process loads the model when it detects for the first time.
    """

    @property
    def name(self) -> str: ...

    def detect(self, image: np.ndarray) -> list[Box]:
        """The faces of an (H, W, 3) uint8 RGB image."""
        ...


@dataclass(frozen=True)
class DlibDetector:
    """dlib's HOG detector of frontal faces (King 2015, arXiv:1502.00046); needs no download.

    It sees faces of about 80 pixels and more, so an image in which it finds none is looked at again, twice as large.
    """

    @property
    def name(self) -> str:
        return "dlib-hog"

    def detect(self, image: np.ndarray) -> list[Box]:
        """The faces of an (H, W, 3) uint8 RGB image."""
        scale = min(1.0, DETECTION_SIDE / max(image.shape[:2]))
        return _dlib_boxes(image, scale) or _dlib_boxes(image, 2 * scale)


@dataclass(frozen=True)
class YuNetDetector:
    """YuNet (Wu et al. 2023, doi:10.1007/s11633-023-1423-y) by OpenCV, from an .onnx file of fixed input size.

    Raises InputError, when it first detects, for a file that OpenCV cannot load.
    """

    model: Path

    @cached_property
    def name(self) -> str:
        return f"yunet:{self.model.stem}:{hashlib.sha256(self.model.read_bytes()).hexdigest()[:8]}"

    def detect(self, image: np.ndarray) -> list[Box]:
        """The faces of an (H, W, 3) uint8 RGB image."""
        scale = min(1.0, DETECTION_SIDE / max(image.shape[:2]))
        scaled = _scaled(image, scale)
        network = _yunet_model(self.model)
        network.setInputSize((scaled.shape[1], scaled.shape[0]))
        _, found = network.detect(np.ascontiguousarray(scaled[..., ::-1]))
        boxes = [] if found is None else found[:, :4] / scale
        return [(float(x), float(y), float(x + width), float(y + height)) for x, y, width, height in boxes]


def face_detector(name: str = "auto", model: Path | None = None) -> FaceDetector:
    """The detector `dlib` or `yunet`; `auto` is YuNet where its model is given or lies in the cache, else dlib.

    `model` is YuNet's .onnx file; without it the cache folder's `faces/yunet*.onnx` is taken.

    Raises InputError for an unknown name, and for YuNet where there is no such file.
    """
    from mertools.model_sources import cache_folder

    look_up("face detector", name, {"auto": None, "dlib": DlibDetector, "yunet": YuNetDetector})
    if name == "dlib":
        return DlibDetector()
    folder = cache_folder() / "faces"
    model = model or next(iter(sorted(folder.glob("yunet*.onnx"))), None)
    if model is None:
        if name == "auto":
            return DlibDetector()
        raise InputError(
            f"YuNet needs its model, and there is no yunet*.onnx in {folder}. Give the file, or put it there: "
            "yunet_n_640_640.onnx from github.com/ShiqiYu/libfacedetection.train."
        )
    if not model.is_file():
        raise InputError(f"There is no face detection model {model}.")
    return YuNetDetector(model)


@dataclass(frozen=True)
class FaceTrack:
    """The crops of one person's face, and their times.

    `frames_seen` counts the frames that were looked at, with and without a face. `problem` says why some were lacking
    or damaged, None where none were.
    """

    crops: list[np.ndarray]  # T x (S, S, 3) uint8 RGB
    times: np.ndarray  # (T,) float64 seconds
    frames_seen: int
    problem: str | None = None


def crop_faces(
    frames: Frames | FrameStream, detector: FaceDetector, margin: float = MARGIN, size: int | None = None
) -> FaceTrack:
    """One face a frame: the largest at first, then the one nearest to the last.

    Crops are square; they measure `size` pixels, or what they measure in the frame where `size` is None. Where a square
    reaches beyond the frame, the frame's border is repeated.

    Raises MissingMedium where no frame has a face, and what iterating a FrameStream raises.
    """
    crops, times, seen = [], [], 0
    for time, crop in follow_face(frames, detector, margin):
        seen += 1
        if crop is not None:
            crops.append(crop if size is None else resized(crop, size))
            times.append(time)
    if not crops:
        raise no_face(seen, frames.problem)
    return FaceTrack(crops, np.array(times), seen, frames.problem)


def follow_face(
    frames: Frames | FrameStream, detector: FaceDetector, margin: float = MARGIN
) -> Iterator[tuple[float, np.ndarray | None]]:
    """Of each frame its time and the crop (S, S, 3) of one face, as large as in the frame; None where there is no face.

    Which face that is, and what is raised, `crop_faces` says.
    """
    last = None
    for time, image in frames:
        face = choose_face(_find(frames, image, detector), last)
        last = face or last
        yield time, None if face is None else _crop(image, square(face, margin))


def no_face(frames: int, problem: str | None) -> MissingMedium:
    """What is raised where none of so many frames has a face; `problem` says what else was wrong with them."""
    return MissingMedium(f"no face in any of {frames} frames{f' ({problem})' if problem else ''}")


def _find(frames: Frames | FrameStream, image: np.ndarray, detector: FaceDetector) -> list[Box]:
    """The faces of the image that `frames` gave last; encoders that share a clip share what was found in it."""
    if not isinstance(frames, FrameStream):
        return detector.detect(image)
    return once(("faces", detector.name, frames.path, frames.index), lambda: detector.detect(image))


def choose_face(boxes: Sequence[Box], last: Box | None) -> Box | None:
    """The box whose centre is nearest to that of `last`, the largest one without it; None where there is no box."""
    if last is None:
        return max(boxes, key=_area, default=None)
    x, y = _centre(last)
    return min(boxes, key=lambda box: (_centre(box)[0] - x) ** 2 + (_centre(box)[1] - y) ** 2, default=None)


def square(box: Box, margin: float) -> Box:
    """The square with the area and the centre of `box`, wider by `margin` of its side on each side."""
    x, y = _centre(box)
    half = _area(box) ** 0.5 * (0.5 + margin)
    return x - half, y - half, x + half, y + half


def read_crops(
    path: Path, order: str = "rgb", choose: Chooser | None = None, frames_per_second: float = 25.0
) -> FaceTrack:
    """Ready crops: a .npy file of (T, H, W, 3) uint8, or a folder of images in the natural order of their names.

    `order` is that of the stored channels, `rgb` or `bgr` (OpenFace's files by the MER baseline); for a folder `bgr`
    means that its images show red as blue. Crop i is of time i / frames_per_second. Only the crops that `choose` keeps
    are read.

    Raises MissingMedium where there are no crops, UnreadableMedia for a file that is absent or holds anything else.
    Pickled objects are refused unread: reading them runs their code.
    """
    if not path.exists():
        raise UnreadableMedia(f"the face crops {path.name} do not exist")
    crops = _ImageFolder(path) if path.is_dir() else _mapped_array(path)
    if not len(crops):
        raise MissingMedium(f"no face crops in {path.name}")
    times = np.arange(len(crops)) / frames_per_second
    chosen = (choose or every())(times)
    read = [(index, crops[index]) for index in chosen]
    kept = [(index, image) for index, image in read if image is not None]
    problem = None
    if len(kept) < len(read):
        problem = f"{len(read) - len(kept)} of {len(read)} images in {path.name} cannot be read"
    if not kept:
        raise UnreadableMedia(problem)
    turned = slice(None, None, -1 if order == "bgr" else 1)
    images = [np.array(image[..., turned], order="C") for _, image in kept]
    return FaceTrack(images, times[[index for index, _ in kept]], len(read), problem)


class _ImageFolder:
    """The images of a folder as a sequence of (H, W, 3) uint8 RGB; None stands for one that cannot be read."""

    def __init__(self, folder: Path) -> None:
        paths = [p for p in folder.iterdir() if p.suffix.lower() in IMAGE_SUFFIXES and not p.name.startswith(".")]
        self.paths = sorted(paths, key=_natural_key)

    def __len__(self) -> int:
        return len(self.paths)

    def __getitem__(self, index: int) -> np.ndarray | None:
        import cv2

        try:
            content = np.frombuffer(self.paths[index].read_bytes(), np.uint8)
        except OSError:
            return None
        # Not imread, which cannot open every name on every system.
        image = cv2.imdecode(content, cv2.IMREAD_COLOR) if len(content) else None
        return None if image is None else image[..., ::-1]


def _natural_key(path: Path) -> list[tuple[int, str]]:
    """Numbers in names compare as numbers: frame 9 stands before frame 10."""
    return [(int(part), "") if part.isdecimal() else (-1, part) for part in re.split(r"(\d+)", path.name)]


def _mapped_array(path: Path) -> np.ndarray:
    """A .npy file of crops, memory-mapped: only the crops that are used get read."""
    wanted = "wanted a .npy file of (T, H, W, 3) uint8 crops, or a folder of images"
    if path.stat().st_size == 0:
        raise UnreadableMedia(f"{path.name} is empty (0 bytes); {wanted}")
    try:
        array = np.lib.format.open_memmap(path, mode="r")
    except (ValueError, EOFError, OSError) as error:
        # NumPy's reason: a wrong magic string, pickled objects, or fewer bytes than the header says.
        raise UnreadableMedia(f"{path.name} cannot be read: {error}; {wanted}") from error
    if array.size and (array.ndim != 4 or array.shape[-1] != 3 or array.dtype != np.uint8):
        raise UnreadableMedia(f"{path.name} holds {array.shape} {array.dtype}; {wanted}")
    return array if array.size else array.reshape(0)


def _crop(image: np.ndarray, box: Box) -> np.ndarray:
    import cv2

    side = max(1, round(box[2] - box[0]))
    height, width = image.shape[:2]
    # At least one row and column lie inside, wherever a detector thinks that the face is.
    left = min(max(round(box[0]), 1 - side), width - 1)
    top = min(max(round(box[1]), 1 - side), height - 1)
    right, bottom = left + side, top + side
    inside = image[max(top, 0) : bottom, max(left, 0) : right]
    beyond = max(-top, 0), max(bottom - height, 0), max(-left, 0), max(right - width, 0)
    return cv2.copyMakeBorder(inside, *beyond, cv2.BORDER_REPLICATE) if any(beyond) else inside.copy()


def resized(crop: np.ndarray, size: int) -> np.ndarray:
    """A square crop in `size` x `size` pixels."""
    import cv2

    side = len(crop)
    if size == side:
        return crop
    return cv2.resize(crop, (size, size), interpolation=cv2.INTER_AREA if size < side else cv2.INTER_LINEAR)


def _scaled(image: np.ndarray, scale: float) -> np.ndarray:
    import cv2

    if scale == 1:
        return image
    height, width = (max(1, round(side * scale)) for side in image.shape[:2])
    return cv2.resize(image, (width, height), interpolation=cv2.INTER_AREA if scale < 1 else cv2.INTER_LINEAR)


def _area(box: Box) -> float:
    return (box[2] - box[0]) * (box[3] - box[1])


def _centre(box: Box) -> tuple[float, float]:
    return (box[0] + box[2]) / 2, (box[1] + box[3]) / 2


def _dlib_boxes(image: np.ndarray, scale: float) -> list[Box]:
    found = _dlib_model()(_scaled(image, scale), 0)
    # dlib's right and bottom are the last pixels inside.
    return [tuple(x / scale for x in (box.left(), box.top(), box.right() + 1, box.bottom() + 1)) for box in found]


@cache
def _dlib_model() -> Any:
    import dlib

    return dlib.get_frontal_face_detector()


@cache
def _yunet_model(model: Path) -> Any:
    import cv2

    try:
        return cv2.FaceDetectorYN.create(str(model), "", (DETECTION_SIDE, DETECTION_SIDE), YUNET_CONFIDENCE)
    except cv2.error as error:
        raise InputError(
            f"{model} cannot be loaded as a YuNet model ({error.err}). Wanted an .onnx file of fixed input size, such "
            "as yunet_n_640_640.onnx."
        ) from error
