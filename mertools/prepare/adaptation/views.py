"""What VideoMAE is shown of a clip while it learns: drawn first, then applied.

A draw is a pure function of seed, visit and the clip's name; a visit is one round through all clips. So a step shows
the same alone or after a restart, by one process or by eight.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import partial

import numpy as np

from feature_extractors.cards.card import Recipe
from feature_extractors.face_source import FaceSource
from feature_extractors.pictures import chooser, fill
from mertools.clip import Clip
from mertools.media import Chooser, MissingMedium, UnreadableMedia, every
from mertools.randomness import generator

MASK_RATIO = 0.9
"""VideoMAE, section 3.3: the share of a frame's patches that is hidden."""

SCALES = (1.0, 0.875, 0.75, 0.66)
"""The sides that multi-scale cropping cuts out of a picture, the one augmentation of VideoMAE's pre-training here."""

PLACES = tuple((x, y) for x in range(5) for y in range(5) if (x + y) % 2 == 0)
"""Where it cuts them out, in quarters of the room there is: corners, middles of the sides, centre and the quarters."""


@dataclass(frozen=True)
class Draw:
    """What chance decides about one visit to one clip.

    `phase` and `begin`, in [0, 1), place the window of frames; `width` and `height` are shares of a picture's side and
    `place` where they are cut out, in quarters of the room; `hidden` (patches,) are the hidden patches of a frame.
    """

    phase: float
    begin: float
    width: float
    height: float
    place: tuple[int, int]
    hidden: np.ndarray


def draw(seed: int, visit: int, clip: str, patches: int) -> Draw:
    """The draw for the clip called `clip`, of whose `patches` a frame 90 % are hidden."""
    chance = generator(seed, "adapt", visit, clip)
    phase, begin = chance.random(2)
    # Width and height differ by one scale at most.
    sides = [(a, b) for i, a in enumerate(SCALES) for j, b in enumerate(SCALES) if abs(i - j) <= 1]
    width, height = sides[chance.integers(len(sides))]
    place = PLACES[chance.integers(len(PLACES))]
    hidden = np.zeros(patches, dtype=bool)
    hidden[chance.permutation(patches)[: int(MASK_RATIO * patches)]] = True
    return Draw(phase, begin, width, height, place, hidden)


def tube_mask(hidden: np.ndarray, pairs: int) -> np.ndarray:
    """Tubes: the `hidden` patches (patches,) are so in all `pairs` of frames; (pairs * patches,)."""
    return np.tile(hidden, pairs)


def window(draw: Draw, choose: Chooser, count: int, times: np.ndarray) -> np.ndarray:
    """The frames at `times` that a draw takes: `count` of those which `choose` keeps, one after the other.

    Fewer where there are no more. Which frame `choose` begins at is drawn from those before the second that it keeps.
    """
    kept = choose(times)
    phase = int(draw.phase * kept[1]) if len(kept) > 1 else 0
    kept = phase + choose(times[phase:])
    begin = int(draw.begin * (max(len(kept) - count, 0) + 1))
    return kept[begin : begin + count]


def view(clip: Clip, faces: FaceSource, recipe: Recipe, draw: Draw) -> np.ndarray:
    """The pictures (window, 3, S, S) uint8 of one visit, of the frames, size and channels that the card's recipe says.

    Where no drawn frame has a face, the window is one of the frames that have. Raises MissingMedium and UnreadableMedia
    as `FaceSource.track` does.
    """
    count, size = recipe["window"], recipe["resolution"]
    drawn = partial(window, draw, chooser(recipe), count)
    try:
        crops = faces.track(clip, drawn, recipe["margin"], recipe["crop"]).crops
    except (MissingMedium, UnreadableMedia):
        track = faces.track(clip, every(), recipe["margin"], recipe["crop"])
        crops = [track.crops[index] for index in drawn(track.times)]
    turned = slice(None, None, -1 if recipe.get("channels") == "bgr" else 1)
    pictures = np.stack([_cut(crop, draw, size) for crop in crops])[..., turned].transpose(0, 3, 1, 2)
    return np.ascontiguousarray(pictures[fill(len(pictures), count, recipe["fill"])])


def _cut(crop: np.ndarray, draw: Draw, size: int) -> np.ndarray:
    """A part of a crop (S, S, 3) as `size` x `size` pixels."""
    import cv2

    side = len(crop)
    width, height = max(1, int(side * draw.width)), max(1, int(side * draw.height))
    left, top = ((side - width) * draw.place[0] // 4, (side - height) * draw.place[1] // 4)
    part = np.ascontiguousarray(crop[top : top + height, left : left + width])
    return cv2.resize(part, (size, size), interpolation=cv2.INTER_LINEAR)
