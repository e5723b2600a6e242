"""What a judge is told to be true, from each kind of file."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from mertools.clip import Clip
from mertools.corpus import write_manifest
from mertools.errors import InputError
from mertools.ov.labels import OpenLabels, write_labels
from mertools.ov.true_texts import read_true_texts


def test_descriptions(tmp_path: Path) -> None:
    rows = [
        {"name": "a", "description": " He smiles. "},
        {"name": "b", "description": "  "},
        {"name": "c", "description": "", "failed": "no answer"},
    ]
    (tmp_path / "d.jsonl").write_text("\n".join(map(json.dumps, rows)))
    found = read_true_texts(tmp_path / "d.jsonl")
    assert (found.truth.texts, found.truth.are_labels, found.without) == ({"a": "He smiles."}, False, 2)


def test_descriptions_as_a_table(tmp_path: Path) -> None:
    (tmp_path / "d.csv").write_text("name,description\na,He smiles.\nb,\n")
    assert read_true_texts(tmp_path / "d.csv").truth.texts == {"a": "He smiles."}


def test_labels(tmp_path: Path) -> None:
    write_labels(tmp_path / "labels.csv", [OpenLabels("a", ("happy", "proud")), OpenLabels("b", ())])
    found = read_true_texts(tmp_path / "labels.csv")
    assert (found.truth.texts, found.truth.are_labels, found.without) == ({"a": "happy, proud"}, True, 1)


def test_a_manifest_has_descriptions_or_labels(tmp_path: Path) -> None:
    path = tmp_path / "manifest.csv"
    clip = Clip("a", subtitle="x", open_labels=("happy",), columns={"description": "He smiles."})
    write_manifest(path, [clip, Clip("b", subtitle="y", open_labels=("sad",))])
    assert read_true_texts(path).truth.texts == {"a": "He smiles."}
    write_manifest(path, [Clip("a", subtitle="x", open_labels=("happy",))])
    assert read_true_texts(path).truth.texts == {"a": "happy"} and read_true_texts(path).truth.are_labels


def test_a_file_without_a_truth_is_refused(tmp_path: Path) -> None:
    write_manifest(tmp_path / "manifest.csv", [Clip("a", subtitle="x")])
    for name, message in (
        ("manifest.csv", "nothing to judge by"),
        ("absent.csv", "no file"),
        ("absent.jsonl", "no file"),
    ):
        with pytest.raises(InputError, match=message):
            read_true_texts(tmp_path / name)
