"""Large language models give what their network computes for each sentence alone, whatever shares the batch."""

from __future__ import annotations

import dataclasses
import importlib.util
import json
import re
import shutil
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from tiny_text import LAYERS, SENTENCES, UNKNOWN, WIDTH, make_checkpoint, run_code_from

from feature_extractors import large_language
from feature_extractors.cards.card import RECIPES
from feature_extractors.catalog import CATALOG
from feature_extractors.encoder import Encoder, Settings, build
from feature_extractors.tokenised_text import Subtitle
from mertools.clip import Clip
from mertools.errors import InputError
from mertools.libraries import transformers
from mertools.media import MissingMedium
from mertools.model_sources import load_weights

NAMES = [name for name, card in CATALOG.items() if card.family == "large-language"]
CARDS = pytest.mark.parametrize("name", NAMES)
REMOTE = pytest.mark.parametrize("name", ["chatglm2-6b", "baichuan-13b"])


@pytest.fixture(scope="module")
def folders(tmp_path_factory: pytest.TempPathFactory) -> Iterator[dict[str, Path]]:
    """The checkpoints by name; code that comes with them is copied to, and run from, a folder of the tests' own."""
    pytest.importorskip("sentencepiece")
    with run_code_from(tmp_path_factory.mktemp("modules")):
        yield {name: make_checkpoint(name, tmp_path_factory.mktemp(name)) for name in NAMES}


@pytest.fixture
def folder(name: str, folders: dict[str, Path], tmp_path: Path) -> Path:
    """A copy, free to be spoilt, of the checkpoint of the card `name`."""
    return Path(shutil.copytree(folders[name], tmp_path / name))


def loaded(name: str, folder: Path, recipe: str = "mer2024", trust: bool = True, device: str = "cpu") -> Encoder:
    settings = Settings(recipe=recipe, sources={name: f"path:{folder}"}, trust_remote_code=trust)
    encoder = build(CATALOG[name], settings)
    encoder.load(device)
    return encoder


def direct(name: str, folder: Path, sentence: str) -> np.ndarray:
    """The vectors of a sentence's tokens (tokens, D), computed without the encoder."""
    network, before = network_alone(name, folder)
    if name == "bloom-7b":
        ids = transformers().PreTrainedTokenizerFast.from_pretrained(folder)(sentence).input_ids
    else:
        import sentencepiece

        ids = sentencepiece.SentencePieceProcessor(model_file=str(folder / "tokenizer.model")).encode(sentence)
    with torch.no_grad():
        states = network(torch.tensor([before + ids]), output_hidden_states=True).hidden_states
    if name == "chatglm2-6b":
        states = [state.transpose(0, 1) for state in states]
    return torch.stack(list(states))[[-4, -3, -2, -1]].sum(0)[0, len(before) :].numpy()


def network_alone(name: str, folder: Path) -> tuple[Any, list[int]]:
    """The network with the checkpoint's weights put in by hand, and the special tokens before a text."""
    library = transformers()
    config = json.loads((folder / "config.json").read_text(encoding="utf-8"))
    if name == "bloom-7b":
        return library.BloomForCausalLM.from_pretrained(folder).eval(), []
    if name == "moss-7b":
        network = library.LlamaForCausalLM(library.LlamaConfig(**(config | {"model_type": "llama"})))
        network.load_state_dict(load_weights(folder / "model.safetensors"))
        return network.eval(), [1]
    if name == "chatglm2-6b":
        from standin_chatglm import ChatGLMConfig, ChatGLMForConditionalGeneration

        configuration = ChatGLMConfig(**config)
        configuration.max_length = 64
        network = ChatGLMForConditionalGeneration(configuration)
        first = config["padded_vocab_size"] - 8
        before = [first + 1, first + 3]
    else:
        from standin_baichuan import BaichuanConfig, BaichuanForCausalLM

        network, before = BaichuanForCausalLM(BaichuanConfig(**config)), []
    network.load_state_dict(load_weights(folder / "pytorch_model.bin"))
    return network.eval(), before


@CARDS
@pytest.mark.parametrize("recipe", RECIPES)
def test_a_batch_gives_what_the_network_gives_for_each_sentence(name: str, recipe: str, folder: Path) -> None:
    encoder = loaded(name, folder, recipe)
    sentences = [*SENTENCES, UNKNOWN]
    encodings = encoder.encode([encoder.prepare(Clip("a", subtitle=sentence)) for sentence in sentences])
    for sentence, encoding in zip(sentences, encodings, strict=True):
        wanted = direct(name, folder, sentence)
        assert encoding.frames.shape == wanted.shape == (len(wanted), WIDTH) and len(wanted)
        assert encoding.frames.dtype == np.float32 and encoding.times is None and not encoding.problem
        np.testing.assert_allclose(encoding.frames, wanted, atol=1e-5)
        (alone,) = encoder.encode([Subtitle(sentence)])
        np.testing.assert_allclose(encoding.frames, alone.frames, atol=1e-5)
    again = encoder.encode([Subtitle(sentence) for sentence in sentences])
    assert all(np.array_equal(a.frames, b.frames) for a, b in zip(encodings, again, strict=True))


@CARDS
def test_a_clip_without_a_subtitle_is_missing(name: str) -> None:
    encoder = build(CATALOG[name])
    assert encoder.prepare(Clip("a", subtitle="你好", subtitle_english="Hello")) == Subtitle("你好")
    with pytest.raises(MissingMedium, match=r"^no subtitle$"):
        encoder.prepare(Clip("a", subtitle="  ", subtitle_english="Hello"))


@pytest.mark.parametrize("name", ["moss-7b"])
def test_a_long_subtitle_is_cut_and_says_so(name: str, folder: Path, folders: dict[str, Path]) -> None:
    recipe = {**CATALOG[name].recipe("masked"), "tokens": 5}
    card = dataclasses.replace(CATALOG[name], recipes={"mer2024": recipe})
    encoder = build(card, Settings(sources={name: f"path:{folder}"}))
    encoder.load("cpu")
    long, short = encoder.encode([Subtitle(SENTENCES[2]), Subtitle("真")])
    count = len(direct(name, folder, SENTENCES[2])) + 1
    assert long.problem == f"the subtitle has {count} tokens, of which the first 5 were read" and not short.problem
    np.testing.assert_allclose(long.frames, direct(name, folder, SENTENCES[2])[:4], atol=1e-5)


# ---- code of the checkpoint's own -----------------------------------------------------------------------------------


@REMOTE
def test_code_of_a_checkpoint_runs_only_where_it_is_trusted(name: str, folder: Path) -> None:
    (module,) = folder.glob("standin_*.py")
    ran = folder / "ran"
    module.write_text(f"open({str(ran)!r}, 'w').close()\n" + module.read_text(encoding="utf-8"), encoding="utf-8")
    with pytest.raises(
        InputError, match=f"{name} runs Python code that comes with its checkpoint .*--trust-remote-code"
    ):
        loaded(name, folder, trust=False)
    with pytest.raises(InputError, match="--trust-remote-code"):
        build(CATALOG[name]).provenance("utterance")
    assert not ran.exists()
    loaded(name, folder)
    assert ran.exists()


@REMOTE
def test_code_that_fails_says_whose_it_is(name: str, folder: Path) -> None:
    (module,) = folder.glob("standin_*.py")
    module.write_text("import no_such_library\n" + module.read_text(encoding="utf-8"), encoding="utf-8")
    said = f"path:{folder} cannot be loaded for {name}: ImportError: "
    with pytest.raises(InputError, match=re.escape(said)):
        loaded(name, folder)


@REMOTE
def test_a_lost_weight_is_noticed_in_such_code_too(name: str, folder: Path) -> None:
    weights = dict(load_weights(folder / "pytorch_model.bin"))
    lost = next(key for key in weights if f"layers.{LAYERS - 1}." in key)
    del weights[lost]
    torch.save(weights, folder / "pytorch_model.bin")
    with pytest.raises(InputError, match=re.escape(f"lacks 1 weights that {name} needs (first: {lost})")):
        loaded(name, folder)


# ---- MOSS, read as LLaMA --------------------------------------------------------------------------------------------


@pytest.mark.parametrize("name", ["moss-7b"])
def test_a_moss_that_is_no_llama_is_refused(name: str, folder: Path) -> None:
    config = json.loads((folder / "config.json").read_text(encoding="utf-8"))
    weights = dict(load_weights(folder / "model.safetensors"))
    (folder / "model.safetensors").unlink()
    bias = "model.layers.0.self_attn.q_proj.bias"
    torch.save(weights | {bias: torch.zeros(WIDTH)}, folder / "pytorch_model.bin")
    with pytest.raises(InputError, match=rf"holds 1 weights .* no place for \(first: (model\.)?{bias[6:]}\)"):
        loaded(name, folder)
    torch.save({key.replace("self_attn", "attn"): weights[key] for key in weights}, folder / "pytorch_model.bin")
    with pytest.raises(InputError, match=f"lacks {4 * LAYERS} weights that moss-7b needs"):
        loaded(name, folder)
    del config["hidden_size"]
    (folder / "config.json").write_text(json.dumps(config), encoding="utf-8")
    with pytest.raises(InputError, match=r"its config\.json lacks hidden_size"):
        loaded(name, folder)


# ---- tokenizers, devices, sizes -------------------------------------------------------------------------------------


@pytest.mark.parametrize("name", ["baichuan-13b"])
def test_a_tokenizer_that_cannot_be_read_says_so(name: str, folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    with monkeypatch.context() as patch:
        patch.setitem(sys.modules, "sentencepiece", None)
        with pytest.raises(InputError, match=re.escape("not installed: pip install 'mertools[llm]'")):
            loaded(name, folder)
    (folder / "tokenizer.model").write_bytes(b"version https://git-lfs")
    with pytest.raises(
        InputError, match=r"tokenizer\.model cannot be read as a SentencePiece model\. Download it again"
    ):
        loaded(name, folder)
    (folder / "tokenizer.model").unlink()
    with pytest.raises(InputError, match=r"Wanted tokenizer\.model \(SentencePiece\) or tokenizer\.json"):
        loaded(name, folder)


@CARDS
@pytest.mark.skipif(importlib.util.find_spec("accelerate") is None, reason="the package accelerate is not installed")
def test_on_gpus_the_network_is_spread_in_half_precision(
    name: str, folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    # Where there is no GPU, accelerate places everything on the CPU.
    monkeypatch.setattr(large_language, "torch_device", lambda device: torch.device("cuda"))
    (encoding,) = loaded(name, folder, device="cuda").encode([Subtitle(SENTENCES[2])])
    assert encoding.frames.dtype == np.float32
    wanted = direct(name, folder, SENTENCES[2])
    assert 0 < np.abs(encoding.frames - wanted).max() < 0.01 * np.abs(wanted).max()


def test_parameters_are_those_of_the_published_sizes() -> None:
    library = transformers()
    with torch.device("meta"):
        bloom = library.BloomModel(library.BloomConfig(vocab_size=250880, hidden_size=4096, n_layer=30, n_head=32))
        sizes = {"hidden_size": 4096, "intermediate_size": 11008, "num_hidden_layers": 32, "num_attention_heads": 32}
        moss = library.LlamaModel(library.LlamaConfig(vocab_size=92494, **sizes))
    for name, network in {"bloom-7b": bloom, "moss-7b": moss}.items():
        assert sum(weight.numel() for weight in network.parameters()) == CATALOG[name].parameters
