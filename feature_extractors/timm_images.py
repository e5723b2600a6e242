"""Image encoders in the format of timm: a folder with `config.json` and weights; a pooled vector a picture."""

from __future__ import annotations

import json
import sys
from functools import cached_property
from typing import Any

import numpy as np

from feature_extractors.encoder import torch_device
from feature_extractors.pictures import PictureEncoder, scaled
from mertools.errors import InputError
from mertools.libraries import timm
from mertools.model_sources import load_weights

WEIGHT_FILES = ("model.safetensors", "pytorch_model.bin")


class TimmImages(PictureEncoder):
    """A network of timm without its classifier, such as EVA-02 (Fang et al. 2023, arXiv:2303.11331).

    Preprocessing is timm's for evaluation, as the folder configures it.
    """

    @cached_property
    def _config(self) -> dict[str, Any]:
        path = self.fetch().path / "config.json"
        try:
            config = json.loads(path.read_text(encoding="utf-8"))
            config["architecture"], config["pretrained_cfg"]
        except (OSError, ValueError, KeyError) as error:
            raise InputError(
                f"{self.source} is no folder in timm's format ({error}). Wanted a config.json that names "
                "'architecture' and 'pretrained_cfg', and the weights beside it."
            ) from error
        return config

    @cached_property
    def _preprocessing(self) -> Any:
        data = timm().data
        # Not normalised: 8 bits travel between processes.
        settings = data.resolve_data_config({}, pretrained_cfg=self._config["pretrained_cfg"])
        return data.create_transform(**settings, normalize=False)

    def pixels(self, picture: np.ndarray) -> np.ndarray:
        from PIL import Image

        return self._preprocessing(Image.fromarray(np.ascontiguousarray(picture))).numpy()

    def load(self, device: str) -> None:
        self.check_detector()
        self._device = torch_device(device)
        library, config, folder = timm(), self._config, self.fetch().path
        files = [folder / name for name in WEIGHT_FILES if (folder / name).is_file()]
        if not files:
            raise InputError(f"{self.source} has no weights. Wanted one of {', '.join(WEIGHT_FILES)} in {folder}.")
        try:
            model = library.create_model(config["architecture"], num_classes=0, **config.get("model_args", {}))
            weights = load_weights(files[0])
            # Files from before timm, or from pre-training, name weights otherwise; a network's module knows how.
            convert = getattr(sys.modules[type(model).__module__], "checkpoint_filter_fn", None)
            # The classifier's weights, where a file has any, find no place.
            lacking = model.load_state_dict(convert(weights, model) if convert else weights, strict=False).missing_keys
        except RuntimeError as error:
            raise InputError(f"{self.source} cannot be loaded as {config['architecture']}: {error}") from error
        if lacking:
            raise InputError(
                f"{self.source} lacks {len(lacking)} weights of {config['architecture']} (first: {min(lacking)}). "
                "Fetch it again, or name another with --weights."
            )
        data = library.data.resolve_data_config({}, pretrained_cfg=config["pretrained_cfg"])
        self._mean, self._std = data["mean"], data["std"]
        self._model = model.float().eval().requires_grad_(False).to(self._device)

    def features(self, images: np.ndarray) -> np.ndarray:
        return self._model(scaled(images, self._mean, self._std, self._device)).float().cpu().numpy()
