"""Networks that are trained in a stack are the networks that are trained alone, and those of torch.nn."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace

import numpy as np
import pytest
import torch
from torch.nn import functional
from toy_problem import CLASSES, CONFIGURATION, DIMS, make_inputs, make_problem

from fusion.cross_validation import Problem
from fusion.inputs import Data, Inputs, Scaling
from fusion.models import MODELS
from fusion.models.model import FusionModel
from fusion.pseudo_labels import PseudoLabels
from fusion.training import (
    BATCH_SIZE,
    FEWEST_PSEUDO,
    LEVELS,
    WEIGHT_DECAY,
    Member,
    Trained,
    _Draws,
    _initial_network,
    from_module,
    predict,
    to_module,
    train,
)
from mertools.metrics import confusion_matrix, waf
from mertools.randomness import generator

every_model = pytest.mark.parametrize("model", MODELS.values(), ids=MODELS)


def members(problem: Problem, count: int) -> list[Member]:
    """Members that can share a stack: every fold, with several rates of dropout."""
    found: list[Member] = []
    for rate in (0.2, 0.3, 0.4, 0.5, 0.0, 0.1, 0.25):
        found += problem.fold_members(replace(CONFIGURATION, dropout=rate))
    return found[:count]


def assert_equal(one: Trained, two: Trained) -> None:
    assert (one.epoch, one.waf) == (two.epoch, two.waf)
    for name, value in one.network.parameters.items():
        assert torch.equal(value, two.network.parameters[name]), name


@every_model
@pytest.mark.parametrize(
    "settings",
    [
        {},
        {"modality_dropout": 0.4},
        {"copies": 2},
        {"copies": 1, "consistency": 1.5, "modality_dropout": 0.2},
    ],
    ids=["plain", "modality dropout", "copies", "everything"],
)
def test_a_network_comes_out_the_same_in_any_stack(model: type[FusionModel], settings: dict) -> None:
    problem = make_problem(model, train=101, epochs=8, **settings)
    everyone = members(problem, 20)
    assert {member.steps for member in everyone} == {3}, "24 steps in eight epochs"
    of_twenty = train(problem.material, problem.training, everyone)
    of_five = train(problem.material, problem.training, everyone[7:12])
    rows = np.arange(105)
    together = predict(problem.material, [one.network for one in of_five], rows)
    for place in range(5):
        (alone,) = train(problem.material, problem.training, [everyone[7 + place]])
        assert_equal(alone, of_five[place])
        assert_equal(alone, of_twenty[7 + place])
        said = predict(problem.material, [alone.network], rows)
        assert torch.equal(said.logits[0], together.logits[place])
        assert torch.equal(said.weights[0], together.weights[place])


@every_model
@pytest.mark.parametrize("hidden", [64, 128, 256])
def test_so_do_networks_of_the_papers_sizes(model: type[FusionModel], hidden: int) -> None:
    problem = make_problem(model, epochs=2)
    everyone = [replace(one, configuration=replace(one.configuration, hidden=hidden)) for one in members(problem, 7)]
    stacked = train(problem.material, problem.training, everyone)
    for place in (0, 6):
        (alone,) = train(problem.material, problem.training, [everyone[place]])
        assert_equal(alone, stacked[place])


def plainly_trained(problem: Problem, member: Member, steps: int) -> FusionModel:
    """One network by torch.nn and torch.optim, batch for batch, with the draws of the stacked trainer."""
    data, training = problem.material.data, problem.training
    module = _initial_network(problem.material, member)
    optimiser = torch.optim.Adam(
        module.parameters(), lr=member.configuration.learning_rate, weight_decay=WEIGHT_DECAY, fused=False
    )
    draws = _Draws(member, training, module.dropped, problem.material)
    targets = torch.from_numpy(problem.material.targets)
    counts = np.bincount(problem.material.targets[member.train], minlength=CLASSES)
    weight = torch.tensor(counts.sum() / (CLASSES * counts), dtype=torch.float32) if training.class_weights else None
    values = data.values.clone()
    for column in range(values.shape[1]):
        feature = int(np.searchsorted(np.cumsum(data.dims), column, side="right"))
        known = [row for row in member.train if data.present[row, feature]]
        sample = values[known, column].double()
        values[:, column] = ((values[:, column] - sample.mean()) / sample.std(correction=0)).float()
    done = 0
    while done < steps:
        order, counted = draws.order()
        shown_as = draws.shown_as(order)
        for begin in range(0, len(order), BATCH_SIZE):
            if done == steps:
                break
            clips, versions = order[begin : begin + BATCH_SIZE], shown_as[:, begin : begin + BATCH_SIZE]
            real = torch.from_numpy(counted[begin : begin + BATCH_SIZE].astype(bool))
            chance = (draws.levels().astype(np.float64) + LEVELS / 2) / LEVELS
            rate = member.configuration.dropout
            keep = torch.from_numpy((chance >= rate) / (1 - rate)).float()
            shown = draws.shown(versions)
            losses, said = [], []
            for rows in versions:
                present = data.present[rows]
                if shown is not None:
                    present = present & torch.from_numpy(shown)
                features = dict(zip(data.shapes, values[rows].split(data.dims, dim=1), strict=True))
                masks = dict(zip(data.shapes, present.unbind(dim=1), strict=True))
                # Only the real rows, so that filling up cannot count.
                logits = module(features, masks, keep).logits[real]
                losses.append(functional.cross_entropy(logits, targets[clips][real], weight=weight))
                said.append(torch.softmax(logits, dim=1))
            loss = sum(losses) / len(losses)
            if training.consistency:
                clean = said[0].detach()
                loss = loss + training.consistency * (clean * (clean.log() - said[1].log())).sum(dim=1).mean()
            optimiser.zero_grad()
            loss.backward()
            optimiser.step()
            done += 1
    return module


def compared(problem: Problem, trained: Trained) -> list[tuple[str, torch.Tensor]]:
    """The parameters of a network, but for the score's bias: the softmax does not see it, its gradient is rounding, and
    Adam takes rounding for a gradient."""
    found = to_module(problem.material, trained.network).named_parameters()
    return [(name, value) for name, value in found if name != "score.bias"]


@every_model
@pytest.mark.parametrize(
    "settings",
    [
        {},
        {"class_weights": True},
        {"modality_dropout": 0.3},
        {"copies": 2, "class_weights": True},
        {"copies": 2, "consistency": 2.0, "modality_dropout": 0.3},
    ],
    ids=["plain", "class weights", "modality dropout", "copies", "consistency"],
)
def test_the_stack_learns_what_a_plain_loop_learns(model: type[FusionModel], settings: dict) -> None:
    """Folds of 33 and 34 clips: 67 and 68 to train on, so every epoch ends with a batch of three or four clips."""
    targets = np.random.default_rng(3).choice(CLASSES, 116, p=[0.6, 0.3, 0.1])
    problem = make_problem(model, train=101, targets=targets, epochs=1, **settings)
    everyone = members(problem, 3)
    stacked = train(problem.material, problem.training, everyone)
    for member, trained in zip(everyone, stacked, strict=True):
        assert member.steps == 3 and len(member.train) % BATCH_SIZE
        plain = dict(plainly_trained(problem, member, steps=3).named_parameters())
        for name, value in compared(problem, trained):
            torch.testing.assert_close(value, plain[name], rtol=1e-4, atol=1e-5)


def test_many_steps_later_they_still_agree() -> None:
    problem = make_problem(train=101, epochs=7)
    member = replace(members(problem, 1)[0], choose=np.arange(1))
    # One clip chooses the epoch: whichever it is, the plain loop goes as far.
    (trained,) = train(problem.material, problem.training, [member])
    plain = dict(plainly_trained(problem, member, steps=3 * (trained.epoch + 1)).named_parameters())
    for name, value in compared(problem, trained):
        torch.testing.assert_close(value, plain[name], rtol=1e-3, atol=1e-5)


def test_the_best_epoch_is_the_first_of_the_highest(monkeypatch: pytest.MonkeyPatch) -> None:
    scores = iter([[0.2, 0.5], [0.6, 0.5], [0.6, 0.4], [0.1, 0.5]])
    problem = make_problem(epochs=4)
    everyone = members(problem, 2)
    monkeypatch.setattr("fusion.training._Stack.held_out_wafs", lambda self: np.array(next(scores)))
    one, two = train(problem.material, problem.training, everyone)
    assert (one.epoch, one.waf, two.epoch, two.waf) == (1, 0.6, 0, 0.5)
    monkeypatch.undo()
    (shorter,) = train(problem.material, replace(problem.training, epochs=1), [everyone[1]])
    for name, value in two.network.parameters.items():
        assert torch.equal(value, shorter.network.parameters[name]), "kept as it was after the first epoch"


@every_model
@pytest.mark.parametrize("settings", [{}, {"prior_adjustment": True, "class_weights": True}, {"copies": 2}])
def test_the_kept_network_has_the_kept_score(model: type[FusionModel], settings: dict) -> None:
    """The mean of what it reaches on the clips that chose its epoch, and on each of their copies."""
    problem = make_problem(model, epochs=6, **settings)
    everyone = members(problem, 3)
    for member, trained in zip(everyone, train(problem.material, problem.training, everyone), strict=True):
        scores = []
        for one in (problem, *(problem.reading(with_rest(copy, problem)) for copy in problem.copies)):
            said = predict(one.material, [trained.network], member.choose).logits[0].argmax(dim=1).numpy()
            scores.append(waf(confusion_matrix(problem.material.targets[member.choose], said, CLASSES)))
        assert float(np.mean(scores)) == trained.waf


def with_rest(copy: Mapping[str, Inputs], problem: Problem) -> dict[str, Inputs]:
    """The copy of the training clips, followed by the other clips as they are: inputs that count all clips."""
    whole = {}
    for name, one in problem.inputs.items():
        values = np.concatenate([copy[name].values, one.values[len(problem.train) :]])
        mask = np.concatenate([copy[name].mask, one.mask[len(problem.train) :]])
        whole[name] = replace(one, values=values, mask=mask)
    return whole


@every_model
def test_a_network_predicts_as_its_module_does(model: type[FusionModel]) -> None:
    problem = make_problem(model, prior_adjustment=True)
    data = problem.material.data
    (trained,) = train(problem.material, problem.training, members(problem, 1))
    network = trained.network
    scaled = (data.values - network.scaling.mean) * network.scaling.factor
    features = dict(zip(data.shapes, scaled.split(data.dims, dim=1), strict=True))
    masks = dict(zip(data.shapes, data.present.unbind(dim=1), strict=True))
    with torch.no_grad():
        alone = to_module(problem.material, network)(features, masks)
    said = predict(problem.material, [network], np.arange(len(data.values)))
    torch.testing.assert_close(said.logits[0], alone.logits + network.offset)
    torch.testing.assert_close(said.weights[0], alone.weights)


def test_many_clips_and_none_are_predicted() -> None:
    problem = make_problem(others=700)
    (trained,) = train(problem.material, problem.training, members(problem, 1))
    rows = np.arange(790)
    whole = predict(problem.material, [trained.network], rows).logits[0]
    assert whole.shape == (790, CLASSES)
    assert torch.equal(predict(problem.material, [trained.network], rows[600:603]).logits[0], whole[600:603])
    nobody = predict(problem.material, [trained.network], rows[:0])
    assert (nobody.logits.shape, nobody.weights.shape) == ((1, 0, CLASSES), (1, 0, len(DIMS)))


def test_prior_adjustment_takes_the_log_frequencies_off() -> None:
    targets = np.random.default_rng(3).choice(CLASSES, 105, p=[0.6, 0.3, 0.1])
    plain, adjusted = (make_problem(targets=targets, epochs=1, prior_adjustment=flag) for flag in (False, True))
    (member,) = members(plain, 1)
    ((without,), (with_it,)) = (train(one.material, one.training, [member]) for one in (plain, adjusted))
    frequencies = np.bincount(targets[member.train]) / len(member.train)
    assert not without.network.offset.any()
    np.testing.assert_allclose(with_it.network.offset, -np.log(frequencies), rtol=1e-6)
    rows = np.arange(90, 105)
    shift = (
        predict(adjusted.material, [with_it.network], rows).logits
        - predict(plain.material, [without.network], rows).logits
    )
    np.testing.assert_allclose(shift[0], np.tile(-np.log(frequencies), (15, 1)), atol=1e-6)


def test_a_class_that_a_fold_lacks_does_no_harm() -> None:
    problem = make_problem(epochs=2, prior_adjustment=True, class_weights=True)
    (member,) = members(problem, 1)
    member = replace(member, train=member.train[problem.material.targets[member.train] != 1])
    (trained,) = train(problem.material, problem.training, [member])
    assert all(value.isfinite().all() for value in trained.network.parameters.values())
    assert trained.network.offset.isfinite().all()


def draws(problem: Problem, member: Member) -> _Draws:
    return _Draws(member, problem.training, 10, problem.material)


def test_an_epoch_is_every_clip_once() -> None:
    problem = make_problem(train=101)
    (member,) = members(problem, 1)
    chance = draws(problem, member)
    orders = []
    for _ in range(2):
        order, counted = chance.order()
        assert len(order) % BATCH_SIZE == 0
        assert sorted(order[counted == 1]) == sorted(member.train)
        assert set(order[counted == 0]) <= set(member.train)
        orders.append(order)
    assert not np.array_equal(*orders)


@pytest.mark.parametrize("rate", [0.2, 0.3, 0.5])
def test_dropout_drops_at_its_rate(rate: float) -> None:
    problem = make_problem()
    chance = draws(problem, members(problem, 1)[0])
    levels = np.concatenate([chance.levels() for _ in range(200)])
    threshold = int(torch.tensor(rate * LEVELS).round().sub(LEVELS // 2).to(torch.int16))
    assert (levels < threshold).mean() == pytest.approx(rate, abs=0.01)


def test_modality_dropout_hides_modalities_whole_and_never_everything() -> None:
    rate = 0.3
    problem = make_problem(modality_dropout=rate)
    present = problem.material.data.present.numpy()
    chance = draws(problem, members(problem, 1)[0])
    rows = np.tile(np.arange(90), 200)
    shown = chance.shown(rows[None])
    visible = shown & present[rows]
    assert (visible.any(axis=1) == present[rows].any(axis=1)).all()
    a1, a2 = shown[:, 0], shown[:, 1]
    np.testing.assert_array_equal(a1, a2, "two features of one modality are hidden together")
    full = present[rows].all(axis=1)
    for feature in (0, 2, 3):
        # All three are hidden at once with 0.3^3, and then all are shown.
        assert (~shown[full, feature]).mean() == pytest.approx(rate - rate**3, abs=0.02)


def test_no_modality_dropout_no_draws() -> None:
    problem = make_problem()
    assert draws(problem, members(problem, 1)[0]).shown(np.arange(5)[None]) is None


def test_without_copies_chance_decides_on_order_dropout_and_modalities_alone() -> None:
    """In this order, and on nothing else: networks stay those that were trained before copies were known."""
    problem = make_problem(modality_dropout=0.3)
    (member,) = members(problem, 1)
    chance, plain = draws(problem, member), generator(member.seed, "training", *member.names)
    for _ in range(3):
        order, _ = chance.order()
        np.testing.assert_array_equal(order[: len(member.train)], plain.permutation(member.train))
        shown_as = chance.shown_as(order)
        np.testing.assert_array_equal(shown_as, order[None])
        for begin in range(0, len(order), BATCH_SIZE):
            assert chance.levels().tobytes() == plain.bytes(2 * BATCH_SIZE * 10)
            shown = chance.shown(shown_as[:, begin : begin + BATCH_SIZE])
            kept = plain.random((BATCH_SIZE, 3)) >= 0.3
            assert shown[kept[:, [0, 0, 2, 1]]].all()


def test_a_clip_is_shown_as_each_of_its_copies_equally_often() -> None:
    problem = make_problem(train=101, copies=3)
    (member,) = members(problem, 1)
    chance = draws(problem, member)
    versions = problem.material.versions(np.arange(101))
    assert sorted(versions.flatten()) == [*range(101), *range(116, 116 + 3 * 101)], "the others have none"
    counts = np.zeros(versions.shape)
    for _ in range(800):
        clips, counted = chance.order()
        (rows,) = chance.shown_as(clips)
        clips, rows = clips[counted == 1], rows[counted == 1]
        drawn = versions[clips] == rows[:, None]
        assert (drawn.sum(axis=1) == 1).all()
        counts[clips] += drawn
    counts = counts[member.train] / 800
    np.testing.assert_allclose(counts.mean(axis=0), 1 / 4, atol=0.01)
    np.testing.assert_allclose(counts, 1 / 4, atol=0.08)  # five standard deviations


def test_with_consistency_a_clip_is_shown_clean_and_as_one_of_its_copies() -> None:
    problem = make_problem(copies=2, consistency=1.0, modality_dropout=0.5)
    (member,) = members(problem, 1)
    chance = draws(problem, member)
    copies = problem.material.copies
    present = problem.material.data.present.numpy()
    first = []
    for _ in range(200):
        clips, _ = chance.order()
        clean, copy = chance.shown_as(clips)
        np.testing.assert_array_equal(clean, clips)
        assert (copies[clips] == copy[:, None]).any(axis=1).all()
        first.append(np.mean(copies[clips, 0] == copy))
        both = present[clean] & present[copy]
        visible = both & chance.shown(np.stack([clean, copy]))
        assert (visible.any(axis=1) == both.any(axis=1)).all(), "neither loses all that both have"
    assert np.mean(first) == pytest.approx(1 / 2, abs=0.02)


def test_copies_follow_their_clips() -> None:
    """Clip for clip and feature for feature, whichever features a system takes."""
    problem = make_problem(copies=2).only(["t1", "a1"])
    data = problem.material.data
    for number, copy in enumerate(problem.copies):
        rows = problem.material.copies[:90, number]
        for place, name in enumerate(("t1", "a1")):
            np.testing.assert_array_equal(data.present[rows, place], copy[name].mask)
            np.testing.assert_array_equal(data.values[rows].split(data.dims, dim=1)[place], copy[name].values)
    assert len(data.values) == 105 + 2 * 90, "what does not train is not copied"


def test_clips_that_equal_their_copies_are_consistent() -> None:
    """Then the divergence is zero, and so is its gradient, however much it weighs."""
    plain = make_problem(train=101, epochs=3)
    same = tuple({name: clean(one, 101) for name, one in plain.inputs.items()} for _ in range(2))
    problem = replace(plain, copies=same).only(plain.inputs)
    member = members(problem, 1)
    found = [
        train(problem.material, replace(problem.training, consistency=weight), member)[0] for weight in (0.1, 100.0)
    ]
    for (name, one), (_, two) in zip(*(compared(problem, trained) for trained in found), strict=True):
        torch.testing.assert_close(one, two, rtol=1e-3, atol=1e-4, msg=name)


def clean(one: Inputs, train: int) -> Inputs:
    return replace(one, values=one.values[:train], mask=one.mask[:train])


def test_consistency_needs_copies() -> None:
    problem = make_problem(consistency=1.0)
    with pytest.raises(ValueError, match="there are none"):
        train(problem.material, problem.training, members(problem, 1))


@pytest.mark.parametrize("seed", [0, 1, 2])
@pytest.mark.parametrize("consistency", [0.0, 1.0])
def test_who_has_seen_noise_loses_less_by_it(seed: int, consistency: float) -> None:
    """Audio, which tells most, is noise alone in the clips to predict; the copies' noise was drawn apart."""
    inputs = make_inputs(400, seed, lacking=0.0)
    noisy = drowned(inputs, np.random.default_rng((seed, 2)))
    copy = {name: clean(one, 200) for name, one in drowned(inputs, np.random.default_rng((seed, 3))).items()}
    plain = make_problem(train=200, others=200, inputs=inputs, epochs=30)
    remedied = replace(plain, copies=(copy,), training=replace(plain.training, consistency=consistency)).only(inputs)

    before, after = scores(plain, noisy), scores(remedied, noisy)
    assert before["clean"] > 0.9 and before["noisy"] < 0.6, "there is something to win back"
    assert after["clean"] > 0.9 and after["noisy"] > 0.85


def drowned(inputs: Mapping[str, Inputs], chance: np.random.Generator) -> dict[str, Inputs]:
    """The features, with nothing but loud noise for audio."""
    return {
        name: replace(one, values=chance.normal(scale=4, size=one.values.shape).astype(np.float32))
        if one.letter == "A"
        else one
        for name, one in inputs.items()
    }


def scores(problem: Problem, noisy: Mapping[str, Inputs]) -> dict[str, float]:
    """The WAF of a network a fold together on the clips to predict, by their clean features and by `noisy` ones."""
    networks = [one.network for one in train(problem.material, problem.training, members(problem, 3))]
    truth, found = np.arange(200, 400) % CLASSES, {}
    for name, one in (("clean", problem), ("noisy", problem.reading(noisy))):
        said = predict(one.material, networks, np.arange(200, 400)).logits.mean(dim=0).argmax(dim=1)
        found[name] = float(waf(confusion_matrix(truth, said.numpy(), CLASSES)))
    return found


@every_model
def test_parameters_survive_the_way_through_vectors(model: type[FusionModel]) -> None:
    problem = make_problem(model)
    module = problem.material.untrained(8)
    vectors = from_module(module)
    assert all(vector.ndim == 1 and len(vector) % 64 == 0 for vector in vectors.values())
    (trained,) = train(problem.material, replace(problem.training, epochs=1), members(problem, 1))
    again = to_module(problem.material, replace(trained.network, parameters=vectors))
    for (name, one), (_, two) in zip(module.named_parameters(), again.named_parameters(), strict=True):
        assert torch.equal(one, two), name


def test_training_leaves_torchs_generator_alone() -> None:
    problem = make_problem(epochs=1)
    torch.manual_seed(7)
    before = torch.random.get_rng_state()
    train(problem.material, problem.training, members(problem, 1))
    assert torch.equal(torch.random.get_rng_state(), before)


def test_without_scaling_features_stand_as_they_are() -> None:
    problem = make_problem(scaled=False, epochs=1)
    (trained,) = train(problem.material, problem.training, members(problem, 1))
    assert not trained.network.scaling.mean.any() and (trained.network.scaling.factor == 1).all()


def test_limited_features_end_where_they_are_told_to() -> None:
    """A number however far out is as one at the limit; one inside is itself."""
    problem = make_problem(limit=2.0, epochs=1)
    (trained,) = train(problem.material, problem.training, members(problem, 1))
    scaling, data = trained.network.scaling, problem.material.data
    clip = np.flatnonzero(data.present[:, 0])[:1]

    def said(deviations: float) -> torch.Tensor:
        values = data.values.clone()
        values[clip, 0] = scaling.mean[0] + deviations / scaling.factor[0]
        return predict(replace(problem.material, data=replace(data, values=values)), [trained.network], clip).logits

    assert torch.equal(said(2.5), said(1e6)) and torch.equal(said(-2.5), said(-1e6))
    assert not torch.equal(said(1.5), said(2.5))


def test_what_a_clip_lacks_has_no_influence_on_training() -> None:
    """Numbers under the mask are never read: the values of clips that lack a feature change nothing."""
    inputs = make_inputs(105)
    other = {name: replace(one, values=np.where(one.mask[:, None], one.values, 77)) for name, one in inputs.items()}
    one, two = (make_problem(inputs=which) for which in (inputs, other))
    found: Sequence[list[Trained]] = [train(each.material, each.training, members(each, 2)) for each in (one, two)]
    for first, second in zip(*found, strict=True):
        assert_equal(first, second)


def test_scaling_is_fitted_on_the_training_clips() -> None:
    problem = make_problem(epochs=1)
    (member,) = members(problem, 1)
    (trained,) = train(problem.material, problem.training, [member])
    fitted = Scaling.fit(Data.of(problem.inputs, "cpu"), member.train)
    assert torch.equal(trained.network.scaling.mean, fitted.mean)


def pseudo_of(problem: Problem, rows: np.ndarray, weight: float = 1.0) -> PseudoLabels:
    """The true classes of the clips `rows`, as soft as they are hard."""
    return PseudoLabels(rows, np.eye(CLASSES)[rows % CLASSES], np.full(len(rows), weight))


def test_networks_with_pseudo_labels_come_out_the_same_in_any_stack() -> None:
    problem = make_problem(train=60, others=80, epochs=4)
    everyone = [
        replace(one, pseudo=pseudo_of(problem, np.arange(60, 140 - 5 * place), 0.5))
        for place, one in enumerate(members(problem, 5))
    ]
    stacked = train(problem.material, problem.training, everyone)
    for member, one in zip(everyone, stacked, strict=True):
        (alone,) = train(problem.material, problem.training, [member])
        assert_equal(alone, one)


def test_a_class_that_only_pseudo_labels_show_is_learnt() -> None:
    problem = make_problem(train=60, others=60, epochs=30, inputs=make_inputs(120, skill=3, lacking=0))
    known = np.flatnonzero(np.arange(60) % CLASSES != 2)
    member = replace(members(problem, 1)[0], train=known)
    taught = replace(member, pseudo=pseudo_of(problem, np.arange(60, 120)))
    plain, student = (train(problem.material, problem.training, [one])[0].network for one in (member, taught))
    unseen = np.arange(2, 60, CLASSES)
    said = [predict(problem.material, [one], unseen).logits[0].argmax(dim=1) == 2 for one in (plain, student)]
    assert not said[0].any() and said[1].double().mean() > 0.8


@pytest.mark.parametrize("train", [60, 300])
def test_an_epoch_shows_as_many_pseudo_labels_as_labels_or_some_more(train: int) -> None:
    problem = make_problem(train=train, others=600, epochs=1)
    (member,) = members(problem, 1)
    many, few = (replace(member, pseudo=pseudo_of(problem, np.arange(train, train + end))) for end in (600, 10))
    wanted = {60: FEWEST_PSEUDO, 300: len(member.train)}[train]
    assert (many.shown_pseudo, few.shown_pseudo) == (wanted, 10)
    draws = _Draws(many, problem.training, 1, problem.material)
    epochs = [order[counted > 0] for order, counted in (draws.order(), draws.order())]
    for shown in epochs:
        assert sorted(shown[shown < train]) == sorted(member.train) and len(shown) == len(member.train) + wanted
        assert len(set(shown)) == len(shown)
    assert set(epochs[0]) != set(epochs[1]), "drawn anew"
    assert few.class_counts(problem.material.targets, CLASSES).sum() == len(member.train) + 10


def test_pseudo_labels_of_no_weight_move_nothing_but_the_batches() -> None:
    problem = make_problem(train=60, others=60, epochs=6, inputs=make_inputs(120, skill=3))
    (member,) = members(problem, 1)
    wrong = PseudoLabels(np.arange(60, 120), np.eye(CLASSES)[(np.arange(60) + 1) % CLASSES], np.full(60, 1e-6))
    heard = replace(wrong, weights=np.ones(60))
    ignored, misled = (
        train(problem.material, problem.training, [replace(member, pseudo=one)])[0].waf for one in (wrong, heard)
    )
    assert ignored > misled + 0.2


def test_of_equally_good_epochs_a_student_takes_the_last_and_others_the_first() -> None:
    problem = make_problem(train=60, others=60, epochs=12, inputs=make_inputs(120, skill=6, lacking=0))
    (member,) = members(problem, 1)
    student = replace(member, pseudo=pseudo_of(problem, np.arange(60, 120)))
    plain, taught = (train(problem.material, problem.training, [one])[0] for one in (member, student))
    assert plain.waf == taught.waf == 1, "every late epoch is right"
    assert plain.epoch < 11 and taught.epoch == 11
