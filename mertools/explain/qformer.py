"""transformers' Q-Former with its learned queries and, where wanted, a text beside them."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import torch
from torch import nn

from mertools.explain.configuration import QFormer, Timestamps
from mertools.libraries import transformers
from mertools.model_sources import fetch

BYTES = "bytes"

DEVIATION = 0.02
"""Of initial weights, in BERT, BLIP-2 and transformers."""


@dataclass(frozen=True)
class Tokens:
    """Texts as token ids (N, L), padded with 0 behind them, and which are there (N, L) bool."""

    ids: torch.Tensor
    mask: torch.Tensor


class ConditionedQFormer(nn.Module):
    """Queries that read others by cross-attention (BLIP-2, Li et al. 2023) and, beside themselves, a text
    (InstructBLIP, Dai et al. 2023).

    The network is transformers' `Blip2QFormerModel`; with embeddings for `text` it is what transformers calls
    InstructBlipQFormerModel.
    """

    def __init__(self, shape: QFormer, width: int, text: TextEmbeddings | None = None) -> None:
        """`width` is that of what the queries read; `text` may be another Q-Former's too."""
        super().__init__()
        library = transformers()
        config = library.Blip2QFormerConfig(
            hidden_size=shape.width,
            num_hidden_layers=shape.layers,
            num_attention_heads=shape.heads,
            intermediate_size=shape.feed_forward,
            hidden_dropout_prob=shape.dropout,
            attention_probs_dropout_prob=shape.dropout,
            cross_attention_frequency=shape.cross_attention_every,
            encoder_hidden_size=width,
            use_qformer_text_input=text is not None,
        )
        self.network = library.Blip2QFormerModel(config)
        self.queries = nn.Parameter(torch.empty(1, shape.queries, shape.width).normal_(std=DEVIATION))
        self.text = text

    def forward(self, states: torch.Tensor, mask: torch.Tensor, text: Tokens | None = None) -> torch.Tensor:
        """What the queries gather, (B, Q, width), from `states` (B, S, D) where `mask` (B, S) is True.

        A row without any state gives the same as one state of zeros: no NaN, and whatever it is padded to.
        """
        mask, states = visible(mask, states)
        queries = self.queries.expand(len(states), -1, -1)
        count = queries.shape[1]
        own = torch.ones(queries.shape[:2], dtype=torch.bool, device=states.device)
        if text is not None:
            queries = torch.cat([queries, self.text(text.ids)], dim=1)
            own = torch.cat([own, text.mask], dim=1)
        output = self.network(
            query_embeds=queries,
            query_length=count,
            attention_mask=additive(own, queries.dtype),
            encoder_hidden_states=states,
            encoder_attention_mask=additive(mask, queries.dtype),
        )
        return output.last_hidden_state[:, :count]


class TextEmbeddings(nn.Module):
    """BERT's words and positions, without its normalisation, which the Q-Former applies to queries and text alike."""

    def __init__(self, timestamps: Timestamps, width: int) -> None:
        super().__init__()
        self.words = nn.Embedding(timestamps.vocabulary, width, padding_idx=0)
        self.positions = nn.Embedding(timestamps.positions, width)
        for table in (self.words, self.positions):
            nn.init.normal_(table.weight, std=DEVIATION)

    def forward(self, ids: torch.Tensor) -> torch.Tensor:
        """(N, L) -> (N, L, width)."""
        return self.words(ids) + self.positions.weight[: ids.shape[1]]


class TimeText:
    """Writes times as text and tokenises it as `timestamps` says."""

    def __init__(self, timestamps: Timestamps) -> None:
        self._timestamps = timestamps
        self._known: dict[str, list[int]] = {}
        self._tokenizer: Any = None

    def __call__(self, text: str, times: list[Mapping[str, float]], device: torch.device) -> Tokens:
        """`text` with each of `times` filled in. Raises InputError where the tokenizer cannot be had."""
        rows = [self._ids(text.format(**one)) for one in times]
        length = max(map(len, rows))
        ids = torch.tensor([row + [0] * (length - len(row)) for row in rows], device=device)
        return Tokens(ids, torch.tensor([[at < len(row) for at in range(length)] for row in rows], device=device))

    def _ids(self, text: str) -> list[int]:
        if text not in self._known:
            self._known[text] = self._tokenise(text)
        return self._known[text]

    def _tokenise(self, text: str) -> list[int]:
        if self._timestamps.tokenizer == BYTES:
            # 0 pads.
            return [byte + 1 for byte in text.encode()]
        if self._tokenizer is None:
            folder = fetch(self._timestamps.tokenizer).path
            self._tokenizer = transformers().AutoTokenizer.from_pretrained(folder, local_files_only=True)
            if self._timestamps.first:
                self._tokenizer.add_special_tokens({"bos_token": self._timestamps.first})
        ids = self._tokenizer(text, add_special_tokens=False).input_ids
        first = [self._tokenizer.bos_token_id] if self._timestamps.first else [self._tokenizer.cls_token_id]
        return [*first, *ids, self._tokenizer.sep_token_id]


def visible(mask: torch.Tensor, states: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
    """`states` (B, S, D) with zeros where `mask` (B, S) is False, and a mask without empty rows.

    An empty row sees its first state, which is zeros.
    """
    states = states * mask[..., None]
    first = torch.zeros_like(mask)
    first[:, 0] = True
    return mask | (first & ~mask.any(dim=1, keepdim=True)), states


def additive(mask: torch.Tensor, dtype: torch.dtype) -> torch.Tensor:
    """What is added to attention scores, (B, 1, 1, S): 0 where `mask` (B, S) is True, else the least number."""
    bias = torch.zeros(mask.shape, dtype=dtype, device=mask.device)
    return bias.masked_fill(~mask, torch.finfo(dtype).min)[:, None, None]
