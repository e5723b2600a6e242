"""What one row of the paper costs as a stacked search, against the released protocol written plainly.

    python benchmarks/search.py
    python benchmarks/search.py --dims 1024 768 5120
    python benchmarks/search.py --quality

A row is 50 draws x 5 folds x 100 epochs of the `attention` network over 5,030 training clips, and predictions for
20,000 candidates. Both sides take turns on the same generated features, folds and draws; of several repeats the median
counts. Both are timed for --epochs epochs and scaled up to a row.

- The plain side trains one network after the other, as released: batches of 32 from a DataLoader, Adam, and after every
  epoch the held-out fold and all candidates are scored. Draws that repeat are trained again. Timed is one fold for each
  hidden dimension, weighted by how often that one was drawn, on one thread and on torch's default number; the faster
  counts.
- The stacked side is `fusion.search` itself with one process for its worker, and one prediction of the candidates by
  the networks of the chosen draw. What a search does beside its epochs is timed apart, and not scaled.

The factors printed below the speedup stand for one saving each, and their product is there to be compared with the
whole: stacking (both sides train the same networks, and score no candidates), draws that repeat, and passes over the
candidates. The script ends with status 1 where the speedup misses its target.

With --quality both sides are trained to the end on small generated corpora instead, and their mean WAF in
cross-validation is compared over several seeds: the same folds and draws, other initial weights, batches and dropout.
"""

from __future__ import annotations

import argparse
import statistics
import sys
import time
from collections import Counter
from collections.abc import Callable, Iterable, Sequence
from dataclasses import replace

import numpy as np
import optuna
import torch
from optuna.storages import InMemoryStorage
from torch import Tensor, nn
from torch.nn import functional
from torch.utils.data import DataLoader, Dataset, Sampler, SubsetRandomSampler

from fusion.cross_validation import Problem, average
from fusion.inputs import Data, Inputs, Scaling
from fusion.models.attention import Attention
from fusion.scheduling import cores
from fusion.search import Plan, Search, draw, search
from fusion.training import BATCH_SIZE, WEIGHT_DECAY, Configuration, Material, Member, Training
from mertools.feature_store import Provenance
from mertools.metrics import confusion_matrix, waf

TARGET = 12
DRAWS, FOLDS, EPOCHS = 50, 5, 100
CLASSES = 6

QUALITY_CLIPS, QUALITY_EPOCHS, QUALITY_DRAWS = 600, 10, 4


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--dims", type=int, nargs=3, default=[88, 128, 384], help="of the three features (%(default)s)")
    parser.add_argument("--clips", type=int, default=5_030, help="training clips (%(default)s)")
    parser.add_argument("--candidates", type=int, default=20_000, help="clips to predict (%(default)s)")
    parser.add_argument("--epochs", type=int, default=3, help="that are timed (%(default)s)")
    parser.add_argument("--repeats", type=int, default=3)
    parser.add_argument("--device", default="cpu", help="cpu or cuda")
    parser.add_argument("--quality", action="store_true", help="compare scores instead of times")
    parser.add_argument("--seeds", type=int, nargs="+", default=[0, 1, 2, 3, 4], help="of --quality (%(default)s)")
    options = parser.parse_args()
    optuna.logging.set_verbosity(optuna.logging.WARNING)
    if options.quality:
        compare_quality(options)
    elif measure(options) < TARGET:
        sys.exit(1)


def measure(options: argparse.Namespace) -> float:
    """Print what a row costs on both sides; how many times faster the stacked one is."""
    problem = generated(options.clips, options.candidates, options.dims, options.device, seed=0)
    draws = draw(Attention, "random", DRAWS, seed=0)
    distinct = set(draws)
    print(
        f"{DRAWS} draws, {len(distinct)} of them distinct, x {FOLDS} folds x {EPOCHS} epochs; {options.clips} training "
        f"clips, {options.candidates} candidates, dimensions {options.dims}; {options.device}, {cores()} cores"
    )
    plain, stacked = PlainSide(problem, options), StackedSide(problem, draws, options)
    rounds = [(plain.epochs(), stacked.row()) for _ in range(options.repeats)]
    epochs, (start, training, predicting) = (np.median(side, axis=0) for side in zip(*rounds, strict=True))
    fastest = epochs.sum(axis=2).argmin(axis=1)
    epochs = epochs[np.arange(len(fastest)), fastest]
    # Seconds of training and of scoring candidates, if every draw is trained, and if every distinct one is.
    learning, scoring = FOLDS * EPOCHS * plain.counted(draws) @ epochs
    learning_distinct, _ = FOLDS * EPOCHS * plain.counted(distinct) @ epochs
    row, stacked_row = learning + scoring, start + training + predicting

    for hidden, (learn, score), place in zip(plain.sizes, epochs, fastest, strict=True):
        threads = f"{plain.thread_counts[place]} of {plain.thread_counts[-1]} threads"
        print(f"plain, hidden {hidden}: an epoch {learn:.3f} s, all candidates {score:.3f} s ({threads})")
    print(f"plain row: {row:.0f} s, scaled from {options.epochs} epochs of one fold for each hidden dimension")
    print(
        f"stacked row: {stacked_row:.0f} s; start {start:.1f} s, {EPOCHS} epochs {training:.0f} s, scaled from "
        f"{options.epochs}, candidates {predicting:.1f} s"
    )
    print(f"search speedup: {row / stacked_row:.1f} x (target: at least {TARGET})")
    stacking, repeated, passes = learning_distinct / training, learning / learning_distinct, row / learning
    print(
        f"factors: stacking {stacking:.2f} x, repeated draws {repeated:.2f} x ({DRAWS / len(distinct):.2f} by number), "
        f"passes over the candidates {passes:.2f} x; their product {stacking * repeated * passes:.1f} x",
        flush=True,
    )
    return row / stacked_row


class PlainSide:
    """Seconds of the released protocol, by hidden dimension."""

    def __init__(self, problem: Problem, options: argparse.Namespace) -> None:
        self.sizes = Attention.search_space["hidden"]
        self.thread_counts = sorted({1, torch.get_num_threads()})
        self._problem, self._epochs = problem, options.epochs
        self._clips = Clips(problem.material)
        self._pool = range(options.clips, options.clips + options.candidates)

    def counted(self, configurations: Iterable[Configuration]) -> np.ndarray:
        """How many of `configurations` have each hidden dimension."""
        drawn = Counter(configuration.hidden for configuration in configurations)
        return np.array([drawn[hidden] for hidden in self.sizes])

    def epochs(self) -> np.ndarray:
        """(hidden dimensions, numbers of threads, 2): an epoch with its held-out fold, all candidates once."""
        seconds = [[self._epoch(hidden, threads) for threads in self.thread_counts] for hidden in self.sizes]
        torch.set_num_threads(self.thread_counts[-1])
        return np.array(seconds)

    def _epoch(self, hidden: int, threads: int) -> tuple[float, float]:
        torch.set_num_threads(threads)
        network = PlainNetwork(self._problem.material, Configuration(hidden, 1e-3, 0.3))
        member = self._problem.fold_members(network.configuration)[0]

        def learn() -> None:
            network.train_an_epoch(batches(self._clips, SubsetRandomSampler(member.train)))
            network.logits(batches(self._clips, SubsetRandomSampler(member.choose)))

        seconds = [
            (timed(learn), timed(lambda: network.logits(batches(self._clips, self._pool)))) for _ in range(self._epochs)
        ]
        return tuple(np.mean(seconds, axis=0))


class StackedSide:
    """Seconds of the suite's search."""

    def __init__(self, problem: Problem, draws: Sequence[Configuration], options: argparse.Namespace) -> None:
        self._problem, self._draws, self._epochs = problem, draws, options.epochs
        self._pool = np.arange(options.clips, options.clips + options.candidates)
        self._names = [str(row) for row in self._pool]

    def row(self) -> tuple[float, float, float]:
        """Of what a search does beside its epochs, of the epochs of a row, and of predicting the candidates."""
        start, _ = self._search(epochs=0)
        seconds, found = self._search(self._epochs)
        networks = [trained.network for trained in found.networks]
        predicting = timed(lambda: average(self._problem, networks, self._pool, self._names))
        return start, (seconds - start) * EPOCHS / self._epochs, predicting

    def _search(self, epochs: int) -> tuple[float, Search]:
        problem = replace(self._problem, training=Training(epochs=epochs))
        begin = time.perf_counter()
        found = search(problem, self._draws, Plan(), InMemoryStorage())
        return time.perf_counter() - begin, found


def compare_quality(options: argparse.Namespace) -> None:
    """Print the mean WAF of both sides by seed, and their difference with its standard error."""
    print(
        f"{QUALITY_CLIPS} clips, {QUALITY_DRAWS} draws x {FOLDS} folds x {QUALITY_EPOCHS} epochs, dimensions "
        f"{options.dims}; mean WAF in cross-validation"
    )
    print("seed   plain  stacked  difference")
    torch.set_num_threads(1)
    differences = []
    for seed in options.seeds:
        problem = generated(QUALITY_CLIPS, 0, options.dims, options.device, seed)
        problem = replace(problem, training=Training(epochs=QUALITY_EPOCHS))
        draws = draw(Attention, "random", QUALITY_DRAWS, seed)
        torch.manual_seed(seed)
        plain = statistics.mean(
            plain_waf(problem, member) for configuration in draws for member in problem.fold_members(configuration)
        )
        stacked = statistics.mean(trial.value for trial in search(problem, draws, Plan(), InMemoryStorage()).trials)
        differences.append(100 * (stacked - plain))
        print(f"{seed:4}  {100 * plain:6.2f}   {100 * stacked:6.2f}      {differences[-1]:6.2f}", flush=True)
    mean = statistics.mean(differences)
    error = statistics.stdev(differences) / len(differences) ** 0.5
    verdict = "within" if abs(mean) <= error else "not within"
    print(f"stacked minus plain: {mean:.2f} points of WAF, standard error {error:.2f}: {verdict} one standard error")


def plain_waf(problem: Problem, member: Member) -> float:
    """The WAF of a network trained plainly, at the best epoch on its held-out fold."""
    clips = Clips(problem.material, Scaling.fit(problem.material.data, member.train))
    network = PlainNetwork(problem.material, member.configuration)
    targets = problem.material.targets[member.choose]
    best = 0.0
    for _ in range(problem.training.epochs):
        network.train_an_epoch(batches(clips, SubsetRandomSampler(member.train)))
        predicted = network.logits(batches(clips, member.choose)).argmax(dim=1).numpy()
        best = max(best, float(waf(confusion_matrix(targets, predicted, CLASSES))))
    return best


class Clips(Dataset):
    """The features of each clip and its class, as one would write it; scaled where a scaling is given."""

    def __init__(self, material: Material, scaling: Scaling | None = None) -> None:
        data = material.data
        values = data.values if scaling is None else (data.values - scaling.mean) * scaling.factor
        self.features = values.cpu().split(data.dims, dim=1)
        self.targets = torch.from_numpy(material.targets)

    def __len__(self) -> int:
        return len(self.targets)

    def __getitem__(self, row: int) -> tuple[list[Tensor], Tensor]:
        return [values[row] for values in self.features], self.targets[row]


def batches(clips: Clips, rows: Sampler | Sequence[int]) -> DataLoader:
    return DataLoader(clips, batch_size=BATCH_SIZE, sampler=rows)


class PlainNetwork:
    """One network of `Attention` in training, with torch's own means."""

    def __init__(self, material: Material, configuration: Configuration) -> None:
        self.configuration = configuration
        self._device = material.data.values.device
        self._module = material.untrained(configuration.hidden).to(self._device)
        self._optimiser = torch.optim.Adam(
            self._module.parameters(), lr=configuration.learning_rate, weight_decay=WEIGHT_DECAY
        )
        self._loss = nn.CrossEntropyLoss()
        # Every clip has every feature, and what dropout keeps is drawn as nn.Dropout does.
        present = torch.ones(BATCH_SIZE, dtype=torch.bool, device=self._device)
        self._masks = dict.fromkeys(self._module.features, present)
        self._ones = torch.ones(BATCH_SIZE, self._module.dropped, device=self._device)

    def train_an_epoch(self, batches: DataLoader) -> None:
        self._module.train()
        for features, targets in batches:
            keep = functional.dropout(self._ones[: len(targets)], self.configuration.dropout)
            loss = self._loss(self._fuse(features, keep), targets.to(self._device))
            self._optimiser.zero_grad()
            loss.backward()
            self._optimiser.step()

    def logits(self, batches: DataLoader) -> Tensor:
        """(N, C) in the order of the batches, on the CPU."""
        self._module.eval()
        with torch.no_grad():
            return torch.cat([self._fuse(features, None).cpu() for features, _ in batches])

    def _fuse(self, features: Sequence[Tensor], keep: Tensor | None) -> Tensor:
        moved = (values.to(self._device) for values in features)
        named = dict(zip(self._module.features, moved, strict=True))
        masks = {name: mask[: len(features[0])] for name, mask in self._masks.items()}
        return self._module(named, masks, keep).logits


def generated(clips: int, candidates: int, dims: Sequence[int], device: str, seed: int) -> Problem:
    """A problem of Gaussian classes that overlap; the first `clips` rows train."""
    chance = np.random.default_rng(seed)
    targets = chance.integers(CLASSES, size=clips + candidates)
    inputs = {}
    for modality, dim in zip(("audio", "video", "text"), dims, strict=True):
        # Centres this far apart let each feature tell something, and all of them together not everything.
        centres = chance.standard_normal((CLASSES, dim)) * dim**-0.25 / 2
        values = chance.standard_normal((len(targets), dim), dtype=np.float32)
        values += centres.astype(np.float32)[targets]
        provenance = Provenance(modality, modality, "benchmark", "generated", "", "")
        inputs[modality] = Inputs(provenance, values, np.ones(len(targets), dtype=bool), 0)
    material = Material(Attention, Data.of(inputs, device), targets, CLASSES)
    folds = chance.permutation(np.arange(clips) % FOLDS)
    return Problem(inputs, material, np.arange(clips), folds, lambda seed: folds, Training(), seed)


def timed(work: Callable[[], object]) -> float:
    """Seconds that `work` takes, on the GPU too."""
    begin = time.perf_counter()
    work()
    if torch.cuda.is_available():
        torch.cuda.synchronize()
    return time.perf_counter() - begin


if __name__ == "__main__":
    main()
