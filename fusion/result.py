"""What result.json says of a corpus and the systems trained on it."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from typing import Any

import numpy as np

from fusion.inputs import Inputs
from fusion.system import System
from mertools.clip import Clip
from mertools.corpus import Corpus
from mertools.emotions import LabelSet
from mertools.metrics import METRICS, estimate
from mertools.run_record import fingerprint

CV_PAPER, TEST = "cv-paper", "test"


def describe(
    corpus: Corpus, labels: LabelSet, singles: Sequence[System], system: System, *, top: int | None, group: str | None
) -> dict[str, Any]:
    """The part of result.json about data and scores.

    `singles` are features ranked alone, `top` how many of each modality `system` took; () and None without a ranking.
    `group` is the column whose values the folds kept together.
    """
    problem = system.problem
    fold_of_clip = {clip.name: int(fold) for clip, fold in zip(corpus.train, problem.folds, strict=True)}
    rows = [_describe_system("single", None, one, corpus, labels) for one in singles if one is not system]
    return {
        "device": problem.device,
        "labels": list(labels.names),
        "corpus": {
            "manifest": str(corpus.manifest),
            "fingerprint": corpus.fingerprint,
            "notice": corpus.notice,
            "splits": {split: _describe_split(corpus, split, labels) for split in corpus.splits},
        },
        "folds": {
            "count": int(problem.folds.max()) + 1,
            "group": group,
            "fingerprint": fingerprint(fold_of_clip),
        },
        "features": [_describe_feature(feature) for feature in problem.inputs.values()],
        "rows": [*rows, _describe_system("system", top, system, corpus, labels)],
    }


def scores(system: System, clips: Sequence[Clip], labels: LabelSet) -> list[dict[str, Any]]:
    """The system's scores as they stand in result.json: one for each metric, on train and on every labelled split.

    `train` is the estimate `cv-paper`: epoch and configuration were chosen on the folds that are reported. Other splits
    chose nothing; clips without a label do not count.
    """
    problem = system.problem
    estimates = {
        ("train", CV_PAPER, metric): estimate(
            metric, problem.targets, system.out_of_fold.classes, len(labels), problem.seed, problem.folds
        )
        for metric in METRICS
    }
    predicted = dict(zip(system.others.names, system.others.classes, strict=True))
    by_split: dict[str, list[Clip]] = {}
    for clip in clips:
        if clip.label and clip.name in predicted:
            by_split.setdefault(clip.split, []).append(clip)
    for split, labelled in by_split.items():
        truth = np.array(labels.indices([clip.label for clip in labelled]))
        classes = np.array([predicted[clip.name] for clip in labelled])
        for metric in METRICS:
            estimates[split, TEST, metric] = estimate(metric, truth, classes, len(labels), problem.seed)
    return [
        {
            "split": split,
            "estimate": kind,
            "metric": metric,
            "value": score.value,
            "std": None,
            "low": score.low,
            "high": score.high,
            "n": score.n,
        }
        for (split, kind, metric), score in estimates.items()
    ]


def _describe_system(kind: str, top: int | None, one: System, corpus: Corpus, labels: LabelSet) -> dict[str, Any]:
    best = one.search.best
    return {
        "kind": kind,
        "modalities": one.modalities,
        "top": top,
        "features": list(one.features),
        "chosen": dict(best.configuration),
        "epochs": [network.trained.epoch + 1 for network in best.networks],
        "trials": [trial.as_json() for trial in one.search.trials],
        "scores": scores(one, corpus.clips, labels),
    }


def _describe_split(corpus: Corpus, split: str, labels: LabelSet) -> dict[str, Any]:
    clips = [clip for clip in corpus.clips if clip.split == split]
    counts = Counter(clip.label for clip in clips)
    return {"clips": len(clips), "classes": {name: counts[name] for name in labels.names if counts[name]}}


def _describe_feature(feature: Inputs) -> dict[str, Any]:
    provenance, ok = feature.provenance, int(feature.mask.sum())
    return {
        "name": provenance.feature,
        "modality": provenance.modality,
        "dim": feature.values.shape[1],
        "source": provenance.source,
        "revision": provenance.revision,
        "recipe": provenance.recipe,
        "noise": provenance.noise,
        "ok": ok,
        "missing": len(feature.mask) - ok - feature.failed,
        "failed": feature.failed,
    }
