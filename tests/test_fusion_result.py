"""result.json says what the systems' answers say: every number is computed again from them."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path
from statistics import fmean, stdev

import numpy as np
import pytest
from optuna.storages import InMemoryStorage
from toy_problem import CLASSES, LABELS, Small, make_clips, make_problem

from fusion.inputs import Variant
from fusion.ranking import rank
from fusion.result import Entry, describe, ranking_rows, scores
from fusion.search import draw
from fusion.system import Laboratory, System
from mertools.corpus import Corpus
from mertools.emotions import LabelSet, label_set
from mertools.metrics import confusion_matrix, waf

CLIPS = make_clips(90, 15)
UNLABELLED = tuple(
    replace(clip, label="") if clip.name.endswith("4") and clip.split == "semi" else clip for clip in CLIPS
)
CORPUS = Corpus(Path("manifest.csv"), UNLABELLED)


@pytest.fixture(scope="module")
def made() -> tuple[Laboratory, list[Variant], LabelSet]:
    problem = make_problem(epochs=2)
    known = frozenset(clip.name for clip in CLIPS[80:95])
    variants = [Variant("noise", problem.inputs, known), Variant("test only", problem.inputs, frozenset(["clip_0095"]))]
    laboratory = Laboratory(
        problem,
        UNLABELLED,
        draw(Small, "random", 2, 0),
        InMemoryStorage(),
        nested=True,
        repeats=2,
        variants=variants,
        progress=lambda title, count: lambda *known: None,
    )
    return laboratory, variants, label_set(LABELS, ())


def in_result(rows: list[dict], split: str, estimate: str) -> dict:
    (found,) = (row for row in rows if (row["split"], row["estimate"], row["metric"]) == (split, estimate, "waf"))
    return found


def of_folds(system: System, folds: np.ndarray, predicted: np.ndarray) -> float:
    truth = system.problem.targets
    return fmean(
        float(waf(confusion_matrix(truth[folds == fold], predicted[folds == fold], CLASSES))) for fold in range(3)
    )


def test_scores_are_means_over_the_reruns(made: tuple) -> None:
    laboratory, variants, labels = made
    system = laboratory.system(["a1", "t1"])
    rows = scores(system, CORPUS, labels, variants)
    expected = [of_folds(system, run.folds, run.answers.out_of_fold.classes) for run in system.reruns]
    paper = in_result(rows, "train", "cv-paper")
    assert (paper["value"], paper["std"]) == (pytest.approx(fmean(expected)), pytest.approx(stdev(expected)))
    nested = in_result(rows, "train", "cv-nested")
    assert nested["value"] == pytest.approx(of_folds(system, system.problem.folds, system.nested.argmax(axis=1)))
    assert nested["std"] is None and nested["n"] == paper["n"] == 90

    labelled = np.array([bool(clip.label) for clip in CORPUS.others])
    truth = np.arange(90, 105)[labelled] % CLASSES
    tested = [
        float(waf(confusion_matrix(truth, run.answers.others.classes[labelled], CLASSES))) for run in system.reruns
    ]
    semi = in_result(rows, "semi", "test")
    assert semi["value"] == pytest.approx(fmean(tested)) and semi["n"] == labelled.sum() < 15


def test_variants_are_splits_of_their_own(made: tuple) -> None:
    laboratory, variants, labels = made
    rows = scores(laboratory.system(["a1"]), CORPUS, labels, variants)
    counts = {(row["split"], row["estimate"]): row["n"] for row in rows}
    assert counts == {
        ("train", "cv-paper"): 90,
        ("train", "cv-nested"): 90,
        ("semi", "test"): sum(bool(clip.label) for clip in CORPUS.others),
        ("train (noise)", "cv-paper"): 10,
        ("semi (noise)", "test"): sum(bool(clip.label) for clip in UNLABELLED[90:95]),
        ("semi (test only)", "test"): 1,
    }


def test_a_run_is_described(made: tuple) -> None:
    laboratory, variants, labels = made
    one, two = laboratory.system(["a1"]), laboratory.system(["a1", "v1"])
    entries = [Entry("single", None, one), Entry("system", 1, two)]
    described = describe(CORPUS, labels, entries, two, group=None, variants=variants)
    json.dumps(described, allow_nan=False)
    assert described["labels"] == list(LABELS) and described["folds"]["count"] == 3
    assert [row["written"] for row in described["rows"]] == [False, True]
    assert [feature["name"] for feature in described["features"]] == ["a1", "v1"]
    for feature in described["features"]:
        assert feature["ok"] + feature["missing"] + feature["failed"] == 105
        assert feature["ok"] == laboratory.system([feature["name"]]).problem.inputs[feature["name"]].mask.sum()
    row = described["rows"][1]
    assert row["epochs"] == [trained.epoch + 1 for trained in two.run.networks]
    assert row["repeats"] == 2 and row["parameters"] == two.parameters
    assert [trial["value"] for trial in row["trials"]] == [trial.value for trial in two.search.trials]
    assert row["chosen"]["hidden"] == two.configuration.hidden
    assert described["corpus"]["splits"]["train"] == {"clips": 90, "classes": dict.fromkeys(LABELS, 30)}


def test_what_was_copied_is_described() -> None:
    problem = make_problem(epochs=1, copies=2)
    laboratory = Laboratory(
        problem,
        CLIPS,
        draw(Small, "random", 1, 0),
        InMemoryStorage(),
        nested=False,
        repeats=0,
        progress=lambda title, count: lambda *known: None,
    )
    labels = label_set(LABELS, ())
    entries = [Entry("single", None, laboratory.system([name])) for name in laboratory.features]
    described = describe(CORPUS, labels, entries, entries[0].system, group=None)
    for feature in described["features"]:
        found = [copy[feature["name"]].mask.sum() for copy in problem.copies]
        assert [copy["ok"] for copy in feature["copies"]] == found
        assert {copy["ok"] + copy["missing"] + copy["failed"] for copy in feature["copies"]} == {90}
    rows = ranking_rows(laboratory.ranking(), entries, labels)
    assert [sorted(row) for row in rows] == [["feature", "modality", "waf"]] * 4, "no interval is of such a mean"


def test_the_ranking_stands_with_its_own_folds_interval(made: tuple) -> None:
    laboratory, _, labels = made
    entries = [Entry("single", None, laboratory.system([name])) for name in laboratory.features]
    ranking = laboratory.ranking()
    rows = ranking_rows(ranking, entries, labels)
    assert [row["feature"] for row in rows] == [ranked.feature for ranked in ranking]
    for row in rows:
        assert row["waf"] == laboratory.system([row["feature"]]).search.best.value
        assert row["low"] < row["waf"] < row["high"]
    assert rank({row["feature"]: row["waf"] for row in rows}, {r.feature: r.modality for r in ranking}) == ranking
