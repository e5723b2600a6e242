"""descriptions.jsonl and tables of descriptions: read with their lines, or refused with them."""

from __future__ import annotations

from pathlib import Path

import pytest

from mertools.errors import InputError
from mertools.ov.descriptions import Description, read_descriptions


def test_a_manifest_of_described_clips_is_read(tmp_path: Path) -> None:
    path = tmp_path / "manifest.csv"
    path.write_text('name,video,description\na,a.mp4,"She smiles,\nand laughs."\nb,b.mp4,\n', encoding="utf-8")
    assert list(read_descriptions(path)) == [Description("a", "", "She smiles,\nand laughs.")]


@pytest.mark.parametrize(
    ("name", "content", "message"),
    [
        ("d.csv", "name,reason\na,smiles\n", "line 1: there is no column 'description'"),
        ("d.csv", "name,description\na,smiles\na,laughs\n", "line 3: clip 'a' has a description already"),
        ("d.jsonl", '{"name": "a"}\n', "line 1, 'description': it is missing"),
    ],
)
def test_what_is_no_description_names_its_line(tmp_path: Path, name: str, content: str, message: str) -> None:
    path = tmp_path / name
    path.write_text(content, encoding="utf-8")
    with pytest.raises(InputError, match=message):
        list(read_descriptions(path))


def test_an_absent_table_is_refused(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="There is no file"):
        list(read_descriptions(tmp_path / "none.csv"))
