"""Explainer: branches that put media into the prompt of a frozen language model."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
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
from mertools.explain.template import PromptTemplate
from mertools.randomness import seed_for
from mertools.registry import hint

LORA = "lora"
"""What the adapters on the language model are called among the parts."""


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


class Explainer(nn.Module):
    """AffectGPT or MicroEmo, as its configuration says.

    Initial weights are drawn for the configuration's seed. What is frozen stays in evaluation mode whatever `train` is
    told: without dropout, and without a gradient of its own.
    """

    def __init__(self, configuration: Configuration, language_model: LanguageModel) -> None:
        """Take hold of `language_model`, which is frozen, and gets adapters where the configuration wants them.

        Raises InputError for a tokenizer that lacks what the prompt needs, a prompt longer than the language model
        reads, and frozen parts that do not exist.
        """
        super().__init__()
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
        self._always_frozen = frozenset(
            f"{medium}.{part}" for medium, branch in configuration.branches.items() for part in branch.frozen
        )
        self.freeze(())

    # What is trained ---------------------------------------------------------------------------------------------

    def parts(self) -> dict[str, list[nn.Parameter]]:
        """Parameters by part: `audio.connector`, `video.projection`, `multi`, `lora`, in the order of the model."""
        parts: dict[str, list[nn.Parameter]] = {}
        for name, parameter in self._own():
            parts.setdefault(part_of(name), []).append(parameter)
        return parts

    def freeze(self, frozen: Iterable[str]) -> None:
        """Train every part but those of `frozen` (a part, or all of one medium by its name) and those that the
        configuration's branches freeze.

        Raises InputError for a part that does not exist.
        """
        parts = self.parts()
        frozen = {*frozen, *self._always_frozen}
        media = {part.partition(".")[0] for part in parts}
        for name in frozen:
            if name not in parts and name not in media:
                raise InputError(f"Unknown part {name!r} to freeze. {hint(name, [*parts, *media])}")
        for part, parameters in parts.items():
            for parameter in parameters:
                parameter.requires_grad_(part not in frozen and part.partition(".")[0] not in frozen)
        self.train(self.training)

    def trainable_parameters(self) -> dict[str, nn.Parameter]:
        """What an optimiser steps, by name."""
        return {name: parameter for name, parameter in self._own() if parameter.requires_grad}

    def trainable_state(self) -> dict[str, torch.Tensor]:
        """The weights a checkpoint holds, by name: all but the language model's own and the parts that branches freeze.

        What only a stage freezes is in it, since an earlier stage may have trained it.
        """
        return {name: value.detach().clone() for name, value in self._kept().items()}

    def load_trainable_state(self, state: Mapping[str, torch.Tensor], *, partial: bool = False) -> None:
        """Take the weights of a checkpoint; `partial` allows it to lack some, and frozen parts to be in it.

        Raises InputError for names or shapes that are not the explainer's, and unless `partial` for lacking ones.
        """
        own = self._kept(everything=partial)
        unknown = sorted(set(state) - set(own))
        lacking = sorted(set(own) - set(state))
        if unknown or (lacking and not partial):
            kind, first = ("unknown", unknown[0]) if unknown else ("no", lacking[0])
            raise InputError(
                f"The checkpoint has {kind} weights {first!r} ({len(unknown)} unknown, {len(lacking)} lacking): it is "
                "of another configuration. Use the one it was trained with."
            )
        for name, value in state.items():
            if value.shape != own[name].shape:
                raise InputError(
                    f"The checkpoint's {name} has the shape {tuple(value.shape)}, the configuration's "
                    f"{tuple(own[name].shape)}. Use the configuration it was trained with."
                )
        with torch.no_grad():
            for name, value in state.items():
                own[name].copy_(value)

    def train(self, mode: bool = True) -> Explainer:
        """As any module's, but frozen modules stay in evaluation mode."""
        super().train(mode)
        if mode:
            self._rest_frozen(self)
        return self

    def _rest_frozen(self, module: nn.Module) -> None:
        """Put into evaluation mode what holds parameters that are all frozen, and what hangs on it.

        A language model with adapters has both: only the adapters' own modules stay in training mode.
        """
        parameters = list(module.parameters())
        if parameters and not any(parameter.requires_grad for parameter in parameters):
            module.eval()
            return
        if module is self.language_model:
            module.eval()
            for name, child in module.named_modules():
                if LORA in name and name.rpartition(".")[2] == "default":
                    child.train()
            return
        for child in module.children():
            self._rest_frozen(child)

    def _own(self) -> list[tuple[str, nn.Parameter]]:
        """The parameters that are not the language model's own."""
        return [
            (name, parameter)
            for name, parameter in self.named_parameters()
            if not name.startswith("language_model.") or f".{LORA}_" in name
        ]

    def _kept(self, everything: bool = False) -> dict[str, torch.Tensor]:
        """What a checkpoint holds, or could hold: parameters and the statistics by which frames are standardised."""
        statistics = [
            (f"branches.{medium}.{name}", buffer)
            for medium, branch in self.branches.items()
            for name, buffer in branch.named_buffers(recurse=False)
        ]
        own = [(name, value) for name, value in self._own() if everything or part_of(name) not in self._always_frozen]
        return dict([*own, *statistics])

    # What it does ------------------------------------------------------------------------------------------------

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

    @torch.inference_mode()
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


def part_of(name: str) -> str:
    """The part that the parameter called `name` belongs to."""
    words = name.split(".")
    if words[0] == "branches":
        return ".".join(words[1:3])
    return MULTI if words[0] == "fusion" else LORA


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
