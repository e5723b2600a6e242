"""`mertools predict`: a finished run's networks -> predictions for the clips of any manifest."""

from __future__ import annotations

import argparse
import sys
import time
from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from mertools import run_record
from mertools.commands.command_line import add_corpus_options, make_parser
from mertools.commands.display import print_table
from mertools.commands.finished_runs import new_folder, read_fusion
from mertools.commands.fuse import candidates_of, extract_command
from mertools.corpus import TRAIN, Corpus, read_manifest
from mertools.emotions import LabelSet, label_set
from mertools.errors import InputError

if TYPE_CHECKING:
    from fusion.inputs import Inputs
    from fusion.networks import SavedNetworks
    from mertools.intervals import Estimate
    from mertools.predictions import Predictions

EXAMPLES = """\
  mertools predict --run results/runs/20240601T101500Z-0a1b2c3d --data new/manifest.csv --features new/features
  mertools predict --run baseline --data semi/manifest.csv --features features --candidates candidates.csv"""

METRICS = ("waf", "acc", "uar")
TEST = "test"


@dataclass(frozen=True)
class Part:
    """The clips of one split that are scored, with the estimate of each metric."""

    split: str
    estimates: Mapping[str, Estimate]

    @property
    def clips(self) -> int:
        """How many clips were scored."""
        return self.estimates[METRICS[0]].n


def make_predict_parser() -> argparse.ArgumentParser:
    """The options of `mertools predict`."""
    parser = make_parser(
        "mertools predict",
        "Predict the clips of any manifest with the networks of a finished run, one a fold, and write predictions and\n"
        "submissions. Where clips have labels, print WAF, ACC and UAR of each split with 95 % intervals, and beside\n"
        "them the seconds a clip took. Clips that the run was trained on, told by their names, are not scored.",
        EXAMPLES,
    )
    parser.add_argument("--run", type=Path, required=True, metavar="RUN", help="the folder of a run of run_fusion.py")
    add_corpus_options(parser)
    parser.add_argument("--features", type=Path, default=Path("features"), metavar="DIR", help="feature files' folder")
    parser.add_argument(
        "--out", type=Path, metavar="DIR", help="the new folder to write to (default: one in RUN/predictions)"
    )
    parser.add_argument(
        "--candidates", type=Path, metavar="CSV", help="predict only the clips of this list (column 'name')"
    )
    parser.add_argument("--device", default="auto", help="auto, cpu or cuda")
    return parser


def main(arguments: Sequence[str] | None = None) -> int:
    """Parse, load, work, write; returns the exit status."""
    options = make_predict_parser().parse_args(arguments)
    run = read_fusion(options.run)

    from feature_extractors.encoder import torch_device
    from fusion.group_scaling import scaled_by
    from fusion.inputs import load_inputs
    from fusion.networks import load_networks

    networks = load_networks(options.run / run["files"]["networks"])
    labels = label_set(networks.labels, ())
    corpus = _clips(options, labels)
    inputs = load_inputs(
        options.features, list(networks.shapes), corpus.clips, extract_command(options, options.features)
    )
    networks.check(inputs)
    if run["configuration"].get("scale_by"):
        inputs = scaled_by(inputs, corpus.clips, run["configuration"]["scale_by"])
    trained = _trained_clips(options.run / run["files"]["out_of_fold"], corpus, labels)
    device = str(torch_device(options.device))
    started = run_record.now()
    predictions, seconds = _predict(networks, inputs, [clip.name for clip in corpus.clips], device)
    parts = _score(corpus, labels, predictions, trained, run["seed"])
    result = {
        "kind": "prediction",
        "command": run_record.command_line(
            "mertools", ["predict", *(sys.argv[1:] if arguments is None else arguments)]
        ),
        "started": started,
        "seed": run["seed"],
        "versions": run_record.versions("torch", "numpy"),
        "configuration": {
            name: str(value) if isinstance(value, Path) else value for name, value in vars(options).items()
        },
        **_describe(corpus, labels, run, networks, inputs, device),
        "trained_clips": len(trained),
        "scores": [score for part in parts for score in run_record.score_rows(part.split, TEST, [part.estimates])],
        "timings": {"predict_seconds": seconds, "seconds_per_clip": seconds / len(corpus.clips)},
    }
    folder = (
        new_folder(options.out)
        if options.out
        else run_record.make_run_folder(options.run / "predictions", vars(options))
    )
    _write(folder, corpus, labels, predictions, result)
    _show(result, parts, folder)
    return 0


def _clips(options: argparse.Namespace, labels: LabelSet) -> Corpus:
    """The clips to predict, their labels spelled as the run's classes.

    Raises InputError for a label that the networks do not know.
    """
    corpus = read_manifest(options.data, options.media_root)
    if options.candidates:
        names = candidates_of(corpus, options.candidates)
        corpus = replace(corpus, clips=tuple(clip for clip in corpus.clips if clip.name in names))
    clips = []
    for clip in corpus.clips:
        try:
            clips.append(replace(clip, label=labels.canonical(clip.label)) if clip.label else clip)
        except InputError:
            raise InputError(
                f"{corpus.manifest}: clip {clip.name!r} has the label {clip.label!r}, the networks know "
                f"{', '.join(labels.names)}. Leave the label empty: the clip is predicted then, and not scored."
            ) from None
    return replace(corpus, clips=tuple(clips))


def _trained_clips(out_of_fold: Path, corpus: Corpus, labels: LabelSet) -> frozenset[str]:
    """The names of the clips of `corpus` that the run was trained on.

    A clip is told by its name: a manifest that grew, moved or was split anew keeps the names of its clips, while their
    media may have been encoded again. So a training clip under another name is taken for a new one, and a new clip
    under the name of a training clip is left out of the scores, which the note under the table says.
    """
    from mertools.predictions import read_predictions

    known = set(read_predictions(out_of_fold, labels).names)
    return frozenset(clip.name for clip in corpus.clips if clip.name in known)


def _predict(
    networks: SavedNetworks, inputs: Mapping[str, Inputs], names: Sequence[str], device: str
) -> tuple[Predictions, float]:
    """What the networks say of all clips, and the seconds that took."""
    # What the first call alone costs (loading kernels, starting a GPU) is no clip's time.
    networks.predict(inputs, names[:1], device)
    begin = time.perf_counter()
    predictions = networks.predict(inputs, names, device)
    return predictions, time.perf_counter() - begin


def _score(
    corpus: Corpus, labels: LabelSet, predictions: Predictions, trained: Collection[str], seed: int
) -> list[Part]:
    """The scores of each split's labelled clips that the run was not trained on."""
    import numpy as np

    from mertools.intervals import estimates

    rows: dict[str, list[int]] = {}
    for row, clip in enumerate(corpus.clips):
        if clip.label and clip.name not in trained:
            rows.setdefault(clip.split, []).append(row)
    parts = []
    for split, found in rows.items():
        truth = np.array(labels.indices([corpus.clips[row].label for row in found]))
        parts.append(Part(split, estimates(truth, predictions.classes[found], labels.names, seed)))
    return parts


def _describe(
    corpus: Corpus,
    labels: LabelSet,
    run: Mapping[str, Any],
    networks: SavedNetworks,
    inputs: Mapping[str, Inputs],
    device: str,
) -> dict[str, Any]:
    """The part of result.json about data and networks."""
    return {
        "device": device,
        "labels": list(labels.names),
        "corpus": {
            "manifest": str(corpus.manifest),
            "fingerprint": corpus.fingerprint,
            "notice": corpus.notice,
            "splits": {split: sum(clip.split == split for clip in corpus.clips) for split in corpus.splits},
        },
        "trained_corpus": run["corpus"]["fingerprint"],
        "networks": {"count": len(networks.networks), "parameters": run_record.written_row(run)["parameters"]},
        "features": [
            {
                "name": name,
                "revision": one.provenance.revision,
                "recipe": one.provenance.recipe,
                "noise": one.provenance.noise,
                "ok": int(one.mask.sum()),
                "missing": int((~one.mask).sum()) - one.failed,
                "failed": one.failed,
            }
            for name, one in inputs.items()
        ],
    }


def _write(folder: Path, corpus: Corpus, labels: LabelSet, predictions: Predictions, result: dict[str, Any]) -> None:
    """Write the files into `folder`, result.json last: its presence says that they are whole."""
    from mertools.predictions import write_predictions
    from mertools.submissions import write_submissions

    write_predictions(folder / "predictions.csv", corpus.clips, predictions, labels)
    submissions = write_submissions(folder, corpus.clips, predictions.classes, labels)
    result["files"] = {"predictions": "predictions.csv", "submissions": submissions}
    run_record.write_result(folder, result)


def _show(result: Mapping[str, Any], parts: Sequence[Part], folder: Path) -> None:
    """Print the table, where there is something to score, what its reader must know, and where everything lies."""
    pace = result["timings"]["seconds_per_clip"]
    if parts:
        header = (
            "split",
            "clips",
            *(name for metric in METRICS for name in (metric.upper(), f"{metric.upper()} 95 %")),
        )
        print_table((*header, "seconds a clip"), [_row(part, pace) for part in parts])
    sys.stdout.writelines(f"{note}\n" for note in _notes(result, parts))
    sys.stdout.write(f"\nResults: {folder}\n")


def _row(part: Part, seconds_per_clip: float) -> list[str]:
    """One split's line of the table; scores in per cent."""
    scores = [part.estimates[metric] for metric in METRICS]
    cells = [(f"{100 * score.value:.2f}", f"[{100 * score.low:.1f}, {100 * score.high:.1f}]") for score in scores]
    return [part.split, str(part.clips), *(cell for pair in cells for cell in pair), f"{seconds_per_clip:.2g}"]


def _notes(result: Mapping[str, Any], parts: Sequence[Part]) -> Iterator[str]:
    """What the reader of the table must know."""
    from mertools.report.footnotes import ESTIMATES

    corpus, networks, trained = result["corpus"], result["networks"], result["trained_clips"]
    if corpus["notice"]:
        yield corpus["notice"]
    if parts:
        yield f"Scores in per cent, with 95 % bootstrap intervals over clips. {TEST}: {ESTIMATES[TEST]}."
        yield "They are those of the networks kept; where a run was repeated, its own table shows means over repeats."
    else:
        yield "Nothing is scored: no clip that the run was not trained on has a label."
    if trained:
        yield (
            f"{_clips_in_words(trained)} predicted but not scored: the run was trained on clips of these names. Where "
            "only the name is the same, rename the clip."
        )
    if any(part.split == TRAIN for part in parts):
        yield f"{TRAIN}: what {corpus['manifest']} calls so; the run was not trained on the clips that are scored."
    clips = sum(corpus["splits"].values())
    yield (
        f"{_clips_in_words(clips)} in {result['timings']['predict_seconds']:.3g} s on {result['device']}, features not "
        f"counted: {networks['count']} networks of {networks['parameters']:,} parameters."
    )


def _clips_in_words(count: int) -> str:
    return "1 clip" if count == 1 else f"{count:,} clips"
