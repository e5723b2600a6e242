"""What of an explainer is trained, what rests, and what a checkpoint holds of it."""

from __future__ import annotations

from collections.abc import Iterable, Mapping

import torch
from torch import nn

from mertools.errors import InputError
from mertools.explain.configuration import MULTI
from mertools.registry import hint

LORA = "lora"
"""What the adapters on the language model are called among the parts."""


class PartlyFrozen(nn.Module):
    """A module of named parts, of which some are trained; what is frozen stays in evaluation mode.

    It has `branches` by medium, perhaps a `fusion` of them, and a `language_model` that is frozen but for adapters.
    """

    branches: nn.ModuleDict
    language_model: nn.Module

    def __init__(self, always_frozen: Iterable[str]) -> None:
        """`always_frozen` are parts that are never trained, and are in no checkpoint."""
        super().__init__()
        self._always_frozen = frozenset(always_frozen)

    def parts(self) -> dict[str, list[nn.Parameter]]:
        """Parameters by part: `audio.connector`, `video.projection`, `multi`, `lora`, in the order of the model."""
        parts: dict[str, list[nn.Parameter]] = {}
        for name, parameter in self._own():
            parts.setdefault(part_of(name), []).append(parameter)
        return parts

    def freeze(self, frozen: Iterable[str]) -> None:
        """Train every part but those of `frozen` (a part, or all of one medium by its name) and those that are
        always frozen.

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
        """The weights a checkpoint holds, by name: all but the language model's own and those always frozen.

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

    def train(self, mode: bool = True) -> PartlyFrozen:
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


def part_of(name: str) -> str:
    """The part that the parameter called `name` belongs to."""
    words = name.split(".")
    if words[0] == "branches":
        return ".".join(words[1:3])
    return MULTI if words[0] == "fusion" else LORA
