"""Speaker networks from ONNX files of the user's own, such as Deep Speaker's (Li et al. 2017, arXiv:1705.02304).

The file holds the front end too, for every network has its own: one input, sound (B, samples) float32 at 16 kHz with
any number of samples; one output, voices (B, D).
"""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from feature_extractors.onnx_networks import open_network
from mertools.errors import InputError
from mertools.media import SAMPLE_RATE

if TYPE_CHECKING:
    import onnxruntime

WANTED = (
    "Wanted one input, sound (B, samples) float32 at 16 kHz with any number of samples, and one output, voices (B, D): "
    "export the network together with its front end."
)
PROBE_SECONDS = (0.4, 1.0)
"""Two lengths, the shorter one that of the shortest stretch that is embedded."""


class SpeakerNetwork:
    """The network in `path`, loaded at once.

    Raises InputError for a file that is no network, and for one with other inputs or outputs than the module says.
    """

    def __init__(self, path: Path) -> None:
        self._session = open_network(path, "--voice-model", "cpu")
        if fault := _fault_in_signature(self._session) or self._fault_in_use():
            raise InputError(f"{path} {fault}. {WANTED}")

    def vector(self, samples: np.ndarray) -> np.ndarray:
        """What the network gives for one sound (samples,) at 16 kHz: (D,) float64, of any length."""
        return self._run(samples)[0].astype(float)

    def _run(self, samples: np.ndarray) -> np.ndarray:
        (given,) = self._session.get_inputs()
        (output,) = self._session.run(None, {given.name: np.ascontiguousarray(samples, np.float32)[None]})
        return output

    def _fault_in_use(self) -> str:
        """What is wrong with what comes out for a tone of either length; "" where nothing is."""
        shapes = []
        for seconds in PROBE_SECONDS:
            tone = np.sin(2 * np.pi * 200 * np.arange(round(seconds * SAMPLE_RATE)) / SAMPLE_RATE)
            try:
                output = self._run(tone)
            except Exception as error:  # onnxruntime's errors have no other class in common
                return f"fails at {len(tone)} samples: {str(error).splitlines()[0]}"
            if not np.isfinite(output).all():
                return f"gives what is no number for a tone of {len(tone)} samples"
            shapes.append(output.shape)
        if shapes[0] != shapes[1] or len(shapes[0]) != 2 or shapes[0][0] != 1:
            return f"gives {shapes[0]} and {shapes[1]} for one sound of {PROBE_SECONDS[0]} s and one of 1 s"
        return ""


def _fault_in_signature(session: onnxruntime.InferenceSession) -> str:
    """How the network's inputs and outputs differ from what is wanted; "" where they do not."""
    inputs, outputs = session.get_inputs(), session.get_outputs()
    if len(inputs) != 1 or len(outputs) != 1:
        return f"has {len(inputs)} inputs and {len(outputs)} outputs"
    (given,) = inputs
    if given.type != "tensor(float)" or len(given.shape) != 2 or isinstance(given.shape[1], int):
        shape = ", ".join(str(size or "any") for size in given.shape)
        return f"has the input {given.name!r}, {given.type} ({shape})"
    return ""
