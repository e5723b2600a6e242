"""Branches alone: windows, local clues, timestamps, and what is not there."""

from __future__ import annotations

from dataclasses import replace

import pytest
import torch
from tiny_explainer import IMAGE, PARTS, PATCHES, affectgpt, clip, language_model, micro_video, microemo

from mertools.explain.batch import MediaInput, stack_media
from mertools.explain.branches import FusedMedia, MediaBranch
from mertools.explain.configuration import Branch, PreFusion, Timestamps, Windows
from mertools.explain.explainer import Explainer
from mertools.explain.microemo import masked_attention, window_masks
from mertools.explain.qformer import ConditionedQFormer, TextEmbeddings, Tokens
from mertools.libraries import transformers
from mertools.randomness import torch_generator

SPANS = [(0.0, 0.9), (0.4, 2.6), (1.1, 1.2)]


def make(branch: Branch, width: int = 24) -> MediaBranch:
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(3)
        made = MediaBranch(branch, width).eval()
    if made.local_attention is not None and made.local_attention.gate is not None:
        made.local_attention.gate.data.fill_(0.7)
    return made


def tokens(branch: MediaBranch, media: MediaInput) -> torch.Tensor:
    """The tokens of one clip that are there (N, width)."""
    made, there = branch(media, branch.frame_states(media))
    return made[0][there[0]]


@pytest.mark.parametrize("weights", ["shared", "separate"])
@pytest.mark.parametrize("text", ["", "From {begin:.1f}s to {end:.1f}s, and no more."])
def test_windows_at_once_equal_windows_one_by_one(weights: str, text: str) -> None:
    branch = make(micro_video(windows=Windows(3, weights, text)))
    lone = clip(branch.branch, "other", frames=2, windows=SPANS[:1])
    together = stack_media([clip(branch.branch, "clip", windows=SPANS), lone])
    made, there = branch(together, branch.frame_states(together))
    assert there.sum(dim=1).tolist() == [16, 8]
    for number, span in enumerate(SPANS):
        one = tokens(branch, clip(branch.branch, "clip", windows=[span]))
        assert torch.allclose(made[0, :4], one[:4], atol=1e-5)
        assert torch.allclose(made[0, 4 * (number + 1) : 4 * (number + 2)], one[4:], atol=1e-5)
    assert torch.allclose(made[1, :8], tokens(branch, lone), atol=1e-5)
    # Windows differ from one another and from the whole.
    assert (made[0, :4] - made[0, 4:8]).abs().max() > 1e-3 < (made[0, 4:8] - made[0, 8:12]).abs().max()


def test_which_frames_lie_in_a_window() -> None:
    media = clip(micro_video(), "clip", frames=4, windows=[*SPANS, (7.0, 9.0)])  # frames at 0, 0.5, 1, 1.5 s
    assert window_masks(media)[0].int().tolist() == [[1, 1, 0, 0], [0, 1, 1, 1], [0, 0, 1, 0], [0, 0, 0, 1]]
    nothing = replace(media, mask=torch.zeros(1, 4, dtype=torch.bool))
    assert not window_masks(nothing).any()
    hidden = replace(media, window_mask=torch.tensor([[True, False, True, False]]))
    assert window_masks(hidden).any(dim=2).tolist() == [[True, False, True, False]]


def test_a_clip_without_utterances_has_the_tokens_of_all_its_frames() -> None:
    branch = make(micro_video())
    alone = tokens(branch, clip(branch.branch, "clip"))
    assert alone.shape == (4, 24)
    assert torch.allclose(tokens(branch, clip(branch.branch, "clip", windows=SPANS))[:4], alone, atol=1e-5)


@pytest.mark.parametrize("fusion", ["gate", "linear"])
@pytest.mark.parametrize("kind", ["region", "patch"])
def test_a_closed_gate_is_the_plain_model_exactly(fusion: str, kind: str) -> None:
    local = replace(micro_video().local_attention, fusion=fusion, tokens=kind)
    micro = Explainer(microemo(local_attention=local, windows=None), language_model()).eval()
    plain = Explainer(microemo(local_attention=None, windows=None), language_model()).eval()
    state = micro.trainable_state()
    plain.load_trainable_state({name: state[name] for name in plain.trainable_state()})
    media = clip(micro_video(), "clip")
    whole, bare = (one.branches["video"].frame_states(media) for one in (micro, plain))
    assert torch.equal(whole, bare)


def test_a_frame_without_a_face_is_what_it_was() -> None:
    branch = make(micro_video(windows=None))
    media = clip(branch.branch, "clip")
    regions = media.regions.clone()
    regions[:, 2:] = False
    bare = branch.frame_states(replace(media, regions=None))
    clued = branch.frame_states(replace(media, regions=regions))
    assert torch.equal(clued[:, 2:], bare[:, 2:])
    assert (clued[:, :2] - bare[:, :2]).abs().amax(dim=(2, 3)).min() > 1e-4


def test_a_region_is_read_from_its_own_patches() -> None:
    branch = make(micro_video(windows=None, local_attention=replace(micro_video().local_attention, temporal="none")))
    local = branch.local_attention
    patches = torch.randn(1, 1, PATCHES, 16, generator=torch_generator(0, "patches"))
    regions = torch.zeros(1, 1, len(PARTS), PATCHES, dtype=torch.bool)
    regions[..., 0, :3] = regions[..., 1, 3:6] = True
    first, there = local.attend(patches, regions)
    assert there.tolist() == [[[True, True, False]]]
    assert torch.equal(first[0, 0, 2], torch.zeros(16))
    patches[..., 4, :] += 1
    second, _ = local.attend(patches, regions)
    changed = (first - second).abs().amax(dim=-1)[0, 0]
    assert changed[0] == 0 and changed[1] > 1e-4


def test_times_are_read_by_the_image_qformer() -> None:
    branch = make(micro_video(windows=None, positions=0))
    media = clip(branch.branch, "clip")
    later = replace(media, times=media.times + 1)
    assert (branch.frame_states(media) - branch.frame_states(later)).abs().max() > 1e-4
    silent = make(micro_video(windows=None, positions=0, timestamps=None))
    assert torch.equal(silent.frame_states(media), silent.frame_states(later))


def test_a_text_beside_the_queries_is_read_as_instructblip_does() -> None:
    library = transformers()
    ours = ConditionedQFormer(IMAGE, 16, TextEmbeddings(Timestamps(tokenizer="bytes", vocabulary=60, positions=64), 32))
    config = library.InstructBlipQFormerConfig(
        vocab_size=60,
        hidden_size=32,
        num_hidden_layers=2,
        num_attention_heads=4,
        intermediate_size=64,
        max_position_embeddings=64,
        encoder_hidden_size=16,
    )
    theirs = library.InstructBlipQFormerModel(config).eval()
    state = {
        name.replace("layernorm.", "embeddings.layernorm.") if name.startswith("layernorm") else name: value
        for name, value in ours.network.state_dict().items()
    }
    state["embeddings.word_embeddings.weight"] = ours.text.words.weight
    state["embeddings.position_embeddings.weight"] = ours.text.positions.weight
    theirs.load_state_dict(state)
    ids = torch.tensor([[4, 9, 2, 0], [7, 1, 3, 5]])
    text = Tokens(ids, ids > 0)
    read = torch.randn(2, 10, 16, generator=torch_generator(0, "read"))
    mask = torch.arange(10)[None] < torch.tensor([[10], [4]])
    wanted = theirs(
        input_ids=ids,
        attention_mask=torch.cat([torch.ones(2, 4), text.mask], dim=1),
        query_embeds=ours.queries.expand(2, -1, -1),
        encoder_hidden_states=read,
        encoder_attention_mask=mask.long(),
    ).last_hidden_state[:, :4]
    assert torch.allclose(ours.eval()(read, mask, text), wanted, atol=1e-5)


def test_attention_of_who_sees_nothing_is_nothing() -> None:
    attention = torch.nn.MultiheadAttention(8, 2, batch_first=True)
    states = torch.randn(1, 5, 8, generator=torch_generator(0, "states"), requires_grad=True)
    sees = torch.zeros(1, 2, 5, dtype=torch.bool)
    sees[0, 1, 3] = True
    output = masked_attention(attention, states[:, :2], states, sees)
    assert torch.equal(output[0, 0], torch.zeros(8))
    output.sum().backward()
    assert states.grad.isfinite().all()
    assert torch.equal(states.grad[0, 0], torch.zeros(8)) and states.grad[0, 3].abs().sum() > 0


def test_averages() -> None:
    video = affectgpt().video
    mean = make(replace(video, connector="mean", positions=0, tokens=2), width=16)
    mean.projection = torch.nn.Identity()
    media = clip(video, "clip", frames=4)
    wanted = media.frames[0, :4].mean(dim=(0, 1))
    padded = stack_media([media, clip(video, "other")])
    made, _ = mean(padded, mean.frame_states(padded))
    assert made.shape == (2, 2, 16)
    assert torch.allclose(made[0], wanted.expand(2, -1), atol=1e-6)
    attention = make(replace(video, connector="attention", positions=0), width=16)
    assert torch.allclose(
        tokens(attention, media),
        attention(padded, attention.frame_states(padded))[0][0],
        atol=1e-6,
    )


def test_standardised_frames() -> None:
    branch = make(replace(affectgpt().video, scale="standardise", positions=0))
    mean, deviation = torch.arange(16.0), torch.ones(16)
    deviation[3] = 0
    branch.standardise(mean, deviation)
    media = clip(branch.branch, "clip")
    states = branch.frame_states(media)
    assert torch.allclose(states[..., 5], media.frames[..., 5] - 5)
    assert torch.equal(states[..., 3], torch.zeros_like(states[..., 3]))


@pytest.mark.parametrize("weights", ["softmax", "linear"])
def test_a_medium_that_is_not_there_has_no_part_in_the_fused_token(weights: str) -> None:
    fused = FusedMedia(PreFusion(weights=weights), (6, 8), 10)
    audio, video = torch.randn(1, 3, 1, 6), torch.randn(1, 4, 1, 8)
    there, gone = torch.ones(1, 3, dtype=torch.bool), torch.zeros(1, 4, dtype=torch.bool)
    assert torch.equal(fused([audio, video], [there, gone]), fused([audio, video * 9], [there, gone]))
    assert fused([audio, video], [~there, gone]).isfinite().all()
    assert not torch.equal(fused([audio, video], [there, ~gone]), fused([audio, video], [there, gone]))
