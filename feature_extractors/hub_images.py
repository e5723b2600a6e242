"""Image encoders in the format of transformers: CLIP and DINOv2, a vector a picture.

Preprocessing is what the checkpoint's folder says, in transformers' PIL implementation.
"""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Sequence
from functools import cached_property
from typing import TYPE_CHECKING, Any

import numpy as np

from feature_extractors.checkpoint import open_checkpoint
from feature_extractors.encoder import torch_device
from feature_extractors.pictures import PictureEncoder, scaled
from mertools.libraries import image_processor, transformers

if TYPE_CHECKING:
    import torch


class HubImages(PictureEncoder):
    """What encoders with a folder in transformers' format share; a subclass says which class, and what it gives."""

    model_class: str
    """The class in transformers."""

    model_types: tuple[str, ...]
    """What the config.json of a checkpoint of that class, or of one that holds it, may say it is."""

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
        self._model = self.read().to(self._device)
        self._mean, self._std = self.normalisation

    def read(self) -> torch.nn.Module:
        """The model on the CPU, in float32; raises InputError where it cannot be loaded whole."""
        checkpoint = open_checkpoint(self, self.model_types)
        return checkpoint.network(getattr(transformers(), self.model_class).from_pretrained)

    def features(self, images: np.ndarray) -> np.ndarray:
        return self.represent(scaled(images, self._mean, self._std, self._device)).float().cpu().numpy()

    @abstractmethod
    def represent(self, inputs: torch.Tensor) -> torch.Tensor:
        """Of scaled images (B, 3, S, S) the features (B, ..., D)."""


class ClipImages(HubImages):
    """CLIP's image tower (Radford et al. 2021, arXiv:2103.00020): the class token, projected to the space of texts."""

    model_class = "CLIPVisionModelWithProjection"
    model_types = ("clip", "clip_vision_model")

    def represent(self, inputs: torch.Tensor) -> torch.Tensor:
        return self._model(pixel_values=inputs).image_embeds  # (B, D)


class DinoImages(HubImages):
    """DINOv2 (Oquab et al. 2023, arXiv:2304.07193), its tokens pooled.

    `tokens` "sum": the last block's output before the final normalisation, summed over class token and patches.
    `tokens` "patch mean": the patches' mean after the final normalisation.
    """

    model_class = "Dinov2Model"
    model_types = ("dinov2",)

    def represent(self, inputs: torch.Tensor) -> torch.Tensor:
        if self.recipe["tokens"] == "sum":
            return self._model(pixel_values=inputs, output_hidden_states=True).hidden_states[-1].sum(dim=1)  # (B, D)
        return self._model(pixel_values=inputs).last_hidden_state[:, 1:].mean(dim=1)  # (B, D)
