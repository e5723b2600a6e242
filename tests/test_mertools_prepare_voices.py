"""The speaker encoders: the front end of GE2E, whose weights are a download, and a tiny model of transformers."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import tiny_audio

from mertools.errors import InputError
from mertools.libraries import transformers
from mertools.media import SAMPLE_RATE, Sound
from mertools.prepare.pieces import Stretch
from mertools.prepare.voices import mel_power, partial_starts, voices


def test_partial_utterances_are_those_of_resemblyzer() -> None:
    # By its compute_partial_slices(samples, 1.3, 0.75): 77 spectrogram frames apart.
    assert partial_starts(8_000) == [0]
    assert partial_starts(32_000) == [0, 77]
    assert partial_starts(40_000) == [0, 77]
    assert partial_starts(80_000) == [0, 77, 154, 231, 308]


def test_a_tone_lies_in_its_band() -> None:
    tone = np.sin(2 * np.pi * 1000 * np.arange(16_000) / 16_000)
    mels = mel_power(tone).numpy()
    assert mels.shape == (101, 40)
    # Slaney's scale is linear up to 1000 Hz, which is 15 of the 45.25 mels up to 8000 Hz.
    assert mels[50].argmax() in (12, 13)


@pytest.fixture
def source(tmp_path: Path) -> str:
    """A tiny random WavLM with an x-vector head."""
    library = transformers()
    config = library.WavLMConfig(
        hidden_size=16,
        num_hidden_layers=2,
        num_attention_heads=2,
        intermediate_size=32,
        conv_dim=(16,) * 7,
        num_conv_pos_embeddings=16,
        num_conv_pos_embedding_groups=2,
        tdnn_dim=(16, 16, 16, 16, 32),
        xvector_output_dim=8,
    )
    library.WavLMForXVector(config).save_pretrained(tmp_path / "model")
    library.Wav2Vec2FeatureExtractor().save_pretrained(tmp_path / "model")
    return f"path:{tmp_path / 'model'}"


def test_a_speaker_model_of_transformers_embeds_what_is_long_enough(source: str) -> None:
    sound = Sound(tiny_audio.voice(6).astype(np.float32), SAMPLE_RATE)
    found = voices(source).embed(sound, {3: Stretch(0, 2), 5: Stretch(2, 2.2), 7: Stretch(3, 6)})
    assert set(found) == {3, 7}
    assert all(vector.shape == (8,) and np.linalg.norm(vector) == pytest.approx(1) for vector in found.values())


def test_a_model_of_another_kind_is_refused(tmp_path: Path) -> None:
    (tmp_path / "config.json").write_text('{"model_type": "bert"}', encoding="utf-8")
    with pytest.raises(InputError, match="is no speaker model"):
        voices(f"path:{tmp_path}").embed(Sound(np.zeros(32_000, np.float32), SAMPLE_RATE), {0: Stretch(0, 2)})
