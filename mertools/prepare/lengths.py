"""How long clips are, by what their files' headers say: nothing is decoded where they say it."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

from feature_extractors.runner import Preparation, Task
from mertools.clip import Clip
from mertools.clip_rows import OK
from mertools.media import MissingMedium, stated_seconds

METER = "meter"


@dataclass(frozen=True)
class Length:
    """A clip's length in seconds, or None and the reason why it is not known."""

    seconds: float | None
    reason: str = ""


class Meter:
    """Finds the length of a clip; it stands where an encoder stands in `Preparation`."""

    modality = "text"
    """Which medium the preparation's key is of: the one whose key costs nothing to compute."""

    def prepare(self, clip: Clip) -> float:
        path = clip.video or clip.audio
        if path is None:
            raise MissingMedium("neither video nor audio")
        return stated_seconds(path)


def lengths(
    clips: Sequence[Clip], workers: int, progress: Callable[[int, int, int], None] = lambda done, total, unknown: None
) -> dict[str, Length]:
    """The length of each clip by name, the video's where it has one; `workers` processes read headers, 0 or 1 means
    this one.

    `progress` is told how many clips are done, how many there are, and how many lengths are not known.
    """
    found: dict[str, Length] = {}
    unknown = 0
    with Preparation({METER: Meter()}, min(workers, len(clips))) as preparation:
        for task, results in preparation.run(Task(clip, (METER,)) for clip in clips):
            result = results[METER]
            known = result.status == OK
            found[task.clip.name] = Length(result.item) if known else Length(None, result.reason)
            unknown += not known
            progress(len(found), len(clips), unknown)
    return found
