"""The store keeps what it acknowledged, whatever kills it, and refuses what does not belong together."""

from __future__ import annotations

import os
import random
import signal
import subprocess
import sys
import textwrap
import time
import tracemalloc
from dataclasses import replace
from pathlib import Path

import h5py
import numpy as np
import pytest

from mertools import clip_rows, feature_store, shards
from mertools.errors import InputError
from mertools.feature_store import (
    FeatureReader,
    FeatureWriter,
    FrameReader,
    Provenance,
    Row,
    merge,
    read_features,
)

PROVENANCE = Provenance(
    feature="toy",
    modality="audio",
    encoder="Toy",
    source="path:/toy",
    revision="1",
    recipe="mean",
    columns=("a", "b", "c"),
)
FRAME_PROVENANCE = replace(
    PROVENANCE, level="frame", frame_columns={"frames": ("a", "b", "c"), "probabilities": ("p", "q")}
)


def toy_row(number: int, level: str = "utterance", value: float = 0.0) -> Row:
    """Row 7 of every ten is missing, row 8 failed; the others hold arrays that depend on the number alone."""
    name = f"clip_{number:04d}"
    if number % 10 == 7:
        return Row(name, "missing", "no audio stream", f"key{number}")
    if number % 10 == 8:
        return Row(name, "failed", "not media", f"key{number}")
    frames = np.arange(3 * (number % 4 + 1), dtype=np.float32).reshape(-1, 3) + number + value
    row = Row(name, "ok", "", f"key{number}", utterance=frames.mean(axis=0))
    if level == "utterance":
        return row
    times = np.arange(len(frames)) / 10
    return replace(row, frames=frames, times=times, outputs={"probabilities": frames[:, :2] / 100})


def write(path: Path, numbers: range, provenance: Provenance = PROVENANCE, shard: int = 7) -> None:
    with FeatureWriter(path, provenance) as writer:
        rows = [toy_row(number, provenance.level) for number in numbers]
        for begin in range(0, len(rows), shard):
            writer.append(rows[begin : begin + shard])
        writer.pack([row.name for row in rows])


def test_reads_back_what_was_written(tmp_path: Path) -> None:
    path = tmp_path / "toy.h5"
    write(path, range(30))
    features = read_features(path)
    assert features.provenance == PROVENANCE
    assert features.names == tuple(f"clip_{number:04d}" for number in range(30))
    assert features.status[7] == "missing" and features.reason[7] == "no audio stream"
    assert features.mask.sum() == 24
    np.testing.assert_array_equal(features.utterance[12], toy_row(12).utterance)
    assert (features.utterance[~features.mask] == 0).all()
    with h5py.File(path) as file:
        assert np.isnan(file["utterance"][7]).all(), "rows that are not ok hold NaN on disk"
    assert not path.with_suffix(".parts").exists(), "shards are gone once they are packed"


def test_frames_by_clip(tmp_path: Path) -> None:
    path = tmp_path / "toy.h5"
    write(path, range(30), FRAME_PROVENANCE)
    with FrameReader(path) as reader:
        row, expected = reader["clip_0013"], toy_row(13, "frame")
        np.testing.assert_array_equal(row.frames, expected.frames)
        np.testing.assert_array_equal(row.times, expected.times)
        np.testing.assert_array_equal(row.outputs["probabilities"], expected.outputs["probabilities"])
        assert reader["clip_0008"].status == "failed" and reader["clip_0008"].frames is None
        with pytest.raises(InputError, match="no clip 'other'"):
            reader["other"]
    assert read_features(path).provenance == FRAME_PROVENANCE


def test_no_frames_to_read_is_said_with_the_next_step(tmp_path: Path) -> None:
    write(tmp_path / "toy.h5", range(3))
    with pytest.raises(InputError, match="--level frame"):
        FrameReader(tmp_path / "toy.h5")


def test_float16_on_disk_reads_as_float32(tmp_path: Path) -> None:
    path = tmp_path / "toy.h5"
    write(path, range(5), replace(PROVENANCE, dtype="float16"))
    with h5py.File(path) as file:
        assert file["utterance"].dtype == np.float16
    assert read_features(path).utterance.dtype == np.float32


def test_a_file_where_no_clip_is_ok(tmp_path: Path) -> None:
    path = tmp_path / "toy.h5"
    with FeatureWriter(path, FRAME_PROVENANCE) as writer:
        writer.append([toy_row(7), toy_row(8)])
        writer.pack(["clip_0007", "clip_0008"])
    assert read_features(path).utterance.shape == (2, 0)


def test_manifest_order_and_newest_row_count(tmp_path: Path) -> None:
    path = tmp_path / "toy.h5"
    write(path, range(10))
    with FeatureWriter(path, PROVENANCE) as writer:
        changed = toy_row(3, value=100.0)
        writer.append([toy_row(12), changed, toy_row(11)])
        writer.pack(["clip_0011", "clip_0003", "clip_0012"])
    features = read_features(path)
    assert features.names[:3] == ("clip_0011", "clip_0003", "clip_0012")
    assert len(features.names) == 12, "clips of a manifest that has shrunk keep their rows"
    np.testing.assert_array_equal(features.utterance[1], changed.utterance)


def test_failed_clips_are_tried_again_and_missing_ones_are_not(tmp_path: Path) -> None:
    write(tmp_path / "toy.h5", range(10))
    with FeatureWriter(tmp_path / "toy.h5", PROVENANCE) as writer:
        finished = writer.finished()
    assert "clip_0007" in finished and "clip_0008" not in finished
    assert finished["clip_0001"] == "key1"


def test_a_file_has_frames_for_all_clips_or_for_none(tmp_path: Path) -> None:
    path = tmp_path / "toy.h5"
    write(path, range(6))
    with FeatureWriter(path, FRAME_PROVENANCE) as writer:
        assert writer.finished() == {}, "rows without frames are extracted again when frames are asked for"
        writer.append([toy_row(number, "frame") for number in range(4)])
        writer.pack([f"clip_{number:04d}" for number in range(4)])
    assert len(read_features(path).names) == 4
    with FeatureWriter(path, PROVENANCE) as writer:
        assert writer.level == "frame", "a file with frames keeps them when only utterances are asked for"
        assert set(writer.finished()) == {f"clip_{number:04d}" for number in range(4)}


@pytest.mark.parametrize("part", ["encoder", "source", "revision", "recipe", "noise", "dtype", "compute_dtype"])
@pytest.mark.parametrize("packed", [True, False])
def test_refuses_another_provenance_with_both_values(tmp_path: Path, part: str, packed: bool) -> None:
    path = tmp_path / "toy.h5"
    with FeatureWriter(path, PROVENANCE) as writer:
        writer.append([toy_row(1)])
        if packed:
            writer.pack(["clip_0001"])
    other = replace(PROVENANCE, **{part: "float16" if part.endswith("dtype") else "other"})
    with pytest.raises(InputError) as error:
        FeatureWriter(path, other)
    assert repr(getattr(PROVENANCE, part)) in str(error.value) and repr(getattr(other, part)) in str(error.value)
    assert "--out" in str(error.value)


def test_a_file_that_does_not_say_what_it_was_computed_in_is_continued_in_float32(tmp_path: Path) -> None:
    path = tmp_path / "toy.h5"
    write(path, range(2))
    with h5py.File(path, "a") as file:
        assert file.attrs["compute_dtype"] == "float32"
        del file.attrs["compute_dtype"]
    assert read_features(path).provenance == PROVENANCE
    with pytest.raises(InputError, match="compute_dtype 'float32', now asked for is 'float16'"):
        FeatureWriter(path, replace(PROVENANCE, compute_dtype="float16"))
    with FeatureWriter(path, PROVENANCE) as writer:
        assert len(writer.finished()) == 2


@pytest.mark.parametrize("value", [np.nan, np.inf, -np.inf])
def test_refuses_nan_and_infinity_with_the_clip(tmp_path: Path, value: float) -> None:
    row = toy_row(1, "frame")
    row.frames[0, 1] = value
    with FeatureWriter(tmp_path / "toy.h5", FRAME_PROVENANCE) as writer:
        with pytest.raises(InputError, match="clip 'clip_0001' holds NaN or infinity in frames"):
            writer.append([toy_row(0, "frame"), row])
        assert writer.finished() == {}


def test_refuses_a_damaged_row_when_reading(tmp_path: Path) -> None:
    path = tmp_path / "toy.h5"
    write(path, range(3))
    with h5py.File(path, "r+") as file:
        file["utterance"][1, 0] = np.nan
    with pytest.raises(InputError, match="clip 'clip_0001' holds NaN"):
        read_features(path)


def test_refuses_files_that_are_none(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="no feature file"):
        read_features(tmp_path / "absent.h5")
    (tmp_path / "text.h5").write_text("hello")
    with pytest.raises(InputError, match="not an HDF5 file"):
        read_features(tmp_path / "text.h5")
    with h5py.File(tmp_path / "other.h5", "w") as file:
        file["x"] = 1
    with pytest.raises(InputError, match="no feature file of this suite"):
        read_features(tmp_path / "other.h5")
    with FeatureWriter(tmp_path / "begun.h5", PROVENANCE) as writer:
        writer.append([toy_row(1)])
    with pytest.raises(InputError, match=r"run the same extract\.py command again"):
        read_features(tmp_path / "begun.h5")


def test_one_writer_at_a_time(tmp_path: Path) -> None:
    with FeatureWriter(tmp_path / "toy.h5", PROVENANCE) as writer:
        writer.append([toy_row(1)])
        code = "import sys; from pathlib import Path; from test_mertools_feature_store import *\n"
        code += "FeatureWriter(Path(sys.argv[1]), PROVENANCE)"
        second = run_python(code, tmp_path / "toy.h5")
        _, errors = second.communicate(timeout=60)
        assert "Another process is writing" in errors.decode()


def test_vectors_by_name_in_any_order(tmp_path: Path) -> None:
    path = tmp_path / "toy.h5"
    write(path, range(30))
    wanted = ["clip_0012", "clip_0007", "clip_0003", "clip_0012"]
    with FeatureReader(path) as reader:
        vectors, mask = reader.vectors(wanted)
        assert mask.tolist() == [True, False, True, True]
        np.testing.assert_array_equal(vectors[[0, 2, 3]], [toy_row(n).utterance for n in (12, 3, 12)])
        assert (vectors[1] == 0).all(), "missing is zeros and a mask"
        row = reader["clip_0003"]
        np.testing.assert_array_equal(row.utterance, toy_row(3).utterance)
        assert row.frames is None and row.media_key == "key3"
        assert reader.vectors([])[0].shape == (0, 3)
        with pytest.raises(InputError, match="no clip 'other'"):
            reader.vectors(["other"])


def test_names_and_reasons_of_all_kinds(tmp_path: Path) -> None:
    path = tmp_path / "toy.h5"
    names = ["a", "样本_1", "with space 'quote'", "🙂" * 20]
    reasons = ["", "no\0t media", "bad name \udcff", "x" * 5000]
    with FeatureWriter(path, PROVENANCE) as writer:
        rows = [Row(name, "failed", reason) for name, reason in zip(names, reasons, strict=True)]
        writer.append(rows)
        writer.pack(names)
    features = read_features(path)
    assert features.names == tuple(names)
    assert features.reason == ("", "no\ufffdt media", "bad name \udcff", "x" * 5000)


def test_large_finite_values_are_no_damage(tmp_path: Path) -> None:
    row = Row("clip", "ok", utterance=np.full(3, 3e38, dtype=np.float32))
    with FeatureWriter(tmp_path / "toy.h5", PROVENANCE) as writer:
        writer.append([row])
        writer.pack([])
    np.testing.assert_array_equal(read_features(tmp_path / "toy.h5").utterance[0], row.utterance)


def test_packing_holds_a_piece_in_memory(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = tmp_path / "toy.h5"
    rng = np.random.default_rng(0)
    rows = [Row(f"{n}", "ok", utterance=np.zeros(3), frames=rng.random((2000, 64), np.float32)) for n in range(40)]
    with FeatureWriter(path, FRAME_PROVENANCE) as writer:
        for begin in range(0, 40, 4):
            writer.append(rows[begin : begin + 4])
        writer.pack([])
        writer.append([rows[0]])
        monkeypatch.setattr(clip_rows, "COPY_BYTES", 1 << 20)
        tracemalloc.start()
        writer.pack([row.name for row in reversed(rows)])
        peak = tracemalloc.get_traced_memory()[1]
        tracemalloc.stop()
    assert peak < 5 << 20 < path.stat().st_size / 3
    with FrameReader(path) as reader:
        assert reader.names[0] == "39"
        for row in rows:
            np.testing.assert_array_equal(reader[row.name].frames, row.frames)


FULL_DISK = textwrap.dedent(
    """
    import resource, signal, sys
    from dataclasses import replace
    from pathlib import Path
    import numpy as np
    from mertools.errors import InputError
    from test_mertools_feature_store import PROVENANCE, FeatureWriter, Row

    def row(number):
        return Row(f"clip_{number}", "ok", utterance=np.full(1000, number, dtype=np.float32))

    signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
    with FeatureWriter(Path(sys.argv[1]), replace(PROVENANCE, columns=())) as writer:
        for begin in range(0, 30, 10):
            writer.append([row(number) for number in range(begin, begin + 10)])
        resource.setrlimit(resource.RLIMIT_FSIZE, (100_000, resource.RLIM_INFINITY))
        for act in (
            lambda: writer.append([row(number) for number in range(30, 130)]),
            lambda: writer.pack([]),
        ):
            try:
                act()
            except InputError as error:
                print(error)
        writer.append([row(30)])
        resource.setrlimit(resource.RLIMIT_FSIZE, (resource.RLIM_INFINITY, resource.RLIM_INFINITY))
        writer.pack([])
    """
)


def test_a_full_disk_is_one_clear_error_and_the_store_stays_valid(tmp_path: Path) -> None:
    pytest.importorskip("resource", reason="file sizes cannot be limited on this system")
    path = tmp_path / "toy.h5"
    process = run_python(FULL_DISK, path)
    output, errors = process.communicate(timeout=60)
    assert process.returncode == 0, errors.decode()
    assert errors == b"", "HDF5 has nothing to say"
    first, second = output.decode().splitlines()
    for line in (first, second):
        assert "cannot be written: File too large. What was stored before is kept" in line
    assert "00000003.h5" in first and str(path) in second
    features = read_features(path)
    assert len(features.names) == 31 and features.mask.all()
    assert [vector[0] for vector in features.utterance] == list(range(31))
    assert list(tmp_path.iterdir()) == [path]


def test_an_interrupted_write_leaves_nothing_behind(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def interrupted(*_: object) -> None:
        raise KeyboardInterrupt

    path = tmp_path / "toy.h5"
    with FeatureWriter(path, PROVENANCE) as writer:
        writer.append([toy_row(1)])
        with monkeypatch.context() as patch, pytest.raises(KeyboardInterrupt):
            patch.setattr(shards._Disk, "_write", interrupted)
            writer.append([toy_row(2)])
        writer.append([toy_row(3)])
        writer.pack([])
    assert read_features(path).names == ("clip_0001", "clip_0003")


# ---- merging --------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("provenance", [PROVENANCE, FRAME_PROVENANCE], ids=["utterance", "frame"])
def test_merging_the_files_of_several_machines_gives_the_file_of_one(tmp_path: Path, provenance: Provenance) -> None:
    for number in range(3):
        write(tmp_path / f"{number}.h5", range(10 * number, 10 * number + 12), provenance)
    write(tmp_path / "whole.h5", range(32), provenance)
    order = [f"clip_{number:04d}" for number in range(32)]
    merge([tmp_path / f"{number}.h5" for number in (2, 0, 1)], tmp_path / "merged.h5", order)
    assert_same_file(tmp_path / "merged.h5", tmp_path / "whole.h5")
    assert not (tmp_path / "merged.parts").exists()


def test_merging_into_one_of_the_files(tmp_path: Path) -> None:
    write(tmp_path / "a.h5", range(5))
    write(tmp_path / "b.h5", range(5, 9))
    merge([tmp_path / "a.h5", tmp_path / "b.h5"], tmp_path / "a.h5")
    assert len(read_features(tmp_path / "a.h5").names) == 9


def test_the_best_row_of_a_clip_counts_in_a_merge(tmp_path: Path) -> None:
    rows = {"ok": toy_row(1), "missing": Row("clip_0001", "missing", "no face"), "failed": Row("clip_0001", "failed")}
    for status, row in rows.items():
        with FeatureWriter(tmp_path / f"{status}.h5", PROVENANCE) as writer:
            writer.append([row])
            writer.pack([])
    merge([tmp_path / f"{status}.h5" for status in ("failed", "missing")], tmp_path / "two.h5")
    assert read_features(tmp_path / "two.h5").status == ("missing",)
    merge([tmp_path / f"{status}.h5" for status in ("failed", "ok", "missing")], tmp_path / "three.h5")
    assert read_features(tmp_path / "three.h5").status == ("ok",)


def test_a_merge_that_is_stopped_leaves_its_files_alone(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def stopped(*_: object) -> None:
        raise KeyboardInterrupt

    write(tmp_path / "a.h5", range(5))
    write(tmp_path / "b.h5", range(5, 9))
    before = (tmp_path / "a.h5").read_bytes()
    with monkeypatch.context() as patch, pytest.raises(KeyboardInterrupt):
        patch.setattr(feature_store, "copy_rows", stopped)
        merge([tmp_path / "a.h5", tmp_path / "b.h5"], tmp_path / "a.h5")
    assert (tmp_path / "a.h5").read_bytes() == before
    assert sorted(path.name for path in tmp_path.iterdir()) == ["a.h5", "b.h5"]


@pytest.mark.parametrize(
    ("part", "value"),
    [
        ("revision", "2"),
        ("recipe", "sum"),
        ("noise", "musan"),
        ("compute_dtype", "float16"),
        ("level", "frame"),
        ("columns", ()),
    ],
)
def test_merging_refuses_another_provenance_with_both_values(tmp_path: Path, part: str, value: object) -> None:
    write(tmp_path / "a.h5", range(5))
    write(tmp_path / "b.h5", range(5), replace(PROVENANCE, **{part: value}))
    with pytest.raises(InputError, match=part) as error:
        merge([tmp_path / "a.h5", tmp_path / "b.h5"], tmp_path / "c.h5")
    assert repr(getattr(PROVENANCE, part)) in str(error.value) and repr(value) in str(error.value)
    assert not (tmp_path / "c.h5").exists()


def test_merging_refuses_what_would_lose_rows(tmp_path: Path) -> None:
    a, b, c = (tmp_path / f"{name}.h5" for name in "abc")
    write(a, range(5))
    write(b, range(5))
    with FeatureWriter(b, PROVENANCE) as writer:
        writer.append([toy_row(9)])
    with pytest.raises(InputError, match=r"b\.h5 is unfinished"):
        merge([a, b], c)
    write(c, range(2))
    with pytest.raises(InputError, match=r"c\.h5 exists already"):
        merge([a], c)
    with FeatureWriter(tmp_path / "d.h5", PROVENANCE) as writer:
        writer.append([replace(toy_row(1), media_key="other")])
        writer.pack([])
    with pytest.raises(InputError, match="clip 'clip_0001' of different media"):
        merge([a, tmp_path / "d.h5"], tmp_path / "e.h5")
    with FeatureWriter(tmp_path / "f.h5", PROVENANCE) as writer:
        writer.append([Row("long", "ok", utterance=np.zeros(4))])
        writer.pack([])
    with pytest.raises(InputError, match="they cannot be one file"):
        merge([a, tmp_path / "f.h5"], tmp_path / "e.h5")


EXTRACTION = textwrap.dedent(
    """
    import sys, time
    from pathlib import Path
    from test_mertools_feature_store import FRAME_PROVENANCE, FeatureWriter, toy_row

    COUNT, BLOCK = 120, 6
    with FeatureWriter(Path(sys.argv[1]), FRAME_PROVENANCE) as writer:
        finished = writer.finished()
        print("opened", flush=True)
        for begin in range(0, COUNT, BLOCK):
            rows = [toy_row(number, "frame") for number in range(begin, begin + BLOCK)]
            rows = [row for row in rows if row.name not in finished]
            if rows:
                writer.append(rows)
                print("acknowledged", *(row.name for row in rows if row.status != "failed"), flush=True)
                time.sleep(0.002)
        writer.pack([f"clip_{number:04d}" for number in range(COUNT)])
        print("packed", flush=True)
    """
)


def run_python(code: str, *arguments: object) -> subprocess.Popen[bytes]:
    environment = {**os.environ, "PYTHONPATH": str(Path(__file__).parent)}
    return subprocess.Popen(
        [sys.executable, "-c", code, *map(str, arguments)],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        env=environment,
    )


def test_sigkill_at_twenty_random_moments_loses_nothing_acknowledged(tmp_path: Path) -> None:
    whole = run_python(EXTRACTION, tmp_path / "whole.h5")
    assert b"packed" in whole.communicate(timeout=60)[0]
    path, draw, acknowledged, kills, moments = tmp_path / "killed.h5", random.Random(0), set(), 0, []
    while kills < 20:
        process = run_python(EXTRACTION, path)
        assert process.stdout is not None
        first = process.stdout.readline()
        assert first == b"opened\n", process.communicate()[1].decode()
        # However slow the disk is, the kills fall into different stages of the work.
        read = b"".join(process.stdout.readline() for _ in range(draw.randrange(6)))
        time.sleep(draw.uniform(0, 0.01))
        process.send_signal(signal.SIGKILL)
        rest = (read + process.communicate()[0]).decode()
        acknowledged |= {word for line in rest.splitlines() for word in line.split() if word.startswith("clip_")}
        kills += 1
        moments.append(len(acknowledged))
        with FeatureWriter(path, FRAME_PROVENANCE) as writer:
            assert acknowledged <= set(writer.finished())
        if "packed" in rest:
            # Finished before the kill: begin another file, so that every kill falls into work.
            assert_same_file(path, tmp_path / "whole.h5")
            path.unlink()
            acknowledged.clear()
    last = run_python(EXTRACTION, path)
    assert b"packed" in last.communicate(timeout=60)[0]
    assert_same_file(path, tmp_path / "whole.h5")
    assert len(set(moments)) > 3, "the kills fell into different stages of the work"


def assert_same_file(one: Path, other: Path) -> None:
    with h5py.File(one) as left, h5py.File(other) as right:
        assert dict(left.attrs) == dict(right.attrs)
        assert set(left) == set(right)
        for name in left:
            assert left[name].dtype == right[name].dtype
            assert left[name][:].tobytes() == right[name][:].tobytes() or list(left[name][:]) == list(right[name][:]), (
                name
            )
