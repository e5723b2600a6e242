"""A small corpus of faces and voices, and a small MUSAN, for the tests of noise."""

from __future__ import annotations

from pathlib import Path

import numpy as np
from broken_corpus import portrait
from tiny_audio import write_wav

from mertools.clip import Clip
from mertools.corpus import write_manifest
from mertools.media import SAMPLE_RATE, write_clip


def buzz(seconds: float, hertz: float, loudness: float = 0.1) -> np.ndarray:
    """A voice of a kind: harmonics in syllables, some hiss."""
    times = np.arange(round(seconds * SAMPLE_RATE)) / SAMPLE_RATE
    tone = sum(np.sin(2 * np.pi * hertz * k * times) / k for k in range(1, 12))
    hiss = np.random.default_rng(round(hertz)).normal(size=len(times))
    return (loudness * (1 + np.sin(2 * np.pi * 3 * times)) / 2 * (tone + 0.05 * hiss)).astype(np.float32)


def make_corpus(folder: Path) -> Path:
    """Two clips with face and voice, one each with voice or picture alone; by the speakers anna and bert."""
    folder.mkdir(parents=True, exist_ok=True)
    frames = portrait(8)
    write_clip(folder / "both.mp4", frames, 25, buzz(0.32, 110))
    write_clip(folder / "long one.mp4", [*frames, *frames], 25, buzz(0.7, 190))
    write_clip(folder / "mute.mp4", frames, 25)
    write_wav(folder / "heard.wav", buzz(0.5, 150))
    clips = [
        Clip("both", video=folder / "both.mp4", subtitle_english="I am fine.", split="train", speaker="anna"),
        Clip("long one", video=folder / "long one.mp4", subtitle_english="Really?", split="semi", speaker="bert"),
        Clip("mute", video=folder / "mute.mp4", split="semi", speaker="anna"),
        Clip("heard", audio=folder / "heard.wav", split="semi", speaker="bert"),
    ]
    write_manifest(folder / "manifest.csv", clips)
    return folder / "manifest.csv"


def make_musan(folder: Path) -> Path:
    """MUSAN's three subsets; speech has a long, a quiet, a short, a silent and an unreadable recording."""
    for kind in ("music", "noise", "speech/librivox"):
        (folder / kind).mkdir(parents=True)
    speech = folder / "speech" / "librivox"
    write_wav(speech / "long.wav", buzz(4, 130))
    write_wav(speech / "quiet.wav", buzz(2, 170, loudness=0.003))
    write_wav(speech / "short.wav", buzz(0.2, 210))
    write_wav(speech / "silent.wav", np.zeros(2 * SAMPLE_RATE))
    (speech / "broken.wav").write_bytes(b"not media")
    (folder / "speech" / "README").write_text("which is no recording")
    write_wav(folder / "music" / "song.wav", buzz(3, 330))
    return folder
