"""Does the join win over both its parts? Open-vocabulary labels alone, the classifier alone, and both joined.

    python benchmarks/join.py DIR… [--grouping lexicon]

Each DIR is a corpus with manifest.csv (true `open_labels` and `description`), features/ (egemaps and face-expression
with frames) and a finished run of run_fusion.py in runs/. The open-vocabulary part needs no language model: the
observer's clues, the subtitle, and the lexicon's words in them. Thresholds and the way to join are chosen on the
training clips of all corpora, by their out-of-fold rows; everything is told of the training clips and of the others,
where nothing was chosen. Scores are the mean of set-level accuracy and recall in percent, with 95 % bootstrap intervals
over clips; last comes the best join less the better of its parts, clip by clip.
"""

from __future__ import annotations

import argparse
import itertools
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path

import numpy as np

from mertools.bootstrap import bootstrap
from mertools.clip import Clip
from mertools.corpus import TRAIN, read_manifest
from mertools.emotions import MER2024
from mertools.lexicon import lexicon
from mertools.ov.clues import ClipClues
from mertools.ov.describing import describe_offline
from mertools.ov.groupings import BySynonyms, Exact, Grouping
from mertools.ov.join import Evidence, filter, read_evidence, union
from mertools.ov.labelling import labels_offline
from mertools.ov.observer import observe
from mertools.ov.scoring import RANDOM_SEEDS, baselines
from mertools.set_metrics import overlap

THRESHOLDS = (0.0, 0.4, 0.5, 0.6, 0.7, 0.8, 0.9)
RESAMPLES = 2000
WORDS = lexicon()
GROUPINGS: dict[str, Grouping] = {"lexicon": BySynonyms(WORDS), "exact": Exact()}

Labels = tuple[str, ...]


@dataclass(frozen=True)
class Known:
    """What is known of one clip: the truth, and what each part says; `random` holds the labels of several draws."""

    clip: Clip
    open: Labels
    evidence: Evidence
    random: tuple[Labels, ...]

    @property
    def classified(self) -> Labels:
        return union((), self.evidence, WORDS, 0.0)


def filter_and_union(labels: Labels, evidence: Evidence, filter_from: float, union_from: float) -> Labels:
    return union(filter(labels, evidence, WORDS, filter_from), evidence, WORDS, union_from)


Join = Callable[[Labels, Evidence], Labels]
JOINS: dict[str, list[tuple[str, Join]]] = {
    "union": [(f"from {t}", partial(union, synonyms=WORDS, threshold=t)) for t in THRESHOLDS],
    "filter": [(f"from {t}", partial(filter, synonyms=WORDS, threshold=t)) for t in THRESHOLDS],
    "both": [
        (f"filter from {f}, union from {u}", partial(filter_and_union, filter_from=f, union_from=u))
        for f, u in itertools.product(THRESHOLDS, THRESHOLDS)
    ],
}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("corpora", type=Path, nargs="+", metavar="DIR")
    parser.add_argument("--grouping", choices=tuple(GROUPINGS), default="lexicon")
    options = parser.parse_args()
    grouping = GROUPINGS[options.grouping]
    known = [one for folder in options.corpora for one in read(folder)]
    training = [one for one in known if one.clip.split == TRAIN]

    def mean(join: Join) -> float:
        return float(np.mean([score(grouping, one, join(one.open, one.evidence)) for one in training]))

    # The first of equals: the lowest threshold.
    chosen = {name: max(ways, key=lambda way: mean(way[1])) for name, ways in JOINS.items()}
    systems = systems_of({name: join for name, (_, join) in chosen.items()})
    best = max(chosen, key=lambda name: mean(chosen[name][1]))
    print(f"{len(options.corpora)} corpora, grouping {options.grouping}; chosen on {len(training)} training clips:")
    for name, (threshold, _) in chosen.items():
        print(f"  {name}: {threshold}" + (" (the best join)" if name == best else ""))
    others = [one for one in known if one.clip.split != TRAIN]
    splits = dict.fromkeys(one.clip.split for one in others)
    parts = {TRAIN: training, **{split: [o for o in others if o.clip.split == split] for split in splits}}
    for split, clips in {**parts, "others": others}.items():
        report(split, clips, systems, best, grouping)


def read(folder: Path) -> Iterator[Known]:
    """Every clip of a corpus with what its parts say."""
    clips = read_manifest(folder / "manifest.csv").clips
    run = max((folder / "runs").iterdir())
    evidence = read_evidence(run / "predictions.csv", run / "out_of_fold.csv", clips, MER2024)
    clues: dict[str, ClipClues] = {}
    for clue in observe(folder / "features", clips):
        clues[clue.name] = ClipClues((*clues.get(clue.name, ClipClues()).clues, clue))
    descriptions = (done.row for done in describe_offline(clips, clues))
    labels = {done.row.name: done.row.labels for done in labels_offline(descriptions)}
    _, random = baselines([clip.name for clip in clips], MER2024.names, 0)
    for clip in clips:
        drawn = tuple(run[clip.name].labels for run in random.runs)
        yield Known(clip, labels[clip.name], evidence[clip.name], drawn)


def systems_of(joins: Mapping[str, Join]) -> dict[str, Callable[[Known], tuple[Labels, ...]]]:
    """Systems by name: a clip to its labels, one tuple a run."""

    def joined(join: Join) -> Callable[[Known], tuple[Labels, ...]]:
        return lambda one: (join(one.open, one.evidence),)

    return {
        "empty": lambda one: ((),),
        f"random ({RANDOM_SEEDS} draws)": lambda one: one.random,
        "OV alone": lambda one: (one.open,),
        "classifier alone": lambda one: (one.classified,),
        **{f"joined: {name}": joined(join) for name, join in joins.items()},
        "ceiling": lambda one: (WORDS.words_in(one.clip.columns["description"]),),
    }


def report(
    split: str,
    clips: Sequence[Known],
    systems: Mapping[str, Callable[[Known], tuple[Labels, ...]]],
    best: str,
    grouping: Grouping,
) -> None:
    """Print the scores of a split, and how far the best join lies from the better of its parts."""
    print(f"\n{split} ({len(clips)} clips)")
    scores = {
        name: np.array([np.mean([score(grouping, one, labels) for labels in system(one)]) for one in clips])
        for name, system in systems.items()
    }
    for name, values in scores.items():
        print(f"  {name:20} {told(values)}")
    better = max(("OV alone", "classifier alone"), key=lambda name: scores[name].mean())
    print(f"  {f'{best} - {better}':20} {told(scores[f'joined: {best}'] - scores[better])}")


def score(grouping: Grouping, one: Known, labels: Labels) -> float:
    """The mean of set-level accuracy and recall of one clip, in percent."""
    true, predicted = (grouping.views(one.clip.name, given)[0] for given in (one.clip.open_labels, labels))
    common, answered, wanted = overlap(true, predicted)
    return 50 * (common / max(answered, 1) + common / wanted)


def told(values: np.ndarray) -> str:
    """The mean of the clips' `values` (N,) with its interval."""

    def count(clips: np.ndarray) -> np.ndarray:
        return np.concatenate([clips, np.ones_like(clips)], axis=1)

    found = bootstrap(values[:, None], count, lambda sums: sums[..., :1] / sums[..., 1:], None, RESAMPLES, 0, "join")
    low, high = found.interval(0)
    return f"{found.values[0]:6.2f} [{low:6.2f}, {high:6.2f}]"


if __name__ == "__main__":
    main()
