"""The whole explainer on toys: what it learns, from what, and what stays as it was."""

from __future__ import annotations

import re
from dataclasses import replace

import pytest
import torch
from tiny_explainer import (
    ADAPTERS,
    AUDIO,
    PARTS,
    SENTENCES,
    SMALL,
    affectgpt,
    batch,
    clip,
    language_model,
    micro_video,
    microemo,
)

from mertools.errors import InputError
from mertools.explain.batch import IGNORED, Batch, collate
from mertools.explain.configuration import Configuration, LocalAttention, PreFusion, Prompt
from mertools.explain.explainer import Explainer

NAMES = [f"clip {number}" for number in range(8)]
WINDOWS = [(0.0, 1.0), (1.2, 2.5)]


def adapted(configuration: Configuration) -> Configuration:
    return replace(configuration, language_model=replace(configuration.language_model, lora=ADAPTERS))


def with_fusion(**changes: object) -> Configuration:
    text = affectgpt().prompt.text.replace("The audio", "Both are {multi}. The audio")
    return affectgpt(prompt=Prompt(text), pre_fusion=PreFusion(qformer=SMALL, **changes))


CONFIGURATIONS = {
    "affectgpt": affectgpt(),
    "averages": affectgpt(
        audio=replace(AUDIO, connector="attention"), video=replace(affectgpt().video, connector="mean", tokens=3)
    ),
    "fused by attention": with_fusion(),
    "fused linearly": with_fusion(weights="linear"),
    "fused by a Q-Former": with_fusion(connector="qformer"),
    "microemo": microemo(),
    "microemo by patch": microemo(local_attention=LocalAttention(PARTS, "patch", 4, temporal="none", fusion="linear")),
    "microemo with motion": microemo(
        local_attention=LocalAttention(PARTS, heads=4, temporal="motion"),
        windows=replace(micro_video().windows, weights="separate"),
    ),
    "adapters": adapted(affectgpt()),
}
WITHOUT_EFFECT = re.compile(r"\.key\.bias$|\.scores\.bias$|\.layer\.1\.(intermediate|output)\.")
"""Biases that a softmax takes out again, and what the last of two layers makes of a text, which nobody reads."""

every_configuration = pytest.mark.parametrize("configuration", CONFIGURATIONS.values(), ids=CONFIGURATIONS.keys())


def make(configuration: Configuration) -> Explainer:
    return Explainer(configuration, language_model())


def open_gates(explainer: Explainer) -> None:
    """Let local clues through, which start shut out."""
    local = explainer.branches["video"].local_attention
    with torch.no_grad():
        if local is not None and local.gate is not None:
            local.gate.fill_(1.0)
        elif local is not None:
            local.join.weight.normal_(std=0.1)


def clips(configuration: Configuration, **frames: int) -> list[dict[str, object]]:
    """Two clips, the first with two windows; `frames` says how many frames of a medium the first has."""
    rich = {
        medium: clip(branch, "rich", frames.get(medium), WINDOWS if branch.windows else ())
        for medium, branch in configuration.branches.items()
    }
    return [rich, {medium: clip(branch, "plain") for medium, branch in configuration.branches.items()}]


@pytest.mark.parametrize("name", ["affectgpt", "microemo"])
def test_eight_clips_are_learned_word_for_word(name: str) -> None:
    explainer = make(adapted(CONFIGURATIONS[name])).train()
    learning = batch(explainer, NAMES, SENTENCES)
    optimiser = torch.optim.AdamW(explainer.trainable_parameters().values(), lr=5e-3)
    for _ in range(300):
        loss = explainer(learning).mean
        optimiser.zero_grad()
        loss.backward()
        optimiser.step()
        if loss.item() < 0.04:
            break
    assert explainer.generate(batch(explainer, NAMES)) == list(SENTENCES)
    # The same clips one by one, and again: greedy, and padding plays no part.
    assert [explainer.generate(batch(explainer, [name]))[0] for name in NAMES[:3]] == list(SENTENCES[:3])
    assert explainer.generate(batch(explainer, NAMES[:1]), max_new_tokens=2)[0] in SENTENCES[0]


@every_configuration
def test_what_is_trained_has_gradients_and_nothing_else(configuration: Configuration) -> None:
    explainer = make(configuration).train()
    open_gates(explainer)
    for name, parameter in explainer.trainable_parameters().items():
        # Adapters begin with zeros on one side, where the other gets no gradient.
        if "lora_B" in name:
            torch.nn.init.normal_(parameter)
    media = clips(configuration)
    explainer(batch(explainer, ["rich", "plain"], SENTENCES[:2], media)).mean.backward()
    trainable = explainer.trainable_parameters()
    for name, parameter in explainer.named_parameters():
        assert (parameter.grad is not None) == (name in trainable), name
        if name in trainable and not WITHOUT_EFFECT.search(name):
            assert parameter.grad.abs().sum() > 0, name


@every_configuration
def test_frozen_parts_rest_while_others_train(configuration: Configuration) -> None:
    explainer = make(configuration)
    explainer.freeze(["video"])
    explainer.train()
    assert not any(module.training for module in explainer.branches["video"].modules())
    assert explainer.branches["audio"].connector.training
    own = [module for name, module in explainer.language_model.named_modules() if "lora" not in name]
    assert not any(module.training for module in own)
    lora = [
        module
        for name, module in explainer.language_model.named_modules()
        if "lora_dropout" in name and name.endswith("default")
    ]
    assert all(module.training for module in lora)
    assert {name.split(".")[1] for name in explainer.trainable_parameters() if name.startswith("branches")} == {"audio"}
    explainer.eval()
    assert not any(module.training for module in explainer.modules())


def test_a_branch_that_freezes_its_image_qformer_keeps_it_out_of_checkpoints() -> None:
    explainer = make(microemo(frozen=("image_qformer",))).train()
    assert not explainer.branches["video"].image_qformer.training
    assert not any("image_qformer" in name for name in explainer.trainable_state())
    assert any("local_attention" in name for name in explainer.trainable_state())


def test_the_loss_is_on_the_answer_alone() -> None:
    explainer = make(affectgpt()).eval()
    learning = batch(explainer, NAMES[:2], SENTENCES[:2])
    loss = explainer(learning)
    assert loss.tokens == int((learning.labels != IGNORED).sum())
    logits = explainer.language_model(
        inputs_embeds=explainer.embed(learning), attention_mask=learning.attention_mask
    ).logits
    mean = torch.nn.functional.cross_entropy(logits[:, :-1].flatten(0, 1), learning.labels[:, 1:].flatten())
    assert loss.mean.item() == pytest.approx(mean.item(), rel=1e-4)
    # Labels on the prompt would make another loss; the template puts none there.
    prompted = replace(learning, labels=torch.where(learning.attention_mask.bool(), learning.input_ids, IGNORED))
    assert abs(explainer(prompted).total.item() - loss.total.item()) > 1
    with pytest.raises(ValueError, match="without answers"):
        explainer(batch(explainer, NAMES[:2]))


@every_configuration
@pytest.mark.parametrize("lacking", ["audio", "video", "faces", "nothing"])
def test_clips_that_lack_a_medium_train_and_generate(configuration: Configuration, lacking: str) -> None:
    explainer = make(configuration).train()
    open_gates(explainer)
    media = clips(configuration, **({lacking: 0} if lacking in configuration.branches else {}))
    if lacking == "faces" and media[0]["video"].regions is not None:
        media[0]["video"] = replace(media[0]["video"], regions=torch.zeros_like(media[0]["video"].regions))
    loss = explainer(batch(explainer, ["rich", "plain"], SENTENCES[:2], media)).mean
    loss.backward()
    assert loss.isfinite()
    assert all(parameter.grad.isfinite().all() for parameter in explainer.trainable_parameters().values())
    answers = explainer.generate(batch(explainer, ["rich", "plain"], clips=media), max_new_tokens=5)
    assert len(answers) == 2
    # Whatever a clip is batched with, it gets the same tokens.
    alone = explainer.eval().embed(batch(explainer, ["rich"], clips=media[:1]))[0]
    together = explainer.embed(batch(explainer, ["rich", "plain"], clips=media))[0]
    assert torch.allclose(alone, together[-len(alone) :], atol=1e-5)


def test_neither_sound_nor_pictures_is_not_nothing_to_say() -> None:
    for configuration in CONFIGURATIONS.values():
        explainer = make(configuration).eval()
        media = clips(configuration, audio=0, video=0)
        assert explainer.embed(batch(explainer, ["rich", "plain"], clips=media)).isfinite().all()


def test_what_pads_the_frames_plays_no_part() -> None:
    explainer = make(microemo()).eval()
    open_gates(explainer)
    learning = batch(explainer, ["rich", "plain"], SENTENCES[:2], clips(microemo(), video=3, audio=4))
    media = {}
    for medium, one in learning.media.items():
        padded = ~one.mask.view(*one.mask.shape, *([1] * (one.frames.ndim - 2)))
        media[medium] = replace(one, frames=torch.where(padded, torch.tensor(1e3), one.frames))
    loss, other = explainer(learning).total, explainer(replace(learning, media=media)).total
    assert loss.item() == pytest.approx(other.item(), rel=1e-6)


def test_weights_go_through_a_checkpoint() -> None:
    explainer = make(adapted(affectgpt(audio=replace(AUDIO, scale="standardise"))))
    explainer.branches["audio"].standardise(torch.ones(12), torch.full((12,), 2.0))
    state = explainer.trainable_state()
    assert not any("language_model.model" in name and "lora" not in name for name in state)
    other = make(replace(explainer.configuration, seed=7))
    learning = batch(explainer, NAMES[:2], SENTENCES[:2])
    assert other(learning).total.item() != pytest.approx(explainer(learning).total.item(), rel=1e-4)
    other.load_trainable_state(state)
    assert other.eval()(learning).total.item() == explainer.eval()(learning).total.item()


def test_checkpoints_of_another_configuration_are_refused() -> None:
    explainer = make(affectgpt())
    state = explainer.trainable_state()
    with pytest.raises(InputError, match=r"unknown weights .*\(85 unknown, 0 lacking\).* another configuration"):
        explainer.load_trainable_state(make(microemo()).trainable_state())
    some = dict(list(state.items())[:3])
    with pytest.raises(InputError, match="lacking"):
        explainer.load_trainable_state(some)
    explainer.load_trainable_state(some, partial=True)
    name = "branches.audio.positions.weight"
    with pytest.raises(InputError, match=r"positions\.weight has the shape \(3, 12\), the configuration's \(6, 12\)"):
        explainer.load_trainable_state({**state, name: state[name][:3]})


def test_initial_weights_are_the_seeds() -> None:
    first, second = make(affectgpt()), make(affectgpt())
    torch.rand(3)
    assert all(torch.equal(one, second.trainable_state()[name]) for name, one in first.trainable_state().items())
    other = make(affectgpt(seed=1)).trainable_state()
    assert not torch.equal(
        first.trainable_state()["branches.audio.connector.queries"], other["branches.audio.connector.queries"]
    )


def test_unknown_parts_cannot_be_frozen() -> None:
    explainer = make(affectgpt())
    assert list(explainer.parts()) == [
        *("audio.positions", "audio.connector", "audio.projection"),
        *("video.positions", "video.connector", "video.projection"),
    ]
    with pytest.raises(InputError, match=r"Unknown part 'audio\.conector' to freeze\. Did you mean 'audio\.connector'"):
        explainer.freeze(["audio.conector"])


def test_frames_of_another_encoder_are_refused() -> None:
    explainer = make(affectgpt())
    learning = batch(explainer, NAMES[:1], SENTENCES[:1])
    wrong = replace(learning.media["audio"], frames=torch.zeros(1, 6, 13))
    with pytest.raises(InputError, match=r"shape \(13,\).*made for 'tiny-audio' of shape \(12,\)"):
        explainer(replace(learning, media={**learning.media, "audio": wrong}))


def test_generation_stops_at_the_end_marker() -> None:
    explainer = make(affectgpt()).eval()
    prompts = batch(explainer, NAMES[:2])
    marker = explainer.template.end_ids
    calls = []

    def always_the_marker(module: torch.nn.Module, inputs: object, output: torch.Tensor) -> torch.Tensor:
        logits = torch.full_like(output, -10.0)
        logits[..., marker[len(calls) % len(marker)]] = 10.0
        calls.append(None)
        return logits

    explainer.language_model.lm_head.register_forward_hook(always_the_marker)
    assert explainer.generate(prompts, max_new_tokens=50) == ["", ""]
    assert len(calls) == len(marker)


def test_a_batch_moves_whole() -> None:
    explainer = make(microemo())
    encoded = explainer.template.encode_prompt("", explainer.configuration.token_counts())
    made: Batch = collate([encoded], batch(explainer, NAMES[:1]).media, explainer.template.pad_id).to("meta")
    assert {tensor.device.type for tensor in (made.input_ids, *made.slots.values(), made.media["video"].regions)} == {
        "meta"
    }


def test_a_prompt_that_the_language_model_cannot_read() -> None:
    longer = replace(affectgpt().prompt, max_length=513)
    with pytest.raises(InputError, match=r"max_length is 513, and the language model reads 512 tokens\. Lower it"):
        make(affectgpt(prompt=longer))
