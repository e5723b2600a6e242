"""Open networks in ONNX files, which are the user's own; needs the extra `onnx`."""

from __future__ import annotations

import importlib.util
from pathlib import Path
from typing import TYPE_CHECKING

from feature_extractors.encoder import torch_device
from mertools.errors import InputError

if TYPE_CHECKING:
    import onnxruntime


def open_network(path: Path, user: str, device: str) -> onnxruntime.InferenceSession:
    """The network in the file `path`, which `user` computes with, on `device` (`auto`, `cpu`, `cuda`, …).

    Raises InputError where the package onnxruntime is missing or cannot compute there, and for a file of another kind.
    """
    if importlib.util.find_spec("onnxruntime") is None:
        raise InputError(f"{user} needs the package onnxruntime. Install it: pip install 'mertools[onnx]'")
    import onnxruntime

    try:
        return onnxruntime.InferenceSession(path, providers=_providers(device))
    except InputError:
        raise
    except Exception as error:  # onnxruntime's errors have no other class in common
        raise InputError(f"{path} cannot be loaded as an ONNX network: {str(error).splitlines()[0]}") from error


def _providers(device: str) -> list[str | tuple[str, dict[str, int]]]:
    """What onnxruntime computes on; `auto` is the CPU where its build knows no CUDA. Raises InputError."""
    import onnxruntime

    chosen = torch_device(device)
    if chosen.type == "cuda":
        if "CUDAExecutionProvider" in onnxruntime.get_available_providers():
            return [("CUDAExecutionProvider", {"device_id": chosen.index or 0})]
        if device != "auto":
            raise InputError(
                f"--device {device}: this onnxruntime computes on the CPU alone. Install the other build: "
                "pip uninstall onnxruntime && pip install onnxruntime-gpu; or give --device cpu."
            )
    return ["CPUExecutionProvider"]
