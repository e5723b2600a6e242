"""What an adaptation writes down as it goes: the state it goes on from, and the loss of each step.

Weights and the optimiser's state are tensors in safetensors files, the rest is JSON: nothing in them is executed.
"""

from __future__ import annotations

import csv
import json
import shutil
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from mertools.errors import InputError
from mertools.whole_files import whole_file, whole_folder

if TYPE_CHECKING:
    import torch

ABOUT, WEIGHTS, OPTIMISER = "state.json", "weights.safetensors", "optimiser.safetensors"
COLUMNS = ("step", "visit", "loss", "learning_rate")


@dataclass(frozen=True)
class State:
    """Where an adaptation stands: `step` steps are done; `identity` is what must be the same for it to go on."""

    step: int
    identity: Mapping[str, Any]
    folder: Path

    def tensors(self) -> tuple[dict[str, torch.Tensor], dict[str, torch.Tensor]]:
        """The network's weights, and the optimiser's state as `<weight>/<what>`."""
        from safetensors.torch import load_file

        return load_file(self.folder / WEIGHTS), load_file(self.folder / OPTIMISER)


def save_state(
    states: Path,
    step: int,
    identity: Mapping[str, Any],
    weights: Mapping[str, torch.Tensor],
    optimiser: Mapping[str, torch.Tensor],
) -> None:
    """Write the state after `step` steps into the folder `states`; older ones go when it is safe on disk."""
    from safetensors.torch import save_file

    with whole_folder(states / f"{step:09d}") as folder:
        save_file(_on_cpu(weights), folder / WEIGHTS)
        save_file(_on_cpu(optimiser), folder / OPTIMISER)
        (folder / ABOUT).write_text(json.dumps({"step": step, "identity": identity}, indent=2), encoding="utf-8")
    for path in _complete(states)[:-1]:
        shutil.rmtree(path)


def last_state(states: Path) -> State | None:
    """The state to go on from; None where there is none."""
    found = _complete(states)
    if not found:
        return None
    about = json.loads((found[-1] / ABOUT).read_text(encoding="utf-8"))
    return State(about["step"], about["identity"], found[-1])


class LossLog:
    """loss.csv, a row a step. What lies beyond the step that a run goes on from is written anew."""

    def __init__(self, path: Path, step: int) -> None:
        """Keep the rows of the first `step` steps."""
        self._path = path
        kept = read_losses(path)[:step]
        with whole_file(path) as file:
            csv.writer(file, lineterminator="\n").writerows([COLUMNS, *kept])

    def add(self, step: int, visit: float, loss: float, learning_rate: float) -> None:
        """Write down step `step`, from 0 on; `visit` is how often each clip had been seen before it."""
        with self._path.open("a", encoding="utf-8", newline="") as file:
            csv.writer(file, lineterminator="\n").writerow((step, visit, loss, learning_rate))


def read_losses(path: Path) -> list[tuple[int, float, float, float]]:
    """The rows of loss.csv; none where there is no file. A last row that was cut off does not count."""
    if not path.is_file():
        return []
    lines = path.read_text(encoding="utf-8").splitlines(keepends=True)[1:]
    rows = csv.reader(line for line in lines if line.endswith("\n"))
    return [(int(step), float(visit), float(loss), float(rate)) for step, visit, loss, rate in rows]


def refuse_another(out: Path, found: Mapping[str, Any], wanted: Mapping[str, Any]) -> None:
    """Raises InputError where `out` holds an adaptation that is not the one asked for; `identity` of both."""
    for part in wanted:
        if found.get(part) != wanted[part]:
            raise InputError(
                f"{out} holds another adaptation: its {part.replace('_', ' ')} is {found.get(part)!r}, asked for is "
                f"{wanted[part]!r}. Give another --out, or remove the folder."
            )


def _complete(states: Path) -> list[Path]:
    return sorted(path.parent for path in states.glob(f"[!.]*/{ABOUT}"))


def _on_cpu(tensors: Mapping[str, torch.Tensor]) -> dict[str, torch.Tensor]:
    return {name: tensor.detach().cpu().contiguous() for name, tensor in tensors.items()}
