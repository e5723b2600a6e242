"""Prediction files."""

from __future__ import annotations

import csv
from pathlib import Path

import numpy as np
import pytest

from mertools.clip import Clip
from mertools.emotions import MER2024, LabelSet
from mertools.errors import InputError
from mertools.predictions import (
    Predictions,
    read_classes,
    read_predictions,
    write_out_of_fold,
    write_predictions,
)

CLIPS = [Clip("样本,1", split="semi", label="surprise"), Clip('say "hi"', split="noise", label="sad")]
PREDICTIONS = Predictions(
    names=tuple(clip.name for clip in CLIPS),
    probabilities=np.array([[0.1, 0, 0, 0, 0, 0.9], [0.25, 0.5, 0.25, 0, 0, 0]]),
    weights=np.array([[0.75, 0.25], [1, 0]]),
    features=("egemaps", "minilm"),
)


def rows(path: Path) -> list[dict[str, str]]:
    with path.open(encoding="utf-8", newline="") as file:
        return list(csv.DictReader(file))


def test_predictions_and_out_of_fold(tmp_path: Path) -> None:
    write_predictions(tmp_path / "predictions.csv", CLIPS, PREDICTIONS, MER2024)
    first, second = rows(tmp_path / "predictions.csv")
    assert list(first) == [
        *("name", "split", "predicted"),
        *(f"p_{label}" for label in MER2024.names),
        *("w_egemaps", "w_minilm"),
    ]
    assert (first["name"], first["predicted"], first["p_surprise"]) == ("样本,1", "surprise", "0.9")
    assert (second["name"], second["w_minilm"]) == ('say "hi"', "0")
    read = read_predictions(tmp_path / "predictions.csv", MER2024)
    assert read.names == PREDICTIONS.names and read.features == PREDICTIONS.features
    assert read.classes.tolist() == [5, 1] and read.truth.tolist() == read.folds.tolist() == [-1, -1]
    np.testing.assert_allclose(read.probabilities, PREDICTIONS.probabilities)
    write_out_of_fold(tmp_path / "oof.csv", CLIPS, np.array([0, 4]), PREDICTIONS, MER2024)
    first, second = rows(tmp_path / "oof.csv")
    assert (first["label"], second["fold"]) == ("surprise", "4")
    read = read_predictions(tmp_path / "oof.csv", MER2024)
    assert (read.truth.tolist(), read.folds.tolist()) == ([5, 3], [0, 4])
    turned = read.rows(np.array([1, 0]))
    assert (turned.names, turned.folds.tolist()) == (read.names[::-1], [4, 0])
    np.testing.assert_array_equal(turned.probabilities, read.probabilities[::-1])


def test_reading_refuses_other_labels_and_absent_files(tmp_path: Path) -> None:
    write_predictions(tmp_path / "predictions.csv", CLIPS, PREDICTIONS, MER2024)
    with pytest.raises(InputError, match="other labels than a, b"):
        read_predictions(tmp_path / "predictions.csv", LabelSet(("a", "b")))
    with pytest.raises(InputError, match="no file of predictions"):
        read_predictions(tmp_path / "absent.csv", MER2024)


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("name,split\na,test\n", "no column 'predicted'"),
        (
            "name,split,predicted,p_yes,p_no\na,test,yes,0.9,0.1\na,test,no,0.1,0.9\n",
            "1 clips more than once .first: 'a'",
        ),
        ("name,split,predicted,p_yes,p_no\na,test,yes,0.9\n", "row 2, 'p_no': got '', wanted a number"),
        ("name,split,predicted,p_yes,p_no\na,test,yes,nan,0.1\n", "row 2, 'p_yes': got 'nan', wanted a number"),
        ("name,split,predicted,p_yes,p_no\n\udcff,test,yes,1,0\n", "not UTF-8"),
    ],
)
def test_damaged_files_are_refused_with_their_row(text: str, message: str, tmp_path: Path) -> None:
    (tmp_path / "predictions.csv").write_text(text, encoding="utf-8", errors="surrogateescape")
    with pytest.raises(InputError, match=message):
        read_predictions(tmp_path / "predictions.csv", LabelSet(("yes", "no")))


def test_classes_of_other_systems(tmp_path: Path) -> None:
    write_predictions(tmp_path / "predictions.csv", CLIPS, PREDICTIONS, MER2024)
    expected = {"样本,1": "surprise", 'say "hi"': "angry"}
    assert read_classes(tmp_path / "predictions.csv", MER2024) == expected
    (tmp_path / "submission.csv").write_text('\ufeffname,discrete\n"样本,1",Surprised\n"say ""hi""",angry\n')
    assert read_classes(tmp_path / "submission.csv", MER2024) == expected


@pytest.mark.parametrize(
    ("content", "message"),
    [
        ("", "columns of an empty file; wanted name and one of predicted, discrete"),
        ("name,label\na,sad\n", "columns name, label; wanted"),
        ("name,predicted\n", "a header but no predictions"),
        ("name,predicted\na,sad\nb,sad\na,angry\n", "predicts 1 clips more than once .first: 'a'"),
        ("name,predicted\na,sad\nb,bored\n", "row 3: Label 'bored' is not one of"),
        ("name,predicted\na\n", "row 2: Label '' is not one of"),
        ("name,predicted\ncaf\udce9,sad\n", "is not UTF-8"),
    ],
)
def test_what_is_no_table_of_classes_is_refused(tmp_path: Path, content: str, message: str) -> None:
    (tmp_path / "a.csv").write_bytes(content.encode("utf-8", "surrogateescape"))
    with pytest.raises(InputError, match=message):
        read_classes(tmp_path / "a.csv", MER2024)
    with pytest.raises(InputError, match="no file of predictions"):
        read_classes(tmp_path / "absent.csv", MER2024)
