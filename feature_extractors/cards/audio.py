"""Acoustic encoders."""

from __future__ import annotations

from dataclasses import replace

from feature_extractors.cards.card import MASKED, MER2024, Card, Recipe, same

SPEECH: dict[str, Recipe] = {
    MER2024: {"chunk_seconds": 10, "layers": 4, "combine": "sum", "utterance": "mean, padding included"},
    MASKED: {"layers": 4, "combine": "sum", "utterance": "mean"},
}
"""MERTools' way with speech encoders, and whole clips without padding."""

WINDOWS: Recipe = {"windows": 8, "window_seconds": 2, "layers": 4, "combine": "mean", "utterance": "mean"}
"""AffectGPT's way with them: a vector a window."""

WHISPER: dict[str, Recipe] = {
    MER2024: {"states": "decoder", "tokens": 2, "utterance": "mean"},
    MASKED: {"states": "encoder", "utterance": "mean"},
}

SPECIAL_WEIGHTS = ("masked_spec_embed",)
"""Stands for masked frames in training; no feature is computed from it."""


def _egemaps(version: str) -> Recipe:
    return {"feature_set": version, "sample_rate": 16000, "utterance": "functionals", "frames": "lld"}


def _speech(name: str, label: str, architecture: str, dim: int, parameters: int) -> Card:
    return Card(
        name=name,
        label=label,
        modality="audio",
        family="speech",
        source=f"hf:TencentGameMate/chinese-{name}",
        revision="",
        dim=dim,
        licence="MIT",
        training_data="WenetSpeech (CH)",
        parameters=parameters,
        may_lack=SPECIAL_WEIGHTS,
        architecture=architecture,
        recipes=SPEECH,
    )


def _whisper(name: str, label: str, repository: str, dim: int, parameters: int) -> Card:
    return Card(
        name=name,
        label=label,
        modality="audio",
        family="whisper",
        source=f"hf:openai/{repository}",
        revision="",
        dim=dim,
        licence="Apache-2.0",
        training_data="Internet (MULTI, mainly EN)",
        parameters=parameters,
        architecture="whisper",
        recipes=WHISPER,
    )


HUBERT_LARGE = _speech("hubert-large", "HUBERT-large", "hubert", 1024, 315_438_720)

AUDIO: dict[str, Card] = {
    # Ships with a package: works without a model hub.
    "egemaps": Card(
        name="egemaps",
        label="eGeMAPS",
        modality="audio",
        family="opensmile",
        source="package:opensmile",
        revision="",
        dim=88,
        licence="audEERING research licence (non-commercial)",
        recipes={MER2024: _egemaps("eGeMAPSv01a"), MASKED: _egemaps("eGeMAPSv02")},
    ),
    "vggish": Card(
        name="vggish",
        label="VGGish",
        modality="audio",
        family="vggish",
        source="path:weights/vggish.pth",
        revision="",
        dim=128,
        licence="Apache-2.0",
        training_data="YouTube",
        parameters=72_141_184,
        needs="AudioSet's weights as converted for torch (harritaylor/torchvggish, vggish-10086976.pth): "
        "--weights vggish=path:FILE",
        recipes=same({"hop_frames": 50, "layer": "embedding", "utterance": "mean"}),
    ),
    "emotion2vec": Card(
        name="emotion2vec",
        label="emotion2vec",
        modality="audio",
        family="emotion2vec",
        source="ms:iic/emotion2vec_base@v2.0.4",
        revision="",
        dim=768,
        licence="FunASR model licence",
        training_data="Mix (EN)",
        needs="the extra: pip install mertools[funasr]",
        recipes=same({"layer": "last", "utterance": "mean"}),
    ),
    "whisper-base": _whisper("whisper-base", "Whisper-base", "whisper-base", 512, 72_593_920),
    "whisper-large": _whisper("whisper-large", "Whisper-large", "whisper-large-v2", 1280, 1_543_304_960),
    "wav2vec2-base": _speech("wav2vec2-base", "wav2vec 2.0-base", "wav2vec2", 768, 94_371_712),
    "wav2vec2-large": _speech("wav2vec2-large", "wav2vec 2.0-large", "wav2vec2", 1024, 315_438_720),
    "hubert-base": _speech("hubert-base", "HUBERT-base", "hubert", 768, 94_371_712),
    "hubert-large": HUBERT_LARGE,
    "hubert-large-windows": replace(
        HUBERT_LARGE,
        name="hubert-large-windows",
        label="HUBERT-large (windows)",
        recipes={MER2024: {**WINDOWS, "shorter": "zeros"}, MASKED: {**WINDOWS, "shorter": "as it is"}},
    ),
    "imagebind-audio": Card(
        name="imagebind-audio",
        label="ImageBind (audio)",
        modality="audio",
        family="imagebind-audio",
        source="path:weights/imagebind_huge.pth",
        revision="",
        dim=1024,
        licence="CC BY-NC-SA 4.0",
        training_data="AudioSet",
        parameters=86_235_648,
        needs="ImageBind's weights (facebookresearch/ImageBind, imagebind_huge.pth): "
        "--weights imagebind-audio=path:FILE",
        recipes=same({"windows": 8, "window_seconds": 2, "layer": "output", "utterance": "mean"}),
    ),
}
