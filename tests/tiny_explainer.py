"""Explainers small enough for a test: a random language model, a tokenizer trained on the spot, random features."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import torch

from mertools.explain.batch import Batch, MediaInput, collate, stack_media
from mertools.explain.configuration import (
    Branch,
    Configuration,
    LanguageModelChoice,
    LocalAttention,
    Lora,
    Prompt,
    QFormer,
    Timestamps,
    Windows,
)
from mertools.explain.explainer import Explainer
from mertools.explain.language_models import LanguageModel
from mertools.libraries import transformers
from mertools.randomness import seed_for, torch_generator

TEXT = (
    "###Human: The audio is <Audio>{audio}</Audio>. The video is <Video>{video}</Video>. "
    "The subtitle of this video is <Subtitle>{subtitle}</Subtitle>. {question} ###Assistant: "
)
SENTENCES = (
    "He smiles and his voice is bright, so he is happy.",
    "Her brows are drawn together, she is angry.",
    "The corners of his mouth hang, he is sad and tired.",
    "She looks away and speaks fast: worried.",
    "Nothing moves in his face, he is calm.",
    "She laughs out loud and is amused.",
    "His eyes are wide open, he is surprised.",
    "He frowns and shouts, he is furious.",
)
SMALL = QFormer(queries=4, layers=2, width=32, heads=4, feed_forward=64, dropout=0.0)
IMAGE = QFormer(queries=4, layers=2, width=32, heads=4, feed_forward=64, cross_attention_every=2, dropout=0.0)
SHAPE = {
    "model_type": "llama",
    "hidden_size": 64,
    "intermediate_size": 128,
    "num_hidden_layers": 2,
    "num_attention_heads": 4,
    "num_key_value_heads": 2,
    "max_position_embeddings": 512,
    # Untrained weights of the usual size give every word the same chance, whatever stands before it.
    "initializer_range": 0.2,
}
ADAPTERS = Lora(rank=8, alpha=16, dropout=0.0)
FRAMES, PATCHES = 6, 10
PARTS = ("left eye", "right eye", "lips")
AUDIO = Branch("tiny-audio", width=12, frames=FRAMES, positions=FRAMES, qformer=SMALL)


def tokenizer(chat_template: str | None = None) -> Any:
    """A byte-level BPE tokenizer with the end marks of a chat model."""
    from tokenizers import ByteLevelBPETokenizer

    trained = ByteLevelBPETokenizer()
    trained.train_from_iterator(
        [*SENTENCES, TEXT], vocab_size=400, special_tokens=["<pad>", "<eos>", "<turn>"], show_progress=False
    )
    made = transformers().PreTrainedTokenizerFast(
        tokenizer_object=trained._tokenizer,
        pad_token="<pad>",
        eos_token="<eos>",
        additional_special_tokens=["<turn>"],
    )
    made.chat_template = chat_template
    return made


def language_model(chat_template: str | None = None, **shape: Any) -> LanguageModel:
    """A LLaMA of two layers with random weights."""
    words = tokenizer(chat_template)
    library = transformers()
    settings = {**SHAPE, **shape}
    config = library.AutoConfig.for_model(settings.pop("model_type"), **settings, vocab_size=len(words))
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed_for(0, "tiny language model"))
        return LanguageModel(library.AutoModelForCausalLM.from_config(config), words)


def affectgpt(**changes: Any) -> Configuration:
    """Audio and video through Q-Formers of two layers; video frames have four tokens each."""
    settings = {
        "language_model": LanguageModelChoice("path:none", SHAPE, dtype="float32"),
        "prompt": Prompt(TEXT),
        "audio": AUDIO,
        "video": Branch("tiny-tokens", width=16, frames=FRAMES, positions=FRAMES, patches=4, qformer=SMALL),
    }
    return Configuration(**{**settings, **changes})


def micro_video(**changes: Any) -> Branch:
    """MicroEmo's video branch on ten patches a frame, three regions, at most three windows."""
    settings = {
        "width": 16,
        "frames": FRAMES,
        "positions": FRAMES,
        "patches": PATCHES,
        "image_qformer": IMAGE,
        "timestamps": Timestamps(tokenizer="bytes", vocabulary=257, positions=64),
        "local_attention": LocalAttention(PARTS, heads=4),
        "qformer": SMALL,
        "windows": Windows(at_most=3),
    }
    return Branch("tiny-patches", **{**settings, **changes})


def microemo(**changes: Any) -> Configuration:
    """MicroEmo with both of its modules."""
    return affectgpt(video=micro_video(**changes))


def clip(
    branch: Branch, name: str, frames: int | None = None, windows: Sequence[tuple[float, float]] = ()
) -> MediaInput:
    """Random frames of a clip, half a second apart; 0 `frames` for a clip that lacks the medium."""
    count = branch.frames if frames is None else frames
    draw = torch_generator(0, "tiny clip", branch.feature, name)
    length = max(count, 1)
    shape = (1, length, branch.patches, branch.width) if branch.patches else (1, length, branch.width)
    return MediaInput(
        frames=torch.randn(shape, generator=draw),
        times=torch.arange(length)[None] / 2,
        mask=torch.arange(length)[None] < count,
        windows=torch.tensor([list(windows)]) if windows else None,
        window_mask=torch.ones(1, len(windows), dtype=torch.bool) if windows else None,
        regions=(
            torch.rand(1, length, len(PARTS), PATCHES, generator=draw) < 0.4
            if branch.local_attention is not None
            else None
        ),
    )


def batch(
    explainer: Explainer,
    names: Sequence[str],
    answers: Sequence[str] | None = None,
    clips: Sequence[dict[str, MediaInput]] | None = None,
) -> Batch:
    """The clips called `names`, with `answers` to train on or without any to generate from."""
    branches = explainer.configuration.branches
    clips = clips or [{medium: clip(branch, name) for medium, branch in branches.items()} for name in names]
    encoded = []
    for number, (name, media) in enumerate(zip(names, clips, strict=True)):
        windows = max((one.windows.shape[1] for one in media.values() if one.windows is not None), default=0)
        counts = explainer.configuration.token_counts(windows)
        if answers is None:
            encoded.append(explainer.template.encode_prompt("Hello there.", counts, name=name))
        else:
            encoded.append(explainer.template.encode("Hello there.", answers[number], counts, name=name))
    stacked = {medium: stack_media([one[medium] for one in clips]) for medium in branches}
    return collate(encoded, stacked, explainer.template.pad_id)
