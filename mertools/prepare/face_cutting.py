"""Cut the faces of a corpus once, for all visual encoders.

Worker processes decode every frame, follow one face through the clip and compress its crops; they are stored as they
come, so that a run which is killed goes on where it was.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from feature_extractors.runner import TIME_LIMIT_SECONDS, Preparation, Prepared, Progress, Tally, Task
from mertools.clip import Clip
from mertools.clip_rows import FAILED, OK, Head
from mertools.face_store import Cutting, FaceRow, FaceWriter, encoded, read_heads
from mertools.faces import FaceDetector, follow_face, no_face
from mertools.media import FrameStream, MissingMedium

CUTTER = "cutter"

CLIPS_AT_ONCE = 16
"""How many clips are stored at once; crops of so many are in memory, and at most as many are cut again after a kill."""


def without_crops(clips: Sequence[Clip]) -> list[Clip]:
    """The clips whose faces are to be cut: those for which the manifest names no ready crops."""
    return [clip for clip in clips if clip.faces is None]


def cut_faces(
    clips: Sequence[Clip],
    path: Path,
    detector: FaceDetector,
    *,
    side: int,
    workers: int,
    time_limit: float = TIME_LIMIT_SECONDS,
    progress: Progress = lambda done, total, failed: None,
) -> list[Head]:
    """Write the face crops of `clips` to the file `path`, and say what became of each.

    Crops larger than `side` pixels are scaled down to that. Clips that are stored already are not touched, unless their
    video is another now. `workers` processes cut; with 0 or 1 this one does, and nothing can end a clip that hangs
    after `time_limit` seconds.

    Raises InputError where the file was cut otherwise, is being written by another process or cannot be written, and
    where the detector cannot be loaded.
    """
    with FaceWriter(path, Cutting(detector.name, side)) as writer:
        finished = writer.finished()
        todo = [clip for clip in clips if not _is_finished(clip, finished)]
        if todo:
            # A detector that cannot be loaded is not the first clip's fault.
            detector.detect(np.zeros((64, 64, 3), np.uint8))
        tally = Tally(len(todo), progress)
        tally.tell()
        with Preparation({CUTTER: Cutter(detector, side)}, min(workers, len(todo)), time_limit) as preparation:
            rows = []
            for task, results in preparation.run(Task(clip, (CUTTER,)) for clip in todo):
                rows.append(_row(task.clip.name, results[CUTTER]))
                tally.add(1, rows[-1].status == FAILED)
                if len(rows) == CLIPS_AT_ONCE:
                    writer.append(rows)
                    rows = []
            writer.append(rows)
        writer.pack([clip.name for clip in clips])
    heads = {head.name: head for head in read_heads(path)}
    return [heads[clip.name] for clip in clips]


@dataclass(frozen=True)
class Cut:
    """What was cut from a clip: `times` (T,) of the decoded frames in seconds, and their crops, b"" without a face."""

    times: np.ndarray
    crops: Sequence[bytes]
    problem: str


class Cutter:
    """Cuts the faces of a clip; it stands where an encoder stands in `Preparation`."""

    modality = "video"

    def __init__(self, detector: FaceDetector, side: int) -> None:
        self._detector = detector
        self._side = side

    def prepare(self, clip: Clip) -> Cut:
        """Raises MissingMedium where there is no face in the clip, UnreadableMedia where it cannot be decoded."""
        if clip.video is None:
            raise MissingMedium("no video")
        stream = FrameStream(clip.video)
        times, crops = [], []
        for time, crop in follow_face(stream, self._detector):
            times.append(time)
            # Compressed one by one: frames may be large.
            crops.append(b"" if crop is None else encoded(crop, self._side))
        if not any(crops):
            raise no_face(len(crops), stream.problem)
        return Cut(np.array(times), crops, stream.problem or "")


def _is_finished(clip: Clip, finished: Mapping[str, str]) -> bool:
    if clip.name not in finished:
        return False
    if clip.is_away("video"):
        # A file that has been moved away has not changed: the crops are all that is left of it.
        return True
    try:
        return clip.media_key("video") == finished[clip.name]
    except OSError:
        return False


def _row(clip: str, prepared: Prepared) -> FaceRow:
    if prepared.status != OK:
        return FaceRow(clip, prepared.status, prepared.reason, prepared.media_key)
    cut = prepared.item
    return FaceRow(clip, OK, cut.problem, prepared.media_key, cut.times, cut.crops)
