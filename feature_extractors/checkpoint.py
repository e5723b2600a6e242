"""Models in the layout of transformers, loaded whole or not at all."""

from __future__ import annotations

import re
from collections.abc import Collection
from typing import TYPE_CHECKING

from feature_extractors.encoder import Encoder
from mertools.errors import InputError
from mertools.libraries import transformers

if TYPE_CHECKING:
    from transformers import PreTrainedModel


def load_pretrained(encoder: Encoder, architectures: Collection[str]) -> PreTrainedModel:
    """The model of `encoder`'s checkpoint in float32 for inference, on the CPU.

    `architectures` are the `model_type`s that the encoder knows how to read.

    Raises InputError where the checkpoint cannot be had or read, is of another architecture, or lacks a weight that
    the card does not allow it to lack: no layer may stay as it was initialised.
    """
    from pickle import UnpicklingError

    from safetensors import SafetensorError

    library, folder, source = transformers(), encoder.fetch().path, encoder.source
    try:
        config = library.AutoConfig.from_pretrained(folder, local_files_only=True, trust_remote_code=False)
    except (OSError, ValueError) as error:
        raise InputError(
            f"{source} holds no model of transformers ({_first_line(error)}). Wanted a folder with config.json "
            f"(model_type {_either(architectures)}), the weights and preprocessor_config.json."
        ) from error
    if config.model_type not in architectures:
        raise InputError(
            f"{source} holds a {config.model_type!r} model, and {encoder.name} wants {_either(architectures)}. "
            "Name another source."
        )
    try:
        model, report = library.AutoModel.from_pretrained(
            folder, config=config, local_files_only=True, output_loading_info=True, trust_remote_code=False
        )
    except (OSError, ValueError, RuntimeError, EOFError, UnpicklingError, SafetensorError) as error:
        raise InputError(f"The weights of {source} cannot be loaded: {_first_line(error)} Fetch them again.") from error
    missing = sorted(key for key in report["missing_keys"] if not _may_lack(encoder, key))
    if missing:
        raise InputError(
            f"{source} lacks {len(missing)} weights that {encoder.name} needs (first: {missing[0]}). "
            "Fetch it again, or name another source."
        )
    return model.float().eval().requires_grad_(False)


def _may_lack(encoder: Encoder, key: str) -> bool:
    return any(re.fullmatch(pattern, key) for pattern in encoder.card.may_lack)


def _either(names: Collection[str]) -> str:
    return " or ".join(repr(name) for name in names)


def _first_line(error: Exception) -> str:
    return str(error).strip().partition("\n")[0]
