"""Which clips of a pool are taught as what, and the file that says so."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from fusion.pseudo_labels import (
    ABSTAINS,
    PseudoLabels,
    Selection,
    accepted,
    agreement,
    class_thresholds,
    pseudo_labels,
    read_pseudo_labels,
    write_pseudo_labels,
)
from mertools.emotions import LabelSet
from mertools.errors import InputError

LABELS = LabelSet(("calm", "glad", "grim"))
ROW_OF_NAME = {f"clip_{row}": row for row in range(3, 9)}


def pool(seed: int = 0, clips: int = 200) -> np.ndarray:
    return np.random.default_rng(seed).dirichlet([2, 1, 0.5], size=clips)


def counts(probabilities: np.ndarray, selection: Selection, agreed: np.ndarray | None = None) -> np.ndarray:
    agreed = np.ones(len(probabilities), dtype=bool) if agreed is None else agreed
    chosen = accepted(probabilities, agreed, class_thresholds(probabilities, agreed, selection))
    return np.bincount(probabilities[chosen].argmax(axis=1), minlength=probabilities.shape[1])


@given(st.integers(0, 1000), st.floats(0.05, 1))
def test_a_quantile_takes_the_surest_of_each_class(seed: int, share: float) -> None:
    probabilities = pool(seed)
    of_class = np.bincount(probabilities.argmax(axis=1), minlength=3)
    assert counts(probabilities, Selection(quantile=share)).tolist() == np.ceil(share * of_class).tolist()


def test_fixed_thresholds_are_by_class() -> None:
    probabilities = np.array([[0.9, 0.1, 0], [0.7, 0.3, 0], [0.2, 0.8, 0], [0.4, 0.6, 0]])
    assert counts(probabilities, Selection(thresholds=(0.8, 0.5, 0.5))).tolist() == [1, 2, 0]


@given(st.integers(0, 1000), st.floats(0.1, 3))
def test_a_cap_holds_frequent_classes_down(seed: int, cap: float) -> None:
    free, capped = (counts(pool(seed), Selection(quantile=1, cap=limit)) for limit in (None, cap))
    assert (capped <= np.ceil(cap * free.mean())).all() and (capped <= free).all()


def test_views_that_disagree_refuse_a_clip() -> None:
    predicted = np.array([0, 1, 2, 1])
    votes = np.array([[0, 1, 1, ABSTAINS], [0, ABSTAINS, 2, ABSTAINS]])
    assert agreement(predicted, votes).tolist() == [True, True, False, True]
    refused = counts(pool(), Selection(quantile=1), np.zeros(200, dtype=bool))
    assert refused.tolist() == [0, 0, 0], "no clip, and no error"


def test_labels_are_hard_or_soft_and_stand_in_order() -> None:
    probabilities, rows = np.array([[0.2, 0.8, 0], [0.6, 0.4, 0], [0.1, 0, 0.9]]), np.array([7, 3, 5])
    chosen = np.array([True, False, True])
    hard = pseudo_labels(rows, probabilities, chosen, Selection())
    assert hard.rows.tolist() == [5, 7] and hard.probabilities.tolist() == [[0, 0, 1], [0, 1, 0]]
    assert hard.weights.tolist() == [0.9, 0.8]
    soft = pseudo_labels(rows, probabilities, chosen, Selection(soft=True))
    assert soft.probabilities.tolist() == [[0.1, 0, 0.9], [0.2, 0.8, 0]]


@pytest.mark.parametrize("soft", [False, True])
def test_the_file_comes_back_as_it_was(tmp_path: Path, soft: bool) -> None:
    rows = np.array([3, 5, 8])
    given = pseudo_labels(rows, pool(1, 3), np.ones(3, dtype=bool), Selection(soft=soft))
    path = tmp_path / "pseudo_labels.csv"
    write_pseudo_labels(path, [f"clip_{row}" for row in rows], given, LABELS, soft=soft, teacher="a, b", number=2)
    found = read_pseudo_labels(path, ROW_OF_NAME, LABELS)
    assert found.teachers == ("a, b",) and found.given.rows.tolist() == [3, 5, 8]
    assert found.given.probabilities == pytest.approx(given.probabilities, abs=1e-5)
    assert found.given.weights == pytest.approx(given.weights, abs=1e-5)


def read(path: Path, text: str) -> PseudoLabels:
    path.write_text(text, encoding="utf-8")
    return read_pseudo_labels(path, ROW_OF_NAME, LABELS).given


def test_an_edited_file_needs_names_and_labels_alone(tmp_path: Path) -> None:
    found = read(tmp_path / "edited.csv", "name,label,weight\nclip_8,grim,\nclip_4,calm,0.5\nclip_5,glad,0\n")
    assert found.rows.tolist() == [4, 8], "a weight of 0 leaves a clip out"
    assert found.probabilities.tolist() == [[1, 0, 0], [0, 0, 1]] and found.weights.tolist() == [0.5, 1]


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("", "column 'name' is missing; got an empty file"),
        ("name\nclip_3\n", "wanted column 'label' or the columns p_<label>"),
        ("name,label,p_calm\nclip_3,calm,1\n", "one of the two"),
        ("name,p_calm,p_glad,p_sour\nclip_3,1,0,0\n", "unknown or missing: p_grim, p_sour. Other classes .* --labels"),
        ("name,label\n", "holds no pseudo-label"),
        ("name,label\nclip_3,sour\n", "row 2, column 'label': Label 'sour' is not one of calm, glad, grim"),
        ("name,label\nclip_1,calm\nclip_3,calm\n", "1 of 2 clips are not in the pool .first: 'clip_1'.*--pool"),
        ("name,label\nclip_3,calm\nclip_3,glad\n", "'clip_3' stands twice"),
        ("name,label,weight\nclip_3,calm,much\n", "row 2, column 'weight': got 'much'"),
        ("name,label,weight\nclip_3,calm,0\n", "every clip has weight 0"),
        ("name,p_calm,p_glad,p_grim\nclip_3,0,0,0\n", "row 2: all shares"),
    ],
)
def test_bad_files_are_refused(tmp_path: Path, text: str, message: str) -> None:
    with pytest.raises(InputError, match=message):
        read(tmp_path / "pseudo_labels.csv", text)


def test_no_file_is_refused(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="There is no file of pseudo-labels"):
        read_pseudo_labels(tmp_path / "absent.csv", ROW_OF_NAME, LABELS)
