"""labels.csv: what is written is read again, and what cannot be read names its row."""

from __future__ import annotations

from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mertools.errors import InputError
from mertools.ov.labels import OpenLabels, parse_openset, read_labels, write_labels

ROWS = [
    OpenLabels("样本,1", ("it's complicated", 'a "joke"', "担心")),
    OpenLabels("b", ()),
    OpenLabels("c", (), "the server did not answer"),
]


def test_what_is_written_is_read_again(tmp_path: Path) -> None:
    path = tmp_path / "labels.csv"
    write_labels(path, ROWS)
    assert read_labels(path) == ROWS
    assert [file.name for file in tmp_path.iterdir()] == ["labels.csv"]


def test_a_releases_file_has_no_column_of_failures(tmp_path: Path) -> None:
    path = tmp_path / "truth.csv"
    path.write_text("\ufeffname,openset\na,\"['happy', 'relieved']\"\nb,\"[calm, at ease]\"\nc,[]\n", encoding="utf-8")
    assert read_labels(path) == [
        OpenLabels("a", ("happy", "relieved")),
        OpenLabels("b", ("calm", "at ease")),
        OpenLabels("c", ()),
    ]


def test_a_classifiers_predictions_are_one_label_a_clip(tmp_path: Path) -> None:
    path = tmp_path / "predictions.csv"
    path.write_text("name,split,predicted,p_happy,p_sad\na,semi,sad,0.2,0.8\nb,semi,happy,0.9,0.1\n", encoding="utf-8")
    assert read_labels(path) == [OpenLabels("a", ("sad",)), OpenLabels("b", ("happy",))]


@pytest.mark.parametrize(
    ("content", "message"),
    [
        ("", r"row 1: column 'name' is missing; got an empty file"),
        ("name,discrete\na,happy\n", r"row 1: column 'openset' is missing; got name,discrete"),
        ("name,openset\n", r"no clips"),
        ("name,openset\na,[]\nb,\"['happy'\"\n", r"row 3, clip 'b': got \"\['happy'\", wanted a list"),
        ("name,openset\na,happy\n", r"row 2, clip 'a': got 'happy'"),
        ("name,openset\na,\"['happy', 3]\"\n", r"row 2, clip 'a'"),
        ("name,openset\na\n", r"row 2, clip 'a': got ''"),
        ("name,openset\na,[]\na,[]\n", r"row 3: clip 'a' stands in row 2 already"),
        ("name,openset\n,[]\n", r"row 2: the name is empty"),
        ("name,openset,failed\na,['sad'],no answer\n", r"row 2: clip 'a' failed \(no answer\), but has labels"),
    ],
)
def test_what_cannot_be_read_names_its_row(tmp_path: Path, content: str, message: str) -> None:
    path = tmp_path / "labels.csv"
    path.write_text(content, encoding="utf-8")
    with pytest.raises(InputError, match=message):
        read_labels(path)


def test_other_encodings_and_absent_files_are_refused(tmp_path: Path) -> None:
    path = tmp_path / "labels.csv"
    with pytest.raises(InputError, match="There is no file of labels"):
        read_labels(path)
    path.write_bytes("name,openset\n样本,[]\n".encode("gbk"))
    with pytest.raises(InputError, match="not UTF-8"):
        read_labels(path)


@given(st.lists(st.text(st.characters(exclude_categories=("Cs",)), min_size=1).filter(str.strip)))
def test_any_list_of_labels_comes_back(labels: list[str]) -> None:
    assert parse_openset(str(labels)) == tuple(label.strip() for label in labels)
