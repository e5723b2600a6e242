"""What every encoder is to the runner: `prepare` a clip without the model, `encode` a batch with it."""

from __future__ import annotations

import importlib
import json
from abc import ABC, abstractmethod
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from feature_extractors.cards.card import MER2024, Card, Recipe
from mertools.clip import Clip
from mertools.errors import InputError
from mertools.feature_store import Provenance
from mertools.model_sources import Fetched, fetch
from mertools.registry import look_up

if TYPE_CHECKING:
    import torch

FAMILIES = {
    "adapted-videomae": "feature_extractors.videomae:AdaptedVideoMae",
    "blip2-qformer": "feature_extractors.blip2:Blip2QFormer",
    "clip": "feature_extractors.hub_images:ClipImages",
    "dinov2": "feature_extractors.hub_images:DinoImages",
    "emotion2vec": "feature_extractors.emotion2vec:Emotion2vec",
    "eva-clip-g": "feature_extractors.blip2:EvaClipG",
    "expression": "feature_extractors.expression:Expression",
    "imagebind-audio": "feature_extractors.imagebind:ImageBindAudio",
    "large-language": "feature_extractors.large_language:LargeLanguage",
    "masked-language": "feature_extractors.masked_language:MaskedLanguage",
    "onnx-faces": "feature_extractors.onnx_faces:OnnxFaces",
    "opensmile": "feature_extractors.opensmile:OpenSmile",
    "sentence": "feature_extractors.sentence:Sentence",
    "speech": "feature_extractors.speech:Speech",
    "timm": "feature_extractors.timm_images:TimmImages",
    "vggish": "feature_extractors.vggish:Vggish",
    "videomae": "feature_extractors.videomae:VideoMae",
    "whisper": "feature_extractors.whisper:Whisper",
}
"""Which class encodes a card of a family; imported when asked for."""


FULL_DTYPE, AUTOCAST_DTYPE = "float32", "float16"
"""What networks compute in, and what most of their operations do where torch's autocast is on: on CUDA."""


@dataclass(frozen=True)
class Settings:
    """What a run decides about its encoders beside their cards.

    How faces are found in clips without ready crops; which recipe features follow; by feature name the source that
    stands in for a card's (weights of the user's own); whether code that comes with a checkpoint may run; how many of
    the last layers to combine, where that is not to be what the recipe says; a file of `mertools data faces`, whose
    crops are read instead of finding faces.
    """

    face_detector: str = "auto"
    face_model: Path | None = None
    recipe: str = MER2024
    sources: Mapping[str, str] = field(default_factory=dict)
    trust_remote_code: bool = False
    layers: int | None = None
    faces: Path | None = None


@dataclass(frozen=True)
class Encoding:
    """What an encoder makes of one clip.

    `frames` is (T, ..., D) float32, with a token or patch axis where the encoder has one; `times` (T,) are seconds from
    the clip's beginning, or None where frames have no time (the tokens of a text); `outputs` are further frame outputs
    (T, ...) by name. `utterance` is (D,), or None for the mean of the frames. `problem` says why the clip was read in
    part only.
    """

    frames: np.ndarray
    times: np.ndarray | None = None
    outputs: Mapping[str, np.ndarray] = field(default_factory=dict)
    utterance: np.ndarray | None = None
    problem: str = ""


class Encoder(ABC):
    """One card at work.

    Until `load` it holds no model and can be pickled, for it is sent to the worker processes that prepare clips.
    `columns` names the components of the utterance vector, `frame_columns` those of frame outputs. `autocasts` says
    whether its network runs in torch, whose autocast the runner uses on CUDA.
    """

    columns: tuple[str, ...] = ()
    frame_columns: Mapping[str, tuple[str, ...]] = {}
    autocasts = True

    def __init__(self, card: Card, settings: Settings) -> None:
        self.card = card
        self.settings = settings

    @property
    def name(self) -> str:
        return self.card.name

    @property
    def modality(self) -> str:
        return self.card.modality

    @property
    def source(self) -> str:
        """Where the weights come from: the user's own where the run names them, else the card's."""
        return self.settings.sources.get(self.name, self.card.source)

    @property
    def revision(self) -> str:
        """The version of weights or code that the features come from."""
        if self.source == self.card.source and self.card.revision:
            return self.card.revision
        return self.fetch().revision

    @property
    def recipe(self) -> Recipe:
        """Everything else that decides about the features.

        Raises InputError where the settings say how many layers to combine and the card's recipe does not combine any.
        """
        recipe = self.card.recipe(self.settings.recipe)
        if self.settings.layers is None:
            return recipe
        if "layers" not in recipe:
            raise InputError(
                f"Feature {self.name!r} is not made of several layers. Leave out --layers, or extract it by itself."
            )
        return {**recipe, "layers": self.settings.layers}

    def fetch(self) -> Fetched:
        """The weights on this machine; raises InputError where they cannot be had."""
        own = self.source != self.card.source
        try:
            return fetch(self.source, sha256=None if own else self.card.sha256)
        except InputError as error:
            if own or not self.card.needs:
                raise
            raise InputError(f"{error} {self.name} needs {self.card.needs}.") from error

    def compute_dtype(self, device: str) -> str:
        """What the network computes in on `device` (`auto`, `cpu`, `cuda`, …)."""
        return AUTOCAST_DTYPE if self.autocasts and device_type(device) == "cuda" else FULL_DTYPE

    def provenance(self, level: str) -> Provenance:
        """What the feature file says about its origin; of its types, `replace` says other than float32."""
        return Provenance(
            feature=self.name,
            modality=self.modality,
            encoder=self.card.family,
            source=self.source,
            revision=self.revision,
            recipe=json.dumps(dict(self.recipe), sort_keys=True, ensure_ascii=False),
            level=level,
            columns=self.columns,
            frame_columns=self.frame_columns,
        )

    def check(self, clips: Sequence[Clip]) -> None:  # noqa: B027 (most encoders read nothing but the clips)
        """Refuse at the door what the settings say to read beside `clips` where it does not suffice for them.

        Raises InputError.
        """

    @abstractmethod
    def prepare(self, clip: Clip) -> Any:
        """Read `clip` and make of it, without the model, what `encode` takes; it travels between processes.

        Raises MissingMedium where the clip lacks what the encoder reads, UnreadableMedia where it cannot be decoded.
        """

    def length(self, item: Any) -> int:
        """How long a prepared item is; a batch holds items of like length."""
        return 0

    def load(self, device: str) -> None:  # noqa: B027 (an encoder without a model has nothing to load)
        """Load the model onto `device` (`auto`, `cpu`, `cuda`, …); once, before `encode`.

        Raises InputError where the model cannot be had or there is no such device.
        """

    @abstractmethod
    def encode(self, batch: Sequence[Any]) -> list[Encoding]:
        """The encodings of prepared items, in their order."""


def build(card: Card, settings: Settings | None = None) -> Encoder:
    """The encoder of `card`, not loaded yet."""
    module, _, name = look_up("encoder family", card.family, FAMILIES).partition(":")
    return getattr(importlib.import_module(module), name)(card, settings or Settings())


def device_type(name: str) -> str:
    """`cpu`, `cuda`, …: the type of the device called `name`, which need not be on this machine unless it is `auto`."""
    return torch_device(name).type if name == "auto" else name.partition(":")[0]


def torch_device(name: str) -> torch.device:
    """The device called `name`; `auto` is CUDA where there is one, else the CPU. Raises InputError."""
    import torch

    if name == "auto":
        return torch.device("cuda" if torch.cuda.is_available() else "cpu")
    try:
        device = torch.device(name)
        torch.empty(0, device=device)
    except (RuntimeError, AssertionError, NotImplementedError) as error:
        reason = str(error).splitlines()[0].rstrip(".")
        raise InputError(f"--device {name} cannot be used: {reason}. Try --device auto.") from None
    return device
