"""A VideoMAE small enough to be trained in a test, with its decoder, in transformers' format."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from mertools.libraries import transformers

WIDTH = 64


def tiny_config(**other: Any) -> Any:
    """Six blocks on patches of 32 pixels: 25 of them in a picture of 160."""
    return transformers().VideoMAEConfig(
        **{
            "hidden_size": WIDTH,
            "num_hidden_layers": 6,
            "num_attention_heads": 1,
            "intermediate_size": WIDTH,
            "image_size": 224,
            "patch_size": 32,
            "decoder_hidden_size": WIDTH,
            "decoder_num_hidden_layers": 1,
            "decoder_intermediate_size": WIDTH,
            "decoder_num_attention_heads": 1,
            "use_mean_pooling": False,
            "layer_norm_eps": 1e-6,
            **other,
        }
    )


def tiny_videomae(folder: Path, kind: str = "VideoMAEForPreTraining", **other: Any) -> str:
    """Store one of class `kind` in `folder`; gives its source."""
    import torch

    torch.manual_seed(0)
    getattr(transformers(), kind)(tiny_config(**other)).save_pretrained(folder)
    return f"path:{folder}"
