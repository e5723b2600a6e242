"""The store keeps what it acknowledged, whatever kills it, and refuses what does not belong together."""

from __future__ import annotations

import os
import random
import signal
import subprocess
import sys
import textwrap
import time
from dataclasses import replace
from pathlib import Path

import h5py
import numpy as np
import pytest

from mertools.errors import InputError
from mertools.feature_store import FeatureWriter, FrameReader, Provenance, Row, read_features

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


@pytest.mark.parametrize("part", ["encoder", "source", "revision", "recipe", "noise", "dtype"])
@pytest.mark.parametrize("packed", [True, False])
def test_refuses_another_provenance_with_both_values(tmp_path: Path, part: str, packed: bool) -> None:
    path = tmp_path / "toy.h5"
    with FeatureWriter(path, PROVENANCE) as writer:
        writer.append([toy_row(1)])
        if packed:
            writer.pack(["clip_0001"])
    other = replace(PROVENANCE, **{part: "float16" if part == "dtype" else "other"})
    with pytest.raises(InputError) as error:
        FeatureWriter(path, other)
    assert repr(getattr(PROVENANCE, part)) in str(error.value) and repr(getattr(other, part)) in str(error.value)
    assert "--out" in str(error.value)


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
        time.sleep(draw.uniform(0, 0.04))
        process.send_signal(signal.SIGKILL)
        rest = process.communicate()[0].decode()
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
