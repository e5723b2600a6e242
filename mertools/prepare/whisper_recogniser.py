"""Whisper (Radford et al. 2022, arXiv:2212.04356) by transformers."""

from __future__ import annotations

from collections.abc import Sequence
from functools import cached_property

import numpy as np

from feature_extractors.encoder import torch_device
from mertools.errors import InputError
from mertools.libraries import transformers
from mertools.media import Sound
from mertools.model_sources import Fetched, fetch
from mertools.prepare.recogniser import CHINESE, ENGLISH

MODEL = "hf:openai/whisper-large-v3"
CODES = {CHINESE: "zh", ENGLISH: "en"}
WINDOW_SECONDS = 30
"""Whisper hears 30 s at once; longer sound is cut there."""


class Whisper:
    """A Whisper checkpoint in the layout of transformers, from a model source (`hf:org/name`, `path:/folder`).

    Decoding is greedy, so that the same sound gives the same text.
    """

    def __init__(self, language: str, model: str | None = None) -> None:
        self._language = language
        self._source = model or MODEL

    @property
    def name(self) -> str:
        return f"whisper {self._source} {self._fetched.revision} {self._language}"

    @cached_property
    def _fetched(self) -> Fetched:
        return fetch(self._source)

    def load(self, device: str) -> None:
        import torch

        library, folder = transformers(), self._fetched.path
        self._device = torch_device(device)
        self._dtype = torch.float16 if self._device.type == "cuda" else torch.float32
        try:
            self._features = library.WhisperFeatureExtractor.from_pretrained(folder, local_files_only=True)
            self._tokenizer = library.AutoTokenizer.from_pretrained(folder, local_files_only=True)
            model, report = library.WhisperForConditionalGeneration.from_pretrained(
                folder, local_files_only=True, output_loading_info=True
            )
        except (OSError, ValueError) as error:
            raise InputError(
                f"{self._source} is no Whisper checkpoint: {str(error).strip().splitlines()[0]} "
                "Wanted the files that transformers saves: config, weights, tokenizer, preprocessor_config.json."
            ) from error
        if report["missing_keys"]:
            raise InputError(
                f"{self._source} lacks weights that Whisper needs (first: {min(report['missing_keys'])}). "
                "Download it again, or name another --model."
            )
        multilingual = getattr(model.generation_config, "is_multilingual", True)
        if not multilingual and self._language == CHINESE:
            raise InputError(f"{self._source} knows English alone. Name a multilingual --model, or --language english.")
        self._task = {"language": CODES[self._language], "task": "transcribe"} if multilingual else {}
        self._model = model.to(self._device, self._dtype).eval()

    def transcribe(self, sounds: Sequence[Sound]) -> list[str]:
        """What is said in each sound, with Whisper's punctuation."""
        import torch

        pieces = [_windows(sound) for sound in sounds]
        inputs = self._features(
            [piece for own in pieces for piece in own],
            sampling_rate=sounds[0].sample_rate,
            return_tensors="pt",
            return_attention_mask=True,
        )
        with torch.inference_mode():
            tokens = self._model.generate(
                inputs.input_features.to(self._device, self._dtype),
                attention_mask=inputs.attention_mask.to(self._device),
                do_sample=False,
                num_beams=1,
                **self._task,
            )
        texts = iter(self._tokenizer.batch_decode(tokens, skip_special_tokens=True))
        separator = "" if self._language == CHINESE else " "
        return [separator.join(next(texts).strip() for _ in own) for own in pieces]


def _windows(sound: Sound) -> list[np.ndarray]:
    """The samples in pieces of at most 30 s."""
    size = WINDOW_SECONDS * sound.sample_rate
    return [sound.samples[begin : begin + size] for begin in range(0, len(sound.samples), size)]
