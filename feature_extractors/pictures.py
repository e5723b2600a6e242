"""What visual networks see of a clip: which frames, faces or whole pictures, and how many at once on the device.

Workers bring pictures to the network's size and leave them in 8 bits, a quarter of what travels otherwise; scaling to
floats is the first step on the device.
"""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from functools import cached_property, partial
from typing import TYPE_CHECKING, Any

import numpy as np

from feature_extractors.cards.card import Card, Recipe
from feature_extractors.encoder import Encoder, Encoding, Settings
from feature_extractors.face_source import FaceSource
from mertools.clip import Clip
from mertools.media import Chooser, FrameStream, MissingMedium, evenly, every
from mertools.model_sources import Fetched

if TYPE_CHECKING:
    import torch

FACE, FRAME = "face", "frame"
"""What a picture shows: one person's face, or all that the camera sees."""

LAST, SPREAD = "last", "spread"
"""How a clip with too few pictures fills its number: the last one again and again, or each one about as often."""


@dataclass(frozen=True)
class Pictures:
    """The pictures of a clip as a network takes them, not scaled yet."""

    images: np.ndarray  # (T, 3, H, W) uint8; VideoMAE has (views, frames, 3, H, W)
    times: np.ndarray  # (T,) seconds of what one row of features stands for
    problem: str = ""


class PictureEncoder(Encoder):
    """An encoder of single pictures; a family says what it does with one, `pixels`, and with many, `features`.

    A recipe says `picture` (`face`, or `frame` for the whole), `crop` and `margin` of faces that are no ready crops,
    which frames (`chooser`), `fill` where their number is fixed, and `channels`: `bgr` where the network is fed blue
    first.
    """

    at_once = 64
    """Pictures on the device at once, whichever clips they are of: memory does not grow with a clip's length."""

    def __init__(self, card: Card, settings: Settings) -> None:
        super().__init__(card, settings)
        self._faces = FaceSource(settings)

    @property
    def recipe(self) -> Recipe:
        recipe = super().recipe
        return {**recipe, **self._faces.facts} if recipe["picture"] == FACE else recipe

    def check(self, clips: Sequence[Clip]) -> None:
        recipe = self.recipe
        if recipe["picture"] == FACE:
            self._faces.check(clips, recipe["margin"], recipe["crop"])

    def __getstate__(self) -> dict[str, Any]:
        # Each process makes its own preprocessing: it may be of a class that only a library's loader can import.
        return {name: value for name, value in self.__dict__.items() if name != "_preprocessing"}

    def fetch(self) -> Fetched:
        """The weights on this machine, looked up once; raises InputError where they cannot be had."""
        return self._fetched

    @cached_property
    def _fetched(self) -> Fetched:
        # Kept when the encoder is sent to workers: they read the preprocessing's settings and ask no hub.
        return super().fetch()

    def prepare(self, clip: Clip) -> Pictures:
        recipe = self.recipe
        times, images, problem = self._look(clip, recipe)
        images = np.stack(images)
        if "fill" in recipe:
            chosen = fill(len(images), recipe["frames"], recipe["fill"])
            times, images = times[chosen], images[chosen]
        return Pictures(images, times, problem)

    def length(self, item: Pictures) -> int:
        return len(item.images)

    def encode(self, batch: Sequence[Pictures]) -> list[Encoding]:
        import torch

        with torch.inference_mode():
            parts = [self.features(images) for images in _chunks((one.images for one in batch), self.at_once)]
        ends = np.cumsum([len(one.images) for one in batch])
        shares = np.split(np.concatenate(parts), ends[:-1])
        return [Encoding(own, one.times, problem=one.problem) for one, own in zip(batch, shares, strict=True)]

    @abstractmethod
    def pixels(self, picture: np.ndarray) -> np.ndarray:
        """A picture (H, W, 3) uint8 in the network's size: (3, S, S) uint8. Works without the model."""

    @abstractmethod
    def features(self, images: np.ndarray) -> np.ndarray:
        """Of images (B, ...) uint8 the features (B, ..., D) float32."""

    def _look(self, clip: Clip, recipe: Recipe) -> tuple[np.ndarray, list[np.ndarray], str]:
        """Times (T,), images T x (3, S, S), and why the clip was read in part only."""
        choose = chooser(recipe)
        turned = slice(None, None, -1 if recipe.get("channels") == "bgr" else 1)
        if recipe["picture"] == FACE:
            track = self._faces.track(clip, choose, recipe["margin"], recipe["crop"])
            return track.times, [self.pixels(crop[..., turned]) for crop in track.crops], track.problem or ""
        if clip.video is None:
            raise MissingMedium("no video")
        stream = FrameStream(clip.video, choose)
        # Brought to size one by one: frames may be large.
        pairs = [(time, self.pixels(image[..., turned])) for time, image in stream]
        return np.array([time for time, _ in pairs]), [image for _, image in pairs], stream.problem or ""

    def check_detector(self) -> None:
        """Let a detector that cannot be loaded end the run: it is not the first clip's fault."""
        if self.recipe["picture"] == FACE:
            self._faces.check_detector()


def chooser(recipe: Recipe) -> Chooser:
    """Which frames a recipe takes.

    `stride` n: each n-th. `interval_seconds`: the first of each interval. `frames` "all", or a number with `spacing`
    by `index` or by `time` (`media.evenly`).
    """
    if "stride" in recipe:
        return partial(_each, recipe["stride"])
    if "interval_seconds" in recipe:
        return partial(_each_interval, recipe["interval_seconds"])
    if recipe["frames"] == "all":
        return every()
    return partial(_by_index, recipe["frames"]) if recipe["spacing"] == "index" else evenly(recipe["frames"])


def _by_index(count: int, times: np.ndarray) -> np.ndarray:
    """Frames 0, T/n, 2T/n … rounded down: the first is always taken, the last never; all T where there are fewer."""
    count = min(count, len(times))
    # Rounding may make one step too many.
    return np.arange(0, len(times), len(times) / count).astype(int)[:count]


def _each(stride: int, times: np.ndarray) -> np.ndarray:
    return np.arange(0, len(times), stride)


def _each_interval(seconds: float, times: np.ndarray) -> np.ndarray:
    # Half a millisecond: 0.16 s are four frames at 25 a second, not three or five by the last bit.
    intervals = np.floor((times - times[0] + 5e-4) / seconds)
    return np.flatnonzero(np.diff(intervals, prepend=-1))


def fill(have: int, count: int, how: str) -> np.ndarray:
    """Which of `have` pictures stand for `count` (count,); `how` is `last` or `spread`. More than `count` are cut."""
    if how == LAST:
        return np.minimum(np.arange(count), have - 1)
    return ((np.arange(count) + 0.5) * min(have, count) / count).astype(int)


def scaled(images: np.ndarray, mean: Sequence[float], std: Sequence[float], device: torch.device) -> torch.Tensor:
    """Images (..., 3, H, W) uint8 on the device as floats in [0, 1], less the channels' mean, by their deviation."""
    import torch

    pixels = torch.from_numpy(images).to(device).float() / 255
    return (pixels - _channels(mean, device)) / _channels(std, device)


def _channels(values: Sequence[float], device: torch.device) -> torch.Tensor:
    import torch

    return torch.tensor(values, dtype=torch.float32, device=device)[:, None, None]


def _chunks(arrays: Iterable[np.ndarray], size: int) -> Iterator[np.ndarray]:
    """The rows of `arrays`, one after the other, in arrays of `size` rows; the last one may be shorter."""
    waiting, room = [], size
    for array in arrays:
        while len(array):
            waiting.append(array[:room])
            array = array[room:]
            room -= len(waiting[-1])
            if not room:
                yield np.concatenate(waiting)
                waiting, room = [], size
    if waiting:
        yield np.concatenate(waiting)
