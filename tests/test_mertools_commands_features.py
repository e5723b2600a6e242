"""`mertools features …`: the store's tools, each on small files."""

from __future__ import annotations

import sys
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
from mertools.feature_store import FeatureWriter, FrameReader, Row, read_features


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


# ---- other tools' files ---------------------------------------------------------------------------------------------


def test_exported_arrays_come_back_as_they_were(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    write(tmp_path / "toy.h5", range(30))
    folder = tmp_path / "toy-UTT"
    assert dispatch(["features", "export", str(tmp_path / "toy.h5"), "--to", "npy", "--out", str(folder)]) == 0
    assert "24 of 30 clips" in capsys.readouterr().out
    assert len(list(folder.iterdir())) == 24
    np.testing.assert_array_equal(np.load(folder / "clip_0003.npy"), toy_row(3).utterance)
    command = ["features", "import", str(folder), "--feature", "toy", "--modality", "audio"]
    assert dispatch([*command, "--out", str(tmp_path / "back.h5")]) == 0
    before, after = read_features(tmp_path / "toy.h5"), read_features(tmp_path / "back.h5")
    np.testing.assert_array_equal(after.utterance[after.mask], before.utterance[before.mask])
    assert after.provenance.source == "imported:toy-UTT" and after.provenance.encoder == "imported"


def test_exported_frames(tmp_path: Path) -> None:
    write(tmp_path / "toy.h5", range(10), FRAME_PROVENANCE)
    folder = tmp_path / "toy-FRA"
    command = ["features", "export", str(tmp_path / "toy.h5"), "--to", "npy", "--level", "frame", "--zeros"]
    assert dispatch([*command, "--out", str(folder)]) == 0
    np.testing.assert_array_equal(np.load(folder / "clip_0003.npy"), toy_row(3, "frame").frames)
    np.testing.assert_array_equal(np.load(folder / "clip_0007.npy"), np.zeros((1, 3)))
    command = ["features", "import", str(folder), "--feature", "toy", "--modality", "audio"]
    assert dispatch([*command, "--out", str(tmp_path / "back.h5")]) == 0
    with FrameReader(tmp_path / "back.h5") as reader:
        np.testing.assert_array_equal(reader["clip_0003"].frames, toy_row(3, "frame").frames)
        np.testing.assert_allclose(reader["clip_0003"].utterance, toy_row(3).utterance)
        assert reader["clip_0007"].status == "missing"


@pytest.mark.parametrize("level", ["utterance", "frame"])
def test_exported_table(tmp_path: Path, level: str) -> None:
    parquet = pytest.importorskip("pyarrow.parquet")
    write(tmp_path / "toy.h5", range(10), FRAME_PROVENANCE)
    command = ["features", "export", str(tmp_path / "toy.h5"), "--to", "parquet", "--level", level]
    assert dispatch([*command, "--out", str(tmp_path)]) == 0
    read = parquet.read_table(tmp_path / "toy.parquet")
    assert b'"source": "path:/toy"' in read.schema.metadata[b"provenance"]
    rows = read.to_pylist()
    if level == "utterance":
        assert len(rows) == 10 and rows[3]["vector"] == toy_row(3).utterance.tolist()
        assert rows[7] == {"name": "clip_0007", "status": "missing", "reason": "no audio stream", "vector": None}
    else:
        frames = [row for row in rows if row["name"] == "clip_0003"]
        assert [row["vector"] for row in frames] == toy_row(3, "frame").frames.tolist()
        assert [row["seconds"] for row in frames] == toy_row(3, "frame").times.tolist()
        assert not [row for row in rows if row["name"] == "clip_0007"]
    assert not list(tmp_path.glob(".*"))


def test_a_table_without_pyarrow_says_how_to_get_it(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "pyarrow", None)
    write(tmp_path / "toy.h5", range(3))
    with pytest.raises(InputError, match="pip install pyarrow"):
        dispatch(["features", "export", str(tmp_path / "toy.h5"), "--to", "parquet", "--out", str(tmp_path)])


def test_no_clip_name_leaves_the_folder(tmp_path: Path) -> None:
    with FeatureWriter(tmp_path / "toy.h5", PROVENANCE) as writer:
        writer.append([replace(toy_row(1), name="../outside")])
        writer.pack([])
    with pytest.raises(InputError, match="cannot be the name of a file"):
        dispatch(["features", "export", str(tmp_path / "toy.h5"), "--to", "npy", "--out", str(tmp_path / "out")])


def test_import_reports_what_it_cannot_use(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    folder = tmp_path / "odd-UTT"
    folder.mkdir()
    for number in range(3):
        np.save(folder / f"good_{number}.npy", np.full(4, number + 1, dtype=np.float64))
    np.save(folder / "long.npy", np.ones(5))
    np.save(folder / "flat.npy", np.ones((2, 4)))
    np.save(folder / "pickled.npy", np.array([{}], dtype=object), allow_pickle=True)
    np.save(folder / "zeros.npy", np.zeros(4))
    np.save(folder / "nan.npy", np.array([1, 2, np.nan, 4]))
    (folder / "cut.npy").write_bytes((folder / "long.npy").read_bytes()[:-9])
    (folder / "empty.npy").touch()
    (folder / "notes.txt").write_text("not a feature")
    path = tmp_path / "odd.h5"
    command = ["features", "import", str(folder), "--feature", "odd", "--modality", "text", "--out", str(path)]
    assert dispatch(command) == 0
    features = read_features(path)
    reasons = dict(zip(features.names, features.reason, strict=True))
    assert [name for name, ok in zip(features.names, features.mask, strict=True) if ok] == [
        f"good_{n}" for n in range(3)
    ]
    assert reasons["long"] == "long.npy holds (5,), most hold (4,)"
    assert reasons["flat"] == "flat.npy holds (2, 4), most hold (4,)"
    assert "allow_pickle=False" in reasons["pickled"] and "cannot be read" in reasons["cut"]
    assert reasons["nan"] == "nan.npy holds NaN or infinity" and "cannot be read" in reasons["empty"]
    assert features.status[features.names.index("zeros")] == "missing"
    output = capsys.readouterr().out
    assert "10 clips (3 ok, 1 missing, 6 failed)" in output and "\tfailed\tlong.npy holds" in output


def test_import_of_a_file_a_frame(tmp_path: Path) -> None:
    for clip in ("a", "b"):
        (tmp_path / "tree-FRA" / clip).mkdir(parents=True)
        for number in range(11):
            np.save(tmp_path / "tree-FRA" / clip / f"frame_{number}.npy", np.array([number + 1, 1], dtype=np.float32))
    command = ["features", "import", str(tmp_path / "tree-FRA"), "--feature", "emonet-like", "--modality", "video"]
    assert dispatch([*command, "--out", str(tmp_path / "tree.h5")]) == 0
    with FrameReader(tmp_path / "tree.h5") as reader:
        assert reader["a"].frames[:, 0].tolist() == list(range(1, 12)), "frame 9 stands before frame 10"


def test_import_follows_a_manifest(tmp_path: Path) -> None:
    manifest = make_toy_corpus(tmp_path, count=12)
    folder = tmp_path / "x-UTT"
    folder.mkdir()
    for number in range(11):
        np.save(folder / f"clip_{10 - number:03d}.npy", np.ones(2))
    np.save(folder / "other.npy", np.ones(2))
    path = tmp_path / "x.h5"
    command = ["features", "import", str(folder), "--feature", "x", "--modality", "text", "--out", str(path)]
    assert dispatch([*command, "--data", str(manifest)]) == 0
    features = read_features(path)
    assert features.names == tuple(f"clip_{number:03d}" for number in range(12))
    assert features.reason[11] == "no clip_011.npy was imported"
    assert dispatch(["features", "verify", str(path), "--data", str(manifest)]) == 0


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (["--feature", "egemaps", "--modality", "text"], "'egemaps' is audio, not text"),
        (["--feature", "unheard-of"], "say its --modality"),
        (["--feature", "egemaps"], "holds no .npy files"),
        (["--feature", "egemaps", "--out", "{folder}/there.h5"], r"there\.h5 exists already"),
    ],
)
def test_import_refuses(tmp_path: Path, words: list[str], message: str) -> None:
    if "--out" in words:
        np.save(tmp_path / "a.npy", np.ones(88))
        write(tmp_path / "there.h5", range(3))
        words = [word.format(folder=tmp_path) for word in words]
    with pytest.raises(InputError, match=message):
        dispatch(["features", "import", str(tmp_path), *words])


def test_an_export_that_cannot_be_written_is_one_error(tmp_path: Path) -> None:
    write(tmp_path / "toy.h5", range(3))
    (tmp_path / "file").touch()
    with pytest.raises(InputError, match=r"cannot be exported to .*: (File exists|Not a directory)"):
        dispatch(["features", "export", str(tmp_path / "toy.h5"), "--to", "npy", "--out", str(tmp_path / "file")])
