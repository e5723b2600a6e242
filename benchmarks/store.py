"""What the feature store costs against plain arrays and against one `.npy` a clip.

    python benchmarks/store.py --folder DIR

Printed are ratios of medians, all measured in one run with the sides taking turns, files in the page cache:

- reading every vector into memory: the store with its names, statuses and check for NaN, over `np.load` of the array
  alone (at most 1.5). The store maps the file and touches every page of it, `np.load` copies: so both are timed a
  second time with a sum over all values, which is what a user of the array sees;
- 2,000 random rows: the opened store by clip name, over a memory-mapped array by row (at most 10);
- one `.npy` a clip, as the released code stores features, over the store (at least 20): written and read for
  --files clips and scaled up to --clips, for a small file costs the same whatever their number.

Everything is written to a new folder inside --folder, about three times clips x dim x 4 bytes, and removed at the end.
"""

from __future__ import annotations

import argparse
import statistics
import tempfile
import time
from collections.abc import Callable, Mapping
from pathlib import Path

import numpy as np

from mertools.feature_store import FeatureReader, FeatureWriter, Provenance, Row, read_features

BLOCK = 1024
"""Clips that share a shard while the store is written."""


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--folder", type=Path, required=True, help="where to write, on the disk that is to be measured")
    parser.add_argument("--clips", type=int, default=115_595)
    parser.add_argument("--dim", type=int, default=1024)
    parser.add_argument("--rows", type=int, default=2_000, help="random rows that are read")
    parser.add_argument("--files", type=int, default=20_000, help="clips stored as one .npy each")
    parser.add_argument("--repeats", type=int, default=7)
    options = parser.parse_args()
    options.folder.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(dir=options.folder) as folder:
        measure(Path(folder), options)


def measure(folder: Path, options: argparse.Namespace) -> None:
    rng = np.random.default_rng(0)
    names = [f"sample_{number:08d}" for number in range(options.clips)]
    vectors = rng.standard_normal((options.clips, options.dim), dtype=np.float32)
    array, store, files = folder / "array.npy", folder / "store.h5", folder / "files"
    np.save(array, vectors)
    seconds = timed(lambda: write_store(store, names, vectors))
    print(f"store written, shards and packing: {seconds:.1f} s for {options.clips} x {options.dim}")
    count = min(options.files, options.clips)
    seconds = timed(lambda: write_files(files, names[:count], vectors[:count]))
    print(f"one .npy a clip written: {seconds:.1f} s for {count}, {seconds * options.clips / count:.1f} s scaled")

    whole = medians(
        {
            "np.load": lambda: np.load(array),
            "store": lambda: read_features(store),
        },
        options.repeats,
    )
    compare("every vector", whole, "store", "np.load", "at most 1.5")
    used = medians(
        {
            "np.load": lambda: np.load(array).sum(),
            "store": lambda: read_features(store).utterance.sum(),
        },
        options.repeats,
    )
    compare("every vector, and their sum", used, "store", "np.load", "at most 1.5")

    mapped = np.load(array, mmap_mode="r")
    with FeatureReader(store) as reader:
        rows = rng.choice(options.clips, min(options.rows, options.clips), replace=False)
        wanted = [names[row] for row in rows]
        random = medians(
            {"memory-mapped": lambda: mapped[rows], "store": lambda: reader.vectors(wanted)}, options.repeats
        )
    compare(f"{len(rows)} random rows", random, "store", "memory-mapped", "at most 10")

    small = medians(
        {
            "one .npy a clip": lambda: np.stack([np.load(files / f"{name}.npy") for name in names[:count]]),
            "store": lambda: read_features(store),
        },
        min(options.repeats, 3),
    )
    small["one .npy a clip"] *= options.clips / count
    compare(f"every vector, files scaled from {count}", small, "one .npy a clip", "store", "at least 20")


def write_store(path: Path, names: list[str], vectors: np.ndarray) -> None:
    provenance = Provenance("store", "audio", "benchmark", "generated", "", "")
    with FeatureWriter(path, provenance) as writer:
        for begin in range(0, len(names), BLOCK):
            block = zip(names[begin : begin + BLOCK], vectors[begin : begin + BLOCK], strict=True)
            writer.append([Row(name, "ok", media_key=f"{hash(name):032x}", utterance=vector) for name, vector in block])
        writer.pack(names)


def write_files(folder: Path, names: list[str], vectors: np.ndarray) -> None:
    folder.mkdir()
    for name, vector in zip(names, vectors, strict=True):
        np.save(folder / f"{name}.npy", vector)


def medians(sides: Mapping[str, Callable[[], object]], repeats: int) -> dict[str, float]:
    """Median seconds of each side over `repeats` rounds in which they take turns; a first round does not count."""
    seconds: dict[str, list[float]] = {name: [] for name in sides}
    for _ in range(repeats + 1):
        for name, side in sides.items():
            seconds[name].append(timed(side))
    return {name: statistics.median(values[1:]) for name, values in seconds.items()}


def timed(work: Callable[[], object]) -> float:
    begin = time.perf_counter()
    work()
    return time.perf_counter() - begin


def compare(what: str, seconds: Mapping[str, float], slow: str, fast: str, wanted: str) -> None:
    times = ", ".join(f"{name} {1e3 * value:.1f} ms" for name, value in seconds.items())
    print(f"{what}: {slow} over {fast} {seconds[slow] / seconds[fast]:.2f} (wanted: {wanted}); {times}")


if __name__ == "__main__":
    main()
