"""What noise takes, and what training with noise gains back.

    python benchmarks/remedies.py --data demo/manifest.csv --features demo/features \\
        --noisy-train noisy-1 noisy-2 --noisy-test noisy-3 --out remedies --top 1

The folders hold the same features, `--noisy-train` those of the training clips and `--noisy-test` those of whatever
clips are to be scored in noise, each by `extract.py --noise` with a recipe of its own: a remedy that was trained on the
noise of the test would be flattered. `run_fusion.py` is run once for each remedy, with the same seed, folds and draws.
Options that are not listed below are passed on to it (`--top 1`, `--feature …`, `--seed 1`, `--trials 10`).

Printed is, for each split, the WAF on clean and on noisy features with its 95 % interval, and the share of the loss
that a remedy wins back: (its noisy WAF - the plain noisy WAF) / (the plain clean WAF - the plain noisy WAF). Every
other metric stands in the runs' folders under --out.
"""

from __future__ import annotations

import argparse
import contextlib
import io
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from fusion.result import CV_NESTED, variant_split
from mertools.commands import fuse
from mertools.run_record import read_result, written_row

NOISY = "noisy"
PLAIN = "plain"


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__,
        formatter_class=argparse.RawDescriptionHelpFormatter,
        allow_abbrev=False,  # --feature is passed on, and no short form of --features
    )
    parser.add_argument("--data", required=True, metavar="CSV", help="the corpus' manifest")
    parser.add_argument("--features", required=True, metavar="DIR", help="clean features")
    parser.add_argument("--noisy-train", required=True, nargs="+", metavar="DIR", help="noisy copies to train on")
    parser.add_argument("--noisy-test", required=True, metavar="DIR", help="noisy features to score")
    parser.add_argument("--out", type=Path, required=True, metavar="DIR", help="folder for the runs; kept")
    parser.add_argument("--modality-dropout", default="0.2", metavar="P", help="of that remedy (%(default)s)")
    parser.add_argument("--consistency", default="1", metavar="WEIGHT", help="of that remedy (%(default)s)")
    options, passed_on = parser.parse_known_args()
    common = [
        *("--data", options.data, "--features", options.features, "--also", f"{NOISY}={options.noisy_test}"),
        *passed_on,
    ]
    print_scores({name: scores_of(options.out / name, [*common, *words]) for name, words in remedies(options).items()})


def remedies(options: argparse.Namespace) -> dict[str, list[str]]:
    """What each remedy adds to the options of `run_fusion.py`."""
    copies = ["--train-also", *options.noisy_train]
    dropout = ["--modality-dropout", options.modality_dropout]
    consistency = ["--consistency", options.consistency]
    return {
        PLAIN: [],
        "copies": copies,
        "modality-dropout": dropout,
        "consistency": [*copies, *consistency],
        "all-together": [*copies, *consistency, *dropout],
    }


def scores_of(runs: Path, words: Sequence[str]) -> dict[str, dict[str, Any]]:
    """The WAF of each split by its name, of the system whose predictions a run of `run_fusion.py` writes."""
    with contextlib.redirect_stdout(io.StringIO()):
        fuse.main([*words, "--runs", str(runs)])
    row = written_row(read_result(max(runs.iterdir())))
    return {s["split"]: s for s in row["scores"] if s["metric"] == "waf" and s["estimate"] != CV_NESTED}


def print_scores(scores: dict[str, dict[str, dict[str, Any]]]) -> None:
    """Print a block for each split that was scored on both features; `scores` are by remedy and split."""
    plain = scores[PLAIN]
    for split in plain:
        noisy = variant_split(split, NOISY)
        if noisy not in plain:
            continue
        lost = plain[split]["value"] - plain[noisy]["value"]
        print(f"{split}: {plain[noisy]['n']} clips in noise, {plain[split]['n']} clean, noise takes {100 * lost:.2f}")
        print(f"{'':16}  {'clean WAF':22}  {'noisy WAF':22}  won back")
        for remedy, found in scores.items():
            gained = found[noisy]["value"] - plain[noisy]["value"]
            share = f"{gained / lost:8.0%}" if remedy != PLAIN and lost > 0 else ""
            print(f"{remedy:16}  {shown(found[split]):22}  {shown(found[noisy]):22}  {share}".rstrip(), flush=True)


def shown(score: dict[str, Any]) -> str:
    return f"{100 * score['value']:5.2f} [{100 * score['low']:.1f}, {100 * score['high']:.1f}]"


if __name__ == "__main__":
    main()
