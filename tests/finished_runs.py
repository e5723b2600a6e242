"""Small finished runs on the toy corpus, for the commands that read runs."""

from __future__ import annotations

import csv
from collections.abc import Callable
from pathlib import Path

from toy_corpus import make_toy_corpus

from mertools.commands import fuse

FEATURES = ("toy-audio", "toy-video", "toy-text")


def make_runs(folder: Path) -> dict[str, Path]:
    """The toy corpus in `folder`, and a run on each of its features by the feature's name."""
    make_toy_corpus(folder)
    return {feature: make_run(folder, feature) for feature in FEATURES}


def make_run(folder: Path, feature: str, *more: str) -> Path:
    """A run on `feature` of the corpus in `folder`."""
    runs = folder / "runs"
    before = set(runs.iterdir()) if runs.exists() else set()
    options = ["--data", str(folder / "manifest.csv"), "--features", str(folder / "features"), "--runs", str(runs)]
    quick = ["--trials", "2", "--epochs", "8", "--folds", "3", "--repeats", "0"]
    assert fuse.main([*options, *quick, "--feature", feature, *more]) == 0
    (run,) = set(runs.iterdir()) - before
    return run


def rows(path: Path) -> list[dict[str, str]]:
    """A CSV file as dictionaries."""
    with path.open(encoding="utf-8", newline="") as file:
        return list(csv.DictReader(file))


def rewrite(path: Path, change: Callable[[list[str]], list[str]]) -> None:
    """Write the lines of a text file anew as `change` gives them."""
    path.write_text("\n".join(change(path.read_text(encoding="utf-8").splitlines())) + "\n", encoding="utf-8")
