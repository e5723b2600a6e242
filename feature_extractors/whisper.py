"""Whisper (Radford et al. 2022): an encoder over 30 seconds of log-mel spectrogram, and a decoder that reads it."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

import numpy as np

from feature_extractors.checkpoint import open_checkpoint
from feature_extractors.encoder import Encoding, torch_device
from feature_extractors.sound import SoundEncoder
from mertools.libraries import transformers
from mertools.media import SAMPLE_RATE, Sound

if TYPE_CHECKING:
    import torch

WINDOW_SECONDS = 30
"""What the network reads at once, padded with silence."""

FRAME_SAMPLES = 320
"""The sound behind one state of the encoder: two hops of the spectrogram, 20 ms."""


class Whisper(SoundEncoder):
    """Whisper in the layout of transformers, on the first 30 seconds of 16 kHz sound.

    `states` decides what the frames are: `decoder`, as in the released code, the decoder's last hidden states for two
    start tokens, which have no times; `encoder` the encoder's last hidden states, 20 ms each, up to the clip's end.
    """

    def load(self, device: str) -> None:
        self._device = torch_device(device)
        library, checkpoint = transformers(), open_checkpoint(self, (self.card.architecture,))
        self._model = checkpoint.network(library.AutoModel.from_pretrained).to(self._device)
        self._spectrograms = checkpoint.preprocessing(
            library.WhisperFeatureExtractor.from_pretrained, "describes the spectrogram"
        )

    def encode(self, batch: Sequence[Sound]) -> list[Encoding]:
        import torch

        with torch.inference_mode():
            spectrograms = self._spectrograms_of(batch)
            states = self._model.encoder(spectrograms)
            if self.recipe["states"] == "decoder":
                start = self._model.config.decoder_start_token_id
                tokens = torch.full((len(batch), self.recipe["tokens"]), start, device=self._device)
                states = self._model.decoder(tokens, encoder_hidden_states=states.last_hidden_state)
            states = states.last_hidden_state.float().cpu().numpy()  # (B, T, D)
        return [self._encoding(sound, own) for sound, own in zip(batch, states, strict=True)]

    def _spectrograms_of(self, batch: Sequence[Sound]) -> torch.Tensor:
        """Scaled log-mel spectrograms (B, mels, 3000)."""
        import torch

        # In full precision whatever the network runs in: powers leave the range of float16.
        with torch.autocast(self._device.type, enabled=False):
            inputs = self._spectrograms(
                [sound.samples for sound in batch],
                sampling_rate=SAMPLE_RATE,
                return_tensors="pt",
                device=str(self._device),
            )
        return inputs["input_features"].to(self._device)

    def _encoding(self, sound: Sound, states: np.ndarray) -> Encoding:
        problem = sound.problem or ""
        if sound.duration_seconds > WINDOW_SECONDS:
            read = f"the sound lasts {sound.duration_seconds:.1f} s, of which the first {WINDOW_SECONDS} were read"
            problem = "; ".join(part for part in (problem, read) if part)
        if self.recipe["states"] == "decoder":
            return Encoding(states, problem=problem)
        frames = states[: -(-len(sound.samples) // FRAME_SAMPLES)]
        return Encoding(frames, np.arange(len(frames)) * FRAME_SAMPLES / SAMPLE_RATE, problem=problem)
