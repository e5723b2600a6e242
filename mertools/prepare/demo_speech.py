"""Speech by eSpeak NG that carries an emotion: samples as a pure function of a voice, a prosody and the words."""

from __future__ import annotations

import subprocess
import sys
from dataclasses import dataclass, fields
from pathlib import Path

import espeakng_loader
import numpy as np

from mertools.prepare import espeak_process
from mertools.prepare.draws import one_of
from mertools.randomness import generator

SAMPLE_RATE = 22_050
"""What eSpeak NG gives."""

LONGEST_SECONDS = 3.4
"""Speech that would be longer is spoken faster."""

LANGUAGES = {"cmn": ("cmn",), "en": ("en-us", "en-gb-x-rp")}
VARIANTS = {"female": ("f1", "f2", "f3", "f4", "f5"), "male": ("m1", "m2", "m3", "m4", "m5", "m6", "m7", "m8")}
"""eSpeak NG's own variants; those built on its Klatt synthesiser draw noise and are left out."""

LOUDNESS_DB = -24.0
ROOM_NOISE_DB = -66.0


@dataclass(frozen=True)
class Voice:
    """A speaker's voice: eSpeak NG's name for it, words a minute, and pitch on its scale of 0..99."""

    name: str
    rate: float
    pitch: float


def draw_voice(rng: np.random.Generator, language: str, variant: str) -> Voice:
    """A speaker's voice in `language` ("cmn", "en") with one of eSpeak NG's variants."""
    return Voice(f"{one_of(rng, LANGUAGES[language])}+{variant}", rate=rng.uniform(172, 192), pitch=rng.uniform(40, 50))


@dataclass(frozen=True)
class Prosody:
    """How something is said, relative to the speaker's voice. Linear: prosodies can be mixed."""

    tempo: float = 1.0  # factor on words a minute
    pitch_shift: float = 0.0  # on eSpeak NG's scale; 50 is about an octave
    pitch_range: float = 36.0  # on eSpeak NG's scale of 0..99
    gain_db: float = 0.0
    tilt_db: float = 0.0  # an octave: above 0 the voice is bright and pressed, below 0 soft
    roughness: float = 0.0  # saturation
    tremor: float = 0.0  # depth of a shaking of loudness and pitch
    breath_db: float = -50.0  # breath noise under the voice

    def mixed(self, other: Prosody, share: float) -> Prosody:
        """`share` of the other prosody, the rest of this one."""
        pairs = zip(self._values(), other._values(), strict=True)
        return Prosody(*((1 - share) * mine + share * theirs for mine, theirs in pairs))

    def _values(self) -> tuple[float, ...]:
        return tuple(getattr(self, value.name) for value in fields(self))


PROSODIES = {
    "neutral": Prosody(),
    "angry": Prosody(tempo=1.15, pitch_shift=6, pitch_range=60, gain_db=9, tilt_db=3.0, roughness=2.5),
    "happy": Prosody(tempo=1.12, pitch_shift=22, pitch_range=90, gain_db=4, tilt_db=1.5),
    "sad": Prosody(tempo=0.72, pitch_shift=-16, pitch_range=10, gain_db=-8, tilt_db=-4.0, breath_db=-26),
    "worried": Prosody(tempo=0.95, pitch_shift=14, pitch_range=18, gain_db=-5, tilt_db=-1, tremor=0.6, breath_db=-18),
    "surprise": Prosody(tempo=0.95, pitch_shift=44, pitch_range=99, gain_db=6, tilt_db=0.5),
}
"""The prototypes of the six classes, after the acoustic correlates in Banse and Scherer (1996)."""


def draw_prosody(rng: np.random.Generator, prototype: Prosody) -> Prosody:
    """A prototype as one speaker says one clip."""
    neutral = PROSODIES["neutral"]
    said = neutral.mixed(prototype, rng.uniform(0.85, 1.1))
    return Prosody(
        tempo=said.tempo * rng.uniform(0.95, 1.05),
        pitch_shift=said.pitch_shift + rng.uniform(-3, 3),
        pitch_range=said.pitch_range + rng.uniform(-5, 5),
        gain_db=said.gain_db + rng.uniform(-1.5, 1.5),
        tilt_db=said.tilt_db + rng.uniform(-0.4, 0.4),
        roughness=max(said.roughness, 0.0),
        tremor=max(said.tremor, 0.0),
        breath_db=said.breath_db + rng.uniform(-2, 2),
    )


def speak(text: str, voice: Voice, prosody: Prosody, noise_seed: int) -> np.ndarray:
    """The words as sound, (N,) float32 mono at SAMPLE_RATE in [-1, 1], without silence before or after.

    The same arguments give the same samples. Raises RuntimeError where eSpeak NG fails.
    """
    rate = voice.rate * prosody.tempo
    sound = _synthesise(text, voice, prosody, rate)
    if len(sound) > LONGEST_SECONDS * SAMPLE_RATE:
        rate *= 1.05 * len(sound) / (LONGEST_SECONDS * SAMPLE_RATE)
        sound = _synthesise(text, voice, prosody, rate)
    rng = generator(noise_seed, "voice")
    return _colour(sound, prosody, rng).astype(np.float32)


def room_noise(count: int, noise_seed: int) -> np.ndarray:
    """`count` samples of the quiet noise of a room: no recording is digitally silent."""
    return 10 ** (ROOM_NOISE_DB / 20) * generator(noise_seed, "room").standard_normal(count).astype(np.float32)


def loudness(sound: np.ndarray, frames_per_second: float, count: int) -> np.ndarray:
    """How loud the sound is around each of `count` video frames, 0..1 of its own maximum, (count,)."""
    edges = np.rint(np.arange(count + 1) * SAMPLE_RATE / frames_per_second).astype(int)
    energy = np.concatenate([[0.0], np.cumsum(np.square(sound, dtype=np.float64))])
    edges = np.minimum(edges, len(sound))
    level = np.sqrt(np.diff(energy[edges]) / np.maximum(np.diff(edges), 1))
    return level / max(level.max(), 1e-9)


def _synthesise(text: str, voice: Voice, prosody: Prosody, rate: float) -> np.ndarray:
    settings = (rate, np.clip(voice.pitch + prosody.pitch_shift, 0, 99), np.clip(prosody.pitch_range, 0, 99))
    program = [sys.executable, "-I", "-S", str(Path(espeak_process.__file__))]
    library = [espeakng_loader.get_library_path(), espeakng_loader.get_data_path(), voice.name]
    done = subprocess.run(
        [*program, *library, *(str(round(s)) for s in settings)], input=text.encode(), capture_output=True
    )
    if done.returncode:
        problem = done.stderr.decode(errors="replace").strip() or f"it ended with status {done.returncode}"
        raise RuntimeError(f"eSpeak NG could not say {text!r}: {problem}")
    if int.from_bytes(done.stdout[:4], sys.byteorder) != SAMPLE_RATE:
        raise RuntimeError(f"eSpeak NG's voices are expected at {SAMPLE_RATE} Hz")
    sound = np.frombuffer(done.stdout, np.int16, offset=4) / 32768
    spoken = np.flatnonzero(np.abs(sound) > 0.01)
    if not len(spoken):
        raise RuntimeError(f"eSpeak NG said nothing for {text!r}")
    return sound[spoken[0] : spoken[-1] + 1]


def _colour(sound: np.ndarray, prosody: Prosody, rng: np.random.Generator) -> np.ndarray:
    """Voice quality that eSpeak NG has no parameter for: tremor, tilt, roughness and breath; then the loudness."""
    seconds = np.arange(len(sound)) / SAMPLE_RATE
    shaking = 2 * np.pi * 6.5 * seconds + rng.uniform(0, 2 * np.pi)
    if prosody.tremor:
        # Reading at a swinging position swings the pitch by about 4 % at full depth.
        sound = np.interp(seconds + 0.001 * prosody.tremor * np.sin(shaking), seconds, sound)
        sound = sound * (1 + 0.7 * prosody.tremor * np.sin(shaking))
    spectrum = np.fft.rfft(sound)
    frequencies = np.maximum(np.fft.rfftfreq(len(sound), 1 / SAMPLE_RATE), 80.0)
    sound = np.fft.irfft(spectrum * 10 ** (prosody.tilt_db / 20 * np.log2(frequencies / 1000)), len(sound))
    sound = sound / np.sqrt(np.mean(sound**2))
    if prosody.roughness:
        sound = np.tanh(prosody.roughness * sound)
        sound = sound / np.sqrt(np.mean(sound**2))
    window = np.hanning(SAMPLE_RATE // 25)
    envelope = np.sqrt(np.convolve(sound**2, window / window.sum(), mode="same"))
    sound = sound + 10 ** (prosody.breath_db / 20) * 4 * envelope * rng.standard_normal(len(sound))
    return np.clip(10 ** ((LOUDNESS_DB + prosody.gain_db) / 20) * sound, -1, 1)
