"""How much sooner `face-expression` is extracted from stored crops than from video, and how much that changes it.

    python benchmarks/faces.py --data MANIFEST --yunet YUNET.onnx

On one thread, in one process; loading models does not count. Printed are, by detector, the seconds that extraction from
video, `data faces` and extraction from its crops take; the ratio of the first and the last; after how many extractions
the crops have paid; the file's megabytes; and the least cosine between the vectors of a clip.
"""

from __future__ import annotations

import argparse
import tempfile
import time
from collections.abc import Callable, Sequence
from pathlib import Path

import cv2
import numpy as np

from feature_extractors.catalog import card
from feature_extractors.encoder import Settings, build
from feature_extractors.runner import extract
from mertools.clip import Clip
from mertools.corpus import read_manifest
from mertools.faces import FaceDetector, face_detector
from mertools.feature_store import read_features
from mertools.prepare.face_cutting import cut_faces, without_crops

FEATURE = "face-expression"


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--data", type=Path, required=True, help="a manifest of clips with video")
    parser.add_argument("--yunet", type=Path, help="YuNet's .onnx file; without it dlib alone is measured")
    options = parser.parse_args()
    cv2.setNumThreads(1)
    clips = without_crops(read_manifest(options.data).clips)
    detectors = {"dlib": None, "yunet": options.yunet} if options.yunet else {"dlib": None}
    for name, model in detectors.items():
        with tempfile.TemporaryDirectory() as folder:
            measure(clips, face_detector(name, model), Settings(name, model), Path(folder))


def measure(clips: Sequence[Clip], detector: FaceDetector, from_video: Settings, folder: Path) -> None:
    file = folder / "faces.h5"
    extract_by(from_video, clips[:1], folder / "warm-up")
    video = seconds(lambda: extract_by(from_video, clips, folder / "video"))
    cutting = seconds(lambda: cut_faces(clips, file, detector, side=224, workers=0))
    crops = seconds(lambda: extract_by(Settings(faces=file), clips, folder / "crops"))
    one, other = (read_features(folder / name / f"{FEATURE}.h5").utterance for name in ("video", "crops"))
    lengths = np.linalg.norm(one, axis=1) * np.linalg.norm(other, axis=1)
    cosines = (one * other).sum(axis=1)[lengths > 0] / lengths[lengths > 0]
    print(
        f"{detector.name}, {len(clips)} clips: from video {video:.2f} s, data faces {cutting:.2f} s, from crops "
        f"{crops:.2f} s; {video / crops:.0f} times as fast, paid after {cutting / (video - crops):.1f} extractions; "
        f"{file.stat().st_size / 1e6:.1f} MB; least cosine {cosines.min():.5f}",
        flush=True,
    )


def extract_by(settings: Settings, clips: Sequence[Clip], folder: Path) -> None:
    extract(clips, [build(card(FEATURE), settings)], folder, level="utterance", workers=0, device="cpu")


def seconds(act: Callable[[], object]) -> float:
    """The processor time that `act` takes: others may use the machine meanwhile."""
    begin = time.process_time()
    act()
    return time.process_time() - begin


if __name__ == "__main__":
    main()
