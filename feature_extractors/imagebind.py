"""ImageBind's ear (Girdhar et al. 2023, "ImageBind: One Embedding Space To Bind Them All"), on 2-second windows."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from feature_extractors.encoder import Encoder, Encoding, torch_device
from feature_extractors.log_mel import kaldi_log_mel
from feature_extractors.sound import SHORTEST_SECONDS, read_sound, window_starts
from mertools.clip import Clip
from mertools.media import SAMPLE_RATE

BANDS, FRAMES = 128, 204
"""The spectrogram that the network reads."""

MEAN, DEVIATION = -4.268, 9.138
"""Of spectrograms in AudioSet; the network reads them scaled."""


@dataclass(frozen=True)
class Windows:
    """The scaled spectrograms (T, 128, 204) float32 of a clip's windows, and their beginnings in seconds."""

    spectrograms: np.ndarray
    times: np.ndarray
    problem: str


class ImageBindAudio(Encoder):
    """The audio trunk of ImageBind, as Video-LLaMA and AffectGPT read it.

    Frames are the network's final vectors (T, 1024) of `windows` windows of `window_seconds`, evenly spaced from the
    clip's beginning to its end; a shorter clip is padded with zeros to one window's length.
    """

    def prepare(self, clip: Clip) -> Windows:
        sound = read_sound(clip, SAMPLE_RATE, SHORTEST_SECONDS)
        length = self.recipe["window_seconds"] * SAMPLE_RATE
        samples = np.pad(sound.samples, (0, max(0, length - len(sound.samples))))
        starts = window_starts(len(samples), self.recipe["windows"], length)
        spectrograms = np.stack([spectrogram(samples[start : start + length]) for start in starts])
        return Windows(spectrograms, np.array(starts) / SAMPLE_RATE, sound.problem or "")

    def load(self, device: str) -> None:
        # The network's module imports torch, which workers do without.
        from feature_extractors.imagebind_network import read_network

        self._device = torch_device(device)
        self._network = read_network(self).to(self._device)

    def encode(self, batch: Sequence[Windows]) -> list[Encoding]:
        import torch

        spectrograms = torch.from_numpy(np.concatenate([windows.spectrograms for windows in batch]))
        with torch.inference_mode():
            vectors = self._network(spectrograms[:, None].to(self._device)).float().cpu().numpy()  # (W, D)
        encodings, begin = [], 0
        for windows in batch:
            frames = vectors[begin : begin + len(windows.times)]
            encodings.append(Encoding(frames, windows.times, problem=windows.problem))
            begin += len(frames)
        return encodings


def spectrogram(samples: np.ndarray) -> np.ndarray:
    """The scaled spectrogram (128, 204) float32 of one window; what the window lacks counts as 0 before scaling."""
    energies = kaldi_log_mel(samples - samples.mean(), BANDS).T[:, :FRAMES]
    energies = np.pad(energies, ((0, 0), (0, FRAMES - energies.shape[1])))
    return ((energies - MEAN) / DEVIATION).astype(np.float32)
