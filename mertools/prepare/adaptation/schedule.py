"""How VideoMAE is optimised: the published settings (VideoMAE, appendix)."""

from __future__ import annotations

import math

import torch

BETAS = (0.9, 0.95)
WEIGHT_DECAY = 0.05
PUBLISHED_BATCH = 256
"""The clips a step for which learning rates are said; they grow with the clips."""
WARMUP_SHARE = 0.05
"""40 of 800 epochs."""
FIRST_RATE, LAST_RATE = 1e-6, 1e-5
"""Where the rate begins, and where it ends, for 256 clips a step."""


def learning_rate(step: int, steps: int, base: float, clips: int) -> float:
    """The rate of step `step` of `steps`, for `clips` a step; `base` is the highest one, for 256.

    It rises linearly over the first 5 % of the steps, and then falls along half a cosine.
    """
    scale = clips / PUBLISHED_BATCH
    warmup = round(WARMUP_SHARE * steps)
    first, last = min(FIRST_RATE, base), min(LAST_RATE, base)
    if step < warmup:
        return scale * (first + (base - first) * step / warmup)
    done = (step - warmup) / max(steps - 1 - warmup, 1)
    return scale * (last + (base - last) * (1 + math.cos(math.pi * done)) / 2)


def make_optimiser(network: torch.nn.Module) -> torch.optim.AdamW:
    """AdamW; weights of one dimension (biases, norms) do not decay. The learning rate is set at each step."""
    parameters = list(network.parameters())
    groups = [
        {"params": [one for one in parameters if one.ndim > 1], "weight_decay": WEIGHT_DECAY},
        {"params": [one for one in parameters if one.ndim <= 1], "weight_decay": 0.0},
    ]
    return torch.optim.AdamW(groups, betas=BETAS)


def optimiser_state(optimiser: torch.optim.Optimizer, network: torch.nn.Module) -> dict[str, torch.Tensor]:
    """The state of `optimiser` as `<weight>/<what>`."""
    return {
        f"{name}/{what}": value
        for name, parameter in network.named_parameters()
        for what, value in optimiser.state.get(parameter, {}).items()
    }


def load_optimiser_state(
    optimiser: torch.optim.Optimizer, network: torch.nn.Module, state: dict[str, torch.Tensor]
) -> None:
    """Give `optimiser` what `optimiser_state` told."""
    parameters = dict(network.named_parameters())
    for key, value in state.items():
        name, _, what = key.rpartition("/")
        # AdamW counts its steps on the CPU, wherever the weights are.
        own = value if what == "step" else value.to(parameters[name].device)
        optimiser.state[parameters[name]][what] = own
