"""When somebody speaks: from a file, or from voiced frames."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from mertools.errors import InputError
from mertools.explain.utterances import PITCH, read_utterances, stretches
from mertools.feature_store import FeatureWriter, Provenance, Row


def test_a_pause_parts_utterances_and_a_stop_does_not() -> None:
    times = np.arange(300) / 100
    voiced = np.zeros(300, dtype=bool)
    voiced[20:60] = voiced[75:120] = voiced[200:260] = voiced[298:] = True
    assert list(stretches(voiced, times)) == [(0.2, 1.19), (2.0, 2.59)]
    assert list(stretches(~voiced & False, times)) == []


def test_voiced_frames_are_utterances(tmp_path: Path) -> None:
    provenance = Provenance(
        "egemaps", "audio", "o", "s", "1", "{}", level="frame", frame_columns={"frames": ("Loudness_sma3", PITCH)}
    )
    frames = np.zeros((100, 2), np.float32)
    frames[10:50, 1] = 20
    row = Row("a", "ok", utterance=frames[0], frames=frames, times=np.arange(100) / 100)
    with FeatureWriter(tmp_path / "egemaps.h5", provenance) as writer:
        writer.append([row, Row("b", "missing", "no sound")])
        writer.pack(["a", "b"])
    assert read_utterances(tmp_path / "egemaps.h5") == {"a": ((0.1, 0.49),)}


def test_a_list_gives_each_clip_its_utterances(tmp_path: Path) -> None:
    path = tmp_path / "utterances.csv"
    path.write_text("name,begin,end,text\na,0.0,1.5,hello\nb,1,2,\na,2.0,3.25,there\n", encoding="utf-8")
    assert read_utterances(path) == {"a": ((0.0, 1.5), (2.0, 3.25)), "b": ((1.0, 2.0),)}


@pytest.mark.parametrize(
    ("content", "wanted"),
    [("name,begin\na,1\n", "column 'end' is missing"), ("name,begin,end\na,2,1\n", "row 2: got '2' to '1'")],
)
def test_what_is_no_list_of_utterances_is_refused(content: str, wanted: str, tmp_path: Path) -> None:
    path = tmp_path / "utterances.csv"
    path.write_text(content, encoding="utf-8")
    with pytest.raises(InputError, match=wanted):
        read_utterances(path)
