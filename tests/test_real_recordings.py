"""On real recordings: the numbers that a user of `egemaps` can expect."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from mertools.commands import extract, fuse
from mertools.emotions import MER2024
from mertools.metrics import confusion_matrix, waf
from mertools.predictions import read_predictions

LEAST_WAF = 0.45
"""An SVM on eGeMAPSv02 reaches 0.48 to 0.50 on these utterances."""


@pytest.fixture(scope="module")
def ravdess(media_folder: Path, tmp_path_factory: pytest.TempPathFactory) -> list[str]:
    """The options that name 312 acted utterances of twelve actors and their eGeMAPS."""
    manifest, features = media_folder / "ravdess" / "manifest.csv", tmp_path_factory.mktemp("ravdess")
    assert extract.main(["--feature", "egemaps", "--data", str(manifest), "--out", str(features)]) == 0
    return ["--feature", "egemaps", "--data", str(manifest), "--features", str(features), "--group", "speaker"]


def pooled_out_of_fold_waf(options: list[str], runs: Path) -> float:
    assert fuse.main([*options, "--runs", str(runs)]) == 0
    (run,) = runs.iterdir()
    answers = read_predictions(run / "out_of_fold.csv", MER2024)
    return float(waf(confusion_matrix(answers.truth, answers.classes, len(MER2024))))


def test_egemaps_tells_acted_emotions_apart(ravdess: list[str], tmp_path: Path) -> None:
    assert pooled_out_of_fold_waf([*ravdess, "--trials", "3", "--epochs", "50"], tmp_path) >= LEAST_WAF


@pytest.mark.slow
@pytest.mark.timeout(1200)
def test_egemaps_tells_acted_emotions_apart_over_seeds(ravdess: list[str], tmp_path: Path) -> None:
    values = [pooled_out_of_fold_waf([*ravdess, "--seed", str(seed)], tmp_path / str(seed)) for seed in range(3)]
    assert np.mean(values) >= LEAST_WAF
