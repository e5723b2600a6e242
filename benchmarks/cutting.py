"""Cut a generated film of ten minutes, by voice activity and by subtitles: what is found, how exactly, and how fast.

    python benchmarks/cutting.py [--minutes 10] [--workers 2] [--folder DIR]

Exits with 1 where a target is missed: at least 95 % of the utterances of one speaker and one face found with both ends
within 0.2 s, every planted fault rejected for its reason, and a time over the film's duration below 1, by subtitles
below 0.5. Utterances whose length is within 0.2 s of the limit of 2 s may be found or be too short.
"""

from __future__ import annotations

import argparse
import csv
import subprocess
import sys
import tempfile
import time
from collections.abc import Sequence
from pathlib import Path

import numpy as np

from mertools.media import stated_seconds
from mertools.prepare.demo_film import EXPECTED, PLAIN, SHORT, Turn, generate_film
from mertools.prepare.pieces import TOO_SHORT, Limits

BOUNDARY_SECONDS = 0.2
FOUND_SHARE = 0.95
MOST_TIME = {"speech": 1.0, "subtitles": 0.5}

DRAWN_FACES = ["--face-distance", "0.2", "--one-person", "0.7"]
"""Drawn faces lie closer together than photographs, and one of them strays now and then."""

Truth = tuple[float, float, str]
"""Begin and end in seconds, and the reason of rejection, "" for what is to be kept."""


def main() -> int:
    """Generate, cut both ways, compare; returns the exit status."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--minutes", type=float, default=10)
    parser.add_argument("--seed", type=int, default=0, help="of the film: its people, turns and pauses")
    parser.add_argument("--workers", type=int, default=2)
    parser.add_argument("--folder", type=Path, help="where the film goes or lies (default: a temporary folder)")
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as temporary:
        folder = options.folder or Path(temporary)
        turns = generate_film(folder, 60 * options.minutes, options.seed)
        seconds = stated_seconds(folder / "film.mp4")
        print(f"film: {seconds:.0f} s, {len(turns)} turns")
        missed = [
            way
            for way, truth in (("speech", by_turn(turns)), ("subtitles", by_line(turns)))
            if not holds(way, folder, truth, seconds, options.workers)
        ]
    print(f"missed: {', '.join(missed)}" if missed else "all targets met")
    return bool(missed)


def by_turn(turns: Sequence[Turn]) -> list[Truth]:
    """What is to be found without subtitles: whole turns."""
    return [(turn.begin, turn.end, EXPECTED[turn.kind]) for turn in turns]


def by_line(turns: Sequence[Turn]) -> list[Truth]:
    """What is to be found by subtitles: each one. The line in which the scene is cut shows two people, others one."""
    truth = []
    for turn in turns:
        middle = (turn.begin + turn.end) / 2
        for begin, end, _ in turn.lines:
            across = turn.kind in (PLAIN, SHORT) or begin + 0.3 < middle < end - 0.3
            reason = EXPECTED[turn.kind] if across or turn.kind != "scene cut" else ""
            truth.append((begin, end, TOO_SHORT if end - begin < Limits().shortest else reason))
    return truth


def holds(way: str, folder: Path, truth: Sequence[Truth], seconds: float, workers: int) -> bool:
    """Cut the film one way, print what came of it, and say whether the targets are met."""
    out = folder / way
    command = [sys.executable, "-m", "mertools", "prepare", "cut", str(folder / "film.mp4"), "--by", way]
    begin = time.monotonic()
    subprocess.run([*command, "--out", str(out), "--workers", str(workers), *DRAWN_FACES], check=True)
    taken = (time.monotonic() - begin) / seconds
    with (out / "pieces.csv").open(encoding="utf-8", newline="") as file:
        pieces = [(float(row["begin"]), float(row["end"]), row["reason"]) for row in csv.DictReader(file)]
    errors, right, wrong = [], 0, []
    for one in truth:
        piece = nearest(one, pieces)
        error = max(abs(piece[0] - one[0]), abs(piece[1] - one[1]))
        borderline = TOO_SHORT in (one[2], piece[2]) and abs(one[1] - one[0] - Limits().shortest) < BOUNDARY_SECONDS
        if not one[2]:
            errors.append(error)
            right += error <= BOUNDARY_SECONDS and (piece[2] == "" or borderline)
        elif piece[2] != one[2] and not borderline:
            wrong.append((one, piece))
    found = right / max(len(errors), 1)
    print(f"{way}: {len(pieces)} pieces; found {right} of {len(errors)} ({found:.1%})")
    print(f"{way}: boundary errors: median {np.median(errors):.3f} s, largest {np.max(errors):.3f} s")
    faults = sum(bool(reason) for *_, reason in truth)
    print(f"{way}: faults rejected for the right reason: {faults - len(wrong)} of {faults}")
    for one, piece in wrong:
        print(f"  planted {one[2]!r} at {one[0]:.1f} s, got {piece[2] or 'kept'!r}")
    print(f"{way}: time over the film's duration: {taken:.2f}")
    return found >= FOUND_SHARE and not wrong and taken < MOST_TIME[way]


def nearest(one: Truth, pieces: Sequence[Truth]) -> Truth:
    """The piece that shares most time with `one`."""
    return max(pieces, key=lambda piece: min(piece[1], one[1]) - max(piece[0], one[0]))


if __name__ == "__main__":
    sys.exit(main())
