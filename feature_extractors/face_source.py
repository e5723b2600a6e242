"""Where visual encoders get the face of a clip from."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np

from feature_extractors.encoder import Settings
from mertools.clip import Clip
from mertools.errors import InputError
from mertools.face_store import FaceFile
from mertools.faces import FaceTrack, crop_faces, face_detector, read_crops
from mertools.media import Chooser, FrameStream, MissingMedium


class FaceSource:
    """The manifest's ready crops where a clip has any; else the file of crops that the run names; else a detector."""

    def __init__(self, settings: Settings) -> None:
        """Raises InputError for a file that holds no crops, and for a detector that there is not."""
        self._file = FaceFile(settings.faces) if settings.faces else None
        self._detector = None if self._file else face_detector(settings.face_detector, settings.face_model)

    @property
    def facts(self) -> Mapping[str, str]:
        """What a recipe says about faces: who found them, and how they were stored meanwhile."""
        if self._file is None:
            return {"face_detector": self._detector.name}
        cutting = self._file.cutting
        return {"face_detector": cutting.detector, "face_crops": f"{cutting.coding}, at most {cutting.side} pixels"}

    def check(self, clips: Sequence[Clip], margin: float, size: int) -> None:
        """Raises InputError where the file of crops lacks one of `clips`, or its crops show or resolve less."""
        if self._file is None:
            return
        path, cutting = self._file.path, self._file.cutting
        if cutting.margin != margin or cutting.side < size:
            raise InputError(
                f"{path} holds crops of at most {cutting.side} pixels with a margin of {cutting.margin:g}; wanted are "
                f"{size} pixels and {margin:g}. Write another: mertools data faces --size {size} --out FILE."
            )
        known = self._file.names()
        seen = [clip for clip in clips if clip.video is not None and clip.faces is None]
        lacking = [clip.name for clip in seen if clip.name not in known]
        if lacking:
            raise InputError(
                f"{path} lacks {len(lacking)} of {len(seen)} clips (first: {lacking[0]}). "
                f"Run: mertools data faces --out {path}, with the --data of this command."
            )

    def track(self, clip: Clip, choose: Chooser, margin: float, size: int) -> FaceTrack:
        """The face in those frames of `clip` that `choose` keeps; crops of `size`, if they are not ready ones.

        Raises MissingMedium where there is no face, UnreadableMedia where the clip or its crops cannot be read.
        """
        if clip.faces is not None:
            return read_crops(clip.faces, clip.faces_order, choose)
        if clip.video is None:
            raise MissingMedium("no video")
        if self._file is not None:
            return self._file.track(clip, choose, size)
        return crop_faces(FrameStream(clip.video, choose), self._detector, margin, size)

    def check_detector(self) -> None:
        """Let a detector that cannot be loaded end the run: it is not the first clip's fault."""
        if self._detector is not None:
            self._detector.detect(np.zeros((64, 64, 3), np.uint8))
