from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from finished_runs import make_run
from toy_corpus import make_toy_corpus

from mertools.clip import Clip
from mertools.commands.ov_report import main
from mertools.corpus import read_manifest, write_manifest
from mertools.errors import InputError
from mertools.media import write_clip
from mertools.ov.labels import OpenLabels, write_labels


@pytest.fixture
def corpus(tmp_path: Path) -> Path:
    """Three clips with media, and two systems that labelled them, in one folder."""
    write_clip(tmp_path / "a.mp4", [np.full((48, 64, 3), 90, np.uint8)] * 25, 25, np.zeros(16_000, np.float32))
    clips = [Clip(name, video=tmp_path / "a.mp4", split=name, label="happy") for name in ("train", "semi", "noise")]
    write_manifest(tmp_path / "manifest.csv", clips)
    for system, label in (("one", "happy"), ("two", "sad")):
        (tmp_path / system).mkdir()
        write_labels(tmp_path / system / "labels.csv", [OpenLabels(clip.name, (label,)) for clip in clips])
    return tmp_path


def report(folder: Path, *more: str) -> str:
    """The page of system `one` with further options; it is named page.html."""
    out = folder / "page.html"
    options = ["--data", str(folder / "manifest.csv"), "--system", f"one={folder / 'one'}", "--out", str(out)]
    assert main([*options, *more]) == 0
    return out.read_text(encoding="utf-8")


def test_systems_stand_side_by_side(corpus: Path, capsys: pytest.CaptureFixture[str]) -> None:
    text = report(corpus, "--system", f"two={corpus / 'two'}", "--split", "semi,noise")
    assert text.count('<article class="clip"') == 2 and text.count('<div class="system"') == 4
    assert text.count("data:image/jpeg;base64,") == 10
    said = capsys.readouterr().out
    assert "page.html (2 clips, 0." in said and "those alone who may have the clips" in said


def test_without_media_nothing_is_decoded(corpus: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (corpus / "a.mp4").unlink()
    for options in (["--no-media"], ["--clips", "61"]):
        text = report(corpus, *options)
        assert "data:image/jpeg" not in text and "No pictures" not in text
    assert "may have the clips" not in capsys.readouterr().out


def test_a_runs_answers_stand_beside(tmp_path: Path) -> None:
    make_toy_corpus(tmp_path)
    run = make_run(tmp_path, "toy-audio,toy-text")
    (tmp_path / "one").mkdir()
    clips = read_manifest(tmp_path / "manifest.csv").clips
    write_labels(tmp_path / "one" / "labels.csv", [OpenLabels(clip.name, (clip.label,)) for clip in clips])
    text = report(tmp_path, "--run", str(run), "--clips", "12", "--split", "train")
    assert text.count("out-of-fold</small>") == 12
    assert "one and the classifier on" in text


@pytest.mark.parametrize(
    ("options", "message"),
    [
        (["--system", "one=elsewhere"], "'one' more than once"),
        (["--system", "two=elsewhere"], "holds none of clues.jsonl"),
        (["--split", "sem"], "Did you mean 'semi'"),
        (["--run", "elsewhere"], "holds no result.json"),
    ],
)
def test_bad_input_is_refused(corpus: Path, options: list[str], message: str) -> None:
    with pytest.raises(InputError, match=message):
        report(corpus, *options)
    assert not (corpus / "page.html").exists()


def test_a_system_has_a_name_and_a_folder(corpus: Path, capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit):
        report(corpus, "--system", str(corpus / "two"))
    assert "wanted NAME=PATH" in capsys.readouterr().err
