"""Files that are there whole or not at all."""

from __future__ import annotations

from pathlib import Path

import pytest

from mertools.whole_files import whole_file, whole_folder


def test_it_appears_when_it_is_complete(tmp_path: Path) -> None:
    path = tmp_path / "new folder" / "a.csv"
    with whole_file(path) as file:
        file.write("名\ud83d\r\n")
        assert not path.exists()
    assert path.read_bytes() == "名?\r\n".encode()
    assert [*path.parent.iterdir()] == [path]


def test_a_failure_leaves_what_was_there(tmp_path: Path) -> None:
    path = tmp_path / "a.csv"
    path.write_text("old")
    with pytest.raises(KeyboardInterrupt), whole_file(path) as file:
        file.write("new")
        raise KeyboardInterrupt
    assert path.read_text() == "old" and [*tmp_path.iterdir()] == [path]


def test_a_folder_appears_when_it_is_complete_and_replaces_the_old_one(tmp_path: Path) -> None:
    path = tmp_path / "runs" / "checkpoint"
    for name in ("first", "second"):
        with whole_folder(path) as folder:
            (folder / name).write_text(name)
    assert [file.name for file in path.iterdir()] == ["second"]
    with pytest.raises(KeyboardInterrupt), whole_folder(path) as folder:
        (folder / "third").write_text("third")
        raise KeyboardInterrupt
    assert [file.name for file in path.iterdir()] == ["second"]
