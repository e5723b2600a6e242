"""The papers' experiments as variants of one configuration."""

from __future__ import annotations

from dataclasses import replace

import pytest
from tiny_explainer import microemo
from tiny_lessons import configuration, stage

from mertools.commands import explain_train
from mertools.errors import InputError
from mertools.explain.configuration import DataSet, Validation
from mertools.explain.presets import PRESETS

COARSE, FINE, PICTURES = DataSet("coarse.jsonl"), DataSet("fine.jsonl"), DataSet("llava.json", kind="llava")
VALIDATION = Validation(DataSet("fine.jsonl", split="test"))
BASE = replace(
    configuration(stage(COARSE, name="coarse", epochs=100), stage(FINE, PICTURES, name="fine", validation=VALIDATION)),
    initial_weights=("weights.safetensors",),
)


def test_the_upper_bound_trains_on_the_test_split_and_its_ablations_do_not() -> None:
    splits = {
        name: [(one.split, one.min_seconds) for one in PRESETS[name](BASE, name)[name].stages[1].data]
        for name in ("gt-eng", "gt-eng-remove-test", "gt-eng-remove-short")
    }
    assert splits == {
        "gt-eng": [("train+test", 0), ("train", 0)],
        "gt-eng-remove-test": [("train", 0), ("train", 0)],
        "gt-eng-remove-short": [("train", 2), ("train", 0)],
    }


def test_table_4_has_every_combination_of_stages_and_weights() -> None:
    variants = PRESETS["table4"](BASE, "table4")
    assert len(variants) == 12
    told = {name: [(one.name, one.epochs) for one in variant.stages] for name, variant in variants.items()}
    assert told["pretrained-none-none"] == []
    assert told["random-50-none"] == [("coarse", 50)]
    assert told["pretrained-100-best"] == [("coarse", 100), ("fine", 2)]
    assert variants["random-none-best"].initial_weights == ()
    best = variants["pretrained-none-best"].stages[0].validation
    assert best is not None
    assert best.select == "avg"


def test_two_by_two_has_each_stage_with_and_without_the_other() -> None:
    variants = PRESETS["two-by-two"](BASE, "two-by-two")
    assert {name: [one.name for one in variant.stages] for name, variant in variants.items()} == {
        "none": [],
        "coarse": ["coarse"],
        "fine": ["fine"],
        "coarse-fine": ["coarse", "fine"],
    }


def test_microemos_modules_are_left_out_one_by_one_and_both() -> None:
    variants = PRESETS["ablations"](microemo(), "ablations")
    there = {
        name: (video.local_attention is not None, video.windows is not None)
        for name, variant in variants.items()
        if (video := variant.video)
    }
    assert there == {
        "whole": (True, True),
        "without-windows": (True, False),
        "without-local-attention": (False, True),
        "without-both": (False, False),
    }


def test_the_command_names_every_preset() -> None:
    assert sorted(explain_train.PRESETS) == sorted(PRESETS)


def test_presets_say_what_they_lack() -> None:
    with pytest.raises(InputError, match="for 2 stages"):
        PRESETS["table4"](configuration(stage(FINE)), "table4")
    with pytest.raises(InputError, match="initial weights"):
        PRESETS["table4"](replace(BASE, initial_weights=()), "table4")
