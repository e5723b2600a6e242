"""Predictions of others' tools: every form of the organisers' files is read, and nothing in them is run."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest

from mertools.errors import InputError
from mertools.ov.clues import Clue
from mertools.ov.prediction_files import read_prediction_file

TEXTS = {"sample_1": "He smiles, and his voice is 'bright'.", "sample_2": "她很难过。", "sample_3": ""}


def write(path: Path, form: str) -> Path:
    names, texts = list(TEXTS), list(TEXTS.values())
    if form == "name2reason":
        np.savez_compressed(path / "a.npz", name2reason=TEXTS)
    elif form == "arrays":
        np.savez_compressed(path / "a.npz", filenames=names, fileitems=texts)
    elif form == "arrays of objects":
        np.savez_compressed(
            path / "a.npz", filenames=np.array(names, dtype=object), fileitems=np.array(texts, dtype=object)
        )
    elif form.startswith("csv"):
        column = form.split()[1]
        rows = [f'{name},"{text}"' for name, text in TEXTS.items()]
        (path / "a.csv").write_text("\n".join([f"name,{column}", *rows]), encoding="utf-8-sig")
    else:
        rows = [json.dumps({"name": name, "reason": text}) for name, text in TEXTS.items()]
        (path / "a.jsonl").write_text("\n".join(rows))
    return next(path.iterdir())


@pytest.mark.parametrize("form", ["name2reason", "arrays", "arrays of objects", "csv reason", "csv openset", "jsonl"])
def test_every_form(tmp_path: Path, form: str) -> None:
    path = write(tmp_path, form)
    source = {"model": "Chat-UniVi", "imported": path.name}
    assert list(read_prediction_file(path, "video", {"model": "Chat-UniVi"})) == [
        Clue(name, "video", text, source) for name, text in TEXTS.items()
    ]


@pytest.mark.parametrize(
    ("arrays", "said"),
    [
        ({"scores": np.zeros(2)}, "holds scores; wanted 'name2reason', or 'filenames' and 'fileitems'"),
        ({"filenames": ["a", "b"], "fileitems": ["x"]}, "not two arrays of one length"),
        ({"name2reason": ["a"]}, "holds name2reason; wanted"),
        ({"name2reason": np.array(3)}, "got int, wanted a dictionary"),
        ({"name2reason": {"a": 3}}, "entry 1, clip 'a': got int, wanted a text"),
        ({"filenames": ["a", "a"], "fileitems": ["x", "y"]}, "entry 2: 'a' stands there already"),
    ],
)
def test_archives_that_hold_something_else(tmp_path: Path, arrays: dict, said: str) -> None:
    np.savez(tmp_path / "a.npz", **arrays)
    with pytest.raises(InputError, match=said):
        list(read_prediction_file(tmp_path / "a.npz", "video", {}))


def test_tables_that_hold_something_else(tmp_path: Path) -> None:
    for name, content, said in (
        ("a.csv", "name,label\na,x\n", "got the columns name, label; wanted name and one of reason, text"),
        ("b.csv", "name,text\n,x\n", "row 2: '' is no name"),
        ("c.csv", b"name,text\na,\xff\n", "not UTF-8"),
        ("d.jsonl", '{"name": "a"}\n', "got the columns name; wanted"),
        ("e.xlsx", "", "Unknown format of predictions '.xlsx'"),
    ):
        (tmp_path / name).write_bytes(content if isinstance(content, bytes) else content.encode())
        with pytest.raises(InputError, match=said):
            list(read_prediction_file(tmp_path / name, "audio", {}))
    with pytest.raises(InputError, match="There is no file"):
        list(read_prediction_file(tmp_path / "absent.csv", "audio", {}))
