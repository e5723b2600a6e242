"""Whose voice it is: embeddings that lie close together for one speaker.

By default the GE2E speaker encoder (Wan et al. 2018, arXiv:1710.10467) that the wheel of Resemblyzer ships. Only its
weights are taken; the network and the front end are ported from its parameters: mel spectrograms (power, not
its logarithm) of 40 bands in windows of 25 ms every 10 ms, raised to -30 dBFS, partial utterances of 1.6 s.
"""

from __future__ import annotations

from collections.abc import Mapping
from functools import cache, cached_property
from typing import TYPE_CHECKING, Any, Protocol

import numpy as np

from mertools.errors import InputError
from mertools.libraries import transformers
from mertools.media import SAMPLE_RATE, Sound
from mertools.model_sources import Fetched, fetch, load_weights
from mertools.prepare.pieces import Stretch

if TYPE_CHECKING:
    import torch

    from mertools.prepare.speaker_network import SpeakerNetwork

WEIGHTS = "pypi:resemblyzer==0.1.4/resemblyzer/pretrained.pt"
WEIGHTS_SHA256 = "39373b86598fa3da9fcddee6142382efe09777e8d37dc9c0561f41f0070f134e"

WINDOW, STEP, BANDS = 400, 160, 40
LOUDNESS_DB = -30.0
PARTIAL_FRAMES = 160
PARTIALS_PER_SECOND = 1.3
SHORTEST_SECONDS = 0.4
"""Of less than this an embedding says little of the voice: the stretch stays without one, and alone."""


class Voices(Protocol):
    """Embeds voices. `name` identifies the network and its weights."""

    @property
    def name(self) -> str: ...

    def embed(self, sound: Sound, stretches: Mapping[int, Stretch]) -> dict[int, np.ndarray]:
        """The voice of each stretch of a film's sound as a vector (D,) of unit length, by the keys of `stretches`."""
        ...


class GE2E:
    """The encoder of Resemblyzer: vectors (256,), none below 0. Downloads its weights when it embeds first."""

    name = "ge2e-resemblyzer-0.1.4"

    def embed(self, sound: Sound, stretches: Mapping[int, Stretch]) -> dict[int, np.ndarray]:
        """See Voices; raises InputError where the weights cannot be had."""
        return {place: embedding(_samples(sound, one)) for place, one in _long_enough(stretches).items()}


class _FromSource:
    """A speaker model of the user's choice, fetched when it is asked for."""

    def __init__(self, source: str) -> None:
        self._source = source

    @property
    def name(self) -> str:
        return f"{self._source} {self._fetched.revision}"

    @cached_property
    def _fetched(self) -> Fetched:
        return fetch(self._source)


class XVectors(_FromSource):
    """A speaker model of transformers (WavLM, wav2vec2, … with an x-vector head) from a model source (`hf:org/name`).

    Its cosines have a scale of their own: the limit that merges voices is to be set for it.
    """

    @cached_property
    def _loaded(self) -> tuple[Any, Any]:
        library, folder = transformers(), self._fetched.path
        try:
            features = library.AutoFeatureExtractor.from_pretrained(folder, local_files_only=True)
            model, report = library.AutoModelForAudioXVector.from_pretrained(
                folder, local_files_only=True, output_loading_info=True
            )
        except (OSError, ValueError) as error:
            raise InputError(
                f"{self._source} is no speaker model: {str(error).strip().splitlines()[0]} Wanted the files that "
                "transformers saves of a model with an x-vector head, such as hf:microsoft/wavlm-base-plus-sv."
            ) from error
        if report["missing_keys"]:
            raise InputError(
                f"{self._source} lacks weights that a speaker model needs (first: {min(report['missing_keys'])}). "
                "Name one that was trained for speaker verification, such as hf:microsoft/wavlm-base-plus-sv."
            )
        return features, model.eval()

    def embed(self, sound: Sound, stretches: Mapping[int, Stretch]) -> dict[int, np.ndarray]:
        """See Voices; raises InputError where the model cannot be had."""
        import torch

        features, model = self._loaded
        voices = {}
        for place, one in _long_enough(stretches).items():
            inputs = features(_samples(sound, one), sampling_rate=SAMPLE_RATE, return_tensors="pt")
            with torch.inference_mode():
                vector = model(**inputs).embeddings[0].numpy().astype(float)
            voices[place] = vector / np.linalg.norm(vector)
        return voices


class OnnxVoices(_FromSource):
    """A speaker network from an ONNX file of the user's own (`path:FILE.onnx`), of the form `speaker_network` says.

    Its cosines have a scale of their own, as those of XVectors.
    """

    @cached_property
    def _network(self) -> SpeakerNetwork:
        from mertools.prepare.speaker_network import SpeakerNetwork

        return SpeakerNetwork(self._fetched.path)

    def embed(self, sound: Sound, stretches: Mapping[int, Stretch]) -> dict[int, np.ndarray]:
        """See Voices; a stretch that the network gives no direction for has none. Raises what SpeakerNetwork does."""
        vectors = {place: self._network.vector(_samples(sound, one)) for place, one in _long_enough(stretches).items()}
        lengths = {place: np.linalg.norm(vector) for place, vector in vectors.items()}
        return {place: vector / lengths[place] for place, vector in vectors.items() if 0 < lengths[place] < np.inf}


def voices(source: str | None = None) -> Voices:
    """The GE2E encoder, or what `source` names, an ONNX file or a speaker model of transformers.

    Loaded when it embeds first.
    """
    if source is None:
        return GE2E()
    return OnnxVoices(source) if source.startswith("path:") and source.endswith(".onnx") else XVectors(source)


def _long_enough(stretches: Mapping[int, Stretch]) -> dict[int, Stretch]:
    return {place: one for place, one in stretches.items() if one.seconds >= SHORTEST_SECONDS}


def _samples(sound: Sound, stretch: Stretch) -> np.ndarray:
    return sound.samples[round(stretch.begin * SAMPLE_RATE) : round(stretch.end * SAMPLE_RATE)]


def embedding(samples: np.ndarray) -> np.ndarray:
    """The voice in `samples` (N,) at 16 kHz: the mean over partial utterances, (256,) of unit length."""
    import torch

    starts = partial_starts(len(samples))
    needed = (starts[-1] + PARTIAL_FRAMES) * STEP
    mels = mel_power(np.pad(_raised(samples), (0, max(needed - len(samples), 0))))
    with torch.inference_mode():
        partials = _network()(torch.stack([mels[start : start + PARTIAL_FRAMES] for start in starts]))
    mean = partials.mean(0).numpy().astype(float)
    return mean / np.linalg.norm(mean)


def partial_starts(samples: int) -> list[int]:
    """The first spectrogram frames of the partial utterances; the last is left out where over a quarter is padding."""
    frames = -(-(samples + 1) // STEP)
    step = round(SAMPLE_RATE / PARTIALS_PER_SECOND / STEP)
    starts = list(range(0, max(1, frames - PARTIAL_FRAMES + step + 1), step))
    covered = (samples / STEP - starts[-1]) / PARTIAL_FRAMES
    return starts[:-1] if covered < 0.75 and len(starts) > 1 else starts


def mel_power(samples: np.ndarray) -> torch.Tensor:
    """The mel spectrogram (T, 40) as librosa computes it by default: Slaney's scale and norm, zeros beyond the ends."""
    import torch

    signal = torch.from_numpy(np.ascontiguousarray(samples, np.float32))
    window = torch.hann_window(WINDOW)
    spectrum = torch.stft(signal, WINDOW, STEP, window=window, pad_mode="constant", return_complex=True)
    return spectrum.abs().square().T @ torch.from_numpy(_filters())


@cache
def _filters() -> np.ndarray:
    from transformers.audio_utils import mel_filter_bank

    return mel_filter_bank(
        WINDOW // 2 + 1, BANDS, 0.0, SAMPLE_RATE / 2, SAMPLE_RATE, norm="slaney", mel_scale="slaney"
    ).astype(np.float32)


def _raised(samples: np.ndarray) -> np.ndarray:
    level = 10 * np.log10(np.mean(np.square(samples, dtype=float)) + 1e-12)
    return samples * 10 ** (max(LOUDNESS_DB - level, 0.0) / 20)


@cache
def _network() -> torch.nn.Module:
    return _built(load_weights(fetch(WEIGHTS, sha256=WEIGHTS_SHA256).path)["model_state"])


def _built(weights: Mapping[str, torch.Tensor]) -> torch.nn.Module:
    import torch

    class Encoder(torch.nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.lstm = torch.nn.LSTM(BANDS, 256, 3, batch_first=True)
            self.linear = torch.nn.Linear(256, 256)

        def forward(self, mels: torch.Tensor) -> torch.Tensor:  # (B, T, 40) -> (B, 256)
            _, (hidden, _) = self.lstm(mels)
            return torch.nn.functional.normalize(torch.relu(self.linear(hidden[-1])), dim=1)

    encoder = Encoder()
    # The rest are the weight and bias of the training's similarity.
    encoder.load_state_dict({name: value for name, value in weights.items() if name.startswith(("lstm", "linear"))})
    return encoder.eval()
