"""Facial expression: a small network trained on FER2013, on a few faces of a clip."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from feature_extractors.cards.card import Card, Recipe
from feature_extractors.encoder import Encoder, Encoding, Settings, torch_device
from feature_extractors.face_source import FaceSource
from mertools.clip import Clip
from mertools.media import evenly

PROBABILITIES = ("angry", "disgust", "fear", "happy", "sad", "surprise", "neutral")
"""The network's classes, in the order of FER2013."""

PATCHES = "patches"

FACES_AT_ONCE = 16
"""The network's maps of so many faces fit into a CPU's cache; 512 at once take several times as long a face."""


@dataclass(frozen=True)
class Faces:
    """The faces of a clip as the network takes them."""

    images: np.ndarray  # (T, S, S) uint8, grey
    times: np.ndarray  # (T,) seconds
    problem: str


class Expression(Encoder):
    """mini-Xception on the faces of a few frames, evenly spaced in time.

    Frames are the activations before the class layer, averaged over its positions as the class scores are (T, 128), or
    with `tokens` "patches" one by one (T, 16, 128); the class probabilities stand beside them.
    """

    def __init__(self, card: Card, settings: Settings) -> None:
        super().__init__(card, settings)
        self._faces = FaceSource(settings)

    @property
    def frame_columns(self) -> dict[str, tuple[str, ...]]:
        return {"probabilities": PROBABILITIES}

    @property
    def recipe(self) -> Recipe:
        return {**super().recipe, **self._faces.facts}

    def check(self, clips: Sequence[Clip]) -> None:
        self._faces.check(clips, self.recipe["margin"], self.recipe["resolution"])

    def prepare(self, clip: Clip) -> Faces:
        recipe = self.recipe
        size = recipe["resolution"]
        track = self._faces.track(clip, evenly(recipe["frames"]), recipe["margin"], size)
        images = np.stack([_grey(crop, size) for crop in track.crops])
        return Faces(images, track.times, track.problem or "")

    def load(self, device: str) -> None:
        # Workers do without torch.
        import torch

        from feature_extractors.mini_xception import read_network

        self._faces.check_detector()
        self._device = torch_device(device)
        self._network = read_network(self.fetch().path).to(self._device, memory_format=torch.channels_last)

    def encode(self, batch: Sequence[Faces]) -> list[Encoding]:
        import torch

        images = np.concatenate([faces.images for faces in batch])[:, None]  # (F, 1, S, S)
        with torch.inference_mode():
            inputs = torch.from_numpy(images).to(self._device) / 127.5 - 1
            parts = [self._network(part) for part in inputs.split(FACES_AT_ONCE)]
            features, probabilities = (torch.cat(output).cpu().numpy() for output in zip(*parts, strict=True))
        if self.recipe.get("tokens") != PATCHES:
            features = features.mean(axis=1)
        encodings, begin = [], 0
        for faces in batch:
            own = slice(begin, begin + len(faces.images))
            outputs = {"probabilities": probabilities[own]}
            encodings.append(Encoding(features[own], faces.times, outputs, problem=faces.problem))
            begin = own.stop
        return encodings


def _grey(crop: np.ndarray, size: int) -> np.ndarray:
    """A face crop (H, W, 3) uint8 RGB in grey, (size, size) uint8."""
    import cv2

    grey = cv2.cvtColor(crop, cv2.COLOR_RGB2GRAY)
    if grey.shape == (size, size):
        return grey
    return cv2.resize(grey, (size, size), interpolation=cv2.INTER_AREA if max(grey.shape) > size else cv2.INTER_LINEAR)
