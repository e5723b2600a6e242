"""The runner's memory does not grow with the corpus."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

SCRIPT = """
import pathlib, resource, sys

sys.path.insert(0, {tests!r})
from test_feature_extractors_runner import Toy, clips, run

if __name__ == "__main__":
    folder, count = pathlib.Path(sys.argv[1]), int(sys.argv[2])
    run(folder, clips(*["x" * 800] * count), Toy("one"), Toy("two"), level="frame", workers=2)
    print(*(resource.getrusage(who).ru_maxrss for who in (resource.RUSAGE_SELF, resource.RUSAGE_CHILDREN)))
"""


@pytest.mark.skipif(sys.platform == "win32", reason="POSIX resource usage")
def test_ten_times_the_clips_take_no_more_memory(tmp_path: Path) -> None:
    script = tmp_path / "run.py"
    script.write_text(SCRIPT.format(tests=str(Path(__file__).parent)))
    few, many = (peaks(script, tmp_path / str(count), count) for count in (200, 2000))
    for process, before, after in zip(("main process", "workers"), few, many, strict=True):
        assert after < 1.1 * before, process


def peaks(script: Path, folder: Path, clips: int) -> list[int]:
    """The peak memory of the main process and of the largest worker."""
    environment = {**os.environ, "PYTHONPATH": str(Path(__file__).parent.parent)}
    words = [sys.executable, str(script), str(folder), str(clips)]
    printed = subprocess.run(words, env=environment, check=True, capture_output=True, text=True).stdout
    return [int(word) for word in printed.split()]
