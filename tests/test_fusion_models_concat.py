"""Concatenation computes what its docstring says, for any number of features."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from fused_batch import BATCH, HIDDEN, SHAPES, in_numpy, make_batch, make_model

from fusion.models.concat import Concat


@pytest.mark.parametrize("count", SHAPES)
def test_concat_is_projections_one_layer_and_a_classifier(count: int) -> None:
    model = make_model(Concat, SHAPES[count])
    features, masks = make_batch(SHAPES[count])
    first = next(iter(features))
    masks[first][0] = False
    keep = 2.0 * (torch.rand(BATCH, model.dropped) < 0.5)
    with torch.inference_mode():
        fused = model(features, masks, keep)
    state = in_numpy(model.state_dict())
    blocks = []
    for number, (name, f) in enumerate(in_numpy(features).items()):
        h = np.maximum(0, f @ state[f"projections.{number}.weight"].T + state[f"projections.{number}.bias"])
        blocks.append(h * keep[:, number * HIDDEN : (number + 1) * HIDDEN].numpy() * masks[name].numpy()[:, None])
    z = np.maximum(0, np.concatenate(blocks, axis=1) @ state["mix.weight"].T + state["mix.bias"])
    np.testing.assert_allclose(fused.embedding.numpy(), z, rtol=0, atol=1e-6)
    np.testing.assert_allclose(fused.logits.numpy(), z @ state["head.weight"].T + state["head.bias"], rtol=0, atol=1e-6)


def test_weights_are_uniform_over_what_a_clip_has() -> None:
    features, masks = make_batch(SHAPES[3])
    masks["v"][0] = False
    for mask in masks.values():
        mask[1] = False
    weights = make_model(Concat, SHAPES[3])(features, masks).weights
    torch.testing.assert_close(weights, torch.tensor([[1 / 2, 0, 1 / 2], [0, 0, 0], [1 / 3] * 3, [1 / 3] * 3]))
