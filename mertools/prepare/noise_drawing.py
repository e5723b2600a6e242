"""Draw the noise of a corpus: worker processes look at the clips and listen to what they draw."""

from __future__ import annotations

from collections.abc import Sequence

from feature_extractors.runner import Preparation, Progress, Tally, Task
from mertools.clip import Clip
from mertools.clip_rows import OK
from mertools.errors import InputError
from noise.draw import Drawn, draw
from noise.recordings import Recordings

DRAWER = "drawer"


class Drawer:
    """Draws the noise of a clip; it stands where an encoder stands in `Preparation`."""

    modality = "text"
    """Which medium the preparation's key is of: the one whose key costs nothing to compute."""

    def __init__(self, recordings: Recordings, seed: int, continuous: bool, augmented: bool) -> None:
        self._recordings = recordings
        self._seed = seed
        self._continuous = continuous
        self._augmented = augmented

    def prepare(self, clip: Clip) -> Drawn | InputError:
        try:
            return draw(clip, self._recordings, self._seed, self._continuous, self._augmented)
        except InputError as error:
            # The folder's fault, not the clip's: it ends the run.
            return error


def draw_all(
    clips: Sequence[Clip],
    recordings: Recordings,
    seed: int,
    continuous: bool,
    augmented: bool = False,
    *,
    workers: int,
    progress: Progress = lambda done, total, remarked: None,
) -> dict[str, Drawn]:
    """What each of `clips` gets, by name; `workers` processes draw, with 0 or 1 this one does.

    `progress` is told how many clips there are remarks about. Raises what `noise.draw.draw` does, and InputError for a
    clip at which a media library crashes.
    """
    drawn: dict[str, Drawn] = {}
    tally = Tally(len(clips), progress)
    tally.tell()
    drawer = Drawer(recordings, seed, continuous, augmented)
    with Preparation({DRAWER: drawer}, min(workers, len(clips))) as preparation:
        for task, results in preparation.run(Task(clip, (DRAWER,)) for clip in clips):
            result = results[DRAWER]
            if result.status != OK:
                raise InputError(f"Noise for clip {task.clip.name!r} cannot be drawn: {result.reason}.")
            if isinstance(result.item, InputError):
                raise result.item
            drawn[task.clip.name] = result.item
            tally.add(1, bool(result.item.remarks))
    return drawn
