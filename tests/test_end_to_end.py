"""From nothing to a submission, by the public commands, on a dozen clips."""

from __future__ import annotations

import csv
import subprocess
import sys
from pathlib import Path

import pytest

from mertools.commands.demo import open_vocabulary_steps
from mertools.corpus import read_manifest
from mertools.feature_store import read_features
from mertools.run_record import read_result
from noise.recipe import UNTOUCHED, read_recipe

ROOT = Path(__file__).parent.parent
FEATURES = ("egemaps", "face-expression", "minilm")


def run(*command: str) -> subprocess.CompletedProcess[str]:
    done = subprocess.run(
        [sys.executable, *command], cwd=ROOT, capture_output=True, text=True, encoding="utf-8", timeout=120
    )
    assert done.returncode == 0, done.stderr
    return done


@pytest.fixture(scope="module")
def corpus(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("end to end")
    run("-m", "mertools", "data", "demo", "--out", str(folder), "--clips", "12")
    return folder


def test_corpus_features_fusion_submission(corpus: Path) -> None:
    data = ["--data", str(corpus / "manifest.csv")]
    extracted = run("extract.py", "--feature", ",".join(FEATURES), *data, "--out", str(corpus / "clean"))
    assert "Next: python run_fusion.py" in extracted.stdout
    clips = read_manifest(corpus / "manifest.csv").clips
    for feature in FEATURES:
        stored = read_features(corpus / "clean" / f"{feature}.h5")
        assert stored.names == tuple(clip.name for clip in clips) and stored.mask.all()

    fused = run(
        *("run_fusion.py", "--top", "1", *data, "--features", str(corpus / "clean")),
        *("--runs", str(corpus / "runs"), "--folds", "2", "--no-nested", "--trials", "3", "--epochs", "10"),
    )
    table = [line for line in fused.stdout.splitlines() if line and not line.startswith("#") and "\t" in line]
    assert len(table) == 1 + len(FEATURES) + 1
    assert "test of machinery" in fused.stdout
    (folder,) = (corpus / "runs").iterdir()
    result = read_result(folder)
    assert result["rows"][-1]["modalities"] == "AVT"
    for split in ("semi", "noise"):
        with (folder / f"submission-{split}.csv").open(encoding="utf-8", newline="") as file:
            names = [row["name"] for row in csv.DictReader(file)]
        assert names == [clip.name for clip in clips if clip.split == split]
    assert "<html" in (folder / "report.html").read_text(encoding="utf-8")


def test_the_demo_prints_its_commands_and_reuses_what_is_there(corpus: Path) -> None:
    before = {path: path.stat().st_mtime_ns for path in (corpus / "video").iterdir()}
    done = subprocess.run(
        [sys.executable, "-m", "mertools", "demo", "--out", str(corpus), "--clips", "12", "--trials", "1"],
        cwd=ROOT,
        capture_output=True,
        text=True,
        timeout=120,
    )
    commands = [line for line in done.stdout.splitlines() if line.startswith("$ ")]
    assert commands[0].startswith("$ mertools data demo --out ")
    assert commands[1].startswith("$ mertools noise draw --data ") and "--split noise" in commands[1]
    assert commands[2].startswith("$ python extract.py --feature egemaps,face-expression,minilm --level frame ")
    assert "all there already" in done.stdout
    recipe = read_recipe(corpus / "recipe.jsonl")
    for clip in read_manifest(corpus / "manifest.csv").clips:
        assert (recipe.clips[clip.name] == UNTOUCHED) == (clip.split != "noise")
    clean, noisy = (read_features(corpus / folder / "egemaps.h5") for folder in ("clean", "features"))
    changed = (clean.utterance != noisy.utterance).any(axis=1)
    assert [clip.split == "noise" for clip in read_manifest(corpus / "manifest.csv").clips] == changed.tolist()
    assert {path: path.stat().st_mtime_ns for path in (corpus / "video").iterdir()} == before
    # A dozen clips are too few for five folds: the last command's refusal is the demo's.
    assert done.returncode == 2 and "--folds 2" in done.stderr
    explain(corpus)


def explain(corpus: Path) -> None:
    """The demo's commands from the run that is there to explained clips."""
    for verb, words in open_vocabulary_steps(corpus, with_language_model=False):
        done = run("-m", "mertools", *verb.split(), *words)
        if verb == "ov score":
            rows = [line.split("\t") for line in done.stdout.splitlines() if line.count("\t") > 3]
            average = {row[0]: float(row[2].partition("±")[0]) for row in rows[1:]}
            assert list(average) == ["empty", "random", "classifier", "observed", "joined", "ceiling"]
            assert average["empty"] == 0 and average["ceiling"] > 90
    page = (corpus / "explained.html").read_text(encoding="utf-8")
    assert all(clip.name in page for clip in read_manifest(corpus / "manifest.csv").clips if clip.split != "train")
