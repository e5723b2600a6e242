"""`extract.py --noise`: features of noisy clips without noisy files."""

from __future__ import annotations

import shutil
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from noise_corpus import make_corpus, make_musan
from tiny_video import crops

from mertools.commands import extract, noise_draw
from mertools.corpus import read_manifest, write_manifest
from mertools.errors import InputError
from mertools.feature_store import read_features, read_heads, read_provenance
from noise.recipe import read_recipe, write_recipe

FEATURES = ("egemaps", "face-expression", "minilm")


@pytest.fixture(scope="module")
def manifest(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The manifest of a corpus, with MUSAN, a recipe and clean features beside it."""
    folder = tmp_path_factory.mktemp("corpus")
    manifest = make_corpus(folder)
    musan = make_musan(folder / "musan")
    draw(manifest, "recipe.jsonl", "--speech", str(musan))
    features(manifest, "clean")
    return manifest


def draw(manifest: Path, out: str, *more: str) -> None:
    words = ["--data", str(manifest), "--out", str(manifest.parent / out), "--workers", "0"]
    assert noise_draw.main([*words, *more]) == 0


def features(manifest: Path, out: str, *more: str, feature: tuple[str, ...] = FEATURES) -> Path:
    """The folder of the features of `manifest` by these options."""
    folder = manifest.parent / out
    words = ["--data", str(manifest), "--out", str(folder), "--face-detector", "dlib", "--workers", "0"]
    assert extract.main([*words, "--feature", *feature, *more]) == 0
    return folder


def by_recipe(manifest: Path, recipe: str = "recipe.jsonl") -> list[str]:
    return ["--noise", str(manifest.parent / recipe), "--speech", str(manifest.parent / "musan")]


def test_sound_and_picture_are_noisy_and_say_so(manifest: Path) -> None:
    before = {path for path in manifest.parent.rglob("*") if path.is_file()}
    noisy = features(manifest, "noisy", *by_recipe(manifest))
    written = {path for path in manifest.parent.rglob("*") if path.is_file()} - before
    assert written == {noisy / f"{name}.h5" for name in FEATURES}
    recipe = read_recipe(manifest.parent / "recipe.jsonl")
    for name in FEATURES:
        a, b = (read_features(manifest.parent / folder / f"{name}.h5") for folder in ("clean", "noisy"))
        assert a.status == b.status and a.mask.any()
        assert (a.provenance.noise, b.provenance.noise) == ("", "" if name == "minilm" else recipe.fingerprint)
        for clip, one, two in zip(a.names, a.utterance[a.mask], b.utterance[b.mask], strict=False):
            same = name == "minilm" or (name == "face-expression" and recipe.clips[clip].blur == 1)
            assert np.array_equal(one, two) == same, (name, clip)


def test_workers_and_company_make_no_difference(manifest: Path) -> None:
    alone = features(manifest, "alone", *by_recipe(manifest), feature=("egemaps",))
    shared = features(manifest, "shared", *by_recipe(manifest), "--workers", "2")
    one, two = (read_features(folder / "egemaps.h5") for folder in (alone, shared))
    np.testing.assert_array_equal(one.utterance, two.utterance)


def test_files_of_another_recipe_are_refused(manifest: Path) -> None:
    draw(manifest, "other.jsonl", "--speech", str(manifest.parent / "musan"), "--seed", "1")
    folder = features(manifest, "refused", *by_recipe(manifest), feature=("egemaps",))
    for options in (by_recipe(manifest, "other.jsonl"), []):
        with pytest.raises(InputError, match="was extracted with noise"):
            features(manifest, "refused", *options, feature=("egemaps",))
    assert read_provenance(folder / "egemaps.h5").noise == read_recipe(manifest.parent / "recipe.jsonl").fingerprint


def test_a_recording_that_is_gone_costs_its_clips_alone(manifest: Path, tmp_path: Path) -> None:
    recipe = read_recipe(manifest.parent / "recipe.jsonl")
    shutil.copytree(manifest.parent / "musan", tmp_path / "musan")
    gone = recipe.clips["both"].voices[0][0].file
    (tmp_path / "musan" / "speech" / gone).unlink()
    options = ["--noise", str(manifest.parent / "recipe.jsonl"), "--speech", str(tmp_path / "musan")]
    heads = {head.name: head for head in read_heads(features(manifest, "gone", *options) / "egemaps.h5")}
    assert heads["both"].status == "failed" and f"the noise {gone} cannot be read" in heads["both"].reason
    assert "ok" in {head.status for head in heads.values()}


def test_ready_crops_are_not_passed_for_blurred(
    manifest: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    corpus = shutil.copytree(manifest.parent, tmp_path / "corpus")
    np.save(corpus / "crops.npy", crops(5))
    clips = read_manifest(corpus / "manifest.csv").clips
    write_manifest(corpus / "manifest.csv", [replace(clip, faces=corpus / "crops.npy") for clip in clips])
    folder = features(corpus / "manifest.csv", "cropped", *by_recipe(corpus / "manifest.csv"))
    assert "left aside" in capsys.readouterr().out
    without = features(manifest, "uncropped", *by_recipe(manifest))
    one, two = (read_features(place / "face-expression.h5") for place in (folder, without))
    np.testing.assert_array_equal(one.utterance, two.utterance)


def test_what_does_not_go_together(manifest: Path) -> None:
    with pytest.raises(InputError, match="--faces names faces that were cut from clean video"):
        features(manifest, "x", *by_recipe(manifest), "--faces", "faces.h5")
    with pytest.raises(InputError, match="Name the recipe too"):
        features(manifest, "x", "--speech", str(manifest.parent / "musan"))
    recipe = read_recipe(manifest.parent / "recipe.jsonl")
    fewer = {name: noise for name, noise in recipe.clips.items() if name != "mute"}
    write_recipe(manifest.parent / "fewer.jsonl", replace(recipe, clips=fewer))
    with pytest.raises(InputError, match=r"lacks 1 of 4 clips \(first: mute\)"):
        features(manifest, "x", *by_recipe(manifest, "fewer.jsonl"))
    assert not (manifest.parent / "x" / "egemaps.h5").exists()


def test_a_plan_reads_the_noisy_clips(manifest: Path, capsys: pytest.CaptureFixture[str]) -> None:
    features(manifest, "x", *by_recipe(manifest), "--plan", feature=("egemaps",))
    assert "4 clips would take" in capsys.readouterr().out
