"""What noise takes, and what training against noise wins back.

    python benchmarks/remedies.py --data demo/manifest.csv --features demo/features \\
        --noisy-train noisy-1 noisy-2 --noisy-test noisy-3 --out remedies --top 1
    python benchmarks/remedies.py --pool remedies-0 remedies-1 remedies-2

The folders hold the same features, those of `--noisy-train` of the training clips and that of `--noisy-test` of all
labelled ones, each by `extract.py --noise` with a recipe of its own: a remedy that was trained on the noise of the test
would be flattered. The row `test-noise` is trained so on purpose: more than it wins back is hardly in the features.
`run_fusion.py` is run once for each remedy, with the same seed, folds and draws; a remedy whose run is in --out already
is not run again. Options that are not listed below are passed on to it (`--top 1`, `--feature …`, `--trials 10`).

Printed is, for each split, what noise takes from the plain system (its clean WAF less its noisy one) and what each
remedy wins back of it, with 95 % intervals of the paired bootstrap: all networks answer the same clips, which are drawn
again together. `--pool` does the same for several corpora at once: the mean over corpora, clips drawn within each.
"""

from __future__ import annotations

import argparse
import contextlib
import io
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from fusion.inputs import load_inputs
from fusion.networks import load_networks
from mertools.bootstrap import TAILS, Bootstrap
from mertools.commands import fuse
from mertools.commands.finished_runs import labelled_parts, read_runs
from mertools.corpus import TRAIN
from mertools.metrics import confusion_matrix, waf
from mertools.paired_tests import contrasts

NOISY = "noisy"
PLAIN = "plain"
KINDS = ("clean", NOISY)
"""The features on which a system is scored."""


@dataclass(frozen=True)
class Answers:
    """What the remedies' systems say of a split's clips.

    `truth` (N,) and `of`, by remedy and kind of features each (N,), are class numbers of `labels`. Scores are means
    over the strata (N,), within which clips are drawn again: folds of train, and corpora.
    """

    labels: tuple[str, ...]
    truth: np.ndarray
    strata: np.ndarray
    of: Mapping[tuple[str, str], np.ndarray]

    def waf(self, remedy: str, kind: str) -> float:
        """The WAF of a remedy's system, in per cent."""
        scores = [
            waf(confusion_matrix(self.truth[rows], self.of[remedy, kind][rows], len(self.labels)))
            for rows in (self.strata == stratum for stratum in np.unique(self.strata))
        ]
        return 100 * float(np.mean(scores))


def main() -> None:
    options, passed_on = parse()
    if options.pool:
        folders = options.pool
    else:
        run_all(options, passed_on)
        folders = [options.out]
    corpora = [answers_of_corpus(folder) for folder in folders]
    for split in corpora[0]:
        show(split, pooled([corpus[split] for corpus in corpora]), len(corpora))


def parse() -> tuple[argparse.Namespace, list[str]]:
    parser = argparse.ArgumentParser(
        description=__doc__,
        formatter_class=argparse.RawDescriptionHelpFormatter,
        allow_abbrev=False,  # --feature is passed on, and no short form of --features
    )
    parser.add_argument("--data", metavar="CSV", help="the corpus' manifest")
    parser.add_argument("--features", metavar="DIR", help="clean features")
    parser.add_argument("--noisy-train", nargs="+", metavar="DIR", help="noisy copies to train on")
    parser.add_argument(
        "--augmented-train",
        nargs="+",
        default=[],
        metavar="DIR",
        help="copies by recipes of `noise draw --augment`, a remedy more",
    )
    parser.add_argument("--noisy-test", metavar="DIR", help="noisy features to score")
    parser.add_argument("--out", type=Path, metavar="DIR", help="folder for the runs; kept")
    parser.add_argument("--modality-dropout", default="0.2", metavar="P", help="of that remedy (%(default)s)")
    parser.add_argument(
        "--consistency", nargs="+", default=["1"], metavar="WEIGHT", help="of that remedy; the last one of all together"
    )
    parser.add_argument("--pool", type=Path, nargs="+", metavar="DIR", help="runs of several corpora; nothing is run")
    options, passed_on = parser.parse_known_args()
    needed = ("data", "features", "noisy_train", "noisy_test", "out")
    if not options.pool and (lacking := [name for name in needed if not getattr(options, name)]):
        parser.error(f"--{lacking[0].replace('_', '-')} is needed, or --pool")
    return options, passed_on


def remedies(options: argparse.Namespace) -> dict[str, list[str]]:
    """What each remedy adds to the options of `run_fusion.py`."""
    one, several = (["--train-also", *folders] for folders in (options.noisy_train[:1], options.noisy_train))
    every = ["--train-also", *options.noisy_train, *options.augmented_train]
    limited, dropout = ["--scale", "limited"], ["--modality-dropout", options.modality_dropout]
    consistency = {f"consistency-{weight}": ["--consistency", weight] for weight in options.consistency}
    last = consistency[f"consistency-{options.consistency[-1]}"]
    found = {
        PLAIN: [],
        "copies": one,
        f"copies-{len(options.noisy_train)}": several,
        "copies-augmented": ["--train-also", *options.augmented_train],
        "limited": limited,
        "limited-copies": [*limited, *several],
        f"modality-dropout-{options.modality_dropout}": dropout,
        **{name: [*several, *words] for name, words in consistency.items()},
        "all-together": [*several, *last, *dropout],
        "all-but-dropout": [*every, *last, *limited],
        "test-noise": ["--train-also", options.noisy_test],
    }
    if len(options.noisy_train) == 1:
        del found["copies-1"]
    if not options.augmented_train:
        del found["copies-augmented"]
    return found


def run_all(options: argparse.Namespace, passed_on: Sequence[str]) -> None:
    """Run every remedy that has not been run."""
    places = ["--data", options.data, "--features", options.features, "--also", f"{NOISY}={options.noisy_test}"]
    for remedy, words in remedies(options).items():
        runs = options.out / remedy
        if not list(runs.glob("*/result.json")):
            with contextlib.redirect_stdout(io.StringIO()):
                fuse.main([*places, *passed_on, *words, "--runs", str(runs)])


def answers_of_corpus(out: Path) -> dict[str, Answers]:
    """What the runs in `out` answer, by split; the plain one comes first."""
    by_remedy = {folder.name: answers_of_run(folder) for folder in sorted(out.iterdir()) if folder.is_dir()}
    plain = by_remedy[PLAIN]
    return {
        split: Answers(
            plain[split].labels,
            plain[split].truth,
            plain[split].strata,
            {(name, kind): own[split].of["", kind] for name, own in by_remedy.items() for kind in KINDS},
        )
        for split in plain
    }


def answers_of_run(runs: Path) -> dict[str, Answers]:
    """What the networks of the last run in `runs` say of the labelled clips, clean and noisy, by split.

    Training clips are answered by the network that has not seen them.
    """
    folder = max(path.parent for path in runs.glob("*/result.json"))
    corpus, labels, (run,) = read_runs([folder], None, None)
    networks = load_networks(folder / run.result["files"]["networks"])
    configuration, folds = run.result["configuration"], run.out_of_fold.folds
    clips = [*corpus.train, *corpus.others]
    names = [clip.name for clip in clips]
    held_out = np.concatenate([folds, np.full(len(corpus.others), -1)])
    classes = {}
    for kind, place in zip(KINDS, (configuration["features"], configuration["also"][NOISY]), strict=True):
        inputs = load_inputs(Path(place), list(networks.shapes), clips, "extract.py on all clips")
        networks.check(inputs)
        classes["", kind] = networks.predict(inputs, names, "cpu", held_out).classes
    found = {}
    for part in labelled_parts(corpus, labels, folds):
        rows = part.rows + (0 if part.split == TRAIN else len(corpus.train))
        strata = np.zeros(len(rows), dtype=np.int64) if part.folds is None else part.folds
        own = {key: of_all[rows] for key, of_all in classes.items()}
        found[part.split] = Answers(labels.names, part.truth, strata, own)
    return found


def pooled(corpora: Sequence[Answers]) -> Answers:
    """The same split of several corpora, whose strata stay apart."""
    most = 1 + max(int(one.strata.max()) for one in corpora)
    return Answers(
        corpora[0].labels,
        np.concatenate([one.truth for one in corpora]),
        np.concatenate([number * most + one.strata for number, one in enumerate(corpora)]),
        {key: np.concatenate([one.of[key] for one in corpora]) for key in corpora[0].of},
    )


def show(split: str, answers: Answers, corpora: int) -> None:
    """Print the block of one split."""
    names = [name for name, kind in answers.of if kind == NOISY and name != PLAIN]
    columns = [(PLAIN, kind) for kind in KINDS] + [(name, kind) for name in names for kind in KINDS]
    # What noise takes, then for each remedy what it adds to the clean and to the noisy WAF.
    signs = np.zeros((1 + 2 * len(names), len(columns)))
    signs[0, :2] = 1, -1
    for place in range(2, len(columns)):
        signs[place - 1, [place, place % 2]] = 1, -1
    found = contrasts(
        answers.truth,
        np.column_stack([answers.of[column] for column in columns]),
        signs,
        answers.labels,
        seed=0,
        folds=answers.strata,
    )
    of = f" of {corpora} corpora" if corpora > 1 else ""
    print(f"\n{split}: {len(answers.truth)} clips{of}; noise takes {points(found, 0, sign='')} points of WAF")
    print(f"{'':24}{'clean':>6}{'noisy':>7}   {'clean - plain':24}{'won back, points':24}share of the loss")
    print(f"{PLAIN:24}{answers.waf(PLAIN, 'clean'):6.2f}{answers.waf(PLAIN, NOISY):7.2f}")
    for place, name in enumerate(names):
        clean, noisy = 1 + 2 * place, 2 + 2 * place
        scores = f"{answers.waf(name, 'clean'):6.2f}{answers.waf(name, NOISY):7.2f}"
        line = f"{name:24}{scores}   {points(found, clean):24}{points(found, noisy):24}{share(found, noisy)}"
        print(line.rstrip(), flush=True)


def points(found: Bootstrap, m: int, sign: str = "+") -> str:
    low, high = found.interval(m)
    return f"{100 * found.values[m]:{sign}.2f} [{100 * low:.1f}, {100 * high:.1f}]"


def share(found: Bootstrap, m: int) -> str:
    """Score `m` over the loss, and the percentile interval of that; nothing where there may be no loss."""
    if found.interval(0)[0] <= 0:
        return ""
    low, high = np.quantile(found.drawn[:, m] / found.drawn[:, 0], TAILS)
    return f"{found.values[m] / found.values[0]:.0%} [{low:.0%}, {high:.0%}]"


if __name__ == "__main__":
    main()
