"""Masked and permuted language models: BERT's kind, ELECTRA's discriminator, XLNet."""

from __future__ import annotations

from collections.abc import Sequence

from feature_extractors.encoder import Encoding
from feature_extractors.tokenised_text import Subtitle, TokenisedText


class MaskedLanguage(TokenisedText):
    """The last layers' hidden states of a bidirectional transformer, summed, in float32.

    Frames are the vectors of the subtitle's own tokens, in their order: what the tokenizer adds (`[CLS]`, `[SEP]`,
    `<sep>`, padding on either side) is left out by its own account of it, unknown characters (`[UNK]`) stay. Their
    mean is the utterance's vector. Padding is hidden from attention, so a batch gives what its sentences give alone.
    """

    def encode(self, batch: Sequence[Subtitle]) -> list[Encoding]:
        import torch

        texts = [subtitle.text for subtitle in batch]
        lengths = [len(tokens) for tokens in self._tokenizer(texts)["input_ids"]]
        inputs = self._tokenizer(
            texts,
            padding=True,
            truncation=True,
            max_length=self.recipe["tokens"],
            return_special_tokens_mask=True,
            return_tensors="pt",
        )
        # A character the vocabulary lacks is the sentence's own; padding counts as special.
        own = (inputs.pop("special_tokens_mask") == 0).numpy()  # (B, tokens)
        with torch.inference_mode():
            layers = self._model(**inputs.to(self._device), output_hidden_states=True).hidden_states
            states = sum(layers[-self.recipe["layers"] :]).cpu().numpy()  # (B, tokens, D)
        return [
            Encoding(tokens[kept], problem=self.problem(subtitle, length))
            for subtitle, tokens, kept, length in zip(batch, states, own, lengths, strict=True)
        ]
