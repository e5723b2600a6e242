"""The image side of BLIP-2 (Li et al. 2023, arXiv:2301.12597), for the trainable explainers.

EVA-CLIP-G and the Q-Former read a few whole pictures of a clip. The language model in the same checkpoint stays unread.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

from feature_extractors.checkpoint import assemble, open_checkpoint, refusing
from feature_extractors.hub_images import HubImages
from mertools.errors import InputError
from mertools.libraries import transformers
from mertools.model_sources import load_weights

if TYPE_CHECKING:
    import torch

INDEXES = ("model.safetensors.index.json", "pytorch_model.bin.index.json")
WEIGHT_FILES = ("model.safetensors", "pytorch_model.bin")


class EvaClipG(HubImages):
    """The vision transformer of BLIP-2, normalised: the class token and the patches of a picture (257, 1408)."""

    model_types = ("blip-2",)
    at_once = 8

    def read(self) -> torch.nn.Module:
        config, weights = self._parts("vision_model.")
        return self._part("Blip2VisionModel", config.vision_config, weights, "vision_model.")

    def represent(self, inputs: torch.Tensor) -> torch.Tensor:
        return self._model(pixel_values=inputs).last_hidden_state  # (B, tokens, D)

    def _parts(self, *prefixes: str) -> tuple[Any, dict[str, torch.Tensor]]:
        """The whole model's configuration, and those of its weights whose names begin with one of `prefixes`."""
        folder = open_checkpoint(self, self.model_types).folder
        with refusing(self):
            config = transformers().Blip2Config.from_pretrained(folder, local_files_only=True)
            return config, read_parts(folder, prefixes)

    def _part(self, architecture: str, config: Any, weights: Mapping[str, torch.Tensor], prefix: str) -> Any:
        own = {name.removeprefix(prefix): value for name, value in weights.items() if name.startswith(prefix)}
        return assemble(self, getattr(transformers(), architecture), config, own)


class Blip2QFormer(EvaClipG):
    """What the Q-Former's queries gather from a picture's tokens (32, 768)."""

    def read(self) -> torch.nn.Module:
        from torch import nn

        config, weights = self._parts("vision_model.", "qformer.", "query_tokens")
        if "query_tokens" not in weights:
            raise InputError(f"{self.source} has no query_tokens: it is no checkpoint of BLIP-2 with its Q-Former.")
        # One module, so that everything moves to the device together.
        return nn.ModuleDict(
            {
                "vision": self._part("Blip2VisionModel", config.vision_config, weights, "vision_model."),
                "qformer": self._part("Blip2QFormerModel", config.qformer_config, weights, "qformer."),
                "queries": nn.ParameterList([nn.Parameter(weights["query_tokens"].float(), requires_grad=False)]),
            }
        )

    def represent(self, inputs: torch.Tensor) -> torch.Tensor:
        tokens = self._model["vision"](pixel_values=inputs).last_hidden_state
        queries = self._model["queries"][0].expand(len(inputs), -1, -1)  # (B, 32, D)
        return self._model["qformer"](query_embeds=queries, encoder_hidden_states=tokens).last_hidden_state


def read_parts(folder: Path, prefixes: tuple[str, ...]) -> dict[str, torch.Tensor]:
    """The tensors of a checkpoint in transformers' format whose names begin with one of `prefixes`.

    Of a checkpoint in several files only those that hold such tensors are opened, and need to be there.

    Raises InputError where there are no weights, or a file is absent or cannot be read.
    """
    tensors = {}
    for file in _files(folder, prefixes):
        if not file.is_file():
            raise InputError(f"{folder} lacks {file.name}, which its index names. Fetch it again.")
        if file.suffix == ".safetensors":
            tensors |= _read_safetensors(file, prefixes)
        else:
            tensors |= {name: value for name, value in load_weights(file).items() if name.startswith(prefixes)}
    return tensors


def _files(folder: Path, prefixes: tuple[str, ...]) -> list[Path]:
    for name in WEIGHT_FILES:
        if (folder / name).is_file():
            return [folder / name]
    for name in INDEXES:
        if (folder / name).is_file():
            files = json.loads((folder / name).read_text(encoding="utf-8"))["weight_map"]
            return [folder / file for file in sorted({f for tensor, f in files.items() if tensor.startswith(prefixes)})]
    raise InputError(f"{folder} has no weights. Wanted one of {', '.join((*WEIGHT_FILES, *INDEXES))} in it.")


def _read_safetensors(file: Path, prefixes: tuple[str, ...]) -> dict[str, torch.Tensor]:
    """The wanted tensors alone: beside them lies a language model of many gigabytes."""
    import safetensors

    try:
        with safetensors.safe_open(file, framework="pt") as content:
            return {name: content.get_tensor(name) for name in content.keys() if name.startswith(prefixes)}  # noqa: SIM118
    except safetensors.SafetensorError as error:
        raise InputError(f"{file} cannot be read as weights: {error}. Fetch it again.") from error
