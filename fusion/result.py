"""What result.json says of a corpus and the systems trained on it."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from typing import Any

import numpy as np

from fusion.cross_validation import Problem
from fusion.inputs import Inputs, Variant
from fusion.ranking import Ranked
from fusion.self_training_audit import audit
from fusion.system import Answers, Run, System
from mertools.clip import Clip
from mertools.corpus import TRAIN, Corpus
from mertools.emotions import LabelSet
from mertools.intervals import Estimate, estimates
from mertools.run_record import fingerprint, score_rows

CV_PAPER, CV_NESTED, TEST = "cv-paper", "cv-nested", "test"


@dataclass(frozen=True)
class Entry:
    """A system in the table of a run: `kind` is `single` (a feature alone) or `system`, `top` its number of features
    a modality, None where they were named."""

    kind: str
    top: int | None
    system: System


def describe(
    corpus: Corpus,
    labels: LabelSet,
    entries: Sequence[Entry],
    written: System,
    *,
    group: str | None,
    variants: Sequence[Variant] = (),
) -> dict[str, Any]:
    """The part of result.json about data and scores.

    `written` is the system whose predictions are written; `group` the column whose values the folds kept together.
    """
    problem = written.problem
    fold_of_clip = {clip.name: int(fold) for clip, fold in zip(corpus.train, written.run.folds, strict=True)}
    features = {name: entry.system.problem for entry in entries for name in entry.system.problem.inputs}
    return {
        "device": problem.device,
        "labels": list(labels.names),
        "corpus": {
            "manifest": str(corpus.manifest),
            "fingerprint": corpus.fingerprint,
            "notice": corpus.notice,
            "splits": {split: _describe_split(corpus, split, labels) for split in corpus.splits},
        },
        "folds": {"count": problem.fold_count, "group": group, "fingerprint": fingerprint(fold_of_clip)},
        "features": [_describe_feature(name, problem) for name, problem in features.items()],
        "rows": [_describe_entry(entry, entry.system is written, corpus, labels, variants) for entry in entries],
    }


def scores(system: System, corpus: Corpus, labels: LabelSet, variants: Sequence[Variant] = ()) -> list[dict[str, Any]]:
    """The system's scores as they stand in result.json: every metric on train and on every labelled split.

    On train there are the estimates `cv-paper` and, where asked for, `cv-nested`; other splits chose nothing. Value and
    interval are means over the re-runs, where there are any, and the deviation is theirs. Clips without a label do not
    count. What is scored on a variant's features is a split of its own.
    """
    truth, seed = system.problem.targets, system.problem.seed
    runs = system.reruns or (system.run,)
    rows = score_rows(TRAIN, CV_PAPER, [_cross_validated(run, run.answers, system, labels) for run in runs])
    if system.nested is not None:
        nested = estimates(truth, system.nested.argmax(axis=1), labels.names, seed, system.problem.folds)
        rows += score_rows(TRAIN, CV_NESTED, [nested])
    labelled = _labelled(corpus)
    for split, clips in labelled.items():
        rows += score_rows(split, TEST, [_tested(run.answers, clips, labels, seed) for run in runs])
    for variant in variants:
        known = [row for row, clip in enumerate(corpus.train) if clip.name in variant.clips]
        if known:
            found = [_cross_validated(run, run.variants[variant.name], system, labels, known) for run in runs]
            rows += score_rows(variant_split(TRAIN, variant.name), CV_PAPER, found)
        for split, clips in labelled.items():
            clips = [clip for clip in clips if clip.name in variant.clips]
            if clips:
                found = [_tested(run.variants[variant.name], clips, labels, seed) for run in runs]
                rows += score_rows(variant_split(split, variant.name), TEST, found)
    return rows


def ranking_rows(ranking: Sequence[Ranked], entries: Sequence[Entry], labels: LabelSet) -> list[dict[str, Any]]:
    """The rows of ranking.csv: what each feature reaches alone in the search's own folds, with its interval.

    There is none where copies were trained on: the score that ranks is then a mean over the clips and their copies.
    """
    alone = {entry.system.features[0]: entry.system for entry in entries if len(entry.system.features) == 1}
    rows = []
    for ranked in ranking:
        system = alone[ranked.feature]
        score = _cross_validated(system.run, system.run.answers, system, labels)["waf"]
        interval = {} if system.problem.copies else {"low": score.low, "high": score.high}
        rows.append({**asdict(ranked), **interval})
    return rows


def variant_split(split: str, variant: str) -> str:
    """How result.json calls a split that is scored on other features of the same names."""
    return f"{split} ({variant})"


def _labelled(corpus: Corpus) -> dict[str, list[Clip]]:
    """The clips with a label of each split that was not trained on."""
    by_split: dict[str, list[Clip]] = {}
    for clip in corpus.others:
        if clip.label:
            by_split.setdefault(clip.split, []).append(clip)
    return by_split


def _cross_validated(
    run: Run, answers: Answers, system: System, labels: LabelSet, rows: Sequence[int] | slice = slice(None)
) -> dict[str, Estimate]:
    """The scores of the training clips `rows`, by the networks that have not seen them."""
    truth, predicted = system.problem.targets[rows], answers.out_of_fold.classes[rows]
    return estimates(truth, predicted, labels.names, system.problem.seed, run.folds[rows])


def _tested(answers: Answers, clips: Sequence[Clip], labels: LabelSet, seed: int) -> dict[str, Estimate]:
    predicted = dict(zip(answers.others.names, answers.others.classes, strict=True))
    truth = np.array(labels.indices([clip.label for clip in clips]))
    return estimates(truth, np.array([predicted[clip.name] for clip in clips]), labels.names, seed)


def _describe_entry(
    entry: Entry, written: bool, corpus: Corpus, labels: LabelSet, variants: Sequence[Variant]
) -> dict[str, Any]:
    one = entry.system
    return {
        "kind": entry.kind,
        "modalities": one.modalities,
        "top": entry.top,
        "features": list(one.features),
        "written": written,
        "chosen": asdict(one.configuration),
        "epochs": [trained.epoch + 1 for trained in one.run.networks],
        "parameters": one.parameters,
        "repeats": len(one.reruns),
        "trials": [trial.as_json() for trial in one.search.trials],
        **({"self_training": _describe_self_training(one, corpus, labels)} if one.self_training else {}),
        "scores": scores(one, corpus, labels, variants),
    }


def _describe_self_training(system: System, corpus: Corpus, labels: LabelSet) -> dict[str, Any]:
    """The audit, and what was seen: the clips of the pool by split, and the splits that hold clips which are scored."""
    found = system.self_training
    pool = [corpus.clips[row] for row in found.pool]
    return {
        "pool": dict(Counter(clip.split for clip in pool)),
        "transductive": sorted({clip.split for clip in pool if clip.label and found.teaching.rounds}),
        **audit(found, labels),
    }


def _describe_split(corpus: Corpus, split: str, labels: LabelSet) -> dict[str, Any]:
    clips = [clip for clip in corpus.clips if clip.split == split]
    counts = Counter(clip.label for clip in clips)
    return {"clips": len(clips), "classes": {name: counts[name] for name in labels.names if counts[name]}}


def _describe_feature(name: str, problem: Problem) -> dict[str, Any]:
    feature = problem.inputs[name]
    provenance = feature.provenance
    return {
        "name": provenance.feature,
        "modality": provenance.modality,
        "dim": feature.values.shape[1],
        "source": provenance.source,
        "revision": provenance.revision,
        "recipe": provenance.recipe,
        **_describe_values(feature),
        "copies": [_describe_values(copy[name]) for copy in problem.copies],
    }


def _describe_values(feature: Inputs) -> dict[str, Any]:
    """Which noise they carry, and how many clips have them."""
    ok = int(feature.mask.sum())
    return {
        "noise": feature.provenance.noise,
        "ok": ok,
        "missing": len(feature.mask) - ok - feature.failed,
        "failed": feature.failed,
    }
