"""`mertools submission check`: what it says, and the status it ends with."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from mertools.__main__ import dispatch
from mertools.submissions import write_submission

NAMES = [f"clip_{number:04}" for number in range(30)]


@pytest.fixture
def files(tmp_path: Path) -> tuple[str, str]:
    """A submission without a fault, and the list of its candidates in another order."""
    submission, candidates = tmp_path / "submission.csv", tmp_path / "candidates.csv"
    write_submission(submission, NAMES, np.arange(30) % 6)
    candidates.write_text("\n".join(["name", *reversed(NAMES)]))
    return str(submission), str(candidates)


@pytest.mark.parametrize("year", ["2024", "2025", "2026"])
def test_a_whole_submission_passes(files: tuple[str, str], year: str, capsys: pytest.CaptureFixture[str]) -> None:
    submission, candidates = files
    assert dispatch(["submission", "check", submission, "--year", year, "--candidates", candidates]) == 0
    shown = capsys.readouterr()
    assert shown.out == f"{submission}: nothing wrong\n" and shown.err == ""


def test_faults_are_a_table_and_status_one(files: tuple[str, str], capsys: pytest.CaptureFixture[str]) -> None:
    submission, candidates = files
    text = Path(submission).read_text().replace("surprise", "surprised").replace("clip_0002,happy\n", "")
    Path(submission).write_text(text)
    assert dispatch(["submission", "check", submission, "--year", "2024", "--candidates", candidates]) == 1
    header, *rows = [line.split("\t") for line in capsys.readouterr().out.splitlines()]
    assert header == ["row", "got", "wanted", "next step"]
    assert rows[0] == ["6", "label 'surprised'", "'surprise'", "Spell labels as the label files do."]
    assert rows[-1][:2] == ["", "no row for 1 of 30 clips (first: clip_0002)"]


def test_of_many_faults_the_first_are_shown(files: tuple[str, str], capsys: pytest.CaptureFixture[str]) -> None:
    submission, _ = files
    Path(submission).write_text("\n".join(["name,discrete", *(f"{name},joy" for name in NAMES)]))
    assert dispatch(["submission", "check", submission, "--year", "2024"]) == 1
    lines = capsys.readouterr().out.splitlines()
    assert len(lines) == 22 and lines[-1] == "and 10 more"


def test_what_was_not_checked_is_said(files: tuple[str, str], capsys: pytest.CaptureFixture[str]) -> None:
    submission, _ = files
    renamed = Path(submission).rename(Path(submission).with_name("mine.csv"))
    assert dispatch(["submission", "check", str(renamed), "--year", "2025"]) == 0
    first, second = capsys.readouterr().err.splitlines()
    assert first.startswith("note: whether every clip is there was not checked")
    assert "track_all_candidates.csv" in first
    assert second == "note: the tools of MER2025's organisers call such a file submission.csv, this one is mine.csv"


def test_the_year_must_be_said(files: tuple[str, str], capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit, match="2"):
        dispatch(["submission", "check", files[0]])
    assert "--year" in capsys.readouterr().err
