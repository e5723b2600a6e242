"""A toy corpus with feature files: three modalities, each of which tells something of the emotion."""

from __future__ import annotations

from collections.abc import Container
from dataclasses import replace
from pathlib import Path

import numpy as np

from mertools.clip import Clip
from mertools.corpus import write_manifest
from mertools.feature_store import FeatureWriter, Provenance, Row, read_features

LABELS = ("neutral", "angry", "happy", "sad", "worried", "surprise")
DIMS = {"toy-audio": ("audio", 4), "toy-video": ("video", 5), "toy-text": ("text", 3)}


def make_toy_corpus(folder: Path, count: int = 90, classes: int = 3) -> Path:
    """Write manifest.csv and features/ into `folder`; in each clip one modality is silent about the label."""
    rng = np.random.default_rng(0)
    centres = {name: rng.normal(scale=2, size=(classes, dim)) for name, (_, dim) in DIMS.items()}
    clips, rows = [], {name: [] for name in DIMS}
    for number in range(count):
        label = number % classes
        split = "train" if number < count * 2 // 3 else ("semi", "noise")[number % 2]
        name = f"clip_{number:03d}"
        clips.append(Clip(name, subtitle="x", split=split, label=LABELS[label], speaker=f"s{rng.integers(8)}"))
        for place, feature in enumerate(DIMS):
            if number % 10 == 9 and feature == "toy-video":
                rows[feature].append(Row(name, "missing", "no face"))
                continue
            centre = centres[feature][label] if number // classes % 3 != place else 0
            vector = centre + rng.normal(size=DIMS[feature][1])
            rows[feature].append(Row(name, "ok", utterance=vector.astype(np.float32)))
    (folder / "features").mkdir(parents=True)
    write_manifest(folder / "manifest.csv", clips)
    for feature, (modality, _) in DIMS.items():
        provenance = Provenance(feature, modality, "Toy", "path:/toy", "1", "mean")
        with FeatureWriter(folder / "features" / f"{feature}.h5", provenance) as writer:
            writer.append(rows[feature])
            writer.pack([clip.name for clip in clips])
    return folder / "manifest.csv"


def add_noise(features: Path, to: Path, seed: int, clips: int | None = None) -> Path:
    """Write into `to` the toy features in the folder `features` with noise, of the first so many clips."""
    rng = np.random.default_rng((1, seed))
    for name in DIMS:
        found = read_features(features / f"{name}.h5")
        noisy = found.utterance + rng.normal(size=found.utterance.shape)
        rows = [
            Row(clip, "ok", utterance=vector.astype(np.float32)) if status == "ok" else Row(clip, status, reason)
            for clip, status, reason, vector in zip(found.names, found.status, found.reason, noisy, strict=True)
        ][:clips]
        with FeatureWriter(to / f"{name}.h5", replace(found.provenance, noise=f"noise-{seed}")) as writer:
            writer.append(rows)
            writer.pack([row.name for row in rows])
    return to


def move_features(features: Path, clips: Container[str], by: float) -> None:
    """Move the toy features of some clips in the folder `features`, as if they were of another domain."""
    for name in DIMS:
        path = features / f"{name}.h5"
        found = read_features(path)
        moved = found.utterance + np.array([[by if clip in clips else 0.0] for clip in found.names])
        rows = [
            Row(clip, "ok", utterance=vector.astype(np.float32)) if status == "ok" else Row(clip, status, reason)
            for clip, status, reason, vector in zip(found.names, found.status, found.reason, moved, strict=True)
        ]
        path.unlink()
        with FeatureWriter(path, found.provenance) as writer:
            writer.append(rows)
            writer.pack([row.name for row in rows])
