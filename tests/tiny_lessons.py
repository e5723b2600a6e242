"""A corpus small enough for a test of training: stored random frames, explanations, a language model on disk."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
from tiny_explainer import ADAPTERS, SENTENCES, SHAPE, affectgpt, language_model

from mertools.explain.configuration import (
    Branch,
    Configuration,
    DataSet,
    LanguageModelChoice,
    Stage,
    as_yaml,
)
from mertools.feature_store import FeatureWriter, Provenance, Row
from mertools.ov.explanations import Explanation, write_explanations
from mertools.randomness import generator

LABELS = ("happy", "angry", "sad", "worried", "calm", "amused", "surprised", "furious")
CLIPS = [f"clip {number}" for number in range(8)]


def write_frames(folder: Path, branch: Branch, modality: str, clips: Sequence[str] = CLIPS, **said: Any) -> None:
    """A feature file of random frames, a quarter of a second apart; `said` replaces parts of its provenance."""
    about = {"feature": branch.feature, "modality": modality, "encoder": "tiny", "source": "none", "revision": "1"}
    provenance = Provenance(**{**about, "recipe": "{}", "level": "frame", **said})
    rows = []
    for name in clips:
        draw = generator(0, "tiny frames", branch.feature, name)
        frames = draw.normal(size=(9, *branch.frame_shape)).astype(np.float32)
        utterance = frames.mean(axis=tuple(range(frames.ndim - 1)))
        rows.append(Row(name, "ok", utterance=utterance, frames=frames, times=np.arange(9) / 4))
    with FeatureWriter(folder / f"{provenance.feature}.h5", provenance) as writer:
        writer.append(rows)
        writer.pack(clips)


def write_corpus(folder: Path, configuration: Configuration, test: int = 2) -> DataSet:
    """Frames of all branches in `folder`/features and explanations beside; the last `test` clips are the test split."""
    for medium, branch in configuration.branches.items():
        write_frames(folder / "features", branch, medium)
    path = folder / "explanations.jsonl"
    write_explanations(
        path,
        [
            Explanation(
                name,
                subtitle="你好。",
                subtitle_english="Hello there.",
                description_en=SENTENCES[number],
                labels_en=(LABELS[number],),
                split="train" if number < len(CLIPS) - test else "test",
            )
            for number, name in enumerate(CLIPS)
        ],
    )
    return DataSet(str(path))


def stage(*data: DataSet, **changes: Any) -> Stage:
    """A stage of two epochs of three steps."""
    settings = {
        "name": "fine",
        "epochs": 2,
        "steps_an_epoch": 3,
        "batch_size": 2,
        "learning_rate": 5e-3,
        "min_learning_rate": 1e-3,
        "warmup_steps": 2,
    }
    return Stage(**{**settings, "data": data, **changes})


def configuration(*stages: Stage, **changes: Any) -> Configuration:
    """The tiny AffectGPT with adapters, so that it can learn anything."""
    base = affectgpt(**changes)
    return replace(base, language_model=replace(base.language_model, lora=ADAPTERS), stages=stages)


def write_language_model(folder: Path) -> LanguageModelChoice:
    """The tiny language model as a folder that transformers reads."""
    made = language_model()
    made.network.save_pretrained(folder)
    made.tokenizer.save_pretrained(folder)
    return LanguageModelChoice(f"path:{folder}", SHAPE, dtype="float32", lora=ADAPTERS)


def write_yaml(path: Path, chosen: Configuration) -> Path:
    """`chosen` as a file that commands read."""
    path.write_text(as_yaml(chosen), encoding="utf-8")
    return path
