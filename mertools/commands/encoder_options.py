"""What commands that extract features share: the options that decide about encoders."""

from __future__ import annotations

import argparse
from pathlib import Path
from typing import TYPE_CHECKING

from feature_extractors.cards.card import MER2024, RECIPES
from feature_extractors.catalog import card
from mertools.commands.command_line import add_face_options, positive

if TYPE_CHECKING:
    from feature_extractors.encoder import Settings


def add_encoder_options(parser: argparse.ArgumentParser) -> None:
    """Recipe, layers, weights and faces: which numbers a feature is made of."""
    parser.add_argument(
        "--recipe",
        choices=RECIPES,
        default=MER2024,
        help="mer2024: what the challenge's released code computes; masked: the same without its quirks",
    )
    parser.add_argument(
        "--layers",
        type=positive,
        metavar="N",
        help="combine the last N layers instead of as many as the recipe says; give another --out",
    )
    parser.add_argument(
        "--weights",
        type=_weights,
        action="append",
        default=[],
        metavar="NAME=SOURCE",
        help="weights of your own for a feature, such as hubert-large=path:/models/hubert; may be repeated",
    )
    parser.add_argument(
        "--trust-remote-code", action="store_true", help="run the code that comes with checkpoints that need it"
    )
    add_face_options(parser)


def encoder_settings(options: argparse.Namespace, faces: Path | None = None) -> Settings:
    """What the options of `add_encoder_options` say; `faces` is a file of `mertools data faces`."""
    from feature_extractors.encoder import Settings

    return Settings(
        face_detector=options.face_detector,
        face_model=options.face_model,
        recipe=options.recipe,
        sources=dict(options.weights),
        trust_remote_code=options.trust_remote_code,
        layers=options.layers,
        faces=faces,
    )


def _weights(text: str) -> tuple[str, str]:
    name, equals, source = text.partition("=")
    if not equals or not source:
        raise argparse.ArgumentTypeError(f"got {text!r}, wanted NAME=SOURCE, such as hubert-large=path:/models/hubert")
    return card(name).name, source
