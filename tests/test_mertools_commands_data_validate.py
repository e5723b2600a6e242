"""Broken and odd clips through `data validate` and `extract.py`: the right reason on each, and the run goes on."""

from __future__ import annotations

import csv
import os
from pathlib import Path

import numpy as np
import pytest
from broken_corpus import Case, make_broken_corpus
from test_feature_extractors_opensmile import voice, write_wav

from mertools.clip import Clip
from mertools.commands import data_validate, extract
from mertools.corpus import write_manifest
from mertools.emotions import MER2024, LabelSet
from mertools.errors import InputError
from mertools.faces import DlibDetector
from mertools.feature_store import read_heads
from mertools.prepare.validation import ERROR, Probe, modalities, validate

FEATURES = ("egemaps", "face-expression", "minilm")


@pytest.fixture(scope="module")
def broken(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, list[Case]]:
    return make_broken_corpus(tmp_path_factory.mktemp("broken"))


def rows_of(path: Path) -> list[dict[str, str]]:
    with path.open(encoding="utf-8", newline="") as file:
        return list(csv.DictReader(file))


def test_every_broken_clip_gets_its_reason(
    broken: tuple[Path, list[Case]], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    manifest, cases = broken
    out = tmp_path / "validation.csv"
    words = ["--data", str(manifest), "--out", str(out), "--face-detector", "dlib", "--workers", "2"]
    assert len(cases) >= 25
    assert data_validate.main(words) == 0
    rows = rows_of(out)
    found = {
        case.clip.name: sorted(f"{r['level']}: {r['problem']}" for r in rows if r["name"] == case.clip.name)
        for case in cases
    }
    assert found == {case.clip.name: sorted(case.problems) for case in cases}
    assert all(row["reason"] for row in rows)
    printed = capsys.readouterr().out
    assert "error\tno video\tvideo\t3\tblind, song, sound alone\n" in printed
    assert f"{len(cases)} clips in " in printed and f"Problems: {out}" in printed
    assert printed.index("error\t") < printed.index("warning\t")


def test_extraction_says_the_same(
    broken: tuple[Path, list[Case]], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    manifest, cases = broken
    words = ["--data", str(manifest), "--out", str(tmp_path), "--feature", *FEATURES, "--face-detector", "dlib"]
    assert extract.main([*words, "--workers", "2"]) == 0
    assert extract.main([*words, "--workers", "0", "--strict"]) == 3
    capsys.readouterr()
    modality = {"egemaps": "audio", "face-expression": "video", "minilm": "text"}
    for feature in FEATURES:
        heads = {row.name: row for row in read_heads(tmp_path / f"{feature}.h5")}
        for case in cases:
            status, reason = getattr(case, feature.replace("-", "_"))
            row = heads[case.clip.name]
            assert (row.status, reason in row.reason) == (status, True), (feature, row)
            assert bool(row.reason) == bool(reason), (feature, row)
    # What validation calls an error is what extraction cannot use, medium by medium.
    probe = Probe(modalities([case.clip for case in cases]), MER2024, DlibDetector())
    for case in cases:
        errors = {problem.modality for problem in probe.prepare(case.clip) if problem.level == ERROR} - {"label"}
        unusable = {modality[f] for f in FEATURES if getattr(case, f.replace("-", "_"))[0] != "ok"}
        assert errors == unusable, case.clip.name


def test_strict_looks_at_errors_alone(tmp_path: Path) -> None:
    write_wav(tmp_path / "short.wav", voice(1.0))
    manifest = tmp_path / "manifest.csv"
    short = Clip("short", audio=tmp_path / "short.wav", split="semi")
    write_manifest(manifest, [short])
    assert data_validate.main(["--data", str(manifest), "--workers", "0", "--strict"]) == 0
    assert [row["level"] for row in rows_of(tmp_path / "validation.csv")] == ["warning"]
    write_wav(tmp_path / "short.wav", np.zeros(16000))
    assert data_validate.main(["--data", str(manifest), "--workers", "0", "--strict"]) == 3


def test_modalities_that_the_corpus_lacks_are_no_problem(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    write_manifest(tmp_path / "manifest.csv", [Clip("a", subtitle="Hello", label="joyful"), Clip("b", subtitle="Oh")])
    words = ["--data", str(tmp_path / "manifest.csv"), "--workers", "0"]
    assert data_validate.main(words) == 0
    printed = capsys.readouterr().out
    assert "error\tunknown label\tlabel\t1\ta\n" in printed
    for modality in ("audio", "video"):
        assert f"has {modality}: not looked at." in printed
    assert data_validate.main([*words, "--labels", "joyful", "sad", "--strict"]) == 0


class Deadly(LabelSet):
    """Labels that end the process which looks one of them up."""

    def canonical(self, label: str) -> str:
        if label == "death":
            os._exit(1)
        return label


def test_a_clip_that_kills_its_worker_costs_only_itself() -> None:
    clips = [Clip(name, subtitle="Hello", label=label) for name, label in (("a", "x"), ("b", "death"), ("c", "x"))]
    found = {clip.name: problems for clip, problems in validate(clips, Deadly(("x",)), DlibDetector(), 2)}
    assert found["a"] == found["c"] == []
    (problem,) = found["b"]
    assert problem.kind == "cannot be probed" and "died" in problem.reason


def test_bad_input(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="There is no manifest"):
        data_validate.main(["--data", str(tmp_path / "absent.csv")])
    write_manifest(tmp_path / "manifest.csv", [Clip("a", subtitle="Hello")])
    blocked = tmp_path / "file"
    blocked.write_text("")
    with pytest.raises(InputError, match=r"Cannot write .*validation\.csv: .* Name another place with --out\."):
        data_validate.main(["--data", str(tmp_path / "manifest.csv"), "--out", str(blocked / "validation.csv")])


def test_real_clips(media_folder: Path, tmp_path: Path) -> None:
    words = ["--data", str(media_folder / "meld" / "manifest.csv"), "--out", str(tmp_path / "validation.csv")]
    assert data_validate.main([*words, "--face-detector", "dlib", "--strict"]) == 0
    assert {row["problem"] for row in rows_of(tmp_path / "validation.csv")} <= {"shorter than 2 s"}
