"""Loading the language model that answers: frozen, by itself or with low-rank adapters."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

from mertools.errors import InputError
from mertools.explain.configuration import LanguageModelChoice, Lora
from mertools.libraries import transformers
from mertools.model_sources import fetch

GGUF = ".gguf"


@dataclass(frozen=True)
class LanguageModel:
    """transformers' causal language model and its tokenizer."""

    network: Any
    tokenizer: Any

    @property
    def width(self) -> int:
        """The length of a token's embedding."""
        return self.network.get_input_embeddings().embedding_dim


def load_language_model(choice: LanguageModelChoice) -> LanguageModel:
    """The language model of `choice`, frozen, on the CPU.

    Raises InputError where it cannot be had or read, and where it is another than `choice.shape` says.
    """
    import torch

    library = transformers()
    path = fetch(choice.source, sha256=choice.sha256 or None).path
    folder, options = _where(path)
    try:
        with _without_bars():
            network = library.AutoModelForCausalLM.from_pretrained(
                folder, dtype=getattr(torch, choice.dtype), local_files_only=True, trust_remote_code=False, **options
            )
            tokenizer = library.AutoTokenizer.from_pretrained(
                folder, local_files_only=True, trust_remote_code=False, **options
            )
    except ImportError as error:
        raise InputError(
            f"{choice.source} needs a package that is not installed: {_first_line(error)} "
            "Install the explainers' extra: pip install 'mertools[explain]'"
        ) from error
    except (OSError, ValueError, KeyError) as error:
        raise InputError(
            f"{choice.source} cannot be read as a language model: {_first_line(error)} Wanted a folder of "
            "transformers' layout with weights and tokenizer, or a GGUF file."
        ) from error
    _check_shape(choice, network.config.to_dict())
    return LanguageModel(network.requires_grad_(False), tokenizer)


def unloaded(choice: LanguageModelChoice) -> Any:
    """The network of `choice.shape` without weights, on the meta device.

    Raises InputError for a shape that transformers does not know.
    """
    import torch

    library = transformers()
    shape = dict(choice.shape)
    model_type = shape.pop("model_type", None)
    try:
        config = library.AutoConfig.for_model(model_type, **shape)
    except (ValueError, TypeError) as error:
        raise InputError(
            f"language_model.shape names no network that transformers knows: {_first_line(error)} Wanted model_type "
            "and what that type's configuration holds, such as hidden_size."
        ) from error
    with torch.device("meta"):
        return library.AutoModelForCausalLM.from_config(config).requires_grad_(False)


def add_lora(network: Any, lora: Lora) -> Any:
    """`network` with trainable low-rank adapters beside its `targets`, everything else frozen.

    Raises InputError where peft is not installed, or the network has no layers of such names.
    """
    try:
        import peft
    except ModuleNotFoundError as error:
        raise InputError("LoRA needs the package peft: pip install 'mertools[explain]'") from error
    config = peft.LoraConfig(
        r=lora.rank, lora_alpha=lora.alpha, lora_dropout=lora.dropout, target_modules=list(lora.targets)
    )
    try:
        peft.inject_adapter_in_model(config, network)
    except ValueError as error:
        raise InputError(f"LoRA cannot be applied: {_first_line(error)} See language_model.lora.targets.") from error
    return network


def _where(path: Path) -> tuple[Path, Mapping[str, str]]:
    """The folder transformers reads and what else it must be told: a GGUF file is named beside its folder."""
    if path.suffix == GGUF:
        return path.parent, {"gguf_file": path.name}
    return path, {}


@contextmanager
def _without_bars() -> Iterator[None]:
    """transformers' bar over the tensors of a GGUF file has no switch, and would stand amid our own progress."""
    from transformers import modeling_gguf_pytorch_utils as reader

    bar = reader.tqdm
    reader.tqdm = partial(bar, disable=True)
    try:
        yield
    finally:
        reader.tqdm = bar


def _check_shape(choice: LanguageModelChoice, found: Mapping[str, Any]) -> None:
    for key, wanted in choice.shape.items():
        if found.get(key) != wanted:
            raise InputError(
                f"{choice.source} has {key} {found.get(key)!r}, and the configuration says {wanted!r}. Correct "
                "language_model.shape, or name the language model it describes."
            )


def _first_line(error: Exception) -> str:
    said = next(iter(str(error).strip().splitlines()), type(error).__name__)
    return f"{said.rstrip('.')}."
