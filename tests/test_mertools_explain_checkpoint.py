"""Checkpoints: whole or not at all, and nothing in them is executed."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
import torch
from tiny_lessons import configuration, stage

from mertools.errors import InputError
from mertools.explain.checkpoint import About, newest, read_about, read_optimiser, read_weights, write_checkpoint
from mertools.explain.configuration import DataSet

ABOUT = About(
    configuration(stage(DataSet("explanations.jsonl"))),
    stage=0,
    step=7,
    data={"fine": [{"path": "explanations.jsonl", "fingerprint": "abc"}]},
    encoders={"audio": {"encoder": "tiny"}},
    sampler=(7,),
    scores={"loss": 1.5},
)
WEIGHTS = {"branches.audio.projection.bias": torch.arange(3.0)}


def test_a_checkpoint_is_read_as_it_was_written(tmp_path: Path) -> None:
    write_checkpoint(tmp_path / "one", ABOUT, WEIGHTS, {"bias/exp_avg": torch.ones(2)})
    assert read_about(tmp_path / "one") == ABOUT
    assert read_weights(tmp_path / "one")["branches.audio.projection.bias"].tolist() == [0, 1, 2]
    assert read_optimiser(tmp_path / "one")["bias/exp_avg"].tolist() == [1, 1]
    assert {path.suffix for path in (tmp_path / "one").iterdir()} == {".json", ".safetensors"}


def test_a_new_one_takes_the_place_of_an_old_one(tmp_path: Path) -> None:
    for value in (1.0, 2.0):
        write_checkpoint(tmp_path / "one", ABOUT, {"weight": torch.tensor([value])})
    assert read_weights(tmp_path / "one")["weight"].item() == 2
    assert [path.name for path in tmp_path.iterdir()] == ["one"]


def test_one_that_was_being_written_is_none(tmp_path: Path) -> None:
    write_checkpoint(tmp_path / "00-000000002", ABOUT, WEIGHTS)
    (tmp_path / ".00-000000004.tmp").mkdir()
    (tmp_path / ".00-000000004.tmp" / "checkpoint.json").write_text("{")
    assert newest(tmp_path) == tmp_path / "00-000000002"
    assert newest(tmp_path / "none") is None


def test_what_is_no_checkpoint_is_refused(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="is no checkpoint"):
        read_about(tmp_path)
    write_checkpoint(tmp_path / "one", ABOUT, WEIGHTS)
    file = tmp_path / "one" / "checkpoint.json"
    file.write_text(json.dumps(json.loads(file.read_text()) | {"schema": 99}))
    with pytest.raises(InputError, match="schema 99"):
        read_about(tmp_path / "one")
    (tmp_path / "one" / "weights.safetensors").write_bytes(b"pickle")
    with pytest.raises(InputError, match="not a safetensors file"):
        read_weights(tmp_path / "one")
    with pytest.raises(InputError, match="no weights"):
        read_weights(tmp_path / "none.safetensors")
