"""Checkpoints in the layout of transformers, loaded whole or not at all.

The one place where encoders have transformers load weights. No network of another architecture is read as if it were
the wanted one, no weight that a feature is computed from stays as it was initialised, nothing is looked up on the
network, nothing is unpickled but tensors, and code that comes with a checkpoint runs only where the caller asks for it.
Whatever goes wrong is one InputError, which ends with what to download, from where, and how to name it.
"""

from __future__ import annotations

import json
import pickle
import re
from collections.abc import Callable, Collection, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from feature_extractors.encoder import Encoder
from mertools.errors import InputError

if TYPE_CHECKING:
    import torch


@dataclass(frozen=True)
class Checkpoint:
    """The folder of `encoder`'s checkpoint, of an architecture that the encoder knows how to read."""

    encoder: Encoder
    folder: Path

    def network(
        self, from_pretrained: Callable[..., Any], *, only_beside: Collection[str] = (), **options: Any
    ) -> torch.nn.Module:
        """The network that transformers' `from_pretrained` makes of the folder, for inference, on the CPU.

        In float32, unless `options` say otherwise (`dtype`, `device_map`, `trust_remote_code`). Weights that it has no
        place for (a head) are left out; `only_beside`, where given, are regular expressions of all that there may be.

        Raises InputError where it cannot be loaded, where it lacks a weight outside the card's `may_lack`, and where
        `only_beside` does not know a weight that is left over.
        """
        return _load(self.encoder, from_pretrained, self.folder, only_beside, **options)

    def preprocessing(self, from_pretrained: Callable[..., Any], describes: str) -> Any:
        """What `from_pretrained` makes of preprocessor_config.json, the file that `describes` how input is prepared.

        Raises InputError where there is none, or it cannot be read.
        """
        with refusing(self.encoder):
            try:
                return from_pretrained(self.folder, local_files_only=True)
            except OSError as error:
                raise InputError(
                    f"{self.encoder.source} has no preprocessor_config.json, which {describes}. {wanted(self.encoder)}"
                ) from error


def open_checkpoint(encoder: Encoder, model_types: Collection[str]) -> Checkpoint:
    """`encoder`'s checkpoint, fetched unless it is here already; `model_types` are those its config.json may name.

    Raises InputError where it cannot be had, has no readable config.json, and where that names another architecture.
    """
    folder = encoder.fetch().path
    try:
        configuration = dict(json.loads((folder / "config.json").read_text(encoding="utf-8")))
    except (OSError, ValueError, TypeError) as error:
        raise InputError(f"{encoder.source} has no readable config.json. {wanted(encoder)}") from error
    got = configuration.get("model_type")
    if got not in model_types:
        raise InputError(
            f"{encoder.source} holds a network of type {got!r}, and {encoder.name} is one of type "
            f"{' or '.join(map(repr, model_types))}. {wanted(encoder)}"
        )
    return Checkpoint(encoder, folder)


def assemble(encoder: Encoder, architecture: Any, config: Any, weights: Mapping[str, torch.Tensor]) -> torch.nn.Module:
    """transformers' `architecture` as `config` describes it with the given `weights`, for inference, in float32.

    For weights that do not lie in a folder of their own: those of a part, or of a file in another layout. Raises
    InputError as `Checkpoint.network` does.
    """
    return _load(encoder, architecture.from_pretrained, None, config=config, state_dict=weights)


def _load(
    encoder: Encoder,
    from_pretrained: Callable[..., Any],
    folder: Path | None,
    only_beside: Collection[str] = (),
    **options: Any,
) -> torch.nn.Module:
    import torch

    options = {"dtype": torch.float32, "trust_remote_code": False, **options}
    with refusing(encoder):
        network, report = from_pretrained(
            folder, local_files_only=True, output_loading_info=True, weights_only=True, **options
        )
    lacking = [key for key in report["missing_keys"] if not _matches_any(key, encoder.card.may_lack)]
    if lacking:
        raise InputError(
            f"{encoder.source} lacks {len(lacking)} weights that {encoder.name} needs (first: {min(lacking)}). "
            f"{wanted(encoder)}"
        )
    strange = [key for key in report["unexpected_keys"] if only_beside and not _matches_any(key, only_beside)]
    if strange:
        raise InputError(
            f"{encoder.source} holds {len(strange)} weights that the network of {encoder.name} has no place for "
            f"(first: {min(strange)}): it is not the architecture it was taken for, and features would be wrong. "
            f"{wanted(encoder)}"
        )
    return network.eval().requires_grad_(False)


@contextmanager
def refusing(encoder: Encoder) -> Iterator[None]:
    """Whatever goes wrong while `encoder`'s checkpoint is read, as an InputError."""
    try:
        yield
    except InputError:
        raise
    except Exception as error:  # readers of four formats, and code from checkpoints, have no other class in common
        raise InputError(
            f"{encoder.source} cannot be loaded for {encoder.name}: {told(error)} {wanted(encoder)}"
        ) from error


def wanted(encoder: Encoder) -> str:
    """Which checkpoint would do, where it is, and how to name it, as a sentence."""
    card = encoder.card
    scheme, _, what = card.source.partition(":")
    if scheme == "hf":
        repository = what.partition("@")[0]
        return (
            f"Wanted a whole checkpoint like {card.source}: hf download {repository} --local-dir FOLDER, "
            f"then --weights {card.name}=path:FOLDER."
        )
    if card.needs:
        return f"Wanted {card.needs}."
    return f"Wanted a whole checkpoint like {card.source}: --weights {card.name}=path:FOLDER."


def told(error: Exception) -> str:
    """What went wrong, as a sentence."""
    if isinstance(error, pickle.UnpicklingError):
        return "its weights are damaged, or in a file that is more than weights and would run code."
    said = next(iter(str(error).strip().splitlines()), "").rstrip(".: ")
    return f"{type(error).__name__}: {said}."


def _matches_any(text: str, patterns: Collection[str]) -> bool:
    """Whether one of the regular expressions matches the whole of `text`."""
    return any(re.fullmatch(pattern, text) for pattern in patterns)
