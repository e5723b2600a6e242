"""Which clips of a corpus a visual encoder is adapted on: those whose face can be seen, and what they are."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from mertools.clip import Clip
from mertools.clip_rows import OK
from mertools.corpus import TRAIN, Corpus
from mertools.errors import InputError
from mertools.face_store import read_heads
from mertools.faces import read_crops
from mertools.media import MissingMedium, UnreadableMedia
from mertools.registry import look_up
from mertools.run_record import fingerprint


@dataclass(frozen=True)
class FaceClips:
    """The clips that have a face, in the order of their names, and by reason how many were left out."""

    clips: tuple[Clip, ...]
    fingerprint: str
    left_out: Mapping[str, int]

    @property
    def splits(self) -> dict[str, int]:
        """How many clips there are of each split."""
        return dict(sorted(Counter(clip.split for clip in self.clips).items()))

    @property
    def transductive(self) -> list[str]:
        """The splits of clips that are predicted: scores on them are those of clips that the encoder has seen."""
        return [split for split in self.splits if split != TRAIN]


def of_splits(corpus: Corpus, only: Sequence[str], without: Sequence[str]) -> list[Clip]:
    """The clips of the splits `only` (of all, where it names none) less those of the splits `without`.

    Raises InputError for a split that the corpus does not have, and where no clip is left.
    """
    for split in (*only, *without):
        look_up("split", split, dict.fromkeys(corpus.splits))
    wanted = [split for split in only or corpus.splits if split not in without]
    clips = [clip for clip in corpus.clips if clip.split in wanted]
    if not clips:
        raise InputError(
            f"No clip of {corpus.manifest} is left to adapt on; its splits are {', '.join(corpus.splits)}. "
            "Name others with --split, or fewer with --exclude-split."
        )
    return clips


def with_faces(clips: Sequence[Clip], faces: Path | None) -> FaceClips:
    """Those of `clips` that have a face: in ready crops, else in `faces`, a file of `mertools data faces`.

    Of ready crops the first is read, or if that cannot be, all. The fingerprint is of names and media; labels and
    splits play no part. Raises InputError where none has a face.
    """
    heads = {head.name: head for head in read_heads(faces)} if faces else {}
    seen: list[tuple[Clip, str]] = []
    left_out: Counter[str] = Counter()
    for clip in sorted(clips, key=lambda clip: clip.name):
        key = clip.media_key("video")
        head = heads.get(clip.name)
        if clip.faces is not None:
            problem = _problem_of_crops(clip)
        elif head is None:
            problem = "no video"
        elif head.status == OK and key not in ("", head.media_key):
            problem = "the video has changed since its faces were cut"
        else:
            problem = "" if head.status == OK else f"{head.status}: {_kind(head.reason)}"
        if problem:
            left_out[problem] += 1
        else:
            seen.append((clip, key if clip.faces is not None else head.media_key))
    if not seen:
        reasons = "; ".join(f"{reason} ({count})" for reason, count in left_out.most_common(3))
        raise InputError(
            f"None of {len(clips)} clips has a face that can be read: {reasons}. `mertools data validate` says what is "
            "wrong with each; take other clips."
        )
    digest = fingerprint([[clip.name, key] for clip, key in seen])
    return FaceClips(tuple(clip for clip, _ in seen), digest, dict(left_out.most_common()))


def _problem_of_crops(clip: Clip) -> str:
    """Why the ready crops of `clip` cannot be used; "" where one at least can."""
    for choose in (lambda times: np.arange(1), None):
        try:
            read_crops(clip.faces, clip.faces_order, choose)
        except MissingMedium:
            return "missing: no face crops"
        except UnreadableMedia:
            continue
        return ""
    return "failed: face crops that cannot be read"


def _kind(reason: str) -> str:
    """A clip's reason without its numbers' particulars, so that like ones count together."""
    return "no face in any frame" if reason.startswith("no face in any") else reason
