"""Masked and permuted language models: BERT's kind, ELECTRA's discriminator, XLNet."""

from __future__ import annotations

import importlib.util
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from feature_extractors.encoder import Encoding, torch_device
from feature_extractors.tokenised_text import Subtitle, TokenisedText, told
from mertools.errors import InputError
from mertools.libraries import transformers

SENTENCEPIECE = "spiece.model"
TOKENIZER_FILES = ("tokenizer.json", "vocab.txt", SENTENCEPIECE)
"""What a tokenizer can be read from: any one of these."""


class MaskedLanguage(TokenisedText):
    """The last layers' hidden states of a bidirectional transformer, summed, in float32.

    Frames are the vectors of the subtitle's own tokens, in their order: what the tokenizer adds (`[CLS]`, `[SEP]`,
    `<sep>`, padding on either side) is left out by its own account of it, unknown characters (`[UNK]`) stay. Their
    mean is the utterance's vector. Padding is hidden from attention, so a batch gives what its sentences give alone.
    """

    def load(self, device: str) -> None:
        library = transformers()
        folder = self.fetch().path
        self.read_configuration(folder, (self.card.architecture,))
        self._device = torch_device(device)
        self._tokenizer = self._load_tokenizer(library, folder)
        self._model = self.load_checkpoint(library.AutoModel.from_pretrained, folder).float().to(self._device)

    def _load_tokenizer(self, library: Any, folder: Path) -> Any:
        present = [name for name in TOKENIZER_FILES if (folder / name).exists()]
        if not present:
            # transformers would make a tokenizer to which every character is unknown.
            raise InputError(
                f"{self.source} has no tokenizer. Wanted one of {', '.join(TOKENIZER_FILES)} beside the weights, "
                f"as in {self.card.source}."
            )
        if present == [SENTENCEPIECE] and importlib.util.find_spec("sentencepiece") is None:
            raise InputError(
                f"The tokenizer of {self.name} is a SentencePiece model, and the package sentencepiece is not "
                "installed: pip install 'mertools[llm]'"
            )
        try:
            return library.AutoTokenizer.from_pretrained(folder, local_files_only=True)
        except Exception as error:  # the tokenizers library raises nothing more precise
            raise InputError(
                f"{self.source} has a tokenizer that cannot be read ({', '.join(present)}): {told(error)} "
                f"Download it again; wanted one as in {self.card.source}."
            ) from error

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
