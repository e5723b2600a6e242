"""Utterances: when somebody speaks in a clip, for MicroEmo's windows; from a file, or from voiced frames."""

from __future__ import annotations

import csv
import math
from collections.abc import Iterator
from pathlib import Path

import numpy as np

from mertools.clip_rows import OK
from mertools.errors import InputError
from mertools.explain.stored_frames import Windows
from mertools.feature_store import FrameReader, read_provenance

COLUMNS = ("name", "begin", "end")
PITCH = "F0semitoneFrom27.5Hz_sma3nz"
"""The eGeMAPS frame output that is 0 where nothing is voiced."""

PAUSE_SECONDS = 0.3
"""A longer silence parts two utterances: within one, unvoiced sounds and stops are shorter."""

SHORTEST_SECONDS = 0.1


def read_utterances(path: Path) -> Windows:
    """The utterances of clips: a CSV with columns name, begin, end (seconds), a row an utterance, as subtitles or a
    recogniser tell them; or the feature file of eGeMAPS frames, of which stretches of voice are taken.

    Raises InputError for a file that is neither, with the row (the header is row 1).
    """
    return _voiced(path) if path.suffix == ".h5" else _listed(path)


def stretches(voiced: np.ndarray, times: np.ndarray) -> Iterator[tuple[float, float]]:
    """Beginnings and ends in seconds of stretches of `voiced` (T,) frames at `times` (T,), over short pauses."""
    spoken = times[voiced]
    if not len(spoken):
        return
    parts = np.split(spoken, np.flatnonzero(np.diff(spoken) > PAUSE_SECONDS) + 1)
    for part in parts:
        if part[-1] - part[0] >= SHORTEST_SECONDS:
            yield float(part[0]), float(part[-1])


def _voiced(path: Path) -> Windows:
    columns = read_provenance(path).frame_columns.get("frames", ())
    if PITCH not in columns:
        raise InputError(
            f"{path} has no frames of pitch, which tell when somebody speaks. Wanted egemaps.h5, or a CSV."
        )
    pitch = columns.index(PITCH)
    with FrameReader(path) as reader:
        rows = ((name, reader[name]) for name in reader.names)
        return {name: tuple(stretches(row.frames[:, pitch] > 0, row.times)) for name, row in rows if row.status == OK}


def _listed(path: Path) -> Windows:
    found: dict[str, list[tuple[float, float]]] = {}
    try:
        with path.open(encoding="utf-8-sig", newline="") as file:
            reader = csv.DictReader(file, restval="")
            if lacking := [column for column in COLUMNS if column not in (reader.fieldnames or ())]:
                raise InputError(f"{path}, row 1: column {lacking[0]!r} is missing; wanted {','.join(COLUMNS)}.")
            for number, row in enumerate(reader, start=2):
                found.setdefault(row["name"].strip(), []).append(_window(path, number, row["begin"], row["end"]))
    except FileNotFoundError:
        raise InputError(f"There is no file of utterances {path}.") from None
    except UnicodeDecodeError:
        raise InputError(f"{path} is not UTF-8. Save it as UTF-8.") from None
    return {name: tuple(windows) for name, windows in found.items()}


def _window(path: Path, number: int, begin: str, end: str) -> tuple[float, float]:
    try:
        window = float(begin), float(end)
    except ValueError:
        window = math.nan, math.nan
    if not (0 <= window[0] <= window[1] < math.inf):
        raise InputError(
            f"{path}, row {number}: got {begin!r} to {end!r}, wanted seconds, the end not before the begin."
        )
    return window
