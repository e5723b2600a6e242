"""The released network's graph, written a second time in NumPy, gives the same logits from the same weights."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from fused_batch import BATCH, CLASSES, HIDDEN, SHAPES, in_numpy, make_batch, make_model

from fusion.models.attention_release import AttentionRelease
from fusion.models.model import FeatureShape

MODALITIES = {"A": "audio", "V": "video", "T": "text"}
READ = {"A": "AAA", "T": "TTT", "V": "VVV", "VA": "AVV", "AT": "ATT", "VT": "TTV", "TVA": "ATV"}
"""Which modality each place reads, by the modalities in the order in which the features are given."""


def three_layers(state: dict[str, np.ndarray], prefix: str, x: np.ndarray) -> np.ndarray:
    for number in (0, 2, 4):
        x = np.maximum(0, x @ state[f"{prefix}.{number}.weight"].T + state[f"{prefix}.{number}.bias"])
    return x


def by_hand(
    state: dict[str, np.ndarray], read: list[np.ndarray], keep: list[np.ndarray] | None = None
) -> tuple[np.ndarray, np.ndarray]:
    """Logits (B, C) and attention (B, branches) of `read`, what each branch reads; `keep` multiplies it, its last the
    concatenated branches."""
    keep = keep or [np.ones(1)] * (len(read) + 1)
    h = [three_layers(state, f"encoders.{n}", x * keep[n]) for n, x in enumerate(read)]
    hidden = three_layers(state, "attention.0", np.concatenate(h, axis=1) * keep[-1])
    attention = hidden @ state["attention.1.weight"].T + state["attention.1.bias"]
    z = sum(attention[:, [n]] * branch for n, branch in enumerate(h))
    return z @ state["head.weight"].T + state["head.bias"], attention


def shapes_of(letters: str, count: int) -> dict[str, FeatureShape]:
    """`count` features of each modality in `letters`, named A1, A2, …, the modalities taking turns."""
    names = [f"{letter}{n + 1}" for n in range(count) for letter in letters]
    return {name: FeatureShape(MODALITIES[name[0]], 3 + number) for number, name in enumerate(names)}


@pytest.mark.parametrize("count", [1, 2, 6])
@pytest.mark.parametrize("letters", READ)
def test_the_network_is_the_released_graph(letters: str, count: int) -> None:
    shapes = shapes_of(letters, count)
    model = make_model(AttentionRelease, shapes)
    features, masks = make_batch(shapes)
    with torch.inference_mode():
        fused = model(features, masks)
    names = [f"{place}{n + 1}" for place in READ[letters] for n in range(count)]
    arrays = in_numpy(features)
    logits, attention = by_hand(in_numpy(model.state_dict()), [arrays[name] for name in names])
    np.testing.assert_allclose(fused.logits.numpy(), logits, rtol=0, atol=1e-6)
    for column, name in enumerate(shapes):
        weight = attention[:, [n for n, branch in enumerate(names) if branch == name]].sum(axis=1)
        np.testing.assert_allclose(fused.weights[:, column].numpy(), weight, rtol=0, atol=1e-6)


def test_it_has_as_many_parameters_as_the_released_network() -> None:
    shapes = {modality: FeatureShape(modality, 1024) for modality in MODALITIES.values()}
    model = AttentionRelease(shapes, classes=6, hidden=128)
    assert sum(parameter.numel() for parameter in model.parameters()) == 576_137
    assert model.dropped == 3 * 1024 + 3 * 128


def test_dropout_acts_on_the_features_and_on_what_the_attention_reads() -> None:
    """One feature is read three times, each time with draws of its own."""
    model = make_model(AttentionRelease, SHAPES[1])
    features, masks = make_batch(SHAPES[1])
    parts = [7, 7, 7, 3 * HIDDEN]
    keep = [2.0 * (torch.rand(BATCH, part) < 0.5) for part in parts]
    with torch.inference_mode():
        fused = model(features, masks, torch.cat(keep, dim=1))
    read = [features["a"].numpy().astype(np.float64)] * 3
    logits, _ = by_hand(in_numpy(model.state_dict()), read, [kept.numpy() for kept in keep])
    np.testing.assert_allclose(fused.logits.numpy(), logits, rtol=0, atol=1e-6)


def test_a_feature_that_is_lacking_is_multiplied_by_zero() -> None:
    model = make_model(AttentionRelease, SHAPES[3])
    features, masks = make_batch(SHAPES[3])
    masks["v"][:] = False
    with torch.inference_mode():
        fused = model(features, masks)
    state, arrays = in_numpy(model.state_dict()), in_numpy(features)
    state["encoders.2.4.weight"][:] = 0
    state["encoders.2.4.bias"][:] = 0
    logits, attention = by_hand(state, [arrays["a"], arrays["t"], arrays["v"]])
    np.testing.assert_allclose(fused.logits.numpy(), logits, rtol=0, atol=1e-6)
    assert (fused.weights[:, 1] == 0).all()
    np.testing.assert_allclose(fused.weights[:, [0, 2]].numpy(), attention[:, :2], rtol=0, atol=1e-6)


def test_a_clip_that_lacks_everything_gets_the_bias() -> None:
    model = make_model(AttentionRelease, SHAPES[18])
    features, masks = make_batch(SHAPES[18])
    masks = {name: torch.zeros_like(mask) for name, mask in masks.items()}
    torch.testing.assert_close(model(features, masks).logits, model.head.bias.expand(BATCH, CLASSES))
