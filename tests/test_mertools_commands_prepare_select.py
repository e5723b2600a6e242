"""Choosing what to annotate, from files of predictions to a manifest."""

from __future__ import annotations

import csv
import itertools
from pathlib import Path

import pytest

from mertools.__main__ import dispatch
from mertools.clip import Clip
from mertools.corpus import read_manifest, write_manifest
from mertools.errors import InputError

VOTES = {
    "h1": "happy happy happy",
    "h2": "happy happy sad",
    "h3": "happy angry happy",
    "s1": "sad sad sad",
    "s2": "sad neutral sad",
    "w1": "worried happy worried",
    "done": "sad sad sad",
}
"""By clip what three systems say; `done` has a label already."""


@pytest.fixture
def corpus(tmp_path: Path) -> Path:
    clips = [
        Clip(name, subtitle=f"Says {name}.", split="unlabelled", label="sad" if name == "done" else "")
        for name in (*VOTES, "unseen")
    ]
    write_manifest(tmp_path / "manifest.csv", clips)
    for system in range(3):
        write_system(tmp_path, system, {name: said.split()[system] for name, said in VOTES.items()})
    return tmp_path


def write_system(folder: Path, system: int, predicted: dict[str, str]) -> None:
    rows = [("name", "predicted"), *predicted.items()]
    (folder / f"{system}.csv").write_text("".join(f"{name},{label}\n" for name, label in rows))


def select(folder: Path, *more: str, systems: tuple[int, ...] = (0, 1, 2)) -> Path:
    files = [str(folder / f"{system}.csv") for system in systems]
    words = ["--data", str(folder / "manifest.csv"), "--predictions", *files, "--out", str(folder / "selected.csv")]
    assert dispatch(["prepare", "select", *words, *more]) == 0
    return folder / "selected.csv"


def test_the_clearest_votes_of_each_class(corpus: Path, capsys: pytest.CaptureFixture[str]) -> None:
    chosen = read_manifest(select(corpus, "--count", "4")).clips
    told = capsys.readouterr().out
    # Three classes with votes: one place each, and the fourth for the second happy or sad clip, all at two of three.
    assert [(clip.name, clip.columns["voted"], clip.columns["share"]) for clip in chosen if clip.name in "h1s1w1"] == [
        ("h1", "happy", "1.0000"),
        ("s1", "sad", "1.0000"),
        ("w1", "worried", "0.6667"),
    ]
    assert len(chosen) == 4 and all(clip.subtitle and not clip.label for clip in chosen)
    rows = {
        row["primary label"]: row
        for row in csv.DictReader(told[told.index("primary") :].splitlines()[:7], delimiter="\t")
    }
    assert (rows["happy"]["clips"], rows["sad"]["clips"], rows["worried"]["chosen"]) == ("3", "2", "1")
    assert rows["surprise"]["lowest share"] == "–"
    assert "1 predicted clips have a label already" in told and "1 clips without a label are not predicted" in told
    assert "4 of 6 clips, by the votes of 3 systems" in told
    assert f"mertools prepare annotate export --data {corpus / 'selected.csv'}" in told


def test_the_order_of_files_and_rows_does_not_matter(corpus: Path) -> None:
    first = select(corpus, "--count", "4").read_bytes()
    for order in itertools.permutations(range(3)):
        assert select(corpus, "--count", "4", "--overwrite", systems=order).read_bytes() == first
    for system in range(3):
        write_system(corpus, system, {name: VOTES[name].split()[system] for name in reversed(VOTES)})
    assert select(corpus, "--count", "4", "--overwrite").read_bytes() == first
    with pytest.raises(InputError, match="is there already"):
        select(corpus)


def test_clips_that_the_manifest_does_not_know_are_told(corpus: Path, capsys: pytest.CaptureFixture[str]) -> None:
    for system in range(3):
        write_system(corpus, system, {"h1": "happy", "elsewhere": "sad"})
    select(corpus, "--count", "1")
    assert "Left out: 1 predicted clips are not in the manifest" in capsys.readouterr().out


@pytest.mark.parametrize(
    ("words", "systems", "message"),
    [
        (["--count", "7"], (0, 1, 2), "There are 6 clips to choose from, 7 are asked for"),
        (["--count", "2"], (0,), "names one system"),
        (["--count", "2"], (0, 1, 0), "0.csv twice; a system has one vote"),
        (["--count", "2", "--labels", "happy,sad"], (0, 1), "0.csv, row 7: Label 'worried' is not one of happy, sad"),
        (["--count", "2"], (0, 3), r"(?s)predict different clips.*3.csv lacks 6 of 8.*'done'"),
    ],
)
def test_bad_input_is_refused(corpus: Path, words: list[str], systems: tuple[int, ...], message: str) -> None:
    write_system(corpus, 3, {"h1": "happy", "other": "sad"})
    with pytest.raises(InputError, match=message):
        select(corpus, *words, systems=systems)
    assert not (corpus / "selected.csv").exists()
