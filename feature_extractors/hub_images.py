"""Image encoders in the format of transformers: CLIP and DINOv2, a vector a picture.

Preprocessing is what the checkpoint's folder says, in transformers' PIL implementation.
"""

from __future__ import annotations

import re
from abc import abstractmethod
from collections.abc import Sequence
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from feature_extractors.encoder import torch_device
from feature_extractors.pictures import PictureEncoder, scaled
from mertools.errors import InputError
from mertools.libraries import image_processor, transformers

if TYPE_CHECKING:
    import torch


class HubImages(PictureEncoder):
    """What encoders with a folder in transformers' format share; a subclass says which class, and what it gives."""

    model_class: str
    """The class in transformers."""

    @cached_property
    def _preprocessing(self) -> Any:
        return image_processor(self.fetch().path)

    @property
    def normalisation(self) -> tuple[Sequence[float], Sequence[float]]:
        """Mean and standard deviation of the channels, of values in [0, 1]."""
        return self._preprocessing.image_mean, self._preprocessing.image_std

    def pixels(self, picture: np.ndarray) -> np.ndarray:
        values = self._preprocessing(picture, do_rescale=False, do_normalize=False)["pixel_values"]
        image = np.asarray(values)
        return image.reshape(image.shape[-3:]).astype(np.uint8, copy=False)

    def load(self, device: str) -> None:
        self.check_detector()
        self._device = torch_device(device)
        self._mean, self._std = self.normalisation
        self._model = self.read().to(self._device)

    def read(self) -> torch.nn.Module:
        """The model on the CPU, in float32; raises InputError where weights are missing."""
        model_class = getattr(transformers(), self.model_class)
        return pretrained(model_class, self.fetch().path, self.source, self.card.may_lack)

    def features(self, images: np.ndarray) -> np.ndarray:
        return self.represent(scaled(images, self._mean, self._std, self._device)).float().cpu().numpy()

    @abstractmethod
    def represent(self, inputs: torch.Tensor) -> torch.Tensor:
        """Of scaled images (B, 3, S, S) the features (B, ..., D)."""


class ClipImages(HubImages):
    """CLIP's image tower (Radford et al. 2021, arXiv:2103.00020): the class token, projected to the space of texts."""

    model_class = "CLIPVisionModelWithProjection"

    def represent(self, inputs: torch.Tensor) -> torch.Tensor:
        return self._model(pixel_values=inputs).image_embeds  # (B, D)


class DinoImages(HubImages):
    """DINOv2 (Oquab et al. 2023, arXiv:2304.07193), its tokens pooled.

    `tokens` "sum": the last block's output before the final normalisation, summed over class token and patches.
    `tokens` "patch mean": the patches' mean after the final normalisation.
    """

    model_class = "Dinov2Model"

    def represent(self, inputs: torch.Tensor) -> torch.Tensor:
        if self.recipe["tokens"] == "sum":
            return self._model(pixel_values=inputs, output_hidden_states=True).hidden_states[-1].sum(dim=1)  # (B, D)
        return self._model(pixel_values=inputs).last_hidden_state[:, 1:].mean(dim=1)  # (B, D)


def pretrained(
    architecture: type, folder: Path | None, source: str, may_lack: tuple[str, ...] = (), **options: Any
) -> torch.nn.Module:
    """The model in `folder`, or of `options` (`config`, `state_dict`), in float32 and for inference.

    Raises InputError where the folder cannot be read, or lacks a weight that none of `may_lack` matches: no randomly
    initialised layer ever produces a feature. Weights that the model has no place for (a decoder) are left out.
    """
    import torch

    try:
        model, report = architecture.from_pretrained(
            folder, local_files_only=True, output_loading_info=True, dtype=torch.float32, **options
        )
    except (OSError, ValueError, RuntimeError) as error:
        raise InputError(
            f"{source} cannot be loaded as {architecture.__name__}: {str(error).strip().splitlines()[0]} "
            "Wanted a folder with config.json and weights of that architecture."
        ) from error
    lacking = sorted(name for name in report["missing_keys"] if not any(re.search(rule, name) for rule in may_lack))
    if lacking:
        raise InputError(
            f"{source} lacks {len(lacking)} weights of {architecture.__name__} (first: {lacking[0]}): it is the "
            "checkpoint of another architecture, or damaged. Fetch it again, or name another with --weights."
        )
    return model.eval().requires_grad_(False)
