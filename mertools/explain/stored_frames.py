"""StoredFrames: the frames of clips, as `extract.py --level frame` left them, for an explainer's branches."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from contextlib import ExitStack
from dataclasses import asdict
from pathlib import Path

import numpy as np
import torch

from mertools.clip_rows import MISSING, OK
from mertools.errors import InputError
from mertools.explain.batch import MediaInput
from mertools.explain.configuration import CANONICAL, Branch
from mertools.explain.landmarks import LandmarkFile
from mertools.explain.regions import clip_regions
from mertools.explain.sampling import sample
from mertools.feature_store import FrameReader, Row, read_heads, read_provenance

ENCODER = ("feature", "encoder", "source", "revision", "recipe")
"""What two feature files must agree on for an explainer to read both; noise may differ, which is what a test is of."""

Windows = Mapping[str, tuple[tuple[float, float], ...]]
"""Begin and end of each utterance, in seconds, by clip."""


class StoredFrames:
    """The frames of every branch, read when asked for; a context manager."""

    def __init__(self, branches: Mapping[str, Branch], folder: Path, windows: Windows | None = None) -> None:
        """Open the feature files of `branches`, by medium, in `folder`.

        Raises InputError for a file that is absent, without frames, or of another encoder than its branch is for, and
        for landmarks that are not there.
        """
        self.folder = folder
        self._branches = branches
        self._windows = windows or {}
        self._stack = ExitStack()
        self._readers: dict[str, FrameReader] = {}
        self._status: dict[str, dict[str, str]] = {}
        self._landmarks: dict[str, LandmarkFile] = {}
        try:
            for medium, branch in branches.items():
                reader = self._stack.enter_context(FrameReader(folder / f"{branch.feature}.h5"))
                branch.check_frames(read_provenance(reader.path).feature, reader.frame_shape)
                self._readers[medium] = reader
                self._status[medium] = {head.name: head.status for head in read_heads(reader.path)}
                local = branch.local_attention
                if local and local.landmarks != CANONICAL:
                    self._landmarks[medium] = LandmarkFile(Path(local.landmarks))
                    self._stack.callback(self._landmarks[medium].close)
        except BaseException:
            self.close()
            raise

    def __enter__(self) -> StoredFrames:
        return self

    def __exit__(self, *exception: object) -> None:
        self.close()

    def close(self) -> None:
        self._stack.close()

    @property
    def provenance(self) -> dict[str, dict[str, str]]:
        """What encoded the frames of each medium."""
        found = {medium: asdict(read_provenance(reader.path)) for medium, reader in self._readers.items()}
        return {medium: {part: about[part] for part in ENCODER} for medium, about in found.items()}

    def check_encoders(self, wanted: Mapping[str, Mapping[str, str]]) -> None:
        """Refuse frames of other encoders than `wanted`, the provenance of what an explainer was trained on.

        Raises InputError with both values.
        """
        for medium, found in self.provenance.items():
            for part in ENCODER:
                if found[part] != wanted[medium][part]:
                    raise InputError(
                        f"{self._readers[medium].path} has {part} {found[part]!r}, and the explainer is trained on "
                        f"{wanted[medium][part]!r}. Extract the feature as for training, into another folder."
                    )

    def check_clips(self, clips: Iterable[tuple[str, tuple[str, ...]]]) -> None:
        """Refuse clips that a feature file does not know, or whose extraction failed.

        Each of `clips` comes with the media it must have a row for; whatever else it lacks is missing, as is what a
        file knows to be missing. Raises InputError with their number and the first.
        """
        needs = list(clips)
        for medium, known in self._status.items():
            lacking = [name for name, media in needs if medium in media and known.get(name) not in (OK, MISSING)]
            if lacking:
                path = self._readers[medium].path
                reason = "failed" if lacking[0] in known else "is not in it"
                raise InputError(
                    f"{path} lacks {len(lacking)} of {len(needs)} clips (first: {lacking[0]}, which {reason}). "
                    f"Run: python extract.py --feature {self._branches[medium].feature} --level frame"
                )

    def has_seconds(self, name: str, seconds: float) -> bool:
        """Whether the clip's frames reach to `seconds`, by the medium that reaches furthest."""
        rows = [self._row(medium, name) for medium in self._branches]
        ends = [_end(row) for row in rows if row is not None]
        return max(ends, default=0.0) >= seconds

    def clip(self, name: str) -> dict[str, MediaInput]:
        """The media of one clip, a batch of one; a medium that it lacks is one frame that is not there."""
        windows = self.windows(name)
        return {medium: self._media(medium, name, windows) for medium in self._branches}

    def windows(self, name: str) -> tuple[tuple[float, float], ...]:
        """The utterances of a clip that its branches keep, in order: the longest."""
        at_most = max((one.windows.at_most for one in self._branches.values() if one.windows), default=0)
        longest = sorted(self._windows.get(name, ()), key=lambda window: window[0] - window[1])[:at_most]
        return tuple(sorted(longest))

    def _media(self, medium: str, name: str, windows: tuple[tuple[float, float], ...]) -> MediaInput:
        branch, row = self._branches[medium], self._row(medium, name)
        if row is None:
            frames, times = np.zeros((1, *branch.frame_shape), np.float32), np.zeros(1)
        else:
            frames, times = sample(row.frames, row.times, branch.frames, branch.sampling)
        has_windows = bool(branch.windows and windows)
        return MediaInput(
            frames=torch.from_numpy(np.asarray(frames, dtype=np.float32))[None],
            times=torch.from_numpy(np.asarray(times, dtype=np.float32))[None],
            mask=torch.full((1, len(frames)), row is not None),
            windows=torch.tensor([windows]) if has_windows else None,
            window_mask=torch.ones(1, len(windows), dtype=torch.bool) if has_windows else None,
            regions=self._regions(medium, name, np.asarray(times)) if branch.local_attention else None,
        )

    def _regions(self, medium: str, name: str, times: np.ndarray) -> torch.Tensor:
        """Which patches show which region of the face, (1, T, R, P) bool, in the frames at `times`."""
        branch = self._branches[medium]
        local, landmarks = branch.local_attention, self._landmarks.get(medium)
        points, scheme = (landmarks.points(name, times), landmarks.scheme) if landmarks else (None, CANONICAL)
        if landmarks and points is None:
            return torch.zeros(1, len(times), len(local.regions), branch.patches, dtype=torch.bool)
        return torch.from_numpy(clip_regions(local, branch.patches, len(times), points, scheme))[None]

    def _row(self, medium: str, name: str) -> Row | None:
        """The stored frames of a clip, None where it lacks the medium."""
        return self._readers[medium][name] if self._status[medium].get(name) == OK else None


def _end(row: Row) -> float:
    """Where the clip ends: a frame stands for a stretch of time, and the last one's is as long as the others'."""
    stretch = (row.times[-1] - row.times[0]) / max(len(row.times) - 1, 1)
    return float(row.times[-1] + stretch)
