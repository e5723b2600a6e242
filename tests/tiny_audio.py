"""Tiny random checkpoints of the acoustic encoders, each in the file format of its real one, and sounds to feed them.

Networks have the real ones' architecture with at least six layers, so that "the last four" means something.
"""

from __future__ import annotations

import wave
from collections.abc import Callable
from pathlib import Path
from types import ModuleType

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


def vggish(folder: Path) -> str:
    """VGGish in its real size; its large matrices are one random row, stored once."""
    generator = torch.Generator().manual_seed(0)
    state = {}
    widths = {0: (1, 64), 3: (64, 128), 6: (128, 256), 8: (256, 256), 11: (256, 512), 13: (512, 512)}
    for number, (width_in, width_out) in widths.items():
        scale = (2 / (9 * width_in)) ** 0.5
        state[f"features.{number}.weight"] = scale * torch.randn(width_out, width_in, 3, 3, generator=generator)
        state[f"features.{number}.bias"] = 0.1 * torch.randn(width_out, generator=generator)
    for number, (width_in, width_out) in {0: (12288, 4096), 2: (4096, 4096), 4: (4096, 128)}.items():
        row = torch.randn(width_in, generator=generator) * (2 / width_in) ** 0.5
        state[f"embeddings.{number}.weight"] = row.expand(width_out, width_in)
        state[f"embeddings.{number}.bias"] = torch.randn(width_out, generator=generator)
    torch.save(state, folder / "vggish.pth")
    return f"path:{folder / 'vggish.pth'}"


class Emotion2vecNetwork(torch.nn.Module):
    """Stands in for emotion2vec's: a front end of 20 ms hops and six layers."""

    def __init__(self) -> None:
        super().__init__()
        self.front = torch.nn.Conv1d(1, 16, 400, 320)
        self.layers = torch.nn.ModuleList([torch.nn.Linear(16, 16) for _ in range(6)])
        self.dropout = torch.nn.Dropout(0.5)

    def forward(self, samples: torch.Tensor) -> torch.Tensor:
        """(N,) -> (T, 16)."""
        states = self.front(samples[None]).T
        for layer in self.layers:
            states = self.dropout(torch.tanh(layer(states)))
        return states


class AutoModel:
    """Stands in for funasr.AutoModel, as far as it is used."""

    def __init__(self, model: str, device: str, disable_update: bool, disable_pbar: bool, log_level: str) -> None:
        assert disable_update, "nothing is looked up on the network"
        self.model = Emotion2vecNetwork()
        state = torch.load(Path(model) / "model.pt", weights_only=True)["model"]
        self.model.load_state_dict({k.removeprefix("d2v_model."): v for k, v in state.items()}, strict=False)
        self.model.to(device)

    @torch.no_grad()
    def generate(self, input: np.ndarray, fs: int, granularity: str, extract_embedding: bool) -> list[dict]:
        """One answer for one clip."""
        assert (fs, granularity, extract_embedding) == (RATE, "frame", True)
        assert input.dtype == np.float32 and input.ndim == 1
        return [{"key": "clip", "feats": self.model(torch.from_numpy(input)).float().numpy()}]


def funasr() -> ModuleType:
    """What stands in for the package, to be put into `sys.modules`."""
    module = ModuleType("funasr")
    module.AutoModel = AutoModel
    return module


def emotion2vec(folder: Path, without: str = "") -> str:
    """emotion2vec's file for the network that stands in for it, lacking the weight `without`."""
    torch.manual_seed(0)
    weights = Emotion2vecNetwork().state_dict()
    torch.save({"model": {f"d2v_model.{k}": v for k, v in weights.items() if k != without}}, folder / "model.pt")
    return f"path:{folder}"


def imagebind(folder: Path, width: int = 128, blocks: int = 6, dim: int = 32) -> str:
    """ImageBind's file by its published names, with a weight of another sense in it."""
    generator = torch.Generator().manual_seed(0)

    def draw(*shape: int, around: float = 0.0) -> torch.Tensor:
        return around + 0.1 * torch.randn(shape, generator=generator)

    state = {
        "modality_preprocessors.vision.cls_token": draw(1, 1, 64),
        "modality_preprocessors.audio.cls_token": draw(1, 1, width),
        "modality_preprocessors.audio.rgbt_stem.proj.weight": draw(width, 1, 16, 16),
        "modality_preprocessors.audio.rgbt_stem.norm_layer.weight": draw(width, around=1),
        "modality_preprocessors.audio.rgbt_stem.norm_layer.bias": draw(width),
        "modality_preprocessors.audio.pos_embedding_helper.pos_embed": draw(1, 1 + 12 * 19, width),
        "modality_heads.audio.0.weight": draw(width, around=1),
        "modality_heads.audio.0.bias": draw(width),
        "modality_heads.audio.2.weight": draw(dim, width),
    }
    for block in range(blocks):
        shapes = {
            "attn.in_proj_weight": (3 * width, width),
            "attn.in_proj_bias": (3 * width,),
            "attn.bias_k": (1, 1, width),
            "attn.bias_v": (1, 1, width),
            "attn.out_proj.weight": (width, width),
            "attn.out_proj.bias": (width,),
            "mlp.fc1.weight": (4 * width, width),
            "mlp.fc1.bias": (4 * width,),
            "mlp.fc2.weight": (width, 4 * width),
            "mlp.fc2.bias": (width,),
        }
        for norm in ("norm_1", "norm_2"):
            state[f"modality_trunks.audio.blocks.{block}.{norm}.weight"] = draw(width, around=1)
            state[f"modality_trunks.audio.blocks.{block}.{norm}.bias"] = draw(width)
        state |= {f"modality_trunks.audio.blocks.{block}.{name}": draw(*shape) for name, shape in shapes.items()}
    torch.save(state, folder / "imagebind_huge.pth")
    return f"path:{folder / 'imagebind_huge.pth'}"


def _shaken(model: torch.nn.Module) -> torch.nn.Module:
    with torch.no_grad():
        for module in model.modules():
            if isinstance(module, torch.nn.LayerNorm) and module.elementwise_affine:
                module.weight.uniform_(0.5, 2)
                module.bias.uniform_(-0.5, 0.5)
    return model


CHECKPOINTS: dict[str, Callable[[Path], str]] = {
    "vggish": vggish,
    "emotion2vec": emotion2vec,
    "whisper-base": whisper,
    "whisper-large": whisper,
    "wav2vec2-base": lambda folder: speech(folder, "wav2vec2"),
    "wav2vec2-large": lambda folder: speech(folder, "wav2vec2", large=True),
    "hubert-base": speech,
    "hubert-large": lambda folder: speech(folder, large=True),
    "hubert-large-windows": lambda folder: speech(folder, large=True),
    "imagebind-audio": imagebind,
}
"""By feature: writes a tiny checkpoint into a folder and gives it as a source. emotion2vec's also wants `funasr`."""
