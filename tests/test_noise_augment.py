"""Augmented copies: drawn once, written down, and the same whenever they are applied."""

from __future__ import annotations

import random
import sys
from itertools import pairwise
from pathlib import Path

import numpy as np
import pytest
from noise_corpus import buzz, make_corpus, make_musan

from mertools.commands import extract, noise_draw
from mertools.errors import InputError
from mertools.feature_store import read_features
from mertools.media import SAMPLE_RATE
from noise import augment as augmenting
from noise.augment import TRANSFORMS, Augmentation, augment, draw_augmentations
from noise.corruption import load_noise
from noise.recipe import read_recipe, write_recipe

audiomentations = pytest.importorskip("audiomentations", reason="the extra augment is not installed")


def test_a_draw_depends_on_seed_and_name_alone() -> None:
    first = [draw_augmentations(0, f"clip {number}") for number in range(40)]
    random.seed(7)
    np.random.seed(7)
    assert first == [draw_augmentations(0, f"clip {number}") for number in range(40)]
    before, before_numpy = random.getstate(), np.random.get_state()[1].tolist()
    draw_augmentations(0, "clip 0")
    now = random.getstate(), np.random.get_state()[1].tolist()
    assert now == (before, before_numpy), "whoever draws from it too goes on as if nothing had been"
    assert first != [draw_augmentations(1, f"clip {number}") for number in range(40)]
    drawn = [one.transform for of_clip in first for one in of_clip]
    assert all(8 <= drawn.count(name) <= 32 for name in TRANSFORMS), "each half of the times"
    order = [[[*TRANSFORMS].index(one.transform) for one in of_clip] for of_clip in first]
    assert all(a < b for places in order for a, b in pairwise(places))


@pytest.mark.parametrize("transform", TRANSFORMS)
def test_a_transform_does_what_was_drawn(transform: str) -> None:
    samples = buzz(0.5, 130)
    drawn = next(o for n in range(100) for o in draw_augmentations(0, f"{n}") if o.transform == transform)
    other = next(o for n in range(100, 200) for o in draw_augmentations(0, f"{n}") if o.transform == transform)
    random.seed(0)
    once = augment(samples, SAMPLE_RATE, [drawn])
    random.seed(1)
    np.testing.assert_array_equal(once, augment(samples, SAMPLE_RATE, [drawn]))
    assert once.dtype == np.float32 and once.shape == samples.shape and np.abs(once).max() <= 1
    assert (once != samples).any() and (once != augment(samples, SAMPLE_RATE, [other])).any()


def test_what_would_be_too_loud_is_scaled_down() -> None:
    loud = augment(buzz(0.5, 130), SAMPLE_RATE, [Augmentation("Gain", {"amplitude_ratio": 1000.0})])
    assert np.abs(loud).max() == pytest.approx(1)
    np.testing.assert_array_equal(augment(loud, SAMPLE_RATE, []), loud)
    assert not augment(np.zeros(100, np.float32), SAMPLE_RATE, draw_augmentations(0, "a")).any()


def test_from_draw_to_features(tmp_path: Path) -> None:
    manifest, musan = make_corpus(tmp_path / "corpus"), make_musan(tmp_path / "musan")
    plain, augmented = tmp_path / "plain.jsonl", tmp_path / "augmented.jsonl"
    words = ["--data", str(manifest), "--speech", str(musan), "--workers", "0"]
    assert noise_draw.main([*words, "--out", str(plain)]) == 0
    assert noise_draw.main([*words, "--out", str(augmented), "--augment"]) == 0
    recipe, without = read_recipe(augmented), read_recipe(plain)
    assert recipe.fingerprint.endswith(f"+audiomentations-{audiomentations.__version__}")
    for name, noise in recipe.clips.items():
        assert noise.augmentations == (draw_augmentations(0, name) if noise.voices else ())
        assert (noise.voices, noise.snr_db, noise.blur) == tuple(
            getattr(without.clips[name], field) for field in ("voices", "snr_db", "blur")
        )
    write_recipe(tmp_path / "again.jsonl", recipe)
    assert read_recipe(tmp_path / "again.jsonl") == recipe
    reading = ["--data", str(manifest), "--speech", str(musan), "--feature", "egemaps", "--workers", "0"]
    found = {}
    for path in (plain, augmented):
        out = tmp_path / path.stem
        assert extract.main([*reading, "--noise", str(path), "--out", str(out)]) == 0
        found[path] = read_features(out / "egemaps.h5")
        assert found[path].provenance.noise == read_recipe(path).fingerprint
    changed = (found[plain].utterance != found[augmented].utterance).any(axis=1)
    assert [name for name, differs in zip(found[plain].names, changed, strict=True) if differs] == [
        name for name in found[plain].names if recipe.clips[name].augmentations
    ]


def test_another_version_is_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    manifest, musan = make_corpus(tmp_path / "corpus"), make_musan(tmp_path / "musan")
    path = tmp_path / "recipe.jsonl"
    words = ["--data", str(manifest), "--speech", str(musan), "--workers", "0", "--augment"]
    assert noise_draw.main([*words, "--out", str(path)]) == 0
    load_noise(path, musan, tmp_path)
    monkeypatch.setattr(audiomentations, "__version__", "0.44.0")
    with pytest.raises(InputError, match=r"drawn with audiomentations-.*, here is audiomentations-0\.44\.0"):
        load_noise(path, musan, tmp_path)
    text = path.read_text(encoding="utf-8")
    drawn = next(one.transform for noise in read_recipe(path).clips.values() for one in noise.augmentations)
    path.write_text(text.replace(drawn, "Reverse"), encoding="utf-8")
    with pytest.raises(InputError, match="got transform 'Reverse'"):
        read_recipe(path)


def test_without_the_extra(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "audiomentations", None)
    with pytest.raises(InputError, match=r"pip install 'mertools\[augment\]'"):
        augmenting.version()
