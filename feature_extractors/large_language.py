"""Large language models as encoders of the subtitle: BLOOM, MOSS, ChatGLM2, Baichuan."""

from __future__ import annotations

import importlib
import importlib.util
import json
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

from feature_extractors.checkpoint import open_checkpoint, told
from feature_extractors.encoder import FULL_DTYPE, Encoding, device_type, torch_device
from feature_extractors.tokenised_text import Subtitle, TokenisedText
from mertools.errors import InputError
from mertools.libraries import transformers
from mertools.model_sources import Fetched, fetch

CHATGLM_SYMBOLS = ("[MASK]", "[gMASK]", "[sMASK]", "sop", "eop")
"""ChatGLM2's special tokens, numbered after the pieces of its SentencePiece model."""
CHATGLM_BEGINNING = ("[gMASK]", "sop")
"""Those that precede every text."""

LLAMA_NEEDS = ("vocab_size", "hidden_size", "intermediate_size", "num_hidden_layers", "num_attention_heads")
LLAMA_MAY_SAY = (
    *("num_key_value_heads", "hidden_act", "max_position_embeddings", "rms_norm_eps", "rope_theta", "rope_scaling"),
    *("attention_bias", "mlp_bias", "tie_word_embeddings"),
)
"""What of a MOSS checkpoint's configuration describes LLaMA's network."""


@dataclass(frozen=True)
class Network:
    """How checkpoints of one architecture are read.

    `model_types` are those that their config.json may name; `load(folder, **options)` gives the model and
    transformers' report on it; `remote_code` says that it runs code from the checkpoint. `beginning` are the special
    tokens, numbered after the tokenizer's pieces, before every text. `batch_axis` is where hidden states have the
    batch. `only_heads`, where given, are regular expressions of all that a checkpoint may hold beside the network.
    """

    model_types: tuple[str, ...]
    load: Callable[..., tuple[Any, Mapping[str, Any]]]
    remote_code: bool = False
    beginning: tuple[int, ...] = ()
    batch_axis: int = 0
    only_heads: tuple[str, ...] = ()


class LargeLanguage(TokenisedText):
    """The last layers' hidden states of a decoder, summed in float32.

    Frames are the vectors of the subtitle's own tokens, in their order; their mean is the utterance's vector. The
    network runs in the recipe's `dtype` on a GPU, spread over all of them where accelerate is installed and no single
    one is named, and in float32 on a CPU. Sentences of a batch are padded behind their ends, where a decoder's tokens
    do not look: no mask is needed, and none could be misread.
    """

    @property
    def _network(self) -> Network:
        return NETWORKS[self.card.architecture]

    def fetch(self) -> Fetched:
        if not self._network.remote_code:
            return super().fetch()
        if not self.settings.trust_remote_code:
            raise InputError(
                f"{self.name} runs Python code that comes with its checkpoint ({self.source}) and may do whatever you "
                "may do on this machine. Read that code; where you trust it, say so: --trust-remote-code."
            )
        return fetch(self.source, code=True)

    def compute_dtype(self, device: str) -> str:
        # What its weights are loaded in, on whatever is no CPU, is what it computes in.
        return FULL_DTYPE if device_type(device) == "cpu" else self.recipe["dtype"]

    def load(self, device: str) -> None:
        import torch

        checkpoint = open_checkpoint(self, self._network.model_types)
        target = torch_device(device)
        self._tokenise = self._read_tokenizer(checkpoint.folder)
        load = partial(
            checkpoint.network,
            self._network.load,
            only_beside=self._network.only_heads,
            dtype=getattr(torch, self.compute_dtype(device)),
            trust_remote_code=self._network.remote_code,
        )
        if target.type == "cuda" and target.index is None and importlib.util.find_spec("accelerate"):
            self._model = load(device_map="auto")
        else:
            self._model = self._move(load(), target)
        self._device = self._model.device

    def _move(self, model: Any, device: Any) -> Any:
        import torch

        try:
            return model.to(device)
        except torch.OutOfMemoryError as error:
            raise InputError(
                f"{self.name} does not fit into the memory of {device}. With accelerate it is spread over all devices: "
                "pip install 'mertools[llm]', then --device cuda or auto."
            ) from error

    def _read_tokenizer(self, folder: Path) -> Callable[[str], Tokens]:
        if (folder / "tokenizer.model").exists():
            return SentencePieces(self.name, folder, self._network.beginning)
        if (folder / "tokenizer.json").exists():
            return FastTokenizer(self.source, folder)
        raise InputError(
            f"{self.source} has no tokenizer that {self.name} can read. Wanted tokenizer.model (SentencePiece) or "
            f"tokenizer.json beside the weights, as in {self.card.source}."
        )

    def encode(self, batch: Sequence[Subtitle]) -> list[Encoding]:
        import torch

        texts = [self._tokenise(subtitle.text) for subtitle in batch]
        read = [tokens.first(self.recipe["tokens"]) for tokens in texts]
        inputs = torch.zeros(len(batch), max(1, *(len(tokens.ids) for tokens in read)), dtype=torch.long)
        for row, tokens in zip(inputs, read, strict=True):
            row[: len(tokens.ids)] = torch.tensor(tokens.ids)
        with torch.inference_mode():
            output = self._model(
                input_ids=inputs.to(self._device), output_hidden_states=True, return_dict=True, use_cache=False
            )
            layers = output.hidden_states[-self.recipe["layers"] :]
            states = sum(layer.to(self._device, torch.float32) for layer in layers)
            states = states.movedim(self._network.batch_axis, 0).cpu().numpy()  # (B, tokens, D)
        return [
            Encoding(vectors[: len(tokens.ids)][tokens.own], problem=self.problem(subtitle, len(text.ids)))
            for subtitle, text, tokens, vectors in zip(batch, texts, read, states, strict=True)
        ]


# ---- tokens ---------------------------------------------------------------------------------------------------------


@dataclass(frozen=True)
class Tokens:
    """The tokens of a text: their numbers, and which are the text's own rather than special ones."""

    ids: list[int]
    own: list[bool]

    def first(self, count: int) -> Tokens:
        """At most the first `count`."""
        return Tokens(self.ids[:count], self.own[:count])


class SentencePieces:
    """The SentencePiece model `tokenizer.model` of a checkpoint, read without the tokenizer class published beside it.

    ChatGLM2's and Baichuan's classes do not run with current releases of transformers; what they do to a text is this.
    A beginning-of-sequence token precedes it where tokenizer_config.json asks for one (`add_bos_token`).
    """

    def __init__(self, feature: str, folder: Path, beginning: Sequence[int]) -> None:
        try:
            sentencepiece = importlib.import_module("sentencepiece")
        except ModuleNotFoundError as error:
            raise InputError(
                f"The tokenizer of {feature} is a SentencePiece model, and the package sentencepiece is not "
                "installed: pip install 'mertools[llm]'"
            ) from error
        try:
            self._pieces = sentencepiece.SentencePieceProcessor(model_file=str(folder / "tokenizer.model"))
        except (OSError, RuntimeError) as error:
            raise InputError(
                f"{folder / 'tokenizer.model'} cannot be read as a SentencePiece model. Download it again."
            ) from error
        self._before = [self._pieces.vocab_size() + number for number in beginning]
        settings = folder / "tokenizer_config.json"
        if settings.exists() and json.loads(settings.read_text(encoding="utf-8")).get("add_bos_token"):
            self._before.append(self._pieces.bos_id())

    def __call__(self, text: str) -> Tokens:
        own = self._pieces.encode(text)
        return Tokens(self._before + own, [False] * len(self._before) + [True] * len(own))


class FastTokenizer:
    """The `tokenizer.json` of a checkpoint."""

    def __init__(self, source: str, folder: Path) -> None:
        try:
            self._tokenizer = transformers().PreTrainedTokenizerFast.from_pretrained(folder, local_files_only=True)
        except Exception as error:  # the tokenizers library raises nothing more precise
            raise InputError(
                f"{source} has a tokenizer.json that cannot be read: {told(error)} Download it again."
            ) from error

    def __call__(self, text: str) -> Tokens:
        encoded = self._tokenizer(text, return_special_tokens_mask=True)
        return Tokens(encoded["input_ids"], [special == 0 for special in encoded["special_tokens_mask"]])


# ---- architectures --------------------------------------------------------------------------------------------------


def _load_bloom(folder: Path, **options: Any) -> Any:
    return transformers().BloomModel.from_pretrained(folder, **options)


def _load_moss(folder: Path, **options: Any) -> Any:
    """transformers has no network of the type `moss`; the 7B's dimensions and layers are LLaMA's, so it is read as one.

    What differs shows in the weights' names: those that LLaMA lacks and those that it does not know are refused.
    """
    library = transformers()
    configuration = json.loads((folder / "config.json").read_text(encoding="utf-8"))
    lacking = [field for field in LLAMA_NEEDS if field not in configuration]
    if lacking:
        raise ValueError(
            f"its config.json lacks {', '.join(lacking)}: not the network of LLaMA's kind that was wanted."
        )
    known = {field: configuration[field] for field in LLAMA_NEEDS + LLAMA_MAY_SAY if field in configuration}
    return library.LlamaModel.from_pretrained(folder, config=library.LlamaConfig(**known), **options)


def _load_chatglm(folder: Path, **options: Any) -> Any:
    """ChatGLM2's own code, written for transformers 4: it reads an attribute that configurations had then, and lacks
    one that networks have since."""
    library = transformers()
    modules = importlib.import_module("transformers.dynamic_module_utils")
    config = library.AutoConfig.from_pretrained(folder, trust_remote_code=True, local_files_only=True)
    network = modules.get_class_from_dynamic_module(config.auto_map["AutoModel"], folder, local_files_only=True)
    if not hasattr(config, "max_length"):
        type(config).max_length = config.seq_length
    if not hasattr(network, "all_tied_weights_keys"):
        network.all_tied_weights_keys = {}
    return network.from_pretrained(folder, config=config, **options)


def _load_baichuan(folder: Path, **options: Any) -> Any:
    """Not every copy of the checkpoint maps AutoModel to its code; all map the causal language model."""
    return transformers().AutoModelForCausalLM.from_pretrained(folder, **options)


NETWORKS: Mapping[str, Network] = {
    "bloom": Network(("bloom",), _load_bloom),
    "moss": Network(("moss", "llama"), _load_moss, only_heads=(r"lm_head\..*", r".*\.rotary_emb\.inv_freq")),
    "chatglm": Network(
        ("chatglm",),
        _load_chatglm,
        remote_code=True,
        beginning=tuple(CHATGLM_SYMBOLS.index(symbol) for symbol in CHATGLM_BEGINNING),
        batch_axis=1,
    ),
    "baichuan": Network(("baichuan",), _load_baichuan, remote_code=True),
}
"""By the card's `architecture`."""
