"""Weights in Video-LLaMA's and LAVIS' layouts: the converted Q-Formers compute what the originals did."""

from __future__ import annotations

from pathlib import Path

import pytest
import torch
from tiny_explainer import AUDIO, SMALL, affectgpt, language_model, micro_video, microemo
from torch.nn import functional

from mertools.__main__ import dispatch
from mertools.errors import InputError
from mertools.explain.configuration import QFormer, as_yaml
from mertools.explain.conversion import convert
from mertools.explain.explainer import Explainer
from mertools.libraries import transformers
from mertools.model_sources import load_weights
from mertools.randomness import torch_generator

State = dict[str, torch.Tensor]


def bert_state(prefix: str, shape: QFormer, width: int, words: int = 0, positions: int = 0) -> State:
    """Random weights of a Q-Former under the names that Video-LLaMA and LAVIS save."""
    draw = torch_generator(0, "bert", prefix)
    state: State = {}

    def linear(name: str, rows: int, columns: int) -> None:
        state[f"{name}.weight"] = torch.randn(rows, columns, generator=draw) / columns**0.5
        state[f"{name}.bias"] = torch.randn(rows, generator=draw) / 10

    def norm(name: str) -> None:
        state[f"{name}.weight"] = 1 + torch.randn(shape.width, generator=draw) / 10
        state[f"{name}.bias"] = torch.randn(shape.width, generator=draw) / 10

    norm(f"{prefix}embeddings.LayerNorm")
    if words:
        state[f"{prefix}embeddings.word_embeddings.weight"] = torch.randn(words, shape.width, generator=draw)
        state[f"{prefix}embeddings.position_embeddings.weight"] = torch.randn(positions, shape.width, generator=draw)
        state[f"{prefix}embeddings.position_ids"] = torch.arange(positions)[None]
    for number in range(shape.layers):
        layer = f"{prefix}encoder.layer.{number}"
        kinds = ["attention", *(["crossattention"] if number % shape.cross_attention_every == 0 else [])]
        for kind in kinds:
            read = width if kind == "crossattention" else shape.width
            linear(f"{layer}.{kind}.self.query", shape.width, shape.width)
            linear(f"{layer}.{kind}.self.key", shape.width, read)
            linear(f"{layer}.{kind}.self.value", shape.width, read)
            linear(f"{layer}.{kind}.output.dense", shape.width, shape.width)
            norm(f"{layer}.{kind}.output.LayerNorm")
        for suffix in ("_query", *([""] if words else [])):
            linear(f"{layer}.intermediate{suffix}.dense", shape.feed_forward, shape.width)
            linear(f"{layer}.output{suffix}.dense", shape.width, shape.feed_forward)
            norm(f"{layer}.output{suffix}.LayerNorm")
    return state


def reference_qformer(
    state: State, prefix: str, shape: QFormer, queries: torch.Tensor, read: torch.Tensor, ids: torch.Tensor | None
) -> torch.Tensor:
    """BERT with cross-attention of its queries, straight from the saved names: (Q, D) for one clip without padding."""

    def linear(name: str, states: torch.Tensor) -> torch.Tensor:
        return functional.linear(states, state[f"{name}.weight"], state[f"{name}.bias"])

    def norm(name: str, states: torch.Tensor) -> torch.Tensor:
        return functional.layer_norm(states, (shape.width,), state[f"{name}.weight"], state[f"{name}.bias"], 1e-12)

    def attend(name: str, asking: torch.Tensor, states: torch.Tensor) -> torch.Tensor:
        heads = [
            linear(f"{name}.self.{kind}", rows).unflatten(-1, (shape.heads, -1)).transpose(0, 1)
            for kind, rows in (("query", asking), ("key", states), ("value", states))
        ]
        scores = heads[0] @ heads[1].transpose(1, 2) / (shape.width // shape.heads) ** 0.5
        joined = (scores.softmax(dim=-1) @ heads[2]).transpose(0, 1).flatten(1)
        return norm(f"{name}.output.LayerNorm", linear(f"{name}.output.dense", joined) + asking)

    def feed(layer: str, suffix: str, states: torch.Tensor) -> torch.Tensor:
        inner = functional.gelu(linear(f"{layer}.intermediate{suffix}.dense", states))
        return norm(f"{layer}.output{suffix}.LayerNorm", linear(f"{layer}.output{suffix}.dense", inner) + states)

    count, states = len(queries), queries
    if ids is not None:
        words = state[f"{prefix}embeddings.word_embeddings.weight"][ids]
        states = torch.cat([states, words + state[f"{prefix}embeddings.position_embeddings.weight"][: len(ids)]])
    states = norm(f"{prefix}embeddings.LayerNorm", states)
    for number in range(shape.layers):
        layer = f"{prefix}encoder.layer.{number}"
        states = attend(f"{layer}.attention", states, states)
        asking, text = states[:count], states[count:]
        if number % shape.cross_attention_every == 0:
            asking = attend(f"{layer}.crossattention", asking, read)
        states = feed(layer, "_query", asking)
        if ids is not None:
            states = torch.cat([states, feed(layer, "", text)])
    return states[:count]


def video_llama(configuration_width: int) -> State:
    """A checkpoint of Video-LLaMA's layout for the tiny AffectGPT, of a language model of the given width."""
    draw = torch_generator(0, "video-llama")
    state = {
        **bert_state("audio_Qformer.bert.", SMALL, 12),
        **bert_state("video_Qformer.bert.", SMALL, 16),
        "audio_query_tokens": torch.randn(1, 4, 32, generator=draw),
        "video_query_tokens": torch.randn(1, 4, 32, generator=draw),
        "audio_position_embedding.weight": torch.randn(6, 12, generator=draw),
        "video_frame_position_embedding.weight": torch.randn(6, 16, generator=draw),
    }
    for name in ("llama_proj", "audio_llama_proj"):
        state[f"{name}.weight"] = torch.randn(configuration_width, 32, generator=draw)
        state[f"{name}.bias"] = torch.randn(configuration_width, generator=draw)
    return state


def test_video_llamas_qformers_compute_the_same() -> None:
    original = video_llama(64)
    taken, report = convert({"model": original}, affectgpt())
    assert {key.fate for key in report} == {"taken"} and len(report) == len(original)
    explainer = Explainer(affectgpt(), language_model()).eval()
    explainer.load_trainable_state(taken, partial=True)
    for medium, width in (("audio", 12), ("video", 16)):
        read = torch.randn(9, width, generator=torch_generator(1, medium))
        queries = original[f"{medium}_query_tokens"][0]
        wanted = reference_qformer(original, f"{medium}_Qformer.bert.", SMALL, queries, read, None)
        got = explainer.branches[medium].connector(read[None], torch.ones(1, 9, dtype=torch.bool))[0]
        assert torch.allclose(got, wanted, atol=1e-5)
    branch = explainer.branches["video"]
    assert torch.equal(branch.positions.weight, original["video_frame_position_embedding.weight"])
    assert torch.equal(branch.projection.weight, original["llama_proj.weight"])


def test_an_image_qformer_that_reads_a_text_computes_the_same() -> None:
    shape = micro_video().image_qformer
    original = bert_state("Qformer.bert.", shape, 16, words=257, positions=64)
    original["query_tokens"] = torch.randn(1, 4, 32, generator=torch_generator(0, "queries"))
    configuration = microemo(windows=None)
    taken, report = convert(original, configuration)
    fates = {key.theirs or key.ours: key.fate for key in report}
    assert fates.pop("Qformer.bert.embeddings.position_ids") == "unexpected"
    assert all((fate == "taken") == name.startswith(("Qformer", "query")) for name, fate in fates.items())
    explainer = Explainer(configuration, language_model()).eval()
    explainer.load_trainable_state(taken, partial=True)
    branch = explainer.branches["video"]
    text = branch.write_times([{"seconds": 1.5}], torch.device("cpu"))
    read = torch.randn(10, 16, generator=torch_generator(1, "patches"))
    wanted = reference_qformer(original, "Qformer.bert.", shape, original["query_tokens"][0], read, text.ids[0])
    got = branch.image_qformer(read[None], torch.ones(1, 10, dtype=torch.bool), text)[0]
    assert torch.allclose(got, wanted, atol=1e-5)


@pytest.mark.parametrize("prefix", ["", "model."])
def test_transformers_own_layout_is_read_too(prefix: str) -> None:
    library = transformers()
    shape = micro_video().image_qformer
    config = library.InstructBlipQFormerConfig(
        vocab_size=257,
        hidden_size=shape.width,
        num_hidden_layers=shape.layers,
        num_attention_heads=shape.heads,
        intermediate_size=shape.feed_forward,
        max_position_embeddings=64,
        encoder_hidden_size=16,
    )
    theirs = library.InstructBlipQFormerModel(config).state_dict()
    weights = {f"{prefix}qformer.{name}": value for name, value in theirs.items()}
    weights |= {f"{prefix}query_tokens": torch.ones(1, 4, 32), f"{prefix}language_projection.bias": torch.ones(8)}
    taken, report = convert(weights, microemo(windows=None))
    assert [key.theirs for key in report if key.fate in ("unexpected", "reshaped")] == [
        f"{prefix}language_projection.bias"
    ]
    assert not [key.ours for key in report if key.fate == "missing" and "image_qformer" in key.ours]
    assert torch.equal(
        taken["branches.video.image_qformer.network.layernorm.weight"], theirs["embeddings.layernorm.weight"]
    )


def test_every_key_is_accounted_for() -> None:
    original = video_llama(96)
    del original["video_query_tokens"]
    original["visual_encoder.cls_token"] = torch.zeros(1, 1, 8)
    taken, report = convert(original, affectgpt())
    fates = {key.theirs or key.ours: (key.fate, key.shapes) for key in report}
    assert fates["llama_proj.weight"] == ("reshaped", "(96, 32) -> (64, 32)")
    assert fates["branches.video.connector.queries"] == ("missing", "(1, 4, 32)")
    assert fates["visual_encoder.cls_token"][0] == "unexpected"
    assert "branches.video.projection.weight" not in taken and "branches.audio.connector.queries" in taken


def test_a_file_of_something_else_is_refused() -> None:
    with pytest.raises(InputError, match=r"None of the 1 weights fits.*'head\.weight'.*Wanted a checkpoint of"):
        convert({"head.weight": torch.zeros(2)}, affectgpt())


def test_the_command(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    original = video_llama(96)
    torch.save({"model": original}, tmp_path / "video.pth")
    (tmp_path / "tiny.yaml").write_text(as_yaml(affectgpt()))
    written = tmp_path / "weights" / "video.safetensors"
    words = ["explain", "convert", str(tmp_path / "video.pth"), "--for", str(tmp_path / "tiny.yaml"), "--to"]
    assert dispatch([*words, str(written)]) == 0
    told = capsys.readouterr().out
    assert "reshaped\tllama_proj.weight\tbranches.video.projection.weight\t(96, 32) -> (64, 32)" in told
    assert told.splitlines()[-1].endswith("0 missing, 0 unexpected, 4 reshaped")
    assert load_weights(written)["branches.audio.positions.weight"].shape == (AUDIO.positions, AUDIO.width)
    with pytest.raises(InputError, match=r"not called \.safetensors"):
        dispatch([*words, str(tmp_path / "video.bin")])
