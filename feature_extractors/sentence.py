"""Sentence encoders: a small transformer over the subtitle's tokens, and their mean as the sentence's vector."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from feature_extractors.encoder import Encoder, Encoding, torch_device
from feature_extractors.pooling import masked_mean
from mertools.clip import Clip
from mertools.errors import InputError
from mertools.libraries import transformers
from mertools.media import MissingMedium


@dataclass(frozen=True)
class Subtitle:
    """The text of a clip; `problem` says why it may not be what the encoder was trained to read."""

    text: str
    problem: str = ""


class Sentence(Encoder):
    """A model in the layout of sentence-transformers (Reimers & Gurevych 2019).

    As its `modules.json` says: token vectors of the last layer, their mean over all tokens (`[CLS]` and `[SEP]`
    included, padding not), scaled to length 1. Frames are the token vectors (tokens, D); they have no times.
    """

    def prepare(self, clip: Clip) -> Subtitle:
        text = clip.subtitle
        if self.card.language == "english":
            text = clip.subtitle_english or clip.subtitle
        if not text.strip():
            raise MissingMedium("no subtitle")
        if self.card.language == "english" and not re.search("[A-Za-z]", text):
            return Subtitle(text, f"the subtitle has no Latin letters, and {self.name} reads English")
        return Subtitle(text)

    def length(self, item: Subtitle) -> int:
        return len(item.text)

    def load(self, device: str) -> None:
        library = transformers()
        folder = self.fetch().path
        self._device = torch_device(device)
        self._tokenizer = library.AutoTokenizer.from_pretrained(folder, local_files_only=True)
        model, report = library.AutoModel.from_pretrained(folder, local_files_only=True, output_loading_info=True)
        if report["missing_keys"]:
            raise InputError(
                f"{self.source} lacks weights that the model needs (first: {min(report['missing_keys'])}). "
                "Install it again, or name another source."
            )
        self._model = model.float().eval().to(self._device)

    def encode(self, batch: Sequence[Subtitle]) -> list[Encoding]:
        import torch

        longest = self.recipe["tokens"]
        texts = [subtitle.text for subtitle in batch]
        lengths = [len(tokens) for tokens in self._tokenizer(texts)["input_ids"]]
        inputs = self._tokenizer(texts, padding=True, truncation=True, max_length=longest, return_tensors="pt")
        with torch.inference_mode():
            states = self._model(**inputs.to(self._device)).last_hidden_state.cpu().numpy()  # (B, tokens, D)
        encodings = []
        for subtitle, tokens, length in zip(batch, states, lengths, strict=True):
            frames = tokens[: min(length, longest)]
            problem = subtitle.problem
            if length > longest:
                problem = f"the subtitle has {length} tokens, of which the first {longest} were read"
            encodings.append(Encoding(frames, utterance=_unit(masked_mean(frames)), problem=problem))
        return encodings


def _unit(vector: np.ndarray) -> np.ndarray:
    return vector / np.linalg.norm(vector)
