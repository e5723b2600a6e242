"""Sentence encoders: a small transformer over the subtitle's tokens, and their mean as the sentence's vector."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from feature_extractors.encoder import Encoding
from feature_extractors.pooling import masked_mean
from feature_extractors.tokenised_text import Subtitle, TokenisedText


class Sentence(TokenisedText):
    """A model in the layout of sentence-transformers (Reimers & Gurevych 2019).

    As its `modules.json` says: token vectors of the last layer, their mean over all tokens (`[CLS]` and `[SEP]`
    included, padding not), scaled to length 1. Frames are the token vectors.
    """

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
            utterance = _unit(masked_mean(frames))
            encodings.append(Encoding(frames, utterance=utterance, problem=self.problem(subtitle, length)))
        return encodings


def _unit(vector: np.ndarray) -> np.ndarray:
    return vector / np.linalg.norm(vector)
