"""Speech encoders of the wav2vec 2.0 kind: a convolutional front end, and a transformer over what it gives."""

from __future__ import annotations

import itertools
import math
from collections.abc import Sequence
from typing import TYPE_CHECKING

import numpy as np

from feature_extractors.checkpoint import open_checkpoint, wanted
from feature_extractors.encoder import Encoding, torch_device
from feature_extractors.sound import SoundEncoder, window_starts
from mertools.errors import InputError
from mertools.libraries import transformers
from mertools.media import SAMPLE_RATE, Sound

if TYPE_CHECKING:
    import torch

PADDING_LEAKS = ("data2vec-audio",)
"""Architectures whose stacked positional convolutions turn padding into values that reach the clip's own frames."""


class Speech(SoundEncoder):
    """HuBERT, wav2vec 2.0, WavLM or data2vec-audio in the layout of transformers, on 16 kHz sound.

    A frame is the sum (or mean) of the last so many hidden states, the last one after the final layer norm where the
    network has one. The sound is encoded

    - `chunk_seconds`: whole where it is not longer than that, else padded with zeros to a multiple of it and cut into
      chunks that know nothing of each other; the frames of the padding count like others, as in the released code;
    - `windows`: as so many windows of `window_seconds`, evenly spaced; a frame is the mean over one window;
    - otherwise whole.

    Sound is scaled to zero mean and unit variance, where the checkpoint's feature extractor asks for it, once: whole
    clips before they are padded and cut, windows each for itself.

    Items of a batch never influence each other: front ends with group norm take the mean over all that they are given,
    so each piece of sound goes through the front end alone, and padding starts behind it.
    """

    def load(self, device: str) -> None:
        self._device = torch_device(device)
        library, checkpoint = transformers(), open_checkpoint(self, (self.card.architecture,))
        self._model = checkpoint.network(library.AutoModel.from_pretrained).to(self._device)
        self._stride_seconds = math.prod(self._model.config.conv_stride) / SAMPLE_RATE
        if len(self._model.encoder.layers) < self.recipe["layers"]:
            raise InputError(
                f"{self.source} has {len(self._model.encoder.layers)} layers, of which {self.name} reads the last "
                f"{self.recipe['layers']}. {wanted(self)}"
            )
        self._scaler = checkpoint.preprocessing(
            library.Wav2Vec2FeatureExtractor.from_pretrained, "says how sound is scaled"
        )

    def encode(self, batch: Sequence[Sound]) -> list[Encoding]:
        pieces = [self._pieces(sound.samples) for sound in batch]
        states = iter(self._states([piece for own in pieces for _, piece in own]))
        encodings = []
        for sound, own in zip(batch, pieces, strict=True):
            starts = [start for start, _ in own]
            parts = list(itertools.islice(states, len(own)))  # of (T, D)
            if "windows" in self.recipe:
                frames, times = np.stack([part.mean(axis=0) for part in parts]), np.array(starts)
            else:
                frames = np.concatenate(parts)
                times = np.concatenate([self._times(*one) for one in zip(starts, parts, strict=True)])
            encodings.append(Encoding(frames, times, problem=sound.problem or ""))
        return encodings

    def _times(self, start: float, part: np.ndarray) -> np.ndarray:
        return start + np.arange(len(part)) * self._stride_seconds

    def _pieces(self, samples: np.ndarray) -> list[tuple[float, np.ndarray]]:
        """What is encoded of one clip: beginnings in seconds, and scaled samples."""
        if "windows" in self.recipe:
            length = self.recipe["window_seconds"] * SAMPLE_RATE
            if len(samples) < length and self.recipe["shorter"] == "zeros":
                samples = np.pad(samples, (0, length - len(samples)))
            starts = window_starts(len(samples), self.recipe["windows"], length)
            return [(start / SAMPLE_RATE, self._scaled(samples[start : start + length])) for start in starts]
        samples = self._scaled(samples)
        length = self.recipe.get("chunk_seconds", 0) * SAMPLE_RATE
        if not length or len(samples) <= length:
            return [(0.0, samples)]
        samples = np.pad(samples, (0, -len(samples) % length))
        return [(i / SAMPLE_RATE, samples[i : i + length]) for i in range(0, len(samples), length)]

    def _scaled(self, samples: np.ndarray) -> np.ndarray:
        return self._scaler(samples, sampling_rate=SAMPLE_RATE)["input_values"][0]

    def _states(self, pieces: Sequence[np.ndarray]) -> list[np.ndarray]:
        """The combined hidden states (T, D) of each piece of sound."""
        import torch

        with torch.inference_mode():
            fronts = []  # of (T, C)
            for piece in pieces:
                samples = torch.from_numpy(piece).to(self._device)
                fronts.append(self._model.feature_extractor(samples[None])[0].T)
            if self._model.config.model_type in PADDING_LEAKS:
                return [self._transformed([front])[0] for front in fronts]
            return self._transformed(fronts)

    def _transformed(self, fronts: Sequence[torch.Tensor]) -> list[np.ndarray]:
        """The transformer's states (T, D) for each output (T, C) of the front end; padding takes no part."""
        import torch

        lengths = torch.tensor([len(front) for front in fronts], device=self._device)
        hidden = self._model.feature_projection(torch.nn.utils.rnn.pad_sequence(list(fronts), batch_first=True))
        if isinstance(hidden, tuple):
            hidden, _ = hidden
        mask = torch.arange(hidden.shape[1], device=self._device) < lengths[:, None]  # (B, T)
        before_last: list[torch.Tensor] = []
        layers = self._model.encoder.layers[-self.recipe["layers"] : -1]
        hooks = [
            layer.register_forward_hook(lambda *call: before_last.append(_states_of(call[-1]))) for layer in layers
        ]
        try:
            last = self._model.encoder(hidden, attention_mask=None if mask.all() else mask).last_hidden_state
        finally:
            for hook in hooks:
                hook.remove()
        total = sum(states.float() for states in (*before_last, last))  # (B, T, D)
        if self.recipe["combine"] == "mean":
            total = total / self.recipe["layers"]
        return [states[:length].cpu().numpy() for states, length in zip(total, lengths.tolist(), strict=True)]


def _states_of(output: torch.Tensor | tuple[torch.Tensor, ...]) -> torch.Tensor:
    """The hidden states in what a layer gives: WavLM's layers also pass on their position bias."""
    return output[0] if isinstance(output, tuple) else output
