"""Inputs, training, cross-validation, search and ranking on a toy corpus."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch
from toy_corpus import LABELS, make_toy_corpus

from fusion.cross_validation import Problem, average, cross_validate, out_of_fold
from fusion.inputs import Scaler, load_inputs
from fusion.models import MODELS
from fusion.ranking import Ranked, rank, top
from fusion.search import search
from fusion.system import fit
from mertools.corpus import read_manifest, stratified_folds
from mertools.errors import InputError
from mertools.metrics import confusion_matrix, waf

EXTRACT = "python extract.py --feature {feature}"
CONFIGURATION = {"hidden": 64, "learning_rate": 1e-3, "dropout": 0.2}


@pytest.fixture(scope="module")
def toy(tmp_path_factory: pytest.TempPathFactory) -> tuple[tuple, Problem]:
    folder = tmp_path_factory.mktemp("toy")
    corpus = read_manifest(make_toy_corpus(folder))
    names = ["toy-audio", "toy-video", "toy-text"]
    train = np.array([row for row, clip in enumerate(corpus.clips) if clip.split == "train"])
    problem = Problem(
        model=MODELS["attention"],
        inputs=load_inputs(folder / "features", names, corpus.clips, EXTRACT),
        train=train,
        targets=np.array([LABELS.index(corpus.clips[row].label) for row in train]),
        folds=stratified_folds(corpus.train, 3, seed=0),
        classes=3,
        epochs=15,
        scaled=True,
        seed=0,
        device="cpu",
    )
    return corpus.clips, problem


def test_inputs_follow_the_manifests_order(tmp_path: Path) -> None:
    clips = read_manifest(make_toy_corpus(tmp_path)).clips
    forward = load_inputs(tmp_path / "features", ["toy-video"], clips, EXTRACT)["toy-video"]
    backward = load_inputs(tmp_path / "features", ["toy-video"], clips[::-1], EXTRACT)["toy-video"]
    np.testing.assert_array_equal(forward.values[::-1], backward.values)
    assert forward.letter == "V" and (~forward.mask).sum() == 9 and not forward.values[~forward.mask].any()


def test_inputs_refuse_with_clip_feature_and_next_step(tmp_path: Path) -> None:
    clips = read_manifest(make_toy_corpus(tmp_path)).clips
    features = tmp_path / "features"
    with pytest.raises(InputError, match=r"Did you mean 'toy-audio'\?.*extract\.py --feature toy-audi"):
        load_inputs(features, ["toy-audi"], clips, EXTRACT)
    more = [*clips, replace(clips[0], name="new_1"), replace(clips[0], name="new_2")]
    with pytest.raises(InputError) as error:
        load_inputs(features, ["toy-text"], more, EXTRACT)
    assert str(error.value) == (
        "Feature 'toy-text' lacks 2 of 92 clips (first: new_1). Run: python extract.py --feature toy-text"
    )
    missing = [clip for clip in clips if clip.name.endswith("9")]
    with pytest.raises(InputError, match=r"'toy-video': none of the 9 clips is ok \(first: no face\)"):
        load_inputs(features, ["toy-video"], missing, EXTRACT)


def test_the_scaler_sees_only_the_rows_it_is_fitted_on(toy: tuple) -> None:
    _, problem = toy
    rows = problem.train[:30]
    batch = Scaler.fit(problem.inputs, rows).batch(problem.inputs, "cpu")
    for name, feature in problem.inputs.items():
        fitted = batch.features[name][rows][torch.from_numpy(feature.mask[rows])]
        torch.testing.assert_close(fitted.mean(dim=0), torch.zeros(fitted.shape[1]), atol=1e-5, rtol=0)
        torch.testing.assert_close(fitted.std(dim=0, correction=0), torch.ones(fitted.shape[1]), atol=1e-4, rtol=0)
        assert not batch.features[name][~torch.from_numpy(feature.mask)].any(), "what is missing stays zero"


def test_a_constant_component_does_not_blow_up(toy: tuple) -> None:
    _, problem = toy
    feature = problem.inputs["toy-text"]
    values = feature.values.copy()
    values[:, 0] = 1234.5678
    inputs = {"toy-text": replace(feature, values=values)}
    scaled = Scaler.fit(inputs, problem.train).batch(inputs, "cpu").features["toy-text"]
    assert scaled[:, 0].abs().max() < 1e-2


def test_cross_validation_repeats_and_depends_on_its_names_alone(toy: tuple) -> None:
    clips, problem = toy
    names = [clips[row].name for row in problem.train]
    torch.manual_seed(1)
    one = cross_validate(problem, CONFIGURATION)
    torch.manual_seed(2)
    two = cross_validate(problem, CONFIGURATION)
    assert one.waf == two.waf
    np.testing.assert_array_equal(
        out_of_fold(problem, one, names).probabilities, out_of_fold(problem, two, names).probabilities
    )
    other = cross_validate(replace(problem, seed=1), CONFIGURATION)
    assert not np.array_equal(
        out_of_fold(problem, other, names).probabilities, out_of_fold(problem, one, names).probabilities
    )


def test_out_of_fold_scores_are_those_that_were_reported(toy: tuple) -> None:
    clips, problem = toy
    result = cross_validate(problem, CONFIGURATION)
    predictions = out_of_fold(problem, result, [clips[row].name for row in problem.train])
    of_folds = [
        waf(confusion_matrix(problem.targets[problem.folds == fold], predictions.classes[problem.folds == fold], 3))
        for fold in range(3)
    ]
    assert result.waf == pytest.approx(np.mean(of_folds))
    np.testing.assert_allclose(predictions.probabilities.sum(axis=1), 1)
    np.testing.assert_allclose(predictions.weights.sum(axis=1), 1, atol=1e-6)
    missing = ~problem.inputs["toy-video"].mask[problem.train]
    assert (predictions.weights[missing, 1] == 0).all()


def test_other_splits_get_the_mean_of_the_networks_logits(toy: tuple) -> None:
    clips, problem = toy
    result = cross_validate(problem, CONFIGURATION)
    rows = np.array([70, 75, 80])
    predictions = average(problem, result, rows, [clips[row].name for row in rows])
    logits = []
    for network in result.networks:
        batch = network.scaler.batch(problem.inputs, "cpu").rows(torch.from_numpy(rows))
        with torch.inference_mode():
            logits.append(network.trained.network(batch.features, batch.masks).logits)
    mean = torch.stack(logits).mean(dim=0)
    np.testing.assert_allclose(predictions.probabilities, torch.softmax(mean.double(), dim=1).numpy(), atol=1e-6)


def test_labels_of_other_splits_change_nothing(toy: tuple) -> None:
    """Test labels are never seen: the systems are the same whatever they say."""
    clips, problem = toy
    relabelled = [clip if clip.split == "train" else replace(clip, label="") for clip in clips]
    one, two = fit(problem, clips, 2), fit(problem, relabelled, 2)
    np.testing.assert_array_equal(one.others.probabilities, two.others.probabilities)


def test_a_repeated_draw_is_not_trained_twice(toy: tuple, monkeypatch: pytest.MonkeyPatch) -> None:
    _, problem = toy
    trained = []

    def counting(problem: Problem, configuration: dict) -> object:
        trained.append(tuple(configuration.values()))
        return cross_validate(replace(problem, epochs=1), configuration)

    monkeypatch.setattr("fusion.search.cross_validate", counting)
    seen = []
    found = search(problem, 50, progress=lambda trial, best: seen.append(best))
    assert len(found.trials) == 50 and len(trained) == len(set(trained)) <= 24
    repeats = [trial for trial in found.trials if trial.repeats is not None]
    assert len(repeats) == 50 - len(trained)
    for trial in repeats:
        first = found.trials[trial.repeats]
        assert (first.value, first.configuration) == (trial.value, trial.configuration) and first.repeats is None
    assert found.best.waf == max(trial.value for trial in found.trials) == seen[-1]
    again = search(problem, 50)
    assert [trial.as_json() for trial in again.trials] == [trial.as_json() for trial in found.trials]


def test_fusion_beats_each_modality_alone(toy: tuple) -> None:
    _, problem = toy
    alone = [cross_validate(problem.only([name]), CONFIGURATION).waf for name in problem.inputs]
    assert cross_validate(problem, CONFIGURATION).waf > max(alone)


def test_ranking_takes_the_best_of_each_modality() -> None:
    def row(value: float) -> list[dict]:
        return [
            {"split": "semi", "metric": "waf", "value": 1 - value, "low": 0, "high": 1},
            {"split": "train", "metric": "waf", "value": value, "low": value - 0.1, "high": value + 0.1},
        ]

    ranking = rank(
        {"a1": row(0.3), "a2": row(0.5), "t1": row(0.4), "v1": row(0.6)},
        {"a1": "audio", "a2": "audio", "t1": "text", "v1": "video"},
    )
    assert [entry.feature for entry in ranking] == ["v1", "a2", "t1", "a1"]
    assert ranking[0] == Ranked("video", "v1", 0.6, 0.5, 0.7)
    assert top(1, ranking) == ["a2", "v1", "t1"]
    assert top(2, ranking) == ["a2", "a1", "v1", "t1"]
