"""emotion2vec (Ma et al. 2023), a self-supervised model of emotional speech, through the `funasr` package."""

from __future__ import annotations

import importlib
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from feature_extractors.encoder import Encoding, torch_device
from feature_extractors.sound import SoundEncoder
from mertools.errors import InputError
from mertools.media import SAMPLE_RATE, Sound
from mertools.model_sources import load_weights

FRAME_SECONDS = 0.02

WEIGHTS = "model.pt"
"""The file of weights in the published folder."""


class Emotion2vec(SoundEncoder):
    """emotion2vec's frames (T, D), 20 ms each, from its last layer; a clip's vector is their mean, as its own code has
    it. Clips are encoded one at a time: the package reads them so.
    """

    def load(self, device: str) -> None:
        funasr, folder = _funasr(), self.fetch().path
        if not (folder / WEIGHTS).is_file():
            raise InputError(f"{self.source} has no {WEIGHTS}. Wanted the folder that ModelScope has, whole.")
        stored = self._stored(folder / WEIGHTS)
        self._model = funasr.AutoModel(
            model=str(folder),
            device=str(torch_device(device)),
            disable_update=True,
            disable_pbar=True,
            log_level="ERROR",
        )
        self._model.model.eval()
        # funasr only mentions weights that it did not find; names in the file may carry its parts' names in front.
        missing = sorted(
            name
            for name, _ in self._model.model.named_parameters()
            if not any(key == name or key.endswith(f".{name}") for key in stored)
        )
        if missing:
            raise InputError(
                f"{self.source} lacks {len(missing)} weights that {self.name} needs (first: {missing[0]}). "
                "Fetch it again."
            )

    def _stored(self, path: Path) -> set[str]:
        """The names of the weights in the file, read before funasr reads it, which would unpickle anything."""
        import torch

        if self.settings.trust_remote_code:
            return _names(torch.load(path, map_location="cpu", weights_only=False))
        return _names(load_weights(path))

    def encode(self, batch: Sequence[Sound]) -> list[Encoding]:
        return [self._encoding(sound) for sound in batch]

    def _encoding(self, sound: Sound) -> Encoding:
        (answer,) = self._model.generate(
            input=sound.samples, fs=SAMPLE_RATE, granularity="frame", extract_embedding=True
        )
        frames = np.asarray(answer["feats"], np.float32)
        return Encoding(frames, np.arange(len(frames)) * FRAME_SECONDS, problem=sound.problem or "")


def _funasr() -> Any:
    try:
        return importlib.import_module("funasr")
    except ModuleNotFoundError as error:
        raise InputError(
            f"emotion2vec needs the package {error.name!r}, which is not installed. "
            "Install it with: pip install mertools[funasr]"
        ) from error


def _names(weights: Mapping[str, Any]) -> set[str]:
    """The names in a table of weights, those of tables within it included."""
    names = set()
    for name, value in weights.items():
        names |= {f"{name}.{inner}" for inner in _names(value)} if isinstance(value, Mapping) else {str(name)}
    return names
