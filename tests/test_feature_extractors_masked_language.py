"""Masked language models give what transformers computes for each sentence alone, without the special tokens."""

from __future__ import annotations

import importlib.util
import re
import unicodedata
from pathlib import Path

import numpy as np
import pytest
import torch
from tiny_text import LAYERS, SENTENCES, UNKNOWN, WIDTH, make_checkpoint

from feature_extractors.cards.card import RECIPES
from feature_extractors.catalog import CATALOG
from feature_extractors.encoder import Encoder, Settings, build
from feature_extractors.pooling import masked_mean
from feature_extractors.tokenised_text import Subtitle
from mertools.clip import Clip
from mertools.errors import InputError
from mertools.libraries import transformers
from mertools.media import MissingMedium
from mertools.model_sources import load_weights

NAMES = [name for name, card in CATALOG.items() if card.family == "masked-language"]
needs_sentencepiece = pytest.mark.skipif(
    importlib.util.find_spec("sentencepiece") is None, reason="the package sentencepiece is not installed"
)
CARDS = pytest.mark.parametrize(
    "name", [pytest.param(name, marks=needs_sentencepiece if name == "xlnet-base" else ()) for name in NAMES]
)


@pytest.fixture(scope="module")
def folders(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Path]:
    return {}


@pytest.fixture
def folder(name: str, folders: dict[str, Path], tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The checkpoint of the card `name`."""
    if name not in folders:
        folders[name] = make_checkpoint(name, tmp_path_factory.mktemp(name))
    return folders[name]


def loaded(name: str, folder: Path, recipe: str = "mer2024") -> Encoder:
    encoder = build(CATALOG[name], Settings(recipe=recipe, sources={name: f"path:{folder}"}))
    encoder.load("cpu")
    return encoder


def direct(folder: Path, sentence: str) -> np.ndarray:
    """The vectors of a sentence's tokens (tokens, D), from transformers alone and the tokenizer's own bookkeeping."""
    library = transformers()
    tokenizer = library.AutoTokenizer.from_pretrained(folder)
    model = library.AutoModel.from_pretrained(folder, dtype=torch.float32).eval()
    ids = tokenizer(sentence, return_tensors="pt").input_ids
    with torch.no_grad():
        states = torch.stack(model(input_ids=ids, output_hidden_states=True).hidden_states)[[-4, -3, -2, -1]].sum(0)[0]
    special = {tokenizer.cls_token_id, tokenizer.sep_token_id}
    return states[[place for place, token in enumerate(ids[0].tolist()) if token not in special]].numpy()


@CARDS
@pytest.mark.parametrize("recipe", RECIPES)
def test_a_batch_gives_what_transformers_gives_for_each_sentence(name: str, recipe: str, folder: Path) -> None:
    encoder = loaded(name, folder, recipe)
    sentences = [*SENTENCES, UNKNOWN]
    encodings = encoder.encode([encoder.prepare(Clip("a", subtitle=sentence)) for sentence in sentences])
    for sentence, encoding in zip(sentences, encodings, strict=True):
        wanted = direct(folder, sentence)
        assert encoding.frames.shape == wanted.shape == (len(wanted), WIDTH)
        assert encoding.frames.dtype == np.float32 and encoding.times is None and not encoding.problem
        np.testing.assert_allclose(encoding.frames, wanted, atol=1e-5)
        np.testing.assert_allclose(masked_mean(encoding.frames), wanted.mean(axis=0), atol=1e-5)
    for sentence, encoding in zip(sentences, encodings, strict=True):
        (alone,) = encoder.encode([Subtitle(sentence)])
        np.testing.assert_allclose(encoding.frames, alone.frames, atol=1e-5)
    again = encoder.encode([Subtitle(sentence) for sentence in sentences])
    assert all(np.array_equal(a.frames, b.frames) for a, b in zip(encodings, again, strict=True))


@pytest.mark.parametrize("name", ["pert-base"])
def test_frames_are_the_sentences_own_tokens(name: str, folder: Path) -> None:
    encoder = loaded(name, folder)
    lengths = [
        len(encoding.frames) for encoding in encoder.encode([Subtitle(text) for text in ("今天天气真好", UNKNOWN)])
    ]
    assert lengths == [6, 3], "an unknown character is a token like another; [CLS] and [SEP] are none"


@CARDS
def test_a_clip_without_a_subtitle_is_missing(name: str) -> None:
    encoder = build(CATALOG[name])
    assert encoder.prepare(Clip("a", subtitle="你好", subtitle_english="Hello")) == Subtitle("你好")
    for clip in (Clip("a"), Clip("a", subtitle=" \n"), Clip("a", subtitle_english="Hello")):
        with pytest.raises(MissingMedium, match=r"^no subtitle$"):
            encoder.prepare(clip)


@pytest.mark.parametrize("name", ["roberta-base", "electra-base"])
def test_a_long_subtitle_is_cut_and_says_so(name: str, folder: Path) -> None:
    long, short = loaded(name, folder).encode([Subtitle("真好" * 300), Subtitle("真好")])
    assert long.frames.shape == (510, WIDTH) and np.isfinite(long.frames).all()
    assert long.problem == "the subtitle has 602 tokens, of which the first 512 were read" and not short.problem


@pytest.mark.parametrize("name", ["macbert-base"])
def test_old_checkpoints_of_torch_are_read(name: str, folder: Path, tmp_path: Path) -> None:
    weights = load_weights(folder / "model.safetensors")
    old = {
        key.replace("LayerNorm.weight", "LayerNorm.gamma").replace("LayerNorm.bias", "LayerNorm.beta"): weights[key]
        for key in weights
    }
    torch.save(old, tmp_path / "pytorch_model.bin")
    for file in ("config.json", "vocab.txt", "tokenizer_config.json"):
        (tmp_path / file).write_bytes((folder / file).read_bytes())
    (new,), (same,) = (loaded(name, place).encode([Subtitle(SENTENCES[0])]) for place in (folder, tmp_path))
    np.testing.assert_array_equal(new.frames, same.frames)


@pytest.mark.parametrize("name", ["lert-base"])
def test_a_checkpoint_that_lacks_a_weight_is_refused(name: str, folder: Path, tmp_path: Path) -> None:
    weights = dict(load_weights(folder / "model.safetensors"))
    lost = f"bert.encoder.layer.{LAYERS - 1}.output.dense.bias"
    del weights[lost]
    torch.save(weights, tmp_path / "pytorch_model.bin")
    for file in ("config.json", "vocab.txt"):
        (tmp_path / file).write_bytes((folder / file).read_bytes())
    said = (
        f"path:{tmp_path} lacks 1 weights that lert-base needs (first: {lost.removeprefix('bert.')}). "
        "Wanted a whole checkpoint like hf:hfl/chinese-lert-base"
    )
    with pytest.raises(InputError, match=re.escape(said)):
        loaded(name, tmp_path)


@pytest.mark.parametrize("name", ["electra-large"])
def test_another_architecture_is_refused(name: str, folder: Path, tmp_path: Path) -> None:
    with pytest.raises(InputError, match="holds a network of type 'electra', and roberta-large is one of type 'bert'"):
        loaded("roberta-large", folder)
    with pytest.raises(InputError, match=r"has no readable config\.json"):
        (tmp_path / "model.safetensors").touch()
        loaded(name, tmp_path)


@pytest.mark.parametrize("name", ["pert-large"])
def test_other_widths_than_the_configurations_are_refused(name: str, folder: Path, tmp_path: Path) -> None:
    for file in ("model.safetensors", "vocab.txt"):
        (tmp_path / file).write_bytes((folder / file).read_bytes())
    config = (folder / "config.json").read_text().replace('"intermediate_size": 32', '"intermediate_size": 48')
    (tmp_path / "config.json").write_text(config)
    with pytest.raises(InputError, match="cannot be loaded for pert-large: RuntimeError: "):
        loaded(name, tmp_path)


@pytest.mark.parametrize("name", ["macbert-large"])
def test_a_tokenizer_that_is_not_there_or_broken_says_so(name: str, folder: Path, tmp_path: Path) -> None:
    for file in ("model.safetensors", "config.json"):
        (tmp_path / file).write_bytes((folder / file).read_bytes())
    with pytest.raises(
        InputError, match=r"has no tokenizer\. Wanted one of tokenizer\.json, vocab\.txt, spiece\.model"
    ):
        loaded(name, tmp_path)
    (tmp_path / "vocab.txt").write_bytes(b"\xff\xfe\x00")
    with pytest.raises(
        InputError, match=r"has a tokenizer that cannot be read \(vocab\.txt\): .* Wanted a whole checkpoint"
    ):
        loaded(name, tmp_path)


@needs_sentencepiece
@pytest.mark.parametrize("name", ["xlnet-base"])
def test_a_missing_extra_says_how_to_get_it(name: str, folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(importlib.util, "find_spec", lambda module: None)
    with pytest.raises(InputError, match=re.escape("not installed: pip install 'mertools[llm]'")):
        loaded(name, folder)


@needs_sentencepiece
@pytest.mark.parametrize("name", ["xlnet-base"])
def test_xlnets_tokens_are_its_sentencepiece_models(name: str, folder: Path) -> None:
    import sentencepiece

    pieces = sentencepiece.SentencePieceProcessor(model_file=str(folder / "spiece.model"))
    encoder = loaded(name, folder)
    for text in (*SENTENCES, "  真好，  １２ 吗？ ", "``别走''……"):
        plain = " ".join(text.split()).replace("``", '"').replace("''", '"')
        (encoding,) = encoder.encode([Subtitle(text)])
        assert len(encoding.frames) == len(pieces.encode(unicodedata.normalize("NFKD", plain)))


def test_parameters_are_those_of_the_published_sizes() -> None:
    library = transformers()
    large = {"hidden_size": 1024, "num_hidden_layers": 24, "num_attention_heads": 16, "intermediate_size": 4096}
    base = {"hidden_size": 768, "num_hidden_layers": 12, "num_attention_heads": 12, "intermediate_size": 3072}
    for name in NAMES:
        size = large if name.endswith("large") else base
        if name == "xlnet-base":
            config = library.XLNetConfig(vocab_size=32000, d_model=768, n_layer=12, n_head=12, d_inner=3072)
        elif name.startswith("electra"):
            config = library.ElectraConfig(vocab_size=21128, embedding_size=size["hidden_size"], **size)
        else:
            config = library.BertConfig(vocab_size=21128, **size)
        with torch.device("meta"):
            model = library.AutoModel.from_config(config)
        weights = {key: weight.numel() for key, weight in model.named_parameters() if not key.startswith("pooler.")}
        assert sum(weights.values()) == CATALOG[name].parameters
        assert config.hidden_size == CATALOG[name].dim
