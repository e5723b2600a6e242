"""Mandarin by FunASR (Gao et al. 2023, arXiv:2305.11013): Paraformer writes characters, CT-Transformer punctuates."""

from __future__ import annotations

import re
from collections.abc import Sequence
from importlib import import_module
from pathlib import Path
from typing import Any

from feature_extractors.encoder import torch_device
from mertools.errors import InputError
from mertools.media import Sound
from mertools.model_sources import fetch
from mertools.prepare.recogniser import CHINESE, Recognised

MODEL = "paraformer-zh"
PUNCTUATION = "ct-punc"

BETWEEN_CHARACTERS = re.compile(r"(?<=[\u3400-\u9fff])\s+(?=[\u3400-\u9fff])")
"""Paraformer writes a blank between tokens, which Chinese characters do not have."""


class FunAsr:
    """Two models of FunASR, by its own names for them or from folders; needs the extra `funasr`.

    `model` is the one that hears and, after a comma, the one that punctuates: `path:/paraformer,path:/ct-punc`.

    FunASR punctuates by itself only behind its own voice detection; clips are single utterances, which need none, so
    the punctuation is a step of its own here.
    """

    def __init__(self, language: str, model: str | None = None) -> None:
        if language != CHINESE:
            raise InputError(f"FunASR's Paraformer hears Chinese, not {language}. Use --recogniser whisper.")
        self._model_name, _, punctuation = (model or MODEL).partition(",")
        self._punctuation_name = punctuation or PUNCTUATION

    @property
    def name(self) -> str:
        return f"funasr {_library().__version__} {self._model_name} {self._punctuation_name}"

    def load(self, device: str) -> None:
        self._model, self._punctuation = (
            self._load(name, str(torch_device(device))) for name in (self._model_name, self._punctuation_name)
        )

    def _load(self, name: str, device: str) -> Any:
        where = str(fetch(name).path) if name.startswith("path:") else name
        try:
            model = _library().AutoModel(
                model=where, device=device, disable_update=True, disable_pbar=True, trust_remote_code=False
            )
        except InputError:
            raise
        except Exception as error:  # its errors and those of the hub under it have no other class in common
            raise InputError(
                f"FunASR cannot load {name!r}: {type(error).__name__}: {error}. Without a network, download both "
                "models' folders elsewhere and name them: --model path:/paraformer,path:/ct-punc."
            ) from error
        weights = model.kwargs.get("init_param")
        if not weights or not Path(weights).exists():
            # FunASR goes on with random weights where the file is absent.
            raise InputError(f"FunASR found no weights for {name!r}: wanted the file {weights or 'model.pt'}.")
        return model

    def transcribe(self, sounds: Sequence[Sound]) -> list[Recognised]:
        """What is said in each sound, with punctuation; FunASR does not say how sure it is."""
        heard = self._model.generate(input=[sound.samples for sound in sounds], batch_size=len(sounds))
        if not any(result["text"].strip() for result in heard):
            # For a batch without a single word FunASR gives one empty text.
            return [Recognised("")] * len(sounds)
        texts = (BETWEEN_CHARACTERS.sub("", result["text"].strip()) for result in heard)
        return [Recognised(self._punctuated(text)) for text in texts]

    def _punctuated(self, text: str) -> str:
        if not text:
            return ""
        (result,) = self._punctuation.generate(input=[text], batch_size=1)
        return result["text"].strip()


def _library() -> Any:
    try:
        return import_module("funasr")
    except ModuleNotFoundError as error:
        raise InputError(
            f"FunASR needs the package {error.name!r}, which is not installed: pip install 'mertools[funasr]'. "
            "Or use --recogniser whisper."
        ) from error
