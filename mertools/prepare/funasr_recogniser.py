"""Mandarin by FunASR (Gao et al. 2023, arXiv:2305.11013): Paraformer writes characters, CT-Transformer punctuates."""

from __future__ import annotations

import re
from collections.abc import Sequence
from importlib import import_module
from typing import Any

from feature_extractors.encoder import torch_device
from mertools.errors import InputError
from mertools.media import Sound
from mertools.model_sources import fetch
from mertools.prepare.recogniser import CHINESE

MODEL = "paraformer-zh"
PUNCTUATION = "ct-punc"

BETWEEN_CHARACTERS = re.compile(r"(?<=[\u3400-\u9fff])\s+(?=[\u3400-\u9fff])")
"""Paraformer writes a blank between tokens, which Chinese characters do not have."""


class FunAsr:
    """Two models of FunASR, by its own names for them or from a folder (`path:/folder`); needs the extra `funasr`.

    FunASR punctuates by itself only behind its own voice detection; clips are single utterances, which need none, so
    the punctuation is a step of its own here.
    """

    def __init__(self, language: str, model: str | None = None, punctuation: str = PUNCTUATION) -> None:
        if language != CHINESE:
            raise InputError(f"FunASR's Paraformer hears Chinese, not {language}. Use --recogniser whisper.")
        self._model_name = model or MODEL
        self._punctuation_name = punctuation

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
            return _library().AutoModel(
                model=where, device=device, disable_update=True, disable_pbar=True, trust_remote_code=False
            )
        except Exception as error:  # its errors and those of the hub under it have no other class in common
            raise InputError(
                f"FunASR cannot load {name!r}: {type(error).__name__}: {error}. Without a network, download its folder "
                "elsewhere and name it: --model path:/folder."
            ) from error

    def transcribe(self, sounds: Sequence[Sound]) -> list[str]:
        """What is said in each sound, with punctuation."""
        heard = self._model.generate(input=[sound.samples for sound in sounds], batch_size=len(sounds))
        texts = [BETWEEN_CHARACTERS.sub("", result["text"].strip()) for result in heard]
        spoken = [index for index, text in enumerate(texts) if text]
        if spoken:
            punctuated = self._punctuation.generate(input=[texts[index] for index in spoken])
            for index, result in zip(spoken, punctuated, strict=True):
                texts[index] = result["text"].strip()
        return texts


def _library() -> Any:
    try:
        return import_module("funasr")
    except ModuleNotFoundError as error:
        raise InputError(
            f"FunASR needs the package {error.name!r}, which is not installed: pip install 'mertools[funasr]'. "
            "Or use --recogniser whisper."
        ) from error
