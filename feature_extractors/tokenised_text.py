"""What the encoders of subtitles share: which subtitle they read, and how their checkpoints are loaded."""

from __future__ import annotations

import json
import pickle
import re
from collections.abc import Callable, Collection, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from feature_extractors.encoder import Encoder
from mertools.clip import Clip
from mertools.errors import InputError
from mertools.media import MissingMedium

if TYPE_CHECKING:
    import torch


@dataclass(frozen=True)
class Subtitle:
    """The text of a clip; `problem` says why it may not be what the encoder was trained to read."""

    text: str
    problem: str = ""


class TokenisedText(Encoder):
    """An encoder of the subtitle in its card's language.

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

    def load_checkpoint(self, from_pretrained: Callable[..., Any], folder: Path, **options: Any) -> torch.nn.Module:
        """The network that transformers' `from_pretrained` makes of `folder`, every weight from the checkpoint.

        Raises InputError where it cannot be loaded, and where it lacks a weight outside the card's `may_lack`: none
        that a feature is computed from stays as it was initialised.
        """
        try:
            model, report = from_pretrained(folder, local_files_only=True, output_loading_info=True, **options)
        except Exception as error:  # readers of four formats, and code from checkpoints, have no other class in common
            raise InputError(
                f"{self.source} cannot be loaded for {self.name}: {told(error)} "
                f"Wanted a checkpoint like {self.card.source}."
            ) from error
        lacking = [key for key in report["missing_keys"] if not matches_any(key, self.card.may_lack)]
        if lacking:
            raise InputError(
                f"{self.source} lacks {len(lacking)} weights that {self.name} needs (first: {min(lacking)}). "
                f"Wanted a whole checkpoint like {self.card.source}; download it again, or name another: "
                f"--weights {self.name}=path:FOLDER."
            )
        self.check_left_over(report["unexpected_keys"])
        return model.eval().requires_grad_(False)

    def check_left_over(self, keys: Collection[str]) -> None:
        """Raise InputError where `keys`, weights that the network has no place for, matter. Heads do not."""

    def read_configuration(self, folder: Path, architectures: Sequence[str]) -> dict[str, Any]:
        """The checkpoint's `config.json`. Raises InputError where it is of none of the `architectures`."""
        path = folder / "config.json"
        try:
            configuration = dict(json.loads(path.read_text(encoding="utf-8")))
        except (OSError, ValueError, TypeError) as error:
            raise InputError(
                f"{self.source} has no readable config.json. Wanted the folder of a checkpoint like {self.card.source}."
            ) from error
        got = configuration.get("model_type")
        if got not in architectures:
            raise InputError(
                f"{self.source} holds a network of type {got!r}, and {self.name} is one of type "
                f"{' or '.join(map(repr, architectures))}. Wanted a checkpoint like {self.card.source}."
            )
        return configuration


def matches_any(text: str, patterns: Sequence[str]) -> bool:
    """Whether one of the regular expressions matches the whole of `text`."""
    return any(re.fullmatch(pattern, text) for pattern in patterns)


def told(error: Exception) -> str:
    """What went wrong, as a sentence."""
    if isinstance(error, pickle.UnpicklingError):
        return "its weights are damaged, or in a file that is more than weights and would run code."
    said = next(iter(str(error).strip().splitlines()), "").rstrip(".: ")
    return f"{type(error).__name__}: {said}."
