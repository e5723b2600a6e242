"""Weights out of files that may come from anywhere: read, never run."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from mertools.errors import InputError


def load_weights(path: Path) -> Mapping[str, Any]:
    """The tensors of a weights file, by name, on the CPU: safetensors, or what `torch.save` wrote.

    Files of torch are read with `weights_only=True`, which builds tensors and plain containers and runs no code.

    Raises InputError for a file that needs more than that, is damaged, or holds no table of weights.
    """
    import pickle

    import safetensors
    import safetensors.torch
    import torch

    try:
        if path.suffix == ".safetensors":
            return safetensors.torch.load_file(path)
        weights = torch.load(path, map_location="cpu", weights_only=True)
    except pickle.UnpicklingError as error:
        raise InputError(
            f"{path} is not just weights, and reading the rest would run code from the file, so it was refused. "
            "Wanted safetensors, or torch.save(model.state_dict()): convert it where you trust its origin."
        ) from error
    except (safetensors.SafetensorError, RuntimeError, EOFError, ValueError, OSError) as error:
        raise InputError(
            f"{path} cannot be read as weights: {str(error).strip().splitlines()[0] if str(error) else error!r}. "
            "Wanted safetensors, or torch.save(model.state_dict())."
        ) from error
    if not isinstance(weights, Mapping):
        raise InputError(f"{path} holds a {type(weights).__name__}. Wanted a table of weights: a state_dict.")
    return weights
