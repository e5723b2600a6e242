"""How a command ends where the machine refuses a path."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

from mertools.commands.command_line import run


def ended(capsys: pytest.CaptureFixture, work: Callable[[], object]) -> str:
    """What a command that does `work` says as it ends with status 2."""
    with pytest.raises(SystemExit) as end:
        run(lambda arguments: work())
    assert end.value.code == 2
    return capsys.readouterr().err


def test_a_folder_wanted_where_a_file_is(tmp_path: Path, capsys: pytest.CaptureFixture) -> None:
    (tmp_path / "taken").touch()
    folder = tmp_path / "taken"
    assert ended(capsys, lambda: folder.mkdir(exist_ok=True)) == f"error: File exists: {folder}\n"


def test_the_file_that_was_asked_for_is_named(tmp_path: Path, capsys: pytest.CaptureFixture) -> None:
    (tmp_path / ".labels.tmp").touch()
    (tmp_path / "labels").mkdir()
    said = ended(capsys, lambda: (tmp_path / ".labels.tmp").replace(tmp_path / "labels"))
    assert said == f"error: Is a directory: {tmp_path / 'labels'}\n"


def test_a_name_too_long(tmp_path: Path, capsys: pytest.CaptureFixture) -> None:
    assert "File name too long" in ended(capsys, (tmp_path / ("x" * 300)).mkdir)


def test_our_own_mistakes_keep_their_traceback() -> None:
    with pytest.raises(FileNotFoundError):
        run(lambda arguments: Path("absent/x").touch())
