"""The attention fusion computes equations 1 to 3, for any number of features, and runs under vmap."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from fusion.models import MODELS
from fusion.models.attention import Attention

DIMS = {1: {"a": 7}, 2: {"a": 7, "b.c": 5}, 3: {"a": 7, "l": 3, "v": 5}, 18: {f"f{n}": n + 1 for n in range(18)}}


def draw(count: int, batch: int = 4) -> tuple[Attention, dict[str, torch.Tensor], dict[str, torch.Tensor]]:
    torch.manual_seed(count)
    model = Attention(DIMS[count], classes=6, hidden=8, dropout=0.5).eval()
    features = {name: torch.randn(batch, dim) for name, dim in DIMS[count].items()}
    masks = {name: torch.ones(batch, dtype=torch.bool) for name in features}
    return model, features, masks


def by_hand(model: Attention, features: dict[str, torch.Tensor], clip: int) -> tuple[np.ndarray, np.ndarray]:
    """Logits and weights of one clip, from the paper's equations in NumPy."""
    state = {name: value.numpy().astype(np.float64) for name, value in model.state_dict().items()}
    columns = []
    for number, values in enumerate(features.values()):
        f = values[clip].numpy().astype(np.float64)
        columns.append(np.maximum(0, f @ state[f"projections.{number}.weight"].T + state[f"projections.{number}.bias"]))
    h = np.stack(columns, axis=1)  # (d, F), eq. 2
    scores = h.T @ state["score.weight"].T + state["score.bias"]  # (F, 1)
    alpha = np.exp(scores - scores.max()) / np.exp(scores - scores.max()).sum()  # eq. 3
    z = (h @ alpha)[:, 0]
    return z @ state["head.weight"].T + state["head.bias"], alpha[:, 0]


@pytest.mark.parametrize("count", DIMS)
def test_attention_is_the_papers_equations(count: int) -> None:
    model, features, masks = draw(count)
    with torch.inference_mode():
        fused = model(features, masks)
    for clip in range(4):
        logits, weights = by_hand(model, features, clip)
        np.testing.assert_allclose(fused.logits[clip].numpy(), logits, atol=1e-6)
        np.testing.assert_allclose(fused.weights[clip].numpy(), weights, atol=1e-6)


def test_a_missing_feature_gets_no_weight_and_changes_nothing() -> None:
    model, features, masks = draw(3)
    masks["v"][1] = False
    with torch.inference_mode():
        one = model(features, masks)
        features["v"][1] = 1000.0
        two = model(features, masks)
    assert one.weights[1, 2] == 0 and one.weights[1].sum() == pytest.approx(1)
    torch.testing.assert_close(one.logits, two.logits)


def test_a_clip_that_lacks_everything_gets_the_bias() -> None:
    model, features, masks = draw(2)
    for mask in masks.values():
        mask[0] = False
    with torch.inference_mode():
        fused = model(features, masks)
    assert (fused.weights[0] == 0).all()
    torch.testing.assert_close(fused.logits[0], model.head.bias.detach())


def test_dropout_is_a_function_of_its_draws() -> None:
    model, features, masks = draw(2)
    uniform = torch.rand(4, 2, 8)
    torch.testing.assert_close(model(features, masks, uniform).logits, model(features, masks, uniform).logits)
    kept = model(features, masks, torch.ones(4, 2, 8)).embedding
    assert not torch.allclose(kept, model(features, masks).embedding), "what is kept is scaled up"
    dropped = model(features, masks, torch.zeros(4, 2, 8))
    assert (dropped.embedding == 0).all()


@pytest.mark.parametrize("name", MODELS)
def test_models_run_under_vmap(name: str) -> None:
    members = [MODELS[name](DIMS[3], 6, hidden=8, dropout=rate) for rate in (0.2, 0.5)]
    features = {name: torch.randn(4, dim) for name, dim in DIMS[3].items()}
    masks = {name: torch.rand(4) < 0.7 for name in features}
    uniform = torch.rand(2, 4, 3, 8)
    parameters, buffers = torch.func.stack_module_state(members)

    def call(parameters: dict, buffers: dict, uniform: torch.Tensor) -> torch.Tensor:
        return torch.func.functional_call(members[0], (parameters, buffers), (features, masks, uniform)).logits

    stacked = torch.vmap(call)(parameters, buffers, uniform)
    for place, member in enumerate(members):
        torch.testing.assert_close(stacked[place], member(features, masks, uniform[place]).logits)


def test_the_search_space_is_the_papers() -> None:
    assert Attention.search_space == {
        "hidden": (64, 128, 256),
        "learning_rate": (1e-3, 1e-4),
        "dropout": (0.2, 0.3, 0.4, 0.5),
    }
