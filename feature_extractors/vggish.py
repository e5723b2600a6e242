"""VGGish (Hershey et al. 2017, "CNN Architectures for Large-Scale Audio Classification"), trained on YouTube sound."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from feature_extractors.encoder import Encoder, Encoding, torch_device
from feature_extractors.log_mel import HOP, audioset_log_mel
from feature_extractors.sound import SHORTEST_SECONDS, read_sound
from mertools.clip import Clip
from mertools.media import SAMPLE_RATE

EXAMPLE_FRAMES = 96
"""Spectrogram frames that the network reads at once: 0.96 s."""

REPEATED_BELOW_SECONDS = 1
"""A shorter sound is repeated until it is as long, for it may not hold one example."""


@dataclass(frozen=True)
class Examples:
    """The pieces of spectrogram of one clip, (T, 96, 64) float32."""

    images: np.ndarray
    problem: str


class Vggish(Encoder):
    """The 128 numbers that VGGish gives every `hop_frames` spectrogram frames, as they are: before its last
    non-linearity, without the principal components and the rounding of AudioSet's release.
    """

    def prepare(self, clip: Clip) -> Examples:
        sound = read_sound(clip, SAMPLE_RATE, SHORTEST_SECONDS)
        samples = sound.samples
        wanted = REPEATED_BELOW_SECONDS * SAMPLE_RATE
        if len(samples) < wanted:
            samples = np.tile(samples, -(-wanted // len(samples)))
        spectrogram = audioset_log_mel(samples)  # (F, 64)
        images = np.lib.stride_tricks.sliding_window_view(spectrogram, EXAMPLE_FRAMES, axis=0)
        images = images[:: self.recipe["hop_frames"]].transpose(0, 2, 1)
        return Examples(np.ascontiguousarray(images), sound.problem or "")

    def length(self, item: Examples) -> int:
        return len(item.images)

    def load(self, device: str) -> None:
        # The network's module imports torch, which workers do without.
        from feature_extractors.vggish_network import VggishNetwork
        from feature_extractors.weights import fill, read_state

        self._device = torch_device(device)
        self._network = fill(VggishNetwork(), read_state(self), self).to(self._device)

    def encode(self, batch: Sequence[Examples]) -> list[Encoding]:
        import torch

        images = torch.from_numpy(np.concatenate([examples.images for examples in batch]))
        with torch.inference_mode():
            features = self._network(images[:, None].to(self._device)).float().cpu().numpy()  # (E, 128)
        encodings, begin = [], 0
        for examples in batch:
            frames = features[begin : begin + len(examples.images)]
            times = np.arange(len(frames)) * self.recipe["hop_frames"] * HOP / SAMPLE_RATE
            encodings.append(Encoding(frames, times, problem=examples.problem))
            begin += len(frames)
        return encodings
