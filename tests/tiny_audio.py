"""Tiny random checkpoints of the acoustic encoders, each in the file format of its real one, and sounds to feed them.

Networks have the real ones' architecture with at least six layers, so that "the last four" means something.
"""

from __future__ import annotations

import wave
from collections.abc import Callable
from pathlib import Path

import numpy as np
import torch

from mertools.libraries import transformers

RATE = 16_000
LENGTHS = (2.0, 9.99, 10.01, 16.0)
"""Seconds of the clips that recipes are tested on: one chunk, a whisker below two, a whisker above one, the longest."""


def write_wav(path: Path, samples: np.ndarray) -> Path:
    """A 16-bit mono file of `samples` (N,) in [-1, 1]."""
    with wave.open(str(path), "wb") as file:
        file.setnchannels(1)
        file.setsampwidth(2)
        file.setframerate(RATE)
        file.writeframes(np.clip(np.round(samples * 32768), -32768, 32767).astype("<i2").tobytes())
    return path


def voice(seconds: float, seed: int = 0) -> np.ndarray:
    """Something like speech: a gliding pitch with overtones, in bursts, over a little noise."""
    generator = np.random.default_rng(seed)
    times = np.arange(round(seconds * RATE)) / RATE
    phase = 2 * np.pi * np.cumsum(120 + 40 * np.sin(2 * np.pi * (0.3 + 0.1 * seed) * times)) / RATE
    buzz = sum(np.sin(k * phase) / k for k in range(1, 12)) * (0.6 + 0.4 * np.sin(2 * np.pi * 3 * times))
    return 0.2 * buzz + 0.01 * generator.normal(size=len(times))


def clips(folder: Path, lengths: tuple[float, ...] = LENGTHS) -> list[Path]:
    """A wav file for each length in seconds, no two alike."""
    return [write_wav(folder / f"clip{i}.wav", voice(length, i)) for i, length in enumerate(lengths)]


def speech(folder: Path, architecture: str = "hubert", large: bool = False, **changes: object) -> str:
    """HuBERT, wav2vec 2.0, WavLM or data2vec-audio; `large` as the large ones: layer norm all through."""
    torch.manual_seed(0)
    library = transformers()
    norms = {"feat_extract_norm": "layer", "do_stable_layer_norm": True, "conv_bias": True} if large else {}
    sizes = {"hidden_size": 16, "num_hidden_layers": 6, "num_attention_heads": 2, "intermediate_size": 32}
    convolutions = {"conv_dim": (8,) * 7, "num_conv_pos_embeddings": 16, "num_conv_pos_embedding_groups": 4}
    config = library.AutoConfig.for_model(architecture, **(sizes | convolutions | norms | changes))
    # As trained ones do, layer norms should scale and shift: that tells apart what stands before and behind them.
    model = _shaken(library.AutoModel.from_config(config))
    model.save_pretrained(folder)
    library.Wav2Vec2FeatureExtractor(do_normalize=True).save_pretrained(folder)
    return f"path:{folder}"


def whisper(folder: Path) -> str:
    """Whisper; the spectrogram and the 1500 states are the real one's."""
    torch.manual_seed(0)
    library = transformers()
    sizes = {"d_model": 16, "encoder_layers": 6, "decoder_layers": 6, "num_mel_bins": 80, "vocab_size": 50}
    heads = {"encoder_attention_heads": 2, "decoder_attention_heads": 2, "encoder_ffn_dim": 32, "decoder_ffn_dim": 32}
    tokens = {"decoder_start_token_id": 7, "pad_token_id": 2, "bos_token_id": 2, "eos_token_id": 2}
    config = library.AutoConfig.for_model("whisper", **sizes, **heads, **tokens, suppress_tokens=None)
    _shaken(library.AutoModelForSpeechSeq2Seq.from_config(config)).save_pretrained(folder)
    library.WhisperFeatureExtractor(feature_size=80).save_pretrained(folder)
    return f"path:{folder}"


def _shaken(model: torch.nn.Module) -> torch.nn.Module:
    with torch.no_grad():
        for module in model.modules():
            if isinstance(module, torch.nn.LayerNorm) and module.elementwise_affine:
                module.weight.uniform_(0.5, 2)
                module.bias.uniform_(-0.5, 0.5)
    return model


CHECKPOINTS: dict[str, Callable[[Path], str]] = {
    "whisper-base": whisper,
    "whisper-large": whisper,
    "wav2vec2-base": lambda folder: speech(folder, "wav2vec2"),
    "wav2vec2-large": lambda folder: speech(folder, "wav2vec2", large=True),
    "hubert-base": speech,
    "hubert-large": lambda folder: speech(folder, large=True),
    "hubert-large-windows": lambda folder: speech(folder, large=True),
}
"""By feature: writes a tiny checkpoint into a folder and gives it as a source."""
