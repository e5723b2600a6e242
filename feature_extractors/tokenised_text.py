"""What the encoders of subtitles share: which subtitle they read, and the tokenizer beside their weights."""

from __future__ import annotations

import importlib.util
import re
from dataclasses import dataclass
from typing import Any

from feature_extractors.checkpoint import Checkpoint, open_checkpoint, told, wanted
from feature_extractors.encoder import Encoder, torch_device
from mertools.clip import Clip
from mertools.errors import InputError
from mertools.libraries import transformers
from mertools.media import MissingMedium

SENTENCEPIECE = "spiece.model"
TOKENIZER_FILES = ("tokenizer.json", "vocab.txt", SENTENCEPIECE)
"""What a tokenizer can be read from: any one of these."""


@dataclass(frozen=True)
class Subtitle:
    """The text of a clip; `problem` says why it may not be what the encoder was trained to read."""

    text: str
    problem: str = ""


class TokenisedText(Encoder):
    """An encoder of the subtitle in its card's language; unless a family says otherwise, with the network and the
    tokenizer that transformers has for the card's architecture.

    Frames are the vectors of tokens (tokens, D); they have no times. An English encoder reads `subtitle_english` and,
    where a clip has none, `subtitle`; every other reads `subtitle`.
    """

    def prepare(self, clip: Clip) -> Subtitle:
        text = clip.subtitle
        if self.card.language == "english":
            text = clip.subtitle_english or clip.subtitle
        # Zero-width characters and byte order marks are nothing to read either.
        if not any(character.isprintable() and not character.isspace() for character in text):
            raise MissingMedium("no subtitle")
        if self.card.language == "english" and not re.search("[A-Za-z]", text):
            return Subtitle(text, f"the subtitle has no Latin letters, and {self.name} reads English")
        return Subtitle(text)

    def length(self, item: Subtitle) -> int:
        return len(item.text)

    def problem(self, subtitle: Subtitle, tokens: int) -> str:
        """What stands in the row of a subtitle that has so many `tokens`, special ones included."""
        longest = self.recipe["tokens"]
        if tokens > longest:
            return f"the subtitle has {tokens} tokens, of which the first {longest} were read"
        return subtitle.problem

    def load(self, device: str) -> None:
        checkpoint = open_checkpoint(self, (self.card.architecture,))
        self._device = torch_device(device)
        self._tokenizer = read_tokenizer(checkpoint)
        self._model = checkpoint.network(transformers().AutoModel.from_pretrained).to(self._device)


def read_tokenizer(checkpoint: Checkpoint) -> Any:
    """The tokenizer beside the weights. Raises InputError where there is none, or it cannot be read."""
    encoder, folder = checkpoint.encoder, checkpoint.folder
    present = [name for name in TOKENIZER_FILES if (folder / name).exists()]
    if not present:
        # transformers would make a tokenizer to which every character is unknown.
        raise InputError(
            f"{encoder.source} has no tokenizer. Wanted one of {', '.join(TOKENIZER_FILES)} beside the weights, "
            f"as in {encoder.card.source}."
        )
    if present == [SENTENCEPIECE] and importlib.util.find_spec("sentencepiece") is None:
        raise InputError(
            f"The tokenizer of {encoder.name} is a SentencePiece model, and the package sentencepiece is not "
            "installed: pip install 'mertools[llm]'"
        )
    try:
        return transformers().AutoTokenizer.from_pretrained(folder, local_files_only=True, trust_remote_code=False)
    except Exception as error:  # the tokenizers library raises nothing more precise
        raise InputError(
            f"{encoder.source} has a tokenizer that cannot be read ({', '.join(present)}): {told(error)} "
            f"{wanted(encoder)}"
        ) from error
