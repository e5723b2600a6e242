"""The only door to transformers and timm.

torchvision's binary must match torch's: a CUDA build of torchvision beside a CPU build of torch imports only as far as
its operator registrations and then takes timm, and most classes of transformers (BertModel, CLIPModel, the image
processors), down with it. Nothing in this suite calls those operators, so declaring their schemas is all it takes.

Import either library through this module, and what reaches a model is the same on every machine: transformers' image
processors are always the PIL ones, whichever backend transformers itself would have chosen.
"""

from __future__ import annotations

import functools
import importlib
import importlib.util
import os
import re
import sys
import threading
from pathlib import Path
from types import ModuleType
from typing import TYPE_CHECKING, Any

from mertools.errors import InputError

if TYPE_CHECKING:
    import torch

FAKE_REGISTRATION = re.compile(r"""register_fake\(\s*["']torchvision::(\w+)["']""")
NMS_SCHEMA = "(Tensor dets, Tensor scores, float iou_threshold) -> Tensor"


def transformers() -> ModuleType:
    """The transformers library, able to import its classes, silent while it loads weights.

    Loading shows neither progress bars nor warnings; `TRANSFORMERS_VERBOSITY` overrides the latter. Progress bars of
    downloads stay as they are.

    Raises InputError where it is not installed.
    """
    mend_torchvision()
    module = _library("transformers")
    hub = _library("huggingface_hub.utils")
    shows_downloads = not hub.are_progress_bars_disabled()
    module.utils.logging.disable_progress_bar()
    if shows_downloads:
        # transformers' switch also turns the hub's bars off, and nobody should wait for gigabytes without one.
        hub.enable_progress_bars()
    if "TRANSFORMERS_VERBOSITY" not in os.environ:
        module.utils.logging.set_verbosity_error()
    return module


def timm() -> ModuleType:
    """The timm library. Raises InputError where it, or torchvision which it needs, is not installed."""
    mend_torchvision()
    return _library("timm")


def image_processor(folder: Path) -> Any:
    """The image processor stored in a model's folder, in its PIL implementation.

    Calling it with RGB images gives `pixel_values` (float32, the model's layout). Its name for provenance is
    `type(processor).__name__`, e.g. "CLIPImageProcessorPil".

    Raises InputError where the folder has no readable processor, where it wants code from the model's folder, and where
    transformers knows it only with torchvision.
    """
    module = transformers()
    backends = importlib.import_module("transformers.image_processing_backends")
    try:
        processor = module.AutoImageProcessor.from_pretrained(
            folder, backend="pil", local_files_only=True, trust_remote_code=False
        )
    except (OSError, ValueError) as error:
        raise InputError(
            f"No image processor in {folder}: wanted a preprocessor_config.json that names one of transformers'. "
            f"transformers says: {str(error).strip().splitlines()[0]}"
        ) from error
    if isinstance(processor, backends.TorchvisionBackend):
        raise InputError(
            f"The image processor of {folder} is {type(processor).__name__}, which transformers has for torchvision "
            "alone; features are the same on every machine only with a PIL one. Upgrade transformers, or use another."
        )
    return processor


def mend_torchvision() -> tuple[str, ...]:
    """Make `import torchvision` work where its binary does not load; do nothing where it does, or is not installed.

    Gives the names of the operators whose schema was declared. They can be registered against, not called.

    Raises InputError where torchvision does not load for another reason.
    """
    with _mending:
        return _mend()


_mending = threading.Lock()
_declared: list[torch.library.Library] = []
"""torch forgets a declaration when its Library object is collected."""


@functools.cache
def _mend() -> tuple[str, ...]:
    if importlib.util.find_spec("torchvision") is None:
        return ()
    try:
        importlib.import_module("torchvision")
        return ()
    except RuntimeError as error:
        if "torchvision::" not in str(error):
            raise _unusable(error) from error
    operators = _declare_operators()
    # What the failed import left behind would be reused half-initialised.
    for name in [name for name in sys.modules if name.partition(".")[0] == "torchvision"]:
        del sys.modules[name]
    try:
        importlib.import_module("torchvision")
    except RuntimeError as error:
        raise _unusable(error) from error
    return operators


def _declare_operators() -> tuple[str, ...]:
    import torch

    (folder,) = importlib.util.find_spec("torchvision").submodule_search_locations
    registrations = (Path(folder) / "_meta_registrations.py").read_text(encoding="utf-8")
    library = torch.library.Library("torchvision", "FRAGMENT")
    operators = tuple(dict.fromkeys(FAKE_REGISTRATION.findall(registrations)))
    for name in operators:
        library.define(name + NMS_SCHEMA)
    _declared.append(library)
    return operators


def _unusable(error: Exception) -> InputError:
    return InputError(
        f"torchvision cannot be imported: {error}. Install the build that matches torch (see requirements.txt): "
        "pip install --force-reinstall --no-deps torchvision"
    )


def _library(name: str) -> ModuleType:
    try:
        return importlib.import_module(name)
    except ModuleNotFoundError as error:
        raise InputError(
            f"{name.partition('.')[0]} needs the package {error.name!r}, which is not installed. "
            "Install the requirements: pip install -r requirements.txt"
        ) from error
