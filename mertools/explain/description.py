"""What an explainer consists of, part by part, told without loading a weight."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import torch

from feature_extractors.catalog import CATALOG
from mertools.explain.configuration import AUDIO, MULTI, VIDEO, Branch, Configuration, PreFusion
from mertools.explain.explainer import build_branches
from mertools.explain.language_models import add_lora, unloaded
from mertools.explain.partly_frozen import LORA, part_of

BLIP2_QFORMER, EVA_CLIP_G = "blip2-qformer", "eva-clip-g"


@dataclass(frozen=True)
class Part:
    """One part: its name, what it makes of what, and how many parameters of it are trained and are not.

    `stored` says that it only made the stored frames, and need not be in memory.
    """

    name: str
    shape: str
    trainable: int
    frozen: int
    stored: bool = False


def describe(configuration: Configuration) -> list[Part]:
    """The parts of an explainer in the order of the data: encoders, branches, what fuses them, language model.

    Raises InputError for a language model whose shape transformers does not know.
    """
    network = unloaded(configuration.language_model)
    width = network.get_input_embeddings().embedding_dim
    own = sum(parameter.numel() for parameter in network.parameters())
    with torch.device("meta"):
        branches, fusion = build_branches(configuration, width)
        if configuration.language_model.lora:
            add_lora(network, configuration.language_model.lora)
    counts: dict[str, int] = {}
    for prefix, module in (("branches", branches), ("fusion", fusion)):
        for name, parameter in module.named_parameters() if module is not None else ():
            part = part_of(f"{prefix}.{name}")
            counts[part] = counts.get(part, 0) + parameter.numel()
    parts = []
    for medium, branch in configuration.branches.items():
        parts += _encoders(branch)
        for part, count in counts.items():
            name = part.partition(".")[2]
            if part.partition(".")[0] == medium:
                is_frozen = name in branch.frozen
                shape = _shape(branch, name, width)
                parts.append(Part(part, shape, 0 if is_frozen else count, count if is_frozen else 0))
    if configuration.pre_fusion:
        shape = f"{_fused(configuration.pre_fusion)} -> {configuration.token_counts()[MULTI]} × {width}"
        parts.append(Part(MULTI, shape, counts[MULTI], 0))
    layers = network.config.num_hidden_layers
    parts.append(Part("language_model", f"{layers} layers of {width}", 0, own))
    if configuration.language_model.lora:
        adapters = sum(parameter.numel() for parameter in network.parameters()) - own
        parts.append(Part(LORA, f"rank {configuration.language_model.lora.rank}", adapters, 0))
    return parts


def _encoders(branch: Branch) -> Iterator[Part]:
    """The encoders that made the stored frames, as far as the catalog knows them."""
    card = CATALOG.get(branch.feature)
    if card is None or not card.parameters:
        return
    shape = f"{branch.frames} × " + " × ".join(map(str, branch.frame_shape))
    if branch.feature != BLIP2_QFORMER:
        yield Part(f"encoder {branch.feature}", shape, 0, card.parameters, stored=True)
        return
    vision = CATALOG[EVA_CLIP_G].parameters
    yield Part(f"encoder {EVA_CLIP_G}", f"{branch.frames} × 257 × {CATALOG[EVA_CLIP_G].dim}", 0, vision, stored=True)
    yield Part(f"encoder {BLIP2_QFORMER}", shape, 0, card.parameters - vision, stored=True)


def _shape(branch: Branch, part: str, width: int) -> str:
    """What a part of a branch makes of what, as tokens × width."""
    seen = branch.image_qformer
    frame = (seen.queries, seen.width) if seen else (branch.patches or 1, branch.width)
    connected = branch.qformer.width if branch.connector == "qformer" else frame[1]
    view = f"{branch.frames * frame[0]} × {frame[1]} -> {branch.tokens_a_view} × {connected}"
    shapes = {
        "image_qformer": f"{branch.patches} × {branch.width} -> {frame[0]} × {frame[1]} a frame",
        "local_attention": f"{branch.patches} × {branch.width} a frame, by region",
        "positions": f"{branch.positions} × {frame[1]}",
        "connector": view + (", and so many a window" if branch.windows and branch.windows.weights == "shared" else ""),
        "window_connector": f"{view} a window",
        "projection": f"{connected} -> {width}",
    }
    return shapes[part]


def _fused(fusion: PreFusion) -> str:
    return f"{AUDIO} and {VIDEO} by {fusion.connector}"
