"""Acoustic encoders."""

from __future__ import annotations

from feature_extractors.cards.card import Card, same

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
        recipes=same({"feature_set": "eGeMAPSv01a", "sample_rate": 16000, "utterance": "functionals", "frames": "lld"}),
    ),
}
