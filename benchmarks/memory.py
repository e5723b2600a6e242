"""Whether the memory of an extraction depends on the number of clips.

    python benchmarks/memory.py --out DIR

Clips are generated once (`mertools data demo`) and named again and again in manifests of 200 and of 2,000 rows. Each is
extracted by `extract.py` with the embedded features; printed are the peaks of the main process and of its largest
worker, and their ratios. Exits with status 1 where a ratio is above the limit. Reads /proc: Linux alone.
"""

from __future__ import annotations

import argparse
import subprocess
import sys
import time
from dataclasses import replace
from pathlib import Path

from mertools.corpus import read_manifest, write_manifest

FEATURES = ("egemaps", "face-expression", "minilm")
COUNTS = (200, 2000)
LIMIT = 1.10
LOOK_EVERY_SECONDS = 0.2


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--out", type=Path, required=True, help="folder for clips and features; kept")
    parser.add_argument("--workers", type=int, default=2)
    options = parser.parse_args()
    words = ["--out", str(options.out), "--clips", str(COUNTS[0])]
    subprocess.run([sys.executable, "-m", "mertools", "data", "demo", *words], check=True, stdout=subprocess.DEVNULL)
    peaks = [peak_megabytes(options.out, count, options.workers) for count in COUNTS]
    ratios = [many / few for few, many in zip(*peaks, strict=True)]
    for name, few, many, ratio in zip(("main process", "largest worker"), *peaks, ratios, strict=True):
        print(f"{name}: {few:.0f} MB for {COUNTS[0]} clips, {many:.0f} MB for {COUNTS[1]}; {ratio:.3f} (limit {LIMIT})")
    return int(max(ratios) > LIMIT)


def peak_megabytes(folder: Path, count: int, workers: int) -> tuple[float, float]:
    """The peaks of the main process and of its largest worker while `count` clips are extracted."""
    clips = read_manifest(folder / "manifest.csv").clips
    manifest = folder / f"manifest-{count}.csv"
    write_manifest(
        manifest, [replace(clips[number % len(clips)], name=f"clip-{number:05d}") for number in range(count)]
    )
    features = folder / f"features-{count}-{time.time_ns()}"
    words = ["--data", str(manifest), "--out", str(features), "--workers", str(workers), "--feature", *FEATURES]
    process = subprocess.Popen(
        [sys.executable, "-m", "mertools", "extract", *words], stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL
    )
    largest = {True: 0, False: 0}
    while process.poll() is None:
        for one in family(process.pid):
            largest[one == process.pid] = max(largest[one == process.pid], peak_kilobytes(one))
        time.sleep(LOOK_EVERY_SECONDS)
    if process.returncode:
        raise SystemExit(f"extracting {count} clips ended with status {process.returncode}")
    return largest[True] / 1024, largest[False] / 1024


def family(process: int) -> list[int]:
    """The process and all its descendants."""
    found = [process]
    for one in found:
        try:
            lists = [task.read_text() for task in Path(f"/proc/{one}/task").glob("*/children")]
        except OSError:
            continue
        found += [int(child) for text in lists for child in text.split()]
    return found


def peak_kilobytes(process: int) -> int:
    """The largest resident size of a process so far; 0 where it has ended."""
    try:
        lines = Path(f"/proc/{process}/status").read_text().splitlines()
    except OSError:
        return 0
    return next((int(line.split()[1]) for line in lines if line.startswith("VmHWM:")), 0)


if __name__ == "__main__":
    sys.exit(main())
