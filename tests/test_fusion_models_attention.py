"""The attention fusion computes equations 1 to 3, for any number of features."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from fused_batch import BATCH, CLASSES, HIDDEN, SHAPES, in_numpy, make_batch, make_model

from fusion.models.attention import Attention


def by_hand(state: dict[str, np.ndarray], features: list[np.ndarray]) -> tuple[np.ndarray, np.ndarray]:
    """Logits and weights of one clip, from the paper's equations in NumPy."""
    columns = []
    for number, f in enumerate(features):
        columns.append(np.maximum(0, f @ state[f"projections.{number}.weight"].T + state[f"projections.{number}.bias"]))
    h = np.stack(columns, axis=1)  # (d, F), eq. 2
    scores = h.T @ state["score.weight"].T + state["score.bias"]  # (F, 1)
    alpha = np.exp(scores - scores.max()) / np.exp(scores - scores.max()).sum()  # eq. 3
    z = (h @ alpha)[:, 0]
    return z @ state["head.weight"].T + state["head.bias"], alpha[:, 0]


@pytest.mark.parametrize("count", SHAPES)
def test_attention_is_the_papers_equations(count: int) -> None:
    model = make_model(Attention, SHAPES[count])
    features, masks = make_batch(SHAPES[count])
    with torch.inference_mode():
        fused = model(features, masks)
    state, arrays = in_numpy(model.state_dict()), in_numpy(features)
    for clip in range(BATCH):
        logits, weights = by_hand(state, [values[clip] for values in arrays.values()])
        np.testing.assert_allclose(fused.logits[clip].numpy(), logits, rtol=0, atol=1e-6)
        np.testing.assert_allclose(fused.weights[clip].numpy(), weights, rtol=0, atol=1e-6)


def test_a_feature_that_is_lacking_is_as_if_it_had_never_been() -> None:
    """The others are fused as a model of the others alone fuses them."""
    model = make_model(Attention, SHAPES[3])
    features, masks = make_batch(SHAPES[3])
    masks["v"][1] = False
    with torch.inference_mode():
        fused = model(features, masks)
    state, arrays = in_numpy(model.state_dict()), in_numpy(features)
    for part in ("weight", "bias"):
        state[f"projections.1.{part}"] = state[f"projections.2.{part}"]
    logits, weights = by_hand(state, [arrays["a"][1], arrays["t"][1]])
    np.testing.assert_allclose(fused.logits[1].numpy(), logits, rtol=0, atol=1e-6)
    np.testing.assert_allclose(fused.weights[1].numpy(), [weights[0], 0, weights[1]], rtol=0, atol=1e-6)


def test_a_clip_that_lacks_everything_gets_the_bias() -> None:
    model = make_model(Attention, SHAPES[18])
    features, masks = make_batch(SHAPES[18])
    fused = model(features, {name: torch.zeros_like(mask) for name, mask in masks.items()})
    torch.testing.assert_close(fused.logits, model.head.bias.expand(BATCH, CLASSES))


def test_dropout_acts_on_the_projections() -> None:
    model = make_model(Attention, SHAPES[2])
    features, masks = make_batch(SHAPES[2])
    assert model.dropped == 2 * HIDDEN
    keep = torch.ones(BATCH, 2, HIDDEN)
    keep[:, 1] = 0
    with torch.inference_mode():
        fused = model(features, masks, keep.flatten(1))
        features["a"] += 1.0
        unmoved = model(features, masks, keep.flatten(1))
    torch.testing.assert_close(fused.logits, unmoved.logits)
    assert (fused.weights[:, 1] > 0).all(), "dropout takes components, not features: attention still sees the zeros"


def test_the_search_space_is_the_papers() -> None:
    assert Attention.search_space == {
        "hidden": (64, 128, 256),
        "learning_rate": (1e-3, 1e-4),
        "dropout": (0.2, 0.3, 0.4, 0.5),
    }
