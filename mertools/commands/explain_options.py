"""What the commands on explainers share: where frames and utterances are, and on what device models run."""

from __future__ import annotations

import argparse
from pathlib import Path
from typing import TYPE_CHECKING, Any

from mertools.errors import InputError

if TYPE_CHECKING:
    from mertools.explain.stored_frames import Windows


def add_frame_options(parser: argparse.ArgumentParser) -> None:
    """`--features`, `--utterances` and `--device`."""
    parser.add_argument(
        "--features",
        type=Path,
        default=Path("features"),
        metavar="DIR",
        help="the clips' frames (extract.py --level frame)",
    )
    parser.add_argument(
        "--utterances",
        type=Path,
        metavar="FILE",
        help="when somebody speaks, for MicroEmo's windows: a CSV name,begin,end in seconds, or egemaps.h5 with frames",
    )
    parser.add_argument("--device", default="auto", help="where models run: auto, cpu or cuda")


def utterances_of(options: argparse.Namespace) -> Windows | None:
    """The utterances that the options name."""
    from mertools.explain.utterances import read_utterances

    return read_utterances(options.utterances) if options.utterances else None


def make_accelerator(device: str) -> Any:
    """accelerate's Accelerator: bfloat16 on a GPU, one process unless `accelerate launch` started several.

    Raises InputError where it is not installed, and for a device that is not there.
    """
    import torch

    try:
        from accelerate import Accelerator
    except ModuleNotFoundError as error:
        raise InputError("Training needs the package accelerate: pip install 'mertools[explain]'") from error
    has_cuda = torch.cuda.is_available()
    if device not in ("auto", "cpu", "cuda") or (device == "cuda" and not has_cuda):
        raise InputError(f"--device {device} is not there. Wanted auto, cpu{' or cuda' if has_cuda else ''}.")
    on_cpu = device == "cpu" or not has_cuda
    from accelerate import DistributedDataParallelKwargs

    # Which parts a batch reaches depends on what its clips have: faces, utterances, sound.
    parallel = DistributedDataParallelKwargs(find_unused_parameters=True)
    return Accelerator(cpu=on_cpu, mixed_precision="no" if on_cpu else "bf16", kwargs_handlers=[parallel])
