"""openSMILE's descriptors: functionals as the utterance vector, low-level descriptors as frames."""

from __future__ import annotations

import functools
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np

from feature_extractors.encoder import Encoder, Encoding
from feature_extractors.sound import read_sound
from mertools.clip import Clip

LONGEST_FRAME_SECONDS = 0.06
"""The longest analysis window of the GeMAPS family (F0); shorter sound gives no frame at all."""

SOURCE, FUNCTIONALS, DESCRIPTORS = "extsource", "extsinkfunc", "extsinklld"
"""What openSMILE's configuration for sound from memory and several outputs calls its ends."""


class OpenSmile(Encoder):
    """An openSMILE feature set of the GeMAPS family (Eyben et al. 2016), computed on the CPU in `prepare`.

    The released extraction ran openSMILE's own configuration file on 16 kHz sound; so does this, through openSMILE's
    library interface, where functionals and descriptors come from one pass. A frame's time is its beginning.
    """

    autocasts = False

    @property
    def columns(self) -> tuple[str, ...]:
        return column_names(self.recipe["feature_set"])[0]

    @property
    def frame_columns(self) -> dict[str, tuple[str, ...]]:
        return {"frames": column_names(self.recipe["feature_set"])[1]}

    def prepare(self, clip: Clip) -> Encoding:
        sound = read_sound(clip, self.recipe["sample_rate"], LONGEST_FRAME_SECONDS)
        samples = np.clip(sound.samples * 32768, -32768, 32767).astype(np.int16)
        functionals, descriptors, times = analyse(self.recipe["feature_set"], samples, sound.sample_rate)
        return Encoding(frames=descriptors, times=times, utterance=functionals, problem=sound.problem or "")

    def encode(self, batch: Sequence[Encoding]) -> list[Encoding]:
        return list(batch)


def analyse(feature_set: str, samples: np.ndarray, sample_rate: int) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """The functionals (D,), low-level descriptors (T, D_f) and beginnings of frames (T,) in seconds.

    `samples` is (N,) int16, at least LONGEST_FRAME_SECONDS long.
    """
    smile = _start(feature_set, sample_rate)
    outputs: dict[str, list[np.ndarray]] = {FUNCTIONALS: [], DESCRIPTORS: []}
    times: list[float] = []
    try:
        smile.external_sink_set_callback_ex(FUNCTIONALS, lambda data, _: outputs[FUNCTIONALS].append(data.copy()))
        smile.external_sink_set_callback_ex(
            DESCRIPTORS, lambda data, frame: (outputs[DESCRIPTORS].append(data.copy()), times.append(frame.time))
        )
        smile.external_audio_source_write_data(SOURCE, samples.tobytes())
        smile.external_audio_source_set_eoi(SOURCE)
        smile.run()
    finally:
        smile.free()
    functionals, descriptors = (np.concatenate(outputs[sink]) for sink in (FUNCTIONALS, DESCRIPTORS))
    return functionals[0], descriptors, np.array(times)


@functools.cache
def column_names(feature_set: str) -> tuple[tuple[str, ...], tuple[str, ...]]:
    """openSMILE's names of the functionals and of the low-level descriptors."""
    smile = _start(feature_set, sample_rate=16000)
    try:
        return tuple(
            tuple(
                smile.external_sink_get_element_name(sink, index)
                for index in range(smile.external_sink_get_num_elements(sink))
            )
            for sink in (FUNCTIONALS, DESCRIPTORS)
        )
    finally:
        smile.free()


def _start(feature_set: str, sample_rate: int) -> Any:
    """openSMILE with the configuration of `feature_set`, waiting for sound.

    `opensmile.Smile` is this with a pandas frame around it, but reads one output a pass, so that frames would double
    the time, and wraps samples of full scale around.
    """
    import opensmile
    from opensmile.core.lib import OpenSMILE

    folder = Path(opensmile.__file__).parent / "core" / opensmile.config.CONFIG_ROOT
    configuration = opensmile.FeatureSet[feature_set].value + opensmile.config.CONFIG_EXT
    smile = OpenSMILE()
    smile.initialize(
        str(folder / configuration),
        options={
            "source": folder / opensmile.config.EXTERNAL_INPUT_CONFIG,
            "sink": folder / opensmile.config.EXTERNAL_OUTPUT_MULTI_CONFIG,
            "bufferModeRbConf": folder / "shared" / "BufferModeRb.conf.inc",
            "frameModeFunctionalsConf": folder / "shared" / "FrameModeFunctionals.conf.inc",
            "sampleRate": sample_rate,
            "nBits": 16,
        },
    )
    return smile
