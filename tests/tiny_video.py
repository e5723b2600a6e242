"""Tiny random checkpoints of the visual encoders, in their real file formats, and what tests do with them."""

from __future__ import annotations

import argparse
import json
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

from feature_extractors.catalog import CATALOG
from feature_extractors.encoder import Encoder, Encoding, Settings, build
from mertools.clip import Clip
from mertools.libraries import timm, transformers

WIDTH, LAYERS, SIDE = 128, 6, 32
"""VideoMAE's heads are of 64 dimensions: the width gives two."""

CLIP_MEAN, CLIP_STD = [0.48145466, 0.4578275, 0.40821073], [0.26862954, 0.26130258, 0.27577711]


def tiny_checkpoint(name: str, folder: Path) -> str:
    """A checkpoint for the card `name` in `folder`; gives its source. Skips the test that lacks an extra for it."""
    import torch

    torch.manual_seed(0)
    return f"path:{BUILDERS[name](folder)}"


def crops(count: int, size: int = 112, seed: int = 0) -> np.ndarray:
    """Ready crops (count, size, size, 3) uint8: smooth noise that moves a little from one to the next."""
    rng = np.random.default_rng(seed)
    import cv2

    first, last = (cv2.resize(rng.integers(0, 256, (8, 8, 3)).astype(np.float32), (size, size)) for _ in range(2))
    shares = np.linspace(0, 1, count)[:, None, None, None]
    return np.clip((1 - shares) * first + shares * last, 0, 255).astype(np.uint8)


def _clip(folder: Path) -> Path:
    library = transformers()
    tower = {"hidden_size": WIDTH, "intermediate_size": WIDTH, "num_hidden_layers": LAYERS, "num_attention_heads": 2}
    config = library.CLIPConfig(
        text_config={**tower, "vocab_size": 99},
        vision_config={**tower, "image_size": SIDE, "patch_size": 8, "projection_dim": 48},
        projection_dim=48,
    )
    library.CLIPModel(config).save_pretrained(folder)
    return _with_processor(folder, "CLIPImageProcessor", resample=3, mean=CLIP_MEAN, std=CLIP_STD)


def _dinov2(folder: Path) -> Path:
    library = transformers()
    config = library.Dinov2Config(
        hidden_size=WIDTH, num_hidden_layers=LAYERS, num_attention_heads=2, image_size=SIDE, patch_size=8
    )
    library.Dinov2Model(config).save_pretrained(folder)
    return _with_processor(folder, "BitImageProcessor", resample=3, shortest=SIDE + 8)


def _videomae(folder: Path) -> Path:
    library = transformers()
    library.VideoMAEForPreTraining(_videomae_config(SIDE)).save_pretrained(folder)
    return _with_processor(folder, "VideoMAEImageProcessor", resample=2)


def _videomae_config(side: int):
    return transformers().VideoMAEConfig(
        hidden_size=WIDTH,
        num_hidden_layers=LAYERS,
        num_attention_heads=2,
        intermediate_size=WIDTH,
        image_size=side,
        decoder_hidden_size=WIDTH,
        decoder_num_hidden_layers=1,
        decoder_intermediate_size=WIDTH,
        decoder_num_attention_heads=2,
        use_mean_pooling=False,
        layer_norm_eps=1e-6,
    )


def _blip2(folder: Path) -> Path:
    """With a language model, and in several files."""
    library = transformers()
    tower = {"num_hidden_layers": LAYERS, "num_attention_heads": 2, "intermediate_size": 64}
    config = library.Blip2Config(
        vision_config={**tower, "hidden_size": WIDTH, "image_size": SIDE, "patch_size": 8},
        qformer_config={**tower, "hidden_size": 48, "encoder_hidden_size": WIDTH, "vocab_size": 99},
        text_config={
            "model_type": "opt",
            "vocab_size": 99,
            "hidden_size": 32,
            "word_embed_proj_dim": 32,
            "num_hidden_layers": 1,
            "num_attention_heads": 2,
            "ffn_dim": 32,
        },
        num_query_tokens=32,
    )
    model = library.Blip2ForConditionalGeneration(config)
    model.query_tokens.data.normal_()
    # As in trained ones, what the queries gather is the picture's more than their own.
    for name, weights in model.qformer.named_parameters():
        if "crossattention" in name and weights.ndim == 2:
            weights.data *= 10
    model.save_pretrained(folder, max_shard_size="500KB")
    settings = {
        "image_processor_type": "BlipImageProcessor",
        "size": {"height": SIDE, "width": SIDE},
        "resample": 3,
        "image_mean": CLIP_MEAN,
        "image_std": CLIP_STD,
    }
    (folder / "preprocessor_config.json").write_text(json.dumps(settings))
    return folder


def _with_processor(
    folder: Path, kind: str, *, resample: int, shortest: int = SIDE, mean: list | None = None, std: list | None = None
) -> Path:
    settings = {
        "image_processor_type": kind,
        "do_resize": True,
        "size": {"shortest_edge": shortest},
        "resample": resample,
        "do_center_crop": True,
        "crop_size": {"height": SIDE, "width": SIDE},
        "do_rescale": True,
        "rescale_factor": 1 / 255,
        "do_normalize": True,
        "image_mean": mean or [0.485, 0.456, 0.406],
        "image_std": std or [0.229, 0.224, 0.225],
    }
    (folder / "preprocessor_config.json").write_text(json.dumps(settings))
    return folder


def _adapted_videomae(side: int) -> Callable[[Path], Path]:
    """A pre-training checkpoint as VideoMAE's authors store it, with a decoder and the training's arguments."""

    def build(folder: Path) -> Path:
        import torch

        def random(*shape: int) -> torch.Tensor:
            return torch.randn(shape) * 0.1

        encoder = {
            "patch_embed.proj.weight": random(WIDTH, 3, 2, 16, 16),
            "patch_embed.proj.bias": random(WIDTH),
            "norm.weight": 1 + random(WIDTH),
            "norm.bias": random(WIDTH),
        }
        for index in range(LAYERS):
            shapes = {
                "attn.q_bias": (WIDTH,),
                "attn.v_bias": (WIDTH,),
                "attn.qkv.weight": (3 * WIDTH, WIDTH),
                "attn.proj.weight": (WIDTH, WIDTH),
                "attn.proj.bias": (WIDTH,),
                "mlp.fc1.weight": (2 * WIDTH, WIDTH),
                "mlp.fc1.bias": (2 * WIDTH,),
                "mlp.fc2.weight": (WIDTH, 2 * WIDTH),
                "mlp.fc2.bias": (WIDTH,),
            }
            encoder |= {f"blocks.{index}.{name}": random(*shape) for name, shape in shapes.items()}
            for norm in ("norm1", "norm2"):
                encoder |= {f"blocks.{index}.{norm}.weight": 1 + random(WIDTH)}
                encoder |= {f"blocks.{index}.{norm}.bias": random(WIDTH)}
        model = {f"encoder.{name}": value for name, value in encoder.items()}
        model |= {"mask_token": random(1, 1, WIDTH), "decoder.blocks.0.norm1.weight": random(WIDTH)}
        folder.mkdir(parents=True, exist_ok=True)
        path = folder / "checkpoint-99.pth"
        torch.save({"model": model, "epoch": 99, "args": argparse.Namespace(input_size=side)}, path)
        return path

    return build


def _eva02(folder: Path) -> Path:
    import safetensors.torch

    arguments = {"img_size": SIDE, "patch_size": 8, "embed_dim": WIDTH, "depth": LAYERS, "num_heads": 2}
    arguments |= {"ref_feat_shape": [4, 4]}
    model = timm().create_model("eva02_base_patch14_224", num_classes=0, **arguments)
    folder.mkdir(parents=True, exist_ok=True)
    safetensors.torch.save_file(model.state_dict(), folder / "model.safetensors")
    config = {
        "architecture": "eva02_base_patch14_224",
        "num_classes": 0,
        "model_args": arguments,
        "pretrained_cfg": {
            "input_size": [3, SIDE, SIDE],
            "interpolation": "bicubic",
            "crop_pct": 1.0,
            "mean": CLIP_MEAN,
            "std": CLIP_STD,
            "num_classes": 0,
        },
    }
    (folder / "config.json").write_text(json.dumps(config))
    return folder


def _onnx(name: str) -> Callable[[Path], Path]:
    """Six convolutions and a mean over positions: a stand-in for a network whose code cannot be had."""

    def build(folder: Path) -> Path:
        onnx = pytest.importorskip("onnx")
        from onnx import TensorProto, helper, numpy_helper

        rng = np.random.default_rng(0)
        size, dim = CATALOG[name].recipe("mer2024")["resolution"], CATALOG[name].dim
        nodes, weights, last, width = [], [], "faces", 3
        for index in range(LAYERS):
            wider, kernel, stride = (dim if index == LAYERS - 1 else 8), *((4, 16) if index == 0 else (1, 1))
            weight = rng.normal(0, 0.3, (wider, width, kernel, kernel)).astype(np.float32)
            weights.append(numpy_helper.from_array(weight, f"weight{index}"))
            nodes.append(helper.make_node("Conv", [last, f"weight{index}"], [f"conv{index}"], strides=[stride, stride]))
            nodes.append(helper.make_node("Relu", [f"conv{index}"], [f"relu{index}"]))
            last, width = f"relu{index}", wider
        nodes.append(helper.make_node("GlobalAveragePool", [last], ["features"]))
        faces = helper.make_tensor_value_info("faces", TensorProto.FLOAT, ["n", 3, size, size])
        features = helper.make_tensor_value_info("features", TensorProto.FLOAT, ["n", dim, 1, 1])
        graph = helper.make_graph(nodes, "stand-in", [faces], [features], weights)
        folder.mkdir(parents=True, exist_ok=True)
        model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=9)
        onnx.save(model, folder / f"{name}.onnx")
        return folder / f"{name}.onnx"

    return build


BUILDERS: dict[str, Callable[[Path], Path]] = {
    "videomae-base": _videomae,
    "videomae-large": _videomae,
    "clip-base": _clip,
    "clip-large": _clip,
    "dinov2-large": _dinov2,
    "eva02-base": _eva02,
    "videomae-base-voxceleb2": _adapted_videomae(160),
    "videomae-base-mer2023": _adapted_videomae(224),
    "emonet": _onnx("emonet"),
    "senet-fer2013": _onnx("senet-fer2013"),
    "resnet-fer2013": _onnx("resnet-fer2013"),
    "manet-rafdb": _onnx("manet-rafdb"),
    "eva-clip-g": _blip2,
    "blip2-qformer": _blip2,
}


class Sources(dict):
    """By card a tiny checkpoint, made when it is first asked for."""

    def __init__(self, factory: pytest.TempPathFactory) -> None:
        self.factory = factory

    def __missing__(self, name: str) -> str:
        self[name] = tiny_checkpoint(name, self.factory.mktemp(name))
        return self[name]


def encoder(name: str, sources: dict[str, str], recipe: str = "mer2024", *, load: bool = True) -> Encoder:
    one = build(CATALOG[name], Settings("dlib", sources={name: sources[name]}, recipe=recipe))
    if load:
        one.load("cpu")
    return one


def encode(one: Encoder, clips: list[Clip]) -> list[Encoding]:
    return one.encode([one.prepare(clip) for clip in clips])


def folder(sources: dict[str, str], name: str) -> Path:
    return Path(sources[name].removeprefix("path:"))


def rgb(clip: Clip) -> np.ndarray:
    return np.load(clip.faces)[..., ::-1]
