"""What every fusion model promises, for every model of the table and one, two, three or eighteen features."""

from __future__ import annotations

import pytest
import torch
from fused_batch import BATCH, CLASSES, HIDDEN, SHAPES, make_batch, make_model
from hypothesis import given, settings
from hypothesis import strategies as st

from fusion.models import MODELS
from fusion.models.model import FusionModel

every_model = pytest.mark.parametrize("model", MODELS.values(), ids=MODELS)
every_count = pytest.mark.parametrize("count", SHAPES)


@every_model
@every_count
def test_shapes(model: type[FusionModel], count: int) -> None:
    fused = make_model(model, SHAPES[count])(*make_batch(SHAPES[count]))
    assert fused.logits.shape == (BATCH, CLASSES)
    assert fused.weights.shape == (BATCH, count)
    assert fused.embedding.shape == (BATCH, HIDDEN)


@every_model
@every_count
def test_a_stack_under_vmap_is_each_network_alone(model: type[FusionModel], count: int) -> None:
    members = [make_model(model, SHAPES[count], seed) for seed in range(4)]
    features, masks = make_batch(SHAPES[count])
    masks = {name: torch.rand(BATCH) < 0.7 for name in masks}
    keep = 2.0 * (torch.rand(4, BATCH, members[0].dropped) < 0.5)
    parameters, buffers = torch.func.stack_module_state(members)
    assert not buffers

    def call(parameters: dict, keep: torch.Tensor | None) -> tuple[torch.Tensor, ...]:
        fused = torch.func.functional_call(members[0], parameters, (features, masks, keep))
        return fused.logits, fused.weights, fused.embedding

    trained = torch.vmap(call)(parameters, keep)
    tested = torch.vmap(lambda parameters: call(parameters, None))(parameters)
    for place, member in enumerate(members):
        alone = member(features, masks, keep[place])
        for stacked, one in zip(trained, (alone.logits, alone.weights, alone.embedding), strict=True):
            torch.testing.assert_close(stacked[place], one)
        alone = member(features, masks)
        for stacked, one in zip(tested, (alone.logits, alone.weights, alone.embedding), strict=True):
            torch.testing.assert_close(stacked[place], one)


@every_model
def test_a_stack_learns_as_each_network_alone(model: type[FusionModel]) -> None:
    """The gradients of a stack, each network on features of its own (the scaling differs by fold)."""
    members = [make_model(model, SHAPES[3], seed) for seed in range(4)]
    features, masks = make_batch(SHAPES[3])
    stacked = {name: torch.stack([values * (n + 1) for n in range(4)]) for name, values in features.items()}
    keep = 2.0 * (torch.rand(4, BATCH, members[0].dropped) < 0.5)
    targets = torch.randint(CLASSES, (4, BATCH))
    parameters, _ = torch.func.stack_module_state(members)

    def loss(
        parameters: dict, features: dict[str, torch.Tensor], keep: torch.Tensor, targets: torch.Tensor
    ) -> torch.Tensor:
        fused = torch.func.functional_call(members[0], parameters, (features, masks, keep))
        return torch.nn.functional.cross_entropy(fused.logits, targets)

    gradients = torch.vmap(torch.func.grad(loss))(parameters, stacked, keep, targets)
    for place, member in enumerate(members):
        logits = member({name: values[place] for name, values in stacked.items()}, masks, keep[place]).logits
        torch.nn.functional.cross_entropy(logits, targets[place]).backward()
        for name, parameter in member.named_parameters():
            torch.testing.assert_close(gradients[name][place], parameter.grad)


@every_model
@settings(max_examples=30, deadline=None)
@given(data=st.data())
def test_what_a_clip_lacks_has_no_influence(model: type[FusionModel], data: st.DataObject) -> None:
    shapes = SHAPES[data.draw(st.sampled_from(list(SHAPES)))]
    features, masks = make_batch(shapes)
    lacking = data.draw(st.sets(st.sampled_from(list(shapes))))
    for name in lacking:
        masks[name][0] = False
    network = make_model(model, shapes)
    with torch.inference_mode():
        one = network(features, masks)
        for name in lacking:
            features[name][0] = data.draw(st.floats(width=32))
        two = network(features, masks)
    assert one.logits.isfinite().all()
    for name, weight in zip(shapes, two.weights[0].tolist(), strict=True):
        assert name not in lacking or weight == 0
    torch.testing.assert_close(two.logits, one.logits, rtol=0, atol=0)
    torch.testing.assert_close(two.weights, one.weights, rtol=0, atol=0)


@every_model
def test_networks_learn_where_values_are_missing(model: type[FusionModel]) -> None:
    """Every gradient is finite, also those of clips that lack everything."""
    network = make_model(model, SHAPES[3])
    features, masks = make_batch(SHAPES[3])
    for name in masks:
        masks[name][0] = False
        features[name][0] = 0
    network(features, masks).logits.square().sum().backward()
    for parameter in network.parameters():
        assert parameter.grad is not None and parameter.grad.isfinite().all()


@every_model
@every_count
def test_keeping_everything_is_no_dropout(model: type[FusionModel], count: int) -> None:
    network = make_model(model, SHAPES[count])
    features, masks = make_batch(SHAPES[count])
    with torch.inference_mode():
        without = network(features, masks)
        kept = network(features, masks, torch.ones(BATCH, network.dropped))
    torch.testing.assert_close(kept.logits, without.logits, rtol=0, atol=0)


@every_model
@every_count
def test_dropout_decides_about_every_component(model: type[FusionModel], count: int) -> None:
    """Each entry of `keep` multiplies something, and an entry of another clip nothing of this one."""
    network = make_model(model, SHAPES[count])
    for parameter in network.parameters():
        parameter.data.abs_()  # with positive values no ReLU hides what dropout did before it
    features, masks = make_batch(SHAPES[count])
    features = {name: values.abs() for name, values in features.items()}
    keep = torch.ones(BATCH, network.dropped, requires_grad=True)
    network(features, masks, keep).logits[1].square().sum().backward()
    assert (keep.grad[1] != 0).all()
    assert not keep.grad[[0, 2, 3]].any()


@pytest.mark.parametrize("name", ["attention", "concat"])
@settings(max_examples=30, deadline=None)
@given(data=st.data())
def test_weights_sum_to_one_over_what_is_there(name: str, data: st.DataObject) -> None:
    shapes = SHAPES[data.draw(st.sampled_from(list(SHAPES)))]
    features, masks = make_batch(shapes)
    masks = {feature: torch.tensor(data.draw(st.lists(st.booleans(), min_size=4, max_size=4))) for feature in masks}
    weights = make_model(MODELS[name], shapes)(features, masks).weights
    there = torch.stack(list(masks.values())).any(dim=0)
    torch.testing.assert_close(weights.sum(dim=1), there.float())
    assert (weights >= 0).all()
