"""The demo's explainers on their real language model: eight clips of the demo corpus are learned word for word."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path

import pytest

from mertools.__main__ import dispatch
from mertools.commands.extract import main as extract
from mertools.corpus import TRAIN, read_manifest, write_manifest
from mertools.errors import InputError
from mertools.explain.configuration import Branch, Configuration, DataSet, Stage, as_yaml, read_configuration
from mertools.explain.loading import new_explainer


def eight(name: str, data: Path) -> Configuration:
    """The shipped configuration `name`, made to learn by heart: no dropout, no weight decay, all clips in each step."""

    def sure(branch: Branch) -> Branch:
        image = branch.image_qformer and replace(branch.image_qformer, dropout=0.0)
        return replace(branch, qformer=replace(branch.qformer, dropout=0.0), image_qformer=image)

    base = read_configuration(name)
    stage = Stage(
        "eight",
        (DataSet(str(data), kind="manifest"),),
        epochs=1,
        steps_an_epoch=120,
        batch_size=8,
        learning_rate=3e-3,
        min_learning_rate=3e-4,
        warmup_steps=10,
        weight_decay=0.0,
    )
    return replace(base, audio=sure(base.audio), video=sure(base.video), stages=(stage,))


def run(*words: object) -> None:
    assert dispatch([str(word) for word in words]) == 0


@pytest.fixture(scope="module")
def clips(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Eight training clips of a small demo corpus, eight.csv, and their frames."""
    folder = tmp_path_factory.mktemp("eight")
    run("data", "demo", "--out", folder, "--clips", 24)
    train = [clip for clip in read_manifest(folder / "manifest.csv").clips if clip.split == TRAIN]
    write_manifest(folder / "eight.csv", train[:8], folder)
    words = ["--level", "frame", "--data", str(folder / "eight.csv"), "--out", str(folder / "features")]
    assert extract(["--feature", "egemaps", "face-expression", "face-expression-patches", *words]) == 0
    return folder


@pytest.mark.slow
@pytest.mark.timeout(3600)
@pytest.mark.parametrize("name", ["demo-affectgpt", "demo-microemo"])
def test_eight_clips_are_learned_word_for_word(clips: Path, tmp_path: Path, name: str) -> None:
    configuration = eight(name, clips / "eight.csv")
    (tmp_path / "eight.yaml").write_text(as_yaml(configuration), encoding="utf-8")
    try:
        new_explainer(configuration)
    except InputError as error:
        pytest.skip(f"the language model cannot be had here: {str(error).splitlines()[0]}")
    features = ["--features", clips / "features"]
    if name == "demo-microemo":
        features += ["--utterances", clips / "features" / "egemaps.h5"]
    run("explain", "train", tmp_path / "eight.yaml", *features, "--out", tmp_path / "run")
    generate = ["--checkpoint", tmp_path / "run" / "checkpoint", "--data", clips / "eight.csv", "--max-new-tokens", 120]
    run("explain", "generate", *generate, *features, "--out", tmp_path / "told.jsonl")
    told = [json.loads(line) for line in (tmp_path / "told.jsonl").read_text(encoding="utf-8").splitlines()]
    wanted = {clip.name: clip.columns["description"] for clip in read_manifest(clips / "eight.csv").clips}
    assert {one["name"]: one["description"] for one in told} == wanted
