"""Checkpoints: what was trained, without the frozen rest, and what it was trained on. Nothing in them is executed."""

from __future__ import annotations

import dataclasses
import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

from mertools.errors import InputError
from mertools.explain.configuration import Configuration, from_mapping, to_mapping
from mertools.run_record import versions
from mertools.whole_files import whole_folder

if TYPE_CHECKING:
    import torch

SCHEMA = 1
ABOUT, WEIGHTS, OPTIMISER = "checkpoint.json", "weights.safetensors", "optimiser.safetensors"


@dataclass(frozen=True)
class About:
    """What a checkpoint was trained on, and how far.

    `step` counts the steps of stage `stage`, a number from 0 on, that are done. `data` are the records of the sets of
    all stages, `encoders` the provenance of the frames by medium, `sampler` how many batches of each of the stage's
    sets were drawn, and `scores` what was measured of these weights.
    """

    configuration: Configuration
    stage: int
    step: int
    data: Mapping[str, Any]
    encoders: Mapping[str, Mapping[str, str]]
    sampler: tuple[int, ...] = ()
    scores: Mapping[str, Any] = field(default_factory=dict)

    @property
    def identity(self) -> dict[str, Any]:
        """What must be the same for training to go on from here."""
        return {
            "configuration": to_mapping(self.configuration),
            "data": dict(self.data),
            "encoders": {medium: dict(one) for medium, one in self.encoders.items()},
        }


def write_checkpoint(
    folder: Path,
    about: About,
    weights: Mapping[str, torch.Tensor],
    optimiser: Mapping[str, torch.Tensor] | None = None,
) -> None:
    """Write a checkpoint as `folder`, which appears when it is complete and replaces one that was there.

    `optimiser` is its state, for a checkpoint that training goes on from.
    """
    from safetensors.torch import save_file

    content = {"schema": SCHEMA, "versions": versions("torch", "transformers")} | {
        one.name: getattr(about, one.name) for one in dataclasses.fields(about)
    }
    content["configuration"] = to_mapping(about.configuration)
    text = json.dumps(content, indent=2, ensure_ascii=False, allow_nan=False)
    with whole_folder(folder) as written:
        save_file(_on_cpu(weights), written / WEIGHTS)
        if optimiser is not None:
            save_file(_on_cpu(optimiser), written / OPTIMISER)
        (written / ABOUT).write_text(text + "\n", encoding="utf-8")


def read_about(folder: Path) -> About:
    """What the checkpoint in `folder` was trained on; raises InputError where there is none."""
    path = folder / ABOUT
    try:
        content = json.loads(path.read_text(encoding="utf-8"))
    except FileNotFoundError:
        raise InputError(f"{folder} is no checkpoint: it lacks {ABOUT}. `mertools explain train` writes one.") from None
    except ValueError:
        raise InputError(f"{path} is not JSON. Take another checkpoint.") from None
    if content.get("schema") != SCHEMA:
        raise InputError(f"{path} has schema {content.get('schema')}, this version reads {SCHEMA}.")
    values = {one.name: content[one.name] for one in dataclasses.fields(About)}
    values["configuration"] = from_mapping(Configuration, content["configuration"], str(path))
    return About(**{**values, "sampler": tuple(values["sampler"])})


def read_weights(path: Path) -> dict[str, torch.Tensor]:
    """The tensors of a safetensors file, or of the checkpoint in a folder; raises InputError where there are none."""
    from safetensors import SafetensorError
    from safetensors.torch import load_file

    file = path / WEIGHTS if path.is_dir() else path
    try:
        return load_file(file)
    except FileNotFoundError:
        raise InputError(f"There are no weights {file}. Correct the path.") from None
    except SafetensorError as error:
        raise InputError(f"{file} is not a safetensors file: {error}. Take another.") from None


def read_optimiser(folder: Path) -> dict[str, torch.Tensor]:
    """The optimiser's state of a checkpoint that training goes on from."""
    return read_weights(folder / OPTIMISER)


def newest(folder: Path) -> Path | None:
    """Of the checkpoints in `folder`, whose names sort as they were written, the last; None where there is none."""
    found = sorted(path.parent for path in folder.glob(f"[!.]*/{ABOUT}"))
    return found[-1] if found else None


def _on_cpu(tensors: Mapping[str, torch.Tensor]) -> dict[str, torch.Tensor]:
    return {name: tensor.detach().cpu().contiguous() for name, tensor in tensors.items()}
