"""networks.safetensors: what comes back says what the run said; anything else is refused."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch
from safetensors.torch import save_file
from toy_problem import CONFIGURATION, LABELS, make_clips, make_problem

from fusion.cross_validation import Problem, average, out_of_fold
from fusion.models import MODELS
from fusion.networks import ABOUT, SCHEMA, load_networks, save_networks, trained_networks
from fusion.training import Network, train
from mertools.errors import InputError
from mertools.predictions import Predictions

ROWS = np.arange(90, 105)
NAMES = [clip.name for clip in make_clips(90, 15)[90:]]


def saved(path: Path, model: str = "attention", **training: object) -> tuple[Problem, list[Network]]:
    problem = make_problem(MODELS[model], **{"epochs": 2, "prior_adjustment": True, **training})
    trained = train(problem.material, problem.training, problem.fold_members(CONFIGURATION))
    networks = [one.network for one in trained]
    save_networks(path, problem.material, problem.inputs, networks, LABELS)
    return problem, networks


def of_rows(problem: Problem) -> dict:
    return {name: replace(one, values=one.values[ROWS], mask=one.mask[ROWS]) for name, one in problem.inputs.items()}


@pytest.mark.parametrize("model", MODELS)
def test_loaded_networks_say_what_the_run_said(tmp_path: Path, model: str) -> None:
    path = tmp_path / "networks.safetensors"
    problem, networks = saved(path, model)
    loaded = load_networks(path)
    assert loaded.labels == LABELS and list(loaded.shapes) == list(problem.inputs) and len(loaded.networks) == 3
    for one, two in zip(networks, loaded.networks, strict=True):
        for name, value in one.parameters.items():
            assert torch.equal(value, two.parameters[name])
    inputs = of_rows(problem)
    loaded.check(inputs)
    said = loaded.predict(inputs, NAMES, "cpu")
    expected: Predictions = average(problem, networks, ROWS, NAMES)
    np.testing.assert_array_equal(said.probabilities, expected.probabilities)
    np.testing.assert_array_equal(said.weights, expected.weights)
    assert (said.names, said.features) == (expected.names, expected.features)
    # Some of the clips, and the features in another order: the networks read them by name.
    some = {name: replace(one, values=one.values[:4], mask=one.mask[:4]) for name, one in reversed(inputs.items())}
    np.testing.assert_allclose(
        loaded.predict(some, NAMES[:4], "cpu").probabilities, expected.probabilities[:4], atol=1e-6
    )


def test_loaded_networks_limit_features_as_trained(tmp_path: Path) -> None:
    path = tmp_path / "networks.safetensors"
    problem, networks = saved(path, "attention", limit=1.0)
    assert [network.scaling.limit for network in load_networks(path).networks] == [1.0] * 3
    said = load_networks(path).predict(of_rows(problem), NAMES, "cpu")
    np.testing.assert_array_equal(said.probabilities, average(problem, networks, ROWS, NAMES).probabilities)


@pytest.mark.parametrize(
    ("field", "value"),
    [("encoder", "Other"), ("revision", "2"), ("recipe", "last"), ("source", "x"), ("level", "frame")],
)
def test_features_of_another_origin_are_refused(tmp_path: Path, field: str, value: str) -> None:
    path = tmp_path / "networks.safetensors"
    problem, _ = saved(path)
    inputs = of_rows(problem)
    inputs["t1"] = replace(inputs["t1"], provenance=replace(inputs["t1"].provenance, **{field: value}))
    with pytest.raises(InputError, match=f"Feature 't1' is of {field} {value}, the networks were trained on"):
        load_networks(path).check(inputs)


def test_features_of_another_dimension_are_refused(tmp_path: Path) -> None:
    path = tmp_path / "networks.safetensors"
    problem, _ = saved(path)
    inputs = of_rows(problem)
    inputs["a1"] = replace(inputs["a1"], values=inputs["a1"].values[:, :4])
    with pytest.raises(InputError, match="Feature 'a1' has 4 dimensions, the networks were trained on 5"):
        load_networks(path).check(inputs)


def test_a_held_out_clip_is_answered_by_the_network_that_has_not_seen_it(tmp_path: Path) -> None:
    path = tmp_path / "networks.safetensors"
    problem = make_problem(MODELS["attention"], epochs=2)
    trained = train(problem.material, problem.training, problem.fold_members(CONFIGURATION))
    again = trained_networks(problem, trained, LABELS)
    save_networks(path, problem.material, problem.inputs, [one.network for one in trained], LABELS)
    names = [clip.name for clip in make_clips(90, 15)]
    folds = np.concatenate([problem.folds, np.full(15, -1)])
    expected = out_of_fold(problem, trained, names[:90])
    for networks in (load_networks(path), again):
        said = networks.predict(problem.inputs, names, "cpu", folds)
        np.testing.assert_allclose(said.probabilities[:90], expected.probabilities, atol=1e-6)
        np.testing.assert_allclose(said.weights[:90], expected.weights, atol=1e-6)
        together = networks.predict(problem.inputs, names, "cpu")
        np.testing.assert_array_equal(said.probabilities[90:], together.probabilities[90:])
    assert again.origins == load_networks(path).origins


WHOLE = {
    "schema": SCHEMA,
    "model": "attention",
    "hidden": 8,
    "folds": 1,
    "labels": ["x"],
    "origins": {},
    "features": {},
}


@pytest.mark.parametrize(
    ("metadata", "message"),
    [
        (None, "does not hold the networks of a run"),
        ({ABOUT: json.dumps({**WHOLE, "schema": 0})}, "has schema 0, this version reads 1"),
        ({"schema": "1"}, "does not hold the networks of a run"),
        ({ABOUT: "{"}, "does not hold the networks of a run"),
        ({ABOUT: "{}"}, "does not hold the networks of a run"),
        ({ABOUT: "[]"}, "does not hold the networks of a run"),
        ({ABOUT: json.dumps({**WHOLE, "model": "vit"})}, "does not hold the networks of a run"),
        ({ABOUT: json.dumps(WHOLE)}, "does not hold the networks of a run"),
    ],
)
def test_files_by_others_are_refused(tmp_path: Path, metadata: dict | None, message: str) -> None:
    path = tmp_path / "networks.safetensors"
    save_file({"weight": torch.ones(2)}, path, metadata)
    with pytest.raises(InputError, match=message):
        load_networks(path)


def test_what_is_no_whole_file_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "networks.safetensors"
    with pytest.raises(InputError, match="There are no networks"):
        load_networks(path)
    saved(path)
    whole = path.read_bytes()
    for content in (whole[: len(whole) // 2], whole[:5], b"", b"PK\x03\x04 not at all", b"\x80\x04."):
        path.write_bytes(content)
        with pytest.raises(InputError, match="cannot be read as safetensors"):
            load_networks(path)
    with pytest.raises(InputError, match="cannot be read as safetensors"):
        load_networks(tmp_path)
