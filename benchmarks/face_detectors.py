"""Compares the two face detectors on a folder of clips.

For each clip: the share of sampled frames in which each detector finds a face, its time a frame (detection alone, on
decoded frames), and how well the two agree: the mean overlap (intersection over union) of the two squares that would be
cropped, and the share of those frames in which it is at least a half, so that both follow the same face.
"""

from __future__ import annotations

import argparse
import time
from dataclasses import dataclass, field
from pathlib import Path

import cv2
import numpy as np

from mertools.faces import MARGIN, Box, DlibDetector, FaceDetector, YuNetDetector, choose_face, square
from mertools.media import MissingMedium, UnreadableMedia, evenly, read_frames

SUFFIXES = (".mp4", ".avi", ".mkv", ".mov", ".webm")


@dataclass
class Tally:
    """What was measured on one clip, or on all of them."""

    frames: int = 0
    found: list[int] = field(default_factory=lambda: [0, 0])
    seconds: list[float] = field(default_factory=lambda: [0.0, 0.0])
    overlaps: list[float] = field(default_factory=list)

    def add(self, other: Tally) -> None:
        self.frames += other.frames
        self.found = [a + b for a, b in zip(self.found, other.found, strict=True)]
        self.seconds = [a + b for a, b in zip(self.seconds, other.seconds, strict=True)]
        self.overlaps += other.overlaps

    def row(self, name: str) -> str:
        shares = [f"{count / self.frames:6.0%}" for count in self.found]
        times = [f"{1e3 * seconds / self.frames:8.1f}" for seconds in self.seconds]
        overlaps = np.array(self.overlaps)
        agreement = f"{overlaps.mean():6.2f} {np.mean(overlaps >= 0.5):9.0%}" if len(overlaps) else f"{'-':>6} {'-':>9}"
        return f"{name:24.24} {self.frames:6} {' '.join(shares)} {' '.join(times)} {agreement}"


def measure(images: list[np.ndarray], detectors: tuple[FaceDetector, FaceDetector]) -> Tally:
    tally = Tally(frames=len(images))
    tracks = []
    for index, detector in enumerate(detectors):
        start = time.perf_counter()
        found = [detector.detect(image) for image in images]
        tally.seconds[index] = time.perf_counter() - start
        track, last = [], None
        for boxes in found:
            face = choose_face(boxes, last)
            last = face or last
            track.append(face)
        tally.found[index] = sum(face is not None for face in track)
        tracks.append(track)
    tally.overlaps = [overlap(square(a, MARGIN), square(b, MARGIN)) for a, b in zip(*tracks, strict=True) if a and b]
    return tally


def overlap(a: Box, b: Box) -> float:
    """Intersection over union."""
    width = max(0.0, min(a[2], b[2]) - max(a[0], b[0]))
    height = max(0.0, min(a[3], b[3]) - max(a[1], b[1]))
    areas = [(box[2] - box[0]) * (box[3] - box[1]) for box in (a, b)]
    return width * height / (sum(areas) - width * height)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--clips", type=Path, nargs="+", required=True, help="video files, or folders of them")
    parser.add_argument("--yunet", type=Path, required=True, help="YuNet's .onnx file")
    parser.add_argument("--frames", type=int, default=16, help="frames a clip, evenly spaced (default: 16)")
    parser.add_argument("--threads", type=int, default=1, help="OpenCV's threads (default: 1; dlib has one)")
    arguments = parser.parse_args()

    cv2.setNumThreads(arguments.threads)
    detectors = DlibDetector(), YuNetDetector(arguments.yunet)
    for detector in detectors:
        # Loads the model, outside of the measurement.
        detector.detect(np.zeros((64, 64, 3), np.uint8))
    print(f"{'':24} {'':6} {'with a face':^13} {'ms a frame':^17} {'agreement':^16}")
    print(f"{'clip':24} {'frames':>6} {'dlib':>6} {'yunet':>6} {'dlib':>8} {'yunet':>8} {'IoU':>6} {'IoU>=0.5':>9}")
    total = Tally()
    for path in clips(arguments.clips):
        try:
            frames = read_frames(path, evenly(arguments.frames))
        except (MissingMedium, UnreadableMedia) as error:
            print(f"{path.stem:24.24} {error}")
            continue
        tally = measure(frames.images, detectors)
        print(tally.row(path.stem))
        total.add(tally)
    if total.frames:
        print(total.row("total"))


def clips(paths: list[Path]) -> list[Path]:
    found = []
    for path in paths:
        found += sorted(p for p in path.iterdir() if p.suffix.lower() in SUFFIXES) if path.is_dir() else [path]
    return found


if __name__ == "__main__":
    main()
