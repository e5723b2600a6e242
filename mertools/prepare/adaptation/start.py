"""The VideoMAE that an adaptation starts from: encoder and decoder, whole."""

from __future__ import annotations

import json
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from feature_extractors.cards.card import Recipe
from feature_extractors.checkpoint import told
from mertools.errors import InputError
from mertools.libraries import transformers
from mertools.model_sources import fetch

if TYPE_CHECKING:
    import torch

WANTED = (
    "Wanted a VideoMAE with the decoder of its pre-training, in transformers' format: "
    "--checkpoint hf:MCG-NJU/videomae-base, or path:FOLDER with such a one."
)


@dataclass(frozen=True)
class Start:
    """The network, on the CPU in float32, the source that named it, and what that was pinned to."""

    network: torch.nn.Module
    source: str
    revision: str


def read_start(source: str, recipe: Recipe) -> Start:
    """The checkpoint that `source` names, for pictures and windows of the size that `recipe` says.

    The positions of VideoMAE are sines, and nothing else depends on the pictures' size. Targets are pixels normalised
    within each patch, whatever its config.json says (VideoMAE, section 3.1).

    Raises InputError for a checkpoint that cannot be had or read, is no VideoMAE, lacks a weight (a random decoder
    would spoil the encoder), or takes windows that the recipe does not show.
    """
    fetched = fetch(source)
    config = transformers().VideoMAEConfig(**_configuration(source, fetched.path))
    size, count = recipe["resolution"], recipe["window"]
    if config.num_frames != count or size % config.patch_size:
        raise InputError(
            f"{source} sees {config.num_frames} frames in patches of {config.patch_size} pixels; the card shows "
            f"{count} frames of {size} pixels. Take another checkpoint or --card."
        )
    config.image_size, config.norm_pix_loss = size, True
    return Start(_network(source, fetched.path, config), source, fetched.revision)


def patches_of(network: torch.nn.Module) -> tuple[int, int]:
    """Of how many patches a frame consists, and of how many pairs of frames a window."""
    config = network.config
    return (config.image_size // config.patch_size) ** 2, config.num_frames // config.tubelet_size


def _configuration(source: str, folder: Path) -> dict:
    try:
        configuration = dict(json.loads((folder / "config.json").read_text(encoding="utf-8")))
    except (OSError, ValueError, TypeError) as error:
        raise InputError(f"{source} has no readable config.json. {WANTED}") from error
    if configuration.get("model_type") != "videomae":
        raise InputError(f"{source} holds a network of type {configuration.get('model_type')!r}. {WANTED}")
    return configuration


def _network(source: str, folder: Path, config: object) -> torch.nn.Module:
    import torch

    try:
        network, report = transformers().VideoMAEForPreTraining.from_pretrained(
            folder,
            config=config,
            dtype=torch.float32,
            local_files_only=True,
            output_loading_info=True,
            weights_only=True,
        )
    except Exception as error:  # readers of several formats have no other class in common
        raise InputError(f"{source} cannot be loaded: {told(error)} {WANTED}") from error
    if report["missing_keys"]:
        raise InputError(
            f"{source} lacks {len(report['missing_keys'])} weights of VideoMAE's pre-training (first: "
            f"{min(report['missing_keys'])}): it was fine-tuned, or stored without its decoder. {WANTED}"
        )
    return network
