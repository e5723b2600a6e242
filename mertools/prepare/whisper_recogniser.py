"""Whisper (Radford et al. 2022, arXiv:2212.04356) by transformers."""

from __future__ import annotations

from collections.abc import Sequence
from functools import cached_property
from typing import TYPE_CHECKING

import numpy as np

from feature_extractors.encoder import torch_device
from mertools.errors import InputError
from mertools.libraries import transformers
from mertools.media import Sound
from mertools.model_sources import Fetched, fetch
from mertools.prepare.recogniser import CHINESE, ENGLISH, Recognised

if TYPE_CHECKING:
    import torch

MODEL = "hf:openai/whisper-large-v3"
CODES = {CHINESE: "zh", ENGLISH: "en"}
WINDOW_SECONDS = 30
"""Whisper hears 30 s at once; longer sound is cut there."""


class Whisper:
    """A Whisper checkpoint in the layout of transformers, from a model source (`hf:org/name`, `path:/folder`).

    Decoding is greedy, so that the same sound gives the same text. The confidence is the geometric mean of the
    probabilities of the text's tokens, after what is suppressed: exp of the `avg_logprob` by which the paper (§4.5)
    decides whether to decode anew, less the token that ends the text.
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

    def transcribe(self, sounds: Sequence[Sound]) -> list[Recognised]:
        """What is said in each sound, with Whisper's punctuation."""
        import torch

        pieces = [_windows(sound) for sound in sounds]
        inputs = self._features(
            [piece for own in pieces for piece in own],
            sampling_rate=sounds[0].sample_rate,
            return_tensors="pt",
            return_attention_mask=True,
        )
        chosen = _Chosen()
        with torch.inference_mode():
            tokens = self._model.generate(
                inputs.input_features.to(self._device, self._dtype),
                attention_mask=inputs.attention_mask.to(self._device),
                do_sample=False,
                num_beams=1,
                logits_processor=[chosen],
                **self._task,
            )
        texts = self._tokenizer.batch_decode(tokens, skip_special_tokens=True)
        windows = zip(texts, chosen.text_log_probabilities(self._tokenizer.eos_token_id), strict=True)
        return [self._joined([next(windows) for _ in own]) for own in pieces]

    def _joined(self, windows: Sequence[tuple[str, np.ndarray]]) -> Recognised:
        """The windows of one sound as one text; each of its tokens weighs the same, whichever window it is from."""
        separator = "" if self._language == CHINESE else " "
        text = separator.join(text.strip() for text, _ in windows)
        tokens = np.concatenate([each for _, each in windows])
        return Recognised(text, float(np.exp(tokens.mean())) if len(tokens) else None)


class _Chosen:
    """Stands last among generate's processors of logits, and notes what greedy decoding chooses from them.

    generate's own `scores` need `return_dict_in_generate`, which copies the attention's cache: gigabytes for a batch.
    """

    def __init__(self) -> None:
        self._tokens: list[torch.Tensor] = []
        self._log_probabilities: list[torch.Tensor] = []

    def __call__(self, input_ids: torch.Tensor, scores: torch.Tensor) -> torch.Tensor:
        best, token = scores.log_softmax(-1).max(-1)
        self._tokens.append(token)
        self._log_probabilities.append(best)
        return scores

    def text_log_probabilities(self, end: int) -> list[np.ndarray]:
        """Of each sequence those of its text's tokens, up to the token `end`.

        Text has the identifiers below `end`; languages, tasks and times have those above.
        """
        import torch

        tokens = torch.stack(self._tokens, 1).cpu().numpy()
        log_probabilities = torch.stack(self._log_probabilities, 1).cpu().numpy()
        # A sequence that has ended waits for the longest of its batch.
        is_text = (tokens < end) & ~np.logical_or.accumulate(tokens == end, axis=1)
        return [row[mask] for row, mask in zip(log_probabilities, is_text, strict=True)]


def _windows(sound: Sound) -> list[np.ndarray]:
    """The samples in pieces of at most 30 s."""
    size = WINDOW_SECONDS * sound.sample_rate
    return [sound.samples[begin : begin + size] for begin in range(0, len(sound.samples), size)]
