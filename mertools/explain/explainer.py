"""Explainer: branches that put media into the prompt of a frozen language model."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import torch
from torch import nn
from torch.nn import functional

from mertools.errors import InputError
from mertools.explain.batch import IGNORED, Batch
from mertools.explain.branches import FusedMedia, MediaBranch
from mertools.explain.configuration import MULTI, Configuration
from mertools.explain.language_models import LanguageModel, add_lora
from mertools.explain.partly_frozen import PartlyFrozen
from mertools.explain.template import PromptTemplate
from mertools.randomness import seed_for


@dataclass(frozen=True)
class Loss:
    """The summed cross-entropy of answer tokens, a scalar to differentiate, and how many tokens that is.

    Sums, so that accumulated batches weigh each token alike; `mean` is what one batch alone is trained on.
    """

    total: torch.Tensor
    tokens: int

    @property
    def mean(self) -> torch.Tensor:
        """The loss of a token."""
        return self.total / max(self.tokens, 1)


class Explainer(PartlyFrozen):
    """AffectGPT or MicroEmo, as its configuration says.

    Initial weights are drawn for the configuration's seed. What is frozen stays in evaluation mode whatever `train` is
    told: without dropout, and without a gradient of its own.
    """

    def __init__(self, configuration: Configuration, language_model: LanguageModel) -> None:
        """Take hold of `language_model`, which is frozen, and gets adapters where the configuration wants them.

        Raises InputError for a tokenizer that lacks what the prompt needs, a prompt longer than the language model
        reads, and frozen parts that do not exist.
        """
        super().__init__(
            f"{medium}.{part}" for medium, branch in configuration.branches.items() for part in branch.frozen
        )
        _check_context(configuration.prompt.max_length, language_model.network.config)
        self.configuration = configuration
        self.language_model = language_model.network.requires_grad_(False)
        self.template = PromptTemplate(configuration.prompt, language_model.tokenizer, configuration.token_counts())
        self._tokenizer = language_model.tokenizer
        with torch.random.fork_rng(devices=[]):
            torch.manual_seed(seed_for(configuration.seed, "explainer", "initial weights"))
            self.branches, self.fusion = build_branches(configuration, language_model.width)
            if configuration.language_model.lora:
                add_lora(self.language_model, configuration.language_model.lora)
        self.freeze(())

    def forward(self, batch: Batch) -> Loss:
        """The loss on the answers of `batch` (eq. 1 of MicroEmo), of no other token."""
        # Answers end together, so that logits are wanted of the last tokens alone.
        answered = (batch.labels != IGNORED).any(dim=0).nonzero()
        if not len(answered):
            raise ValueError("A batch without answers has no loss.")
        # Nothing foretells a first token.
        first = max(1, int(answered[0]))
        logits = self.language_model(
            inputs_embeds=self.embed(batch),
            attention_mask=batch.attention_mask,
            position_ids=positions(batch.attention_mask),
            logits_to_keep=batch.labels.shape[1] - first + 1,
            use_cache=False,
        ).logits[:, :-1]
        targets = batch.labels[:, first:]
        total = functional.cross_entropy(
            logits.flatten(0, 1).float(), targets.flatten(), ignore_index=IGNORED, reduction="sum"
        )
        return Loss(total, int((targets != IGNORED).sum()))

    @torch.no_grad()
    def generate(self, batch: Batch, max_new_tokens: int = 300) -> list[str]:
        """The answer to each prompt of `batch`, decoded greedily up to the end marker."""
        was_training = self.training
        self.eval()
        try:
            ids = self.language_model.generate(
                inputs_embeds=self.embed(batch),
                attention_mask=batch.attention_mask,
                max_new_tokens=max_new_tokens,
                do_sample=False,
                # Said, for a model's own generation settings may say otherwise.
                num_beams=1,
                repetition_penalty=1.0,
                pad_token_id=self.template.pad_id,
                eos_token_id=self._stops(),
                stop_strings=[self.template.end],
                tokenizer=self._tokenizer,
            )
        finally:
            self.train(was_training)
        return [self.template.decode(row) for row in ids.tolist()]

    def embed(self, batch: Batch) -> torch.Tensor:
        """The prompt's embeddings (B, L, width) in the language model's type, media tokens at their places."""
        embeddings = self.language_model.get_input_embeddings()(batch.input_ids)
        states = {medium: branch.frame_states(batch.media[medium]) for medium, branch in self.branches.items()}
        for medium, branch in self.branches.items():
            tokens, there = branch(batch.media[medium], states[medium])
            embeddings = _placed(embeddings, batch.slots[medium], tokens, there)
        if self.fusion is not None:
            tokens = self.fusion(list(states.values()), [batch.media[medium].mask for medium in states])
            there = torch.ones(tokens.shape[:2], dtype=torch.bool, device=tokens.device)
            embeddings = _placed(embeddings, batch.slots[MULTI], tokens, there)
        return embeddings

    def _stops(self) -> list[int]:
        own = self._tokenizer.eos_token_id
        ends = self.template.end_ids
        return list({*([own] if own is not None else []), *(ends if len(ends) == 1 else [])})


def build_branches(configuration: Configuration, width: int) -> tuple[nn.ModuleDict, FusedMedia | None]:
    """The branches by medium, and what fuses them where the configuration wants it; `width` is the language model's."""
    branches = {name: MediaBranch(branch, width) for name, branch in configuration.branches.items()}
    fusion = None
    if configuration.pre_fusion:
        widths = tuple(branch.frame_width for branch in branches.values())
        fusion = FusedMedia(configuration.pre_fusion, widths, width)
    return nn.ModuleDict(branches), fusion


def positions(attention_mask: torch.Tensor) -> torch.Tensor:
    """Places of tokens (B, L), counted from the first that is there, as generation counts them."""
    return (attention_mask.cumsum(dim=1) - 1).clamp(min=0)


def _check_context(max_length: int, config: Any) -> None:
    context = getattr(config, "max_position_embeddings", None)
    if context is not None and max_length > context:
        raise InputError(
            f"prompt.max_length is {max_length}, and the language model reads {context} tokens. Lower it, or choose a "
            "language model that reads more."
        )


def _placed(embeddings: torch.Tensor, slots: torch.Tensor, tokens: torch.Tensor, there: torch.Tensor) -> torch.Tensor:
    """`embeddings` (B, L, D) with those of `tokens` (B, N, D) that are `there` (B, N) in `slots` (B, L), in order."""
    if not torch.equal(slots.sum(dim=1), there.sum(dim=1)):
        raise ValueError(
            f"Prompts with {slots.sum(dim=1).tolist()} places for media got {there.sum(dim=1).tolist()} tokens."
        )
    return embeddings.masked_scatter(slots[..., None], tokens[there].to(embeddings.dtype))
