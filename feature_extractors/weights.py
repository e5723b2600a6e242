"""Weights of the networks that are written in this package, from a file of the user's."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from pathlib import Path
from typing import TYPE_CHECKING

from feature_extractors.encoder import Encoder
from mertools.errors import InputError
from mertools.model_sources import load_weights

if TYPE_CHECKING:
    import torch

SUFFIXES = (".safetensors", ".pth", ".pt", ".bin")


def read_state(encoder: Encoder, rename: Callable[[str], str | None] = str) -> dict[str, torch.Tensor]:
    """The tensors of `encoder`'s source: a file of weights, or a folder with one.

    `rename` gives the network's name of a tensor of the file, None for one that the network has no use for.

    Raises InputError where there is no such file, or more than one.
    """
    return {name: tensor for key, tensor in load_weights(_file(encoder)).items() if (name := rename(key)) is not None}


def fill(network: torch.nn.Module, state: Mapping[str, torch.Tensor], encoder: Encoder) -> torch.nn.Module:
    """`network` with the weights in `state`, for inference.

    Raises InputError where a weight of the network is not there or has another shape, and where one is left over.
    """
    try:
        network.load_state_dict(state)
    except RuntimeError as error:
        differences = " ".join(line.strip() for line in str(error).splitlines()[1:])
        raise InputError(
            f"{encoder.source} does not hold the weights of {encoder.name}: {differences[:300]} "
            f"Wanted: {encoder.card.needs}."
        ) from error
    return network.float().eval().requires_grad_(False)


def _file(encoder: Encoder) -> Path:
    path = encoder.fetch().path
    if path.is_file():
        return path
    files = sorted(file for file in path.iterdir() if file.suffix in SUFFIXES)
    if len(files) != 1:
        found = ", ".join(file.name for file in files) or "none"
        raise InputError(f"{encoder.source} is a folder with {len(files)} files of weights ({found}); name the one.")
    return files[0]
