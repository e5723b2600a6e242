"""A run that is killed, wherever it stands, and continued ends in the file of one that was not."""

from __future__ import annotations

import os
import random
import subprocess
import sys
import time
from pathlib import Path

import h5py
import pytest
from test_feature_extractors_opensmile import voice, write_wav

SCRIPT = """
import pathlib, sys, time

sys.path.insert(0, {tests!r})
from test_feature_extractors_runner import Toy

from feature_extractors import runner
from feature_extractors.catalog import card
from feature_extractors.encoder import build
from mertools.clip import Clip

TROUBLE = {{5: "missing", 9: "nan", 30: "partial"}}


class Slow(Toy):
    def prepare(self, clip):
        time.sleep(0.03)
        return super().prepare(clip)


def clip(number):
    subtitle = TROUBLE.get(number, "x" * (1 + number * 7 % 5))
    return Clip(f"clip {{number}}", audio=pathlib.Path({sound!r}), subtitle=subtitle)


if __name__ == "__main__":
    runner.BLOCK = 8
    encoders = [Slow(), build(card("egemaps"))]
    clips = [clip(number) for number in range(64)]
    runner.extract(clips, encoders, pathlib.Path(sys.argv[1]), level="frame", workers=4, batch_size=3)
"""


@pytest.mark.skipif(sys.platform == "win32", reason="POSIX signals")
@pytest.mark.parametrize("kills", [3, pytest.param(30, marks=[pytest.mark.slow, pytest.mark.timeout(1800)])])
def test_killed_at_random_moments(tmp_path: Path, kills: int) -> None:
    write_wav(tmp_path / "voice.wav", voice(0.3))
    script = tmp_path / "run.py"
    script.write_text(SCRIPT.format(tests=str(Path(__file__).parent), sound=str(tmp_path / "voice.wav")))
    begin = time.monotonic()
    assert extract_within(script, tmp_path / "whole", seconds=None)
    longest = time.monotonic() - begin
    whole = arrays(tmp_path / "whole")
    assert set(whole) >= {"toy.h5/frames", "egemaps.h5/utterance", "egemaps.h5/reason"}
    generator, folders, interrupted = random.Random(0), 0, 0
    folder = tmp_path / "0"
    while interrupted < kills:
        if not extract_within(script, folder, generator.uniform(0, longest)):
            interrupted += 1
            continue
        assert arrays(folder) == whole
        folders += 1
        folder = tmp_path / str(folders)
    assert extract_within(script, folder, seconds=None)
    assert arrays(folder) == whole


def extract_within(script: Path, folder: Path, seconds: float | None) -> bool:
    """Run the script; whether it ended within `seconds`, after which it is killed."""
    environment = {**os.environ, "PYTHONPATH": str(Path(__file__).parent.parent)}
    process = subprocess.Popen([sys.executable, str(script), str(folder)], env=environment, stderr=subprocess.PIPE)
    try:
        _, errors = process.communicate(timeout=seconds)
    except subprocess.TimeoutExpired:
        process.kill()
        process.communicate()
        return False
    assert process.returncode == 0, errors.decode()
    return True


def arrays(folder: Path) -> dict[str, bytes]:
    """The bytes of every dataset of every feature file."""
    contents = {}
    for path in folder.glob("*.h5"):
        with h5py.File(path) as file:
            for name, dataset in file.items():
                values = dataset[:]
                texts = values.dtype == object
                contents[f"{path.name}/{name}"] = b"\0".join(values) if texts else values.tobytes()
    return contents
