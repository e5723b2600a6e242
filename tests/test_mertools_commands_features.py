"""`mertools features …`: the store's tools, each on small files."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import h5py
import numpy as np
import pytest
from test_mertools_feature_store import FRAME_PROVENANCE, PROVENANCE, toy_row, write
from toy_corpus import make_toy_corpus

from feature_extractors.catalog import CATALOG
from mertools.__main__ import dispatch
from mertools.errors import InputError
from mertools.feature_store import FeatureWriter, Row, read_features


def table(text: str) -> list[list[str]]:
    """The rows of the first table of a command's output, without its header."""
    return [line.split("\t") for line in text.split("\n\n")[0].splitlines()[1:]]


def test_list_shows_the_whole_catalog(capsys: pytest.CaptureFixture[str]) -> None:
    assert dispatch(["features", "list"]) == 0
    rows = table(capsys.readouterr().out)
    assert [row[1] for row in rows] == list(CATALOG)
    (egemaps,) = [row for row in rows if row[1] == "egemaps"]
    assert egemaps[:4] == ["audio", "egemaps", "eGeMAPS", "88"]


def test_list_says_what_is_extracted(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    write(tmp_path / "egemaps.h5", range(30))
    write(tmp_path / "mine.h5", range(10))
    dispatch(["features", "list", "--features", str(tmp_path)])
    rows = {row[1]: row for row in table(capsys.readouterr().out)}
    assert rows["egemaps"][-3:] == ["24", "3", "3"]
    assert rows["minilm"][-3:] == ["-", "-", "-"]
    assert rows["mine"][0] == "audio" and rows["mine"][-3:] == ["8", "1", "1"]


def test_info_tells_provenance_counts_shapes_and_reasons(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    write(tmp_path / "toy.h5", range(40), FRAME_PROVENANCE)
    assert dispatch(["features", "info", str(tmp_path / "toy.h5")]) == 0
    output = capsys.readouterr().out
    facts = dict(table(output))
    assert facts["source"] == "path:/toy" and facts["level"] == "frame"
    assert facts["clips"] == "32 ok, 4 missing, 4 failed"
    assert facts["utterance"] == "40 x 3" and facts["frames_probabilities"].endswith(" x 2")
    assert "clip_0008\tfailed\tnot media" in output and output.endswith("and 3 more\n")


def test_verify_finds_nothing_wrong_with_what_the_store_wrote(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    write(tmp_path / "a.h5", range(30))
    write(tmp_path / "b.h5", range(30), FRAME_PROVENANCE)
    assert dispatch(["features", "verify", str(tmp_path / "a.h5"), str(tmp_path / "b.h5")]) == 0
    assert capsys.readouterr().out == "2 files, nothing wrong\n"


def set_row(dataset: str, row: int, value: object) -> None:
    """A change to an opened file."""
    return lambda file: file[dataset].__setitem__(row, value)


@pytest.mark.parametrize(
    ("change", "fault"),
    [
        (set_row("utterance", 1, np.nan), "clip 'clip_0001' holds NaN or infinity in utterance"),
        (set_row("utterance", 7, 0.0), "clip 'clip_0007' is not ok and has a vector all the same"),
        (set_row("frames", 1, np.inf), "clip 'clip_0001' holds NaN or infinity in frames"),
        (set_row("names", 1, b"clip_0000"), "clip 'clip_0000' stands in 2 rows"),
        (set_row("offsets", 1, 100), "the offsets of the frames do not rise from 0, one a clip"),
        (set_row("offsets", 1, 0), "clip 'clip_0000' is ok and has 0 frames"),
        (set_row("status", 1, 9), "the file is damaged: index 9 is out of bounds"),
        (set_row("status_values", 0, b"good"), "clip 'clip_0000' has the status 'good'"),
        (lambda file: file.__delitem__("reason"), "the file is damaged"),
    ],
)
def test_verify_finds_damage(tmp_path: Path, capsys: pytest.CaptureFixture[str], change: object, fault: str) -> None:
    path = tmp_path / "toy.h5"
    write(path, range(10), FRAME_PROVENANCE)
    with h5py.File(path, "r+") as file:
        change(file)
    assert dispatch(["features", "verify", str(path)]) == 1
    assert fault in capsys.readouterr().out


def test_verify_lists_files_that_are_none(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    write(tmp_path / "good.h5", range(3))
    (tmp_path / "bad.h5").write_bytes((tmp_path / "good.h5").read_bytes()[:1000])
    assert dispatch(["features", "verify", str(tmp_path / "bad.h5"), str(tmp_path / "good.h5")]) == 1
    (row,) = table(capsys.readouterr().out)
    assert row[0].endswith("bad.h5") and "damaged" in row[1]


def test_verify_compares_with_the_manifest(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    manifest = make_toy_corpus(tmp_path, count=12)
    provenance, path = replace(PROVENANCE, modality="text", columns=()), tmp_path / "toy.h5"
    with FeatureWriter(path, provenance) as writer:
        vector = np.zeros(2)
        rows = [Row(f"clip_{n:03d}", "ok", media_key="" if n else "other", utterance=vector) for n in range(11)]
        writer.append(rows)
        writer.pack([])
    assert dispatch(["features", "verify", str(path), "--data", str(manifest)]) == 1
    faults = [row[1] for row in table(capsys.readouterr().out)]
    assert faults == [
        "1 of 12 clips are not there (first: clip_011)",
        "clip 'clip_000' was extracted from other media than the manifest's: extract it again",
    ]


def test_merge_in_the_manifests_order(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    manifest = make_toy_corpus(tmp_path, count=12)
    for name, numbers in {"a": range(6, 10), "b": range(6)}.items():
        with FeatureWriter(tmp_path / f"{name}.h5", PROVENANCE) as writer:
            writer.append([replace(toy_row(number), name=f"clip_{number:03d}") for number in numbers])
            writer.pack([])
    files = [str(tmp_path / f"{name}.h5") for name in "ab"]
    assert dispatch(["features", "merge", *files, "--out", str(tmp_path / "c.h5"), "--data", str(manifest)]) == 0
    assert read_features(tmp_path / "c.h5").names == tuple(f"clip_{number:03d}" for number in range(10))
    output = capsys.readouterr().out
    assert "10 clips (8 ok, 1 missing, 1 failed) of 2 files" in output
    assert "2 clips of" in output and "(first: clip_010)" in output


def test_merge_refuses_what_does_not_belong_together(tmp_path: Path) -> None:
    write(tmp_path / "a.h5", range(5))
    write(tmp_path / "b.h5", range(5), replace(PROVENANCE, revision="2"))
    files = [str(tmp_path / f"{name}.h5") for name in "ab"]
    with pytest.raises(InputError, match="revision is '1' in the first and '2' in the second"):
        dispatch(["features", "merge", *files, "--out", str(tmp_path / "c.h5")])
