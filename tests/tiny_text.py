"""Tiny random checkpoints of the lexical encoders, in the layout and file formats of the published ones."""

from __future__ import annotations

import inspect
import io
import json
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest
import torch

from feature_extractors.catalog import CATALOG
from mertools.libraries import transformers

SENTENCES = (
    "今天天气真好",
    "我很高兴，你呢？",
    "他说：别走！我们还没有吃完饭呢，你就这样走了吗？",
    "真好",
    "你怎么来了 Tony",
    "别生气了，我错了。",
)
"""What the tokenizers are made from; of different lengths."""

UNKNOWN = "真好😀"
"""A sentence with a character that no vocabulary here holds."""

WIDTH, LAYERS = 16, 6
SIZES = {"hidden_size": WIDTH, "num_hidden_layers": LAYERS, "num_attention_heads": 2, "intermediate_size": 32}
XLNET_SYMBOLS = ("<cls>", "<sep>", "<pad>", "<mask>", "<eod>", "<eop>")


def make_checkpoint(name: str, folder: Path) -> Path:
    """Write a random checkpoint for the card `name`, with its tokenizer, into `folder`; the same one every time."""
    folder.mkdir(parents=True, exist_ok=True)
    with torch.random.fork_rng():
        torch.manual_seed(sum(map(ord, name)))
        MAKERS[CATALOG[name].architecture](transformers(), folder)
    return folder


@contextmanager
def run_code_from(modules: Path) -> Iterator[None]:
    """Copy code that comes with checkpoints to `modules`, and run it from there, instead of the user's cache."""
    transformers()
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("transformers.dynamic_module_utils.HF_MODULES_CACHE", str(modules))
        patch.syspath_prepend(modules)
        yield


def _bert(library: Any, folder: Path) -> None:
    size = _write_vocabulary(folder)
    config = library.BertConfig(vocab_size=size, **SIZES)
    _save(library.BertForMaskedLM(config), folder)


def _electra(library: Any, folder: Path) -> None:
    size = _write_vocabulary(folder)
    config = library.ElectraConfig(vocab_size=size, embedding_size=WIDTH, **SIZES)
    _save(library.ElectraForPreTraining(config), folder)


def _xlnet(library: Any, folder: Path) -> None:
    size = write_sentencepiece(folder / "spiece.model", XLNET_SYMBOLS)
    config = library.XLNetConfig(vocab_size=size, d_model=WIDTH, n_layer=LAYERS, n_head=2, d_inner=32)
    _save(library.XLNetLMHeadModel(config), folder)


def _bloom(library: Any, folder: Path) -> None:
    size = _write_byte_pairs(folder)
    config = library.BloomConfig(vocab_size=size, hidden_size=WIDTH, n_layer=LAYERS, n_head=2)
    _save(library.BloomForCausalLM(config), folder)


def _moss(library: Any, folder: Path) -> None:
    size = write_sentencepiece(folder / "tokenizer.model")
    (folder / "tokenizer_config.json").write_text('{"add_bos_token": true}', encoding="utf-8")
    config = library.LlamaConfig(vocab_size=size, **SIZES)
    _save(library.LlamaForCausalLM(config), folder)
    _change_configuration(folder, model_type="moss", architectures=["MossForCausalLM"])


def _chatglm(library: Any, folder: Path) -> None:
    from standin_chatglm import ChatGLMConfig, ChatGLMForConditionalGeneration

    size = write_sentencepiece(folder / "tokenizer.model")
    config = ChatGLMConfig(num_layers=LAYERS, padded_vocab_size=size + 8, hidden_size=WIDTH)
    config.max_length = 64
    _save_with_code(ChatGLMForConditionalGeneration(config), folder, "AutoModel")


def _baichuan(library: Any, folder: Path) -> None:
    from standin_baichuan import BaichuanConfig, BaichuanForCausalLM

    size = write_sentencepiece(folder / "tokenizer.model")
    (folder / "tokenizer_config.json").write_text('{"add_bos_token": false}', encoding="utf-8")
    config = BaichuanConfig(vocab_size=size, hidden_size=WIDTH, num_hidden_layers=LAYERS)
    _save_with_code(BaichuanForCausalLM(config), folder, "AutoModelForCausalLM")


def _save_with_code(model: torch.nn.Module, folder: Path, automatic_class: str) -> None:
    """The weights as torch writes them, the module that defines the network, and a configuration that names it."""
    module = inspect.getmodule(type(model))
    shutil.copy(module.__file__, folder)
    _spread(model)
    torch.save(model.state_dict(), folder / "pytorch_model.bin")
    classes = {"AutoConfig": type(model.config).__name__, automatic_class: type(model).__name__}
    configuration = {name: value for name, value in model.config.to_diff_dict().items() if name != "max_length"}
    configuration["auto_map"] = {name: f"{module.__name__}.{class_name}" for name, class_name in classes.items()}
    (folder / "config.json").write_text(json.dumps(configuration), encoding="utf-8")


def _change_configuration(folder: Path, **changes: Any) -> None:
    path = folder / "config.json"
    path.write_text(json.dumps(json.loads(path.read_text(encoding="utf-8")) | changes), encoding="utf-8")


def _write_byte_pairs(folder: Path) -> int:
    from tokenizers import Tokenizer, decoders, models, pre_tokenizers, trainers

    tokenizer = Tokenizer(models.BPE())
    tokenizer.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)
    tokenizer.decoder = decoders.ByteLevel()
    alphabet = pre_tokenizers.ByteLevel.alphabet()
    special = ["<unk>", "<s>", "</s>", "<pad>"]
    trainer = trainers.BpeTrainer(
        vocab_size=300, special_tokens=special, initial_alphabet=alphabet, show_progress=False
    )
    tokenizer.train_from_iterator(SENTENCES, trainer)
    tokenizer.save(str(folder / "tokenizer.json"))
    return tokenizer.get_vocab_size()


def _save(model: torch.nn.Module, folder: Path) -> None:
    _spread(model)
    model.save_pretrained(folder)


def _spread(model: torch.nn.Module) -> None:
    """Move the weights apart, so that layers and tokens differ."""
    with torch.no_grad():
        for weight in model.parameters():
            weight.add_(torch.randn_like(weight), alpha=0.1)


def _write_vocabulary(folder: Path) -> int:
    words = ["[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]", "tony", *sorted(set("".join(SENTENCES)))]
    (folder / "vocab.txt").write_text("\n".join(words) + "\n", encoding="utf-8")
    (folder / "tokenizer_config.json").write_text('{"do_lower_case": true}', encoding="utf-8")
    return len(words)


def write_sentencepiece(path: Path, symbols: tuple[str, ...] = ()) -> int:
    """Train a SentencePiece model on the sentences; gives how many pieces it has."""
    import sentencepiece

    model = io.BytesIO()
    sentencepiece.SentencePieceTrainer.train(
        sentence_iterator=iter(SENTENCES * 5),
        model_writer=model,
        vocab_size=80,
        hard_vocab_limit=False,
        user_defined_symbols=list(symbols),
        minloglevel=2,
    )
    path.write_bytes(model.getvalue())
    return sentencepiece.SentencePieceProcessor(model_proto=model.getvalue()).vocab_size()


MAKERS = {
    "bert": _bert,
    "electra": _electra,
    "xlnet": _xlnet,
    "bloom": _bloom,
    "moss": _moss,
    "chatglm": _chatglm,
    "baichuan": _baichuan,
}
