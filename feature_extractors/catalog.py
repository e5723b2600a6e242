"""The encoders that can be asked for by name. A new encoder of a known family is one card in `cards/`."""

from __future__ import annotations

from feature_extractors.cards.audio import AUDIO
from feature_extractors.cards.card import Card
from feature_extractors.cards.text import TEXT
from feature_extractors.cards.video import VIDEO
from mertools.registry import look_up

CATALOG: dict[str, Card] = {**AUDIO, **VIDEO, **TEXT}


def card(name: str) -> Card:
    """The card called `name`; raises InputError with the nearest name for an unknown one."""
    return look_up("feature", name, CATALOG)
