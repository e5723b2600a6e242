"""Tables of automatic scores: both spellings, and what is refused."""

from __future__ import annotations

from pathlib import Path

import pytest

from mertools.errors import InputError
from mertools.ov.automatic_scores import AutomaticScore, read_automatic_scores

WANTED = [AutomaticScore("clip 1", "a", "clue", 7.5), AutomaticScore("clip 1", "a", "label", 3.0)]


def test_csv_and_json_say_the_same(tmp_path: Path) -> None:
    table, objects = tmp_path / "m.csv", tmp_path / "m.json"
    table.write_text("metric,name,system,value,judge\nclue,clip 1,a,7.5,x\nlabel,clip 1,a,3,x\n")
    objects.write_text(
        '[{"name": "clip 1", "system": "a", "metric": "clue", "value": 7.5},'
        ' {"name": "clip 1", "system": "a", "metric": "label", "value": "3"}]'
    )
    assert read_automatic_scores(table) == read_automatic_scores(objects) == WANTED


@pytest.mark.parametrize(
    ("name", "content", "message"),
    [
        ("m.csv", "name,system,value\nx,a,1\n", "score 1: no metric"),
        ("m.csv", "name,system,metric,value\nx,a,clue,\n", "score 1: no value"),
        ("m.csv", "name,system,metric,value\nx,a,clue,ten\n", "score 1: 'ten' is no number"),
        ("m.csv", "name,system,metric,value\nx,a,clue,nan\n", "'nan' is no number"),
        ("m.csv", "name,system,metric,value\nx,a,clue,1\nx,a,clue,1\n", "score 2: clue of 'x' by 'a' again"),
        ("m.csv", "name,system,metric,value\n", "holds no scores"),
        ("m.json", '{"name": "x"}', "no JSON list"),
        ("m.json", "[", "no JSON list"),
    ],
)
def test_other_tables_are_refused(tmp_path: Path, name: str, content: str, message: str) -> None:
    (tmp_path / name).write_text(content)
    with pytest.raises(InputError, match=message):
        read_automatic_scores(tmp_path / name)


def test_absent_and_badly_encoded_files_are_refused(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="There is no file"):
        read_automatic_scores(tmp_path / "m.csv")
    (tmp_path / "m.csv").write_bytes(b"\xff\xfe")
    with pytest.raises(InputError, match="not UTF-8"):
        read_automatic_scores(tmp_path / "m.csv")
