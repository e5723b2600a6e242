"""Over the whole catalog: what an encoder makes of a clip does not depend on the clips it is encoded with."""

from __future__ import annotations

import sys
from collections.abc import Mapping
from pathlib import Path

import numpy as np
import pytest
import tiny_audio
import tiny_text
from test_feature_extractors_opensmile import voice, write_wav
from tiny_checkpoints import source_of

from feature_extractors.cards.card import MASKED
from feature_extractors.catalog import CATALOG
from feature_extractors.encoder import Settings, build
from feature_extractors.probe import faces, scenes
from mertools.clip import Clip
from mertools.media import write_clip

CLIPS = 16


def clips(modality: str, folder: Path) -> list[Clip]:
    """Sixteen clips of different lengths: 0.7 to 11.9 s of voice, 3 to 48 faces, 1 to 16 words."""
    made = []
    for number in range(CLIPS):
        name = f"clip-{number:02d}"
        if modality == "audio":
            write_wav(folder / f"{name}.wav", voice(0.7 + 0.75 * number))
            made.append(Clip(name, audio=folder / f"{name}.wav"))
        elif modality == "video":
            count = 3 * (number + 1)
            np.save(folder / f"{name}.npy", faces(count))
            write_clip(folder / f"{name}.mp4", scenes(count), 25)
            made.append(Clip(name, video=folder / f"{name}.mp4", faces=folder / f"{name}.npy"))
        else:
            made.append(Clip(name, subtitle="我很好" * (number + 1), subtitle_english="I am fine " * (number + 1)))
    return made


@pytest.mark.parametrize("name", CATALOG)
def test_batched_equals_single(
    name: str, tiny_sources: Mapping[str, str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(sys.modules, "funasr", tiny_audio.funasr())
    source = source_of(name, tmp_path, tiny_sources)
    settings = Settings(recipe=MASKED, sources={name: source} if source else {}, trust_remote_code=True)
    with tiny_text.run_code_from(tmp_path / "modules"):
        encoder = build(CATALOG[name], settings)
        encoder.load("cpu")
        items = [encoder.prepare(clip) for clip in clips(CATALOG[name].modality, tmp_path)]
        together = encoder.encode(items)
        alone = [encoder.encode([item])[0] for item in items]
    assert len(together) == CLIPS
    for one, other in zip(together, alone, strict=True):
        np.testing.assert_allclose(one.frames, other.frames, atol=1e-4)
        if one.utterance is not None:
            np.testing.assert_allclose(one.utterance, other.utterance, atol=1e-4)
