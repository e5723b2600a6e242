"""What a round of self-training costs beyond the training in it, over a pool as large as the challenge's.

    python benchmarks/self_training.py

Features are random: 5,030 clips with labels, 115,595 without, three features of --dim components. One round is made for
the networks of five folds: teachers, what they say of the pool, selection, students. Printed are the round's time over
the time spent in training (all networks of both its halves), and the peak memory of the process over that of one that
holds the same features and trains the same networks without a pool. Exits with status 1 where a ratio is above its
limit. Few epochs make the first ratio worse: what is not training costs the same for five as for a hundred.
"""

from __future__ import annotations

import argparse
import resource
import subprocess
import sys
import time
from collections.abc import Iterator

import numpy as np

from fusion import self_training
from fusion.cross_validation import Problem
from fusion.inputs import Data, Inputs
from fusion.models.attention import Attention
from fusion.scheduling import train_all
from fusion.self_training import Teaching, self_train
from fusion.teachers import Cohort
from fusion.training import Configuration, Material, Training
from mertools.feature_store import Provenance

LABELLED, CLASSES, FOLDS = 5030, 6, 5
CONFIGURATION = Configuration(hidden=128, learning_rate=1e-3, dropout=0.3)
MOST_TIME, MOST_MEMORY = 1.5, 1.25


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--pool", type=int, default=115_595, help="clips without labels (%(default)s)")
    parser.add_argument("--dim", type=int, default=256, help="components of a feature (%(default)s)")
    parser.add_argument("--epochs", type=int, default=10, help="(%(default)s)")
    parser.add_argument("--only", choices=("plain", "taught"), help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.only:
        print(*measure(options))
        return 0
    found = {name: in_a_process(name) for name in ("plain", "taught")}
    whole, training, peak = found["taught"]
    cost, memory = whole / training, peak / found["plain"][2]
    print(f"{options.pool:,} clips without labels: {whole:.0f} s, of which training {training:.0f} s")
    print(f"time: {cost:.3f} of the training it contains (limit {MOST_TIME})")
    print(f"memory: {peak:.0f} MB, without a pool {found['plain'][2]:.0f} MB; {memory:.3f} (limit {MOST_MEMORY})")
    extra = (peak - found["plain"][2]) / options.pool
    print(f"that is {1024 * extra:.1f} kB a clip; its features are {12 * options.dim / 1024:.1f} kB")
    return int(cost > MOST_TIME or memory > MOST_MEMORY)


def in_a_process(name: str) -> list[float]:
    """The measurement in a process of its own: its peak of memory is then its own."""
    words = [sys.executable, __file__, *sys.argv[1:], "--only", name]
    return [float(word) for word in subprocess.run(words, check=True, capture_output=True, text=True).stdout.split()]


def measure(options: argparse.Namespace) -> tuple[float, float, float]:
    """Seconds of all, seconds of training, and the peak in MB."""
    problem = random_problem(options)
    pool = np.arange(LABELLED, LABELLED + options.pool)
    spent = [0.0]

    def timed(*words: object) -> Iterator:
        begin = time.monotonic()
        done = list(train_all(*words))
        spent[0] += time.monotonic() - begin
        return iter(done)

    self_training.train_all = timed
    cohort = Cohort(tuple(problem.fold_members(CONFIGURATION)), np.empty(0, dtype=np.int64))
    begin = time.monotonic()
    teaching = Teaching(rounds=int(options.only == "taught"))
    self_train(problem.material, problem.training, [cohort], pool, teaching)
    seconds = time.monotonic() - begin
    return seconds, spent[0], resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024


def random_problem(options: argparse.Namespace) -> Problem:
    """Features of chance, and labels that they tell a little of."""
    rng = np.random.default_rng(0)
    clips = LABELLED + options.pool
    targets = rng.integers(0, CLASSES, clips)
    inputs = {}
    for name in ("audio", "video", "text"):
        values = rng.standard_normal((clips, options.dim), dtype=np.float32)
        values[:, :CLASSES] += np.eye(CLASSES, dtype=np.float32)[targets]
        inputs[name] = Inputs(Provenance(name, name, "Random", "path:/", "1", "mean"), values, np.ones(clips, bool), 0)
    targets[LABELLED:] = -1
    data = Data.of(inputs, "cpu")
    return Problem(
        inputs=inputs,
        material=Material(Attention, data, targets, CLASSES),
        train=np.arange(LABELLED),
        folds=np.arange(LABELLED) % FOLDS,
        draw_folds=lambda seed: np.arange(LABELLED) % FOLDS,
        training=Training(epochs=options.epochs),
        seed=0,
    )


if __name__ == "__main__":
    sys.exit(main())
