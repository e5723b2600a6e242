"""What learning from clips without labels gains, where labels are taken away.

    python benchmarks/self_training_gain.py --data demo/manifest.csv --features demo/features --out gain
    python benchmarks/self_training_gain.py --data ravdess/manifest.csv --features ravdess-features --out gain \\
        --folds 4 --group speaker

Of each class --keep of the training clips keep their label, but no fewer than there are folds; with `--group speaker`
all clips of a speaker do or do not. The others make the split `unlabelled`: they are taught without their label, which
is kept to score them. `run_fusion.py` is run with all labels and, with `--self-train`, with few; options that are not
listed below are passed on to both.

Printed is the WAF with its 95 % interval of the plain and the self-trained system with few labels, and of the plain one
with all: `cv-nested` on the training clips (of which there are fewer with few labels) and the score of each other split
(for `unlabelled` beside `cv-nested` of all labels). With each the share of the distance from plain to all labels that
the pool makes up for. Then, for each class of which at least 30 clips were accepted, their precision as the audit
estimates it and as it is, and the audit's warnings.

`--pool-fault shuffled` assigns each feature of the pool to other clips, `--pool-fault domain` moves and stretches the
pool's features: such a pool is warned of, and left alone unless `--teach` holds `--trust-pool`.

Exits with status 1 where less is found than wanted: half of the distance by `cv-nested`, precision within 5 points of
the truth for each of those classes; of a faulty pool a warning, and no gain.
"""

from __future__ import annotations

import argparse
import contextlib
import io
import shlex
from collections import defaultdict
from collections.abc import Callable, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np

from fusion.pseudo_labels import read_pseudo_labels
from fusion.result import CV_NESTED, TEST
from mertools.clip import Clip
from mertools.commands import fuse
from mertools.corpus import TRAIN, Corpus, read_manifest, write_manifest
from mertools.emotions import LabelSet
from mertools.feature_store import FeatureWriter, Row, feature_names, read_features
from mertools.randomness import generator
from mertools.run_record import read_result

WITHOUT = "unlabelled"
MANY = 30
"""Clips accepted of a class from which on the precision of the audit is held against the truth."""

WANTED_SHARE, WANTED_PRECISION = 0.5, 0.05
"""Of the distance from few labels to all, at least; between the audit's precision and the true one, at most."""


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter, allow_abbrev=False
    )
    parser.add_argument("--data", type=Path, required=True, metavar="CSV", help="the corpus' manifest")
    parser.add_argument("--features", type=Path, required=True, metavar="DIR", help="its features")
    parser.add_argument("--out", type=Path, required=True, metavar="DIR", help="folder for the runs; kept")
    parser.add_argument("--keep", type=float, default=0.3, metavar="SHARE", help="of the labels (%(default)s)")
    parser.add_argument("--folds", type=int, default=5, metavar="N")
    parser.add_argument("--group", metavar="COLUMN", help="as in run_fusion.py")
    parser.add_argument("--seed", type=int, default=0, help="of the labels that are kept, and of the runs")
    parser.add_argument(
        "--teach", default="1", metavar="WORDS", help="what follows --self-train, such as '2 --accept 0.8'"
    )
    parser.add_argument("--pool-fault", choices=tuple(FAULTS), help="spoil the pool")
    options, passed_on = parser.parse_known_args()
    corpus = read_manifest(options.data)
    root = options.data.parent
    options.out.mkdir(parents=True, exist_ok=True)
    few = options.out / "few.csv"
    clips = with_few_labels(corpus, options)
    write_manifest(few, clips, root)
    features = options.features
    if options.pool_fault:
        pool = [clip.name for clip in clips if clip.split != TRAIN]
        features = spoiled(features, options.out / "features", pool, FAULTS[options.pool_fault], options.seed)
    common = [
        *("--media-root", str(root), "--folds", str(options.folds), "--seed", str(options.seed)),
        *(("--group", options.group) if options.group else ()),
        *passed_on,
    ]
    all_labels = run(options.out / "all", ["--data", str(options.data), "--features", str(options.features), *common])
    words = ["--data", str(few), "--features", str(features), *common, "--self-train", *shlex.split(options.teach)]
    taught = run(options.out / "few", words)
    share = print_scores(all_labels[1], taught[1])
    errors = print_audit({clip.name: clip.label for clip in corpus.clips}, *taught)
    if options.pool_fault:
        warned = any(taught[1]["rows"][-1]["self_training"]["warnings"])
        missed = {"a warning": not warned, "no gain": share > 0}
    else:
        off = max(errors, default=0.0) > WANTED_PRECISION
        missed = {"half of the distance by cv-nested": share < WANTED_SHARE, "precision within 5 points": off}
    if told := [what for what, is_missed in missed.items() if is_missed]:
        raise SystemExit(f"missed: {', '.join(told)}")


def with_few_labels(corpus: Corpus, options: argparse.Namespace) -> list[Clip]:
    """The corpus' clips, of which some training clips make a split of their own, which is not trained on."""
    chance = generator(options.seed, "labels that are kept")
    train = sorted(corpus.train, key=lambda clip: clip.name)
    kept = kept_groups(train, options, chance) if options.group else kept_of_each_class(train, options, chance)
    return [clip if clip.split != TRAIN or clip.name in kept else replace(clip, split=WITHOUT) for clip in corpus.clips]


def kept_of_each_class(train: Sequence[Clip], options: argparse.Namespace, chance: np.random.Generator) -> set[str]:
    of_class = defaultdict(list)
    for clip in train:
        of_class[clip.label].append(clip.name)
    return {
        name
        for names in of_class.values()
        for name in chance.choice(names, max(min(options.folds, len(names)), round(options.keep * len(names))), False)
    }


def kept_groups(train: Sequence[Clip], options: argparse.Namespace, chance: np.random.Generator) -> set[str]:
    """The clips of as many groups as make up the share, at least one a fold."""

    def group(clip: Clip) -> str:
        return clip.speaker if options.group == "speaker" else clip.columns[options.group]

    groups = sorted({group(clip) for clip in train})
    kept = set(chance.choice(groups, max(options.folds, round(options.keep * len(groups))), replace=False))
    return {clip.name for clip in train if group(clip) in kept}


def shuffled(values: np.ndarray, chance: np.random.Generator) -> np.ndarray:
    return values[chance.permutation(len(values))]


def moved(values: np.ndarray, chance: np.random.Generator) -> np.ndarray:
    """Stretched, and moved by two deviations in a direction of chance."""
    signs = chance.choice([-2.0, 2.0], size=values.shape[1])
    return 1.5 * values + signs * values.std(axis=0)


FAULTS: dict[str, Callable[[np.ndarray, np.random.Generator], np.ndarray]] = {"shuffled": shuffled, "domain": moved}


def spoiled(features: Path, to: Path, pool: Sequence[str], fault: Callable, seed: int) -> Path:
    """The features in a folder of their own, those of the clips `pool` spoiled, each feature for itself."""
    for name in feature_names(features):
        found = read_features(features / f"{name}.h5")
        values = found.utterance.copy()
        rows = np.flatnonzero(np.isin(found.names, pool) & found.mask)
        values[rows] = fault(values[rows], generator(seed, "fault", name))
        with FeatureWriter(to / f"{name}.h5", replace(found.provenance, level="utterance")) as writer:
            writer.append(
                [
                    Row(clip, status, reason, utterance=vector if status == "ok" else None)
                    for clip, status, reason, vector in zip(
                        found.names, found.status, found.reason, values.astype(np.float32), strict=True
                    )
                ]
            )
            writer.pack(list(found.names))
    return to


def run(runs: Path, words: Sequence[str]) -> tuple[Path, dict[str, Any]]:
    """A run of `run_fusion.py`: its folder and result."""
    with contextlib.redirect_stdout(io.StringIO()):
        fuse.main([*words, "--runs", str(runs / "runs")])
    folder = max((runs / "runs").iterdir())
    return folder, read_result(folder)


def print_scores(all_labels: dict[str, Any], few: dict[str, Any]) -> float:
    """Print the three systems side by side; the last rows of `few` are the plain and the self-trained system. Returns
    the share of the distance that `cv-nested` finds."""
    share_of = {}
    plain, taught = (scores_of(row) for row in few["rows"][-2:])
    best = scores_of(all_labels["rows"][-1])
    print(f"{'':16}  {'few labels':22}  {'self-trained':22}  {'all labels':22}  of the distance")
    for split, before in plain.items():
        after, ceiling = taught[split], best[TRAIN if split == WITHOUT else split]
        distance, gain = ceiling["value"] - before["value"], after["value"] - before["value"]
        # Where all labels give no more than few, a gain is whatever is no loss.
        share_of[split] = gain / distance if distance > 0 else float(gain >= 0)
        cells = "  ".join(f"{shown(score):22}" for score in (before, after, ceiling))
        print(f"{split:16}  {cells}  {share_of[split]:8.0%}", flush=True)
    return share_of[TRAIN]


def scores_of(row: dict[str, Any]) -> dict[str, dict[str, Any]]:
    """The WAF of each split by its name, on train by `cv-nested`."""
    return {s["split"]: s for s in row["scores"] if s["metric"] == "waf" and s["estimate"] in (CV_NESTED, TEST)}


def shown(score: dict[str, Any]) -> str:
    return f"{100 * score['value']:5.2f} [{100 * score['low']:.1f}, {100 * score['high']:.1f}]"


def print_audit(label_of: dict[str, str], folder: Path, result: dict[str, Any]) -> list[float]:
    """Print the rounds, the precision of the last one's labels, and the warnings; `label_of` is the truth by clip.
    Returns by how much each class' precision is off."""
    errors = []
    found = result["rows"][-1]["self_training"]
    wafs = ", ".join(f"{100 * one['waf']:.2f}" for one in found["rounds"])
    print(f"rounds on the training folds: {wafs}; round {found['kept']} counts, in outer folds {found['kept_outer']}")
    last = found["rounds"][-1]
    if "accepted" in last:
        print(f"accepted: {last['accepted']} of {found['pool_clips']}, drift {last['drift']:.2f}")
        print(f"calibration error: {last['calibration_error']}")
        names, labels, right = list(label_of), LabelSet(tuple(result["labels"])), defaultdict(list)
        row_of_name = {name: row for row, name in enumerate(names)}
        taught = read_pseudo_labels(folder / result["files"]["pseudo_labels"], row_of_name, labels).given
        for row, shares in zip(taught.rows, taught.probabilities, strict=True):
            label = labels.names[shares.argmax()]
            right[label].append(label_of[names[row]] == label)
        for label, own in right.items():
            if len(own) >= MANY:
                precision = last["classes"][label]["precision"]
                hidden = f"{precision['right']} of {precision['clips']} hidden clips"
                print(f"{label}: {len(own)} accepted, precision {np.mean(own):.2f}, ", end="")
                print(f"estimated {precision['estimate']:.2f} ({hidden})")
                errors.append(abs(precision["estimate"] - np.mean(own)))
    for text in found["warnings"]:
        print(f"warning: {text}")
    return errors


if __name__ == "__main__":
    main()
