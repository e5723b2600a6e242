"""`mertools features export`: a feature file as one .npy a clip, or as a Parquet table."""

from __future__ import annotations

import itertools
import json
import sys
from collections.abc import Iterator, Sequence
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from mertools.commands.command_line import make_parser
from mertools.errors import InputError

if TYPE_CHECKING:
    from mertools.feature_store import FeatureReader, Row

BLOCK = 256
"""Clips that are in memory at once, and share a row group of a Parquet file."""

EXAMPLES = """\
  mertools features export features/egemaps.h5 --to npy --out eGeMAPS_UTT
  mertools features export features/egemaps.h5 --to parquet --out tables"""


def main(arguments: Sequence[str] | None = None) -> int:
    """Parse, load, work, tell; returns the exit status."""
    parser = make_parser(
        "mertools features export",
        "Write a feature file for other tools. npy: one <name>.npy a clip, as the challenge's released code reads\n"
        "them, a vector (D,) or with --level frame the frames (T, D). parquet: one table <feature>.parquet, a row a\n"
        "clip, or with --level frame a row a frame.",
        EXAMPLES,
    )
    parser.add_argument("file", type=Path, metavar="FILE", help="a feature file")
    parser.add_argument("--to", choices=("npy", "parquet"), required=True, help="what to write")
    parser.add_argument("--out", type=Path, required=True, metavar="DIR", help="the folder to write into")
    parser.add_argument("--level", choices=("utterance", "frame"), default="utterance", help="vectors or frames")
    parser.add_argument(
        "--zeros",
        action="store_true",
        help="npy: write zeros for clips that are not ok, as the released code does for an empty text; "
        "by default they get no file",
    )
    options = parser.parse_args(arguments)

    from mertools.feature_store import FeatureReader, FrameReader

    with (FrameReader if options.level == "frame" else FeatureReader)(options.file) as reader:
        try:
            options.out.mkdir(parents=True, exist_ok=True)
            if options.to == "npy":
                written = _write_arrays(reader, options.out, options.level, options.zeros)
            else:
                written = _write_table(reader, options.out, options.level)
        except OSError as error:
            raise InputError(
                f"{options.file} cannot be exported to {options.out}: {error.strerror or error}. "
                "The same command begins again."
            ) from error
        sys.stdout.write(f"{options.out}: {written} of {len(reader.names)} clips\n")
    return 0


def _write_arrays(reader: FeatureReader, folder: Path, level: str, zeros: bool) -> int:
    """Write an array a clip; gives how many."""
    written = 0
    for row in _rows(reader):
        if {"/", "\\", "\0"} & set(row.name) or row.name in ("", ".", ".."):
            raise InputError(f"{reader.path}: clip {row.name!r} cannot be the name of a file.")
        array = row.utterance if level == "utterance" else row.frames
        if array is None:
            if not zeros:
                continue
            array = np.zeros(reader.dim if level == "utterance" else (1, *reader.frame_shape))
        temporary = folder / f".{row.name}.tmp"
        with temporary.open("wb") as file:
            np.save(file, array.astype(np.float32, copy=False))
        temporary.replace(folder / f"{row.name}.npy")
        written += 1
    return written


def _write_table(reader: FeatureReader, folder: Path, level: str) -> int:
    """Write the table; gives how many of its clips are ok."""
    try:
        import pyarrow
        import pyarrow.parquet
    except ImportError:
        raise InputError("Parquet needs the package pyarrow. Run: pip install pyarrow") from None
    from mertools.clip_rows import OK
    from mertools.feature_store import read_provenance

    if level == "frame" and len(reader.frame_shape) != 1:
        raise InputError(
            f"A frame of {reader.path} has the shape {reader.frame_shape}, a table's row is one vector. Use --to npy."
        )
    provenance = asdict(read_provenance(reader.path))
    vector = pyarrow.list_(pyarrow.float32(), reader.dim if level == "utterance" else reader.frame_shape[0])
    columns = {"name": pyarrow.string(), "status": pyarrow.string(), "reason": pyarrow.string()}
    if level == "frame":
        columns = {"name": pyarrow.string(), "frame": pyarrow.int32(), "seconds": pyarrow.float64()}
    schema = pyarrow.schema(
        {**columns, "vector": vector}, metadata={"provenance": json.dumps(provenance, ensure_ascii=False)}
    )
    target = folder / f"{provenance['feature']}.parquet"
    temporary = folder / f".{target.name}.tmp"
    ok = 0
    try:
        with pyarrow.parquet.ParquetWriter(temporary, schema) as writer:
            rows = _rows(reader)
            while block := list(itertools.islice(rows, BLOCK)):
                ok += sum(row.status == OK for row in block)
                cells = _clip_cells(block) if level == "utterance" else _frame_cells(block)
                writer.write_table(pyarrow.table(cells, schema))
        temporary.replace(target)
    finally:
        temporary.unlink(missing_ok=True)
    return ok


def _clip_cells(rows: Sequence[Row]) -> dict[str, list]:
    return {
        "name": [row.name for row in rows],
        "status": [row.status for row in rows],
        "reason": [row.reason for row in rows],
        "vector": [row.utterance for row in rows],
    }


def _frame_cells(rows: Sequence[Row]) -> dict[str, list]:
    rows = [row for row in rows if row.frames is not None]
    return {
        "name": [row.name for row in rows for _ in row.frames],
        "frame": [number for row in rows for number in range(len(row.frames))],
        "seconds": [time for row in rows for time in ([None] * len(row.frames) if row.times is None else row.times)],
        "vector": [frame for row in rows for frame in row.frames],
    }


def _rows(reader: FeatureReader) -> Iterator[Row]:
    return (reader[name] for name in reader.names)
