"""Weights of Video-LLaMA, BLIP-2 and InstructBLIP as an explainer's, with a report on every key."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

import torch

from mertools.errors import InputError
from mertools.explain.configuration import Configuration
from mertools.explain.explainer import build_branches
from mertools.explain.language_models import unloaded

QFORMERS = {
    "audio_Qformer.bert.": "branches.audio.connector.",
    "video_Qformer.bert.": "branches.video.connector.",
    "Qformer.bert.": "branches.video.image_qformer.",
    "qformer.": "branches.video.image_qformer.",
}
"""Where a Q-Former stands in a file -> where here: Video-LLaMA's two, the image Q-Former of LAVIS and transformers."""

SINGLE = {
    "audio_query_tokens": "branches.audio.connector.queries",
    "audio_position_embedding.weight": "branches.audio.positions.weight",
    "audio_llama_proj.weight": "branches.audio.projection.weight",
    "audio_llama_proj.bias": "branches.audio.projection.bias",
    "video_query_tokens": "branches.video.connector.queries",
    "video_frame_position_embedding.weight": "branches.video.positions.weight",
    "llama_proj.weight": "branches.video.projection.weight",
    "llama_proj.bias": "branches.video.projection.bias",
    "query_tokens": "branches.video.image_qformer.queries",
}

RENAMED = (
    (r"embeddings\.(LayerNorm|layernorm)\.", "network.layernorm."),
    (r"embeddings\.word_embeddings\.", "text.words."),
    (r"embeddings\.position_embeddings\.", "text.positions."),
    (r"layernorm\.", "network.layernorm."),
    (r"encoder\.(layer\.\d+)\.(attention|crossattention)\.self\.", r"network.encoder.\1.\2.attention."),
    (r"encoder\.", "network.encoder."),
)
"""A tensor inside a Q-Former: BERT's name, as the files have it -> transformers'. The first that fits counts."""


@dataclass(frozen=True)
class Key:
    """What became of one key.

    `fate` is `taken`; `unexpected`, a key of the file that the explainer has no place for; `missing`, a weight of the
    explainer that the file does not have; or `reshaped`, one that both have in different shapes, and that stays as it
    was. `theirs` and `ours` are its names, "" where there is none, and `shapes` tells the shapes.
    """

    fate: str
    theirs: str
    ours: str
    shapes: str


def convert(weights: Mapping[str, Any], configuration: Configuration) -> tuple[dict[str, torch.Tensor], list[Key]]:
    """The explainer's weights, by our names, that `weights` has, and a report on every key of both.

    `weights` is a table of tensors, or holds one under `model` as Video-LLaMA's checkpoints do. What is missing can
    come from another file, or starts from random weights.

    Raises InputError where no weight fits.
    """
    if isinstance(weights.get("model"), Mapping):
        weights = weights["model"]
    wanted = _shapes(configuration)
    taken: dict[str, torch.Tensor] = {}
    report = []
    for theirs, value in weights.items():
        ours = our_name(theirs)
        if not isinstance(value, torch.Tensor) or ours not in wanted:
            report.append(Key("unexpected", theirs, "", _told(value)))
            continue
        shapes = f"{_told(value)} -> {tuple(wanted[ours])}"
        if value.shape == wanted[ours]:
            taken[ours] = value.detach().float().contiguous()
            report.append(Key("taken", theirs, ours, shapes))
        else:
            report.append(Key("reshaped", theirs, ours, shapes))
    found = {key.ours for key in report}
    report += [Key("missing", "", ours, str(tuple(shape))) for ours, shape in wanted.items() if ours not in found]
    if not taken:
        first = next(iter(weights), "nothing")
        raise InputError(
            f"None of the {len(weights)} weights fits the explainer (the first is {first!r}). Wanted a checkpoint of "
            "Video-LLaMA, BLIP-2 or InstructBLIP, and a configuration with the parts it is for."
        )
    return taken, report


def our_name(theirs: str) -> str:
    """Our name of the weight called `theirs` in a file, "" for one that no explainer has."""
    theirs = theirs.removeprefix("model.")
    if theirs in SINGLE:
        return SINGLE[theirs]
    for prefix, branch in QFORMERS.items():
        if theirs.startswith(prefix):
            return next(_renamed(branch, theirs.removeprefix(prefix)), "")
    return ""


def _renamed(branch: str, inner: str) -> Iterator[str]:
    for pattern, replacement in RENAMED:
        name, count = re.subn(f"^{pattern}", replacement, inner)
        if count:
            yield branch + name


def _shapes(configuration: Configuration) -> dict[str, torch.Size]:
    """The shapes of the branches' weights, without memory for any."""
    width = unloaded(configuration.language_model).get_input_embeddings().embedding_dim
    with torch.device("meta"):
        branches, _ = build_branches(configuration, width)
    return {f"branches.{name}": parameter.shape for name, parameter in branches.named_parameters()}


def _told(value: Any) -> str:
    return str(tuple(value.shape)) if isinstance(value, torch.Tensor) else type(value).__name__
