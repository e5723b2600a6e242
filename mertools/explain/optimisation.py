"""The optimiser of a stage, and its state as tensors by name: nothing that is unpickled."""

from __future__ import annotations

from collections.abc import Mapping

import torch

from mertools.errors import InputError
from mertools.explain.configuration import Stage


def make_optimiser(parameters: Mapping[str, torch.nn.Parameter], stage: Stage) -> torch.optim.AdamW:
    """AdamW on `parameters`, those of one dimension (biases, norms, the gate) without weight decay."""
    decayed = [parameter for parameter in parameters.values() if parameter.ndim > 1]
    others = [parameter for parameter in parameters.values() if parameter.ndim <= 1]
    groups = [
        {"params": decayed, "weight_decay": stage.weight_decay},
        {"params": others, "weight_decay": 0.0},
    ]
    return torch.optim.AdamW([group for group in groups if group["params"]], lr=stage.learning_rate)


def optimiser_state(
    optimiser: torch.optim.Optimizer, parameters: Mapping[str, torch.nn.Parameter]
) -> dict[str, torch.Tensor]:
    """The state of `optimiser` as `<parameter>/<what>`."""
    return {
        f"{name}/{what}": value
        for name, parameter in parameters.items()
        for what, value in optimiser.state.get(parameter, {}).items()
    }


def load_optimiser_state(
    optimiser: torch.optim.Optimizer,
    parameters: Mapping[str, torch.nn.Parameter],
    state: Mapping[str, torch.Tensor],
) -> None:
    """Give `optimiser` what `optimiser_state` told; raises InputError for the state of another explainer."""
    for key, value in state.items():
        name, _, what = key.rpartition("/")
        if name not in parameters:
            raise InputError(
                f"The saved optimiser knows {name!r}, which is not trained here. Start anew in another --out."
            )
        # AdamW counts its steps on the CPU, wherever the weights are.
        parameter = parameters[name]
        optimiser.state[parameter][what] = value if what == "step" else value.to(parameter.device)
