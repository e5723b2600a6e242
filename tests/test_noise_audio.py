"""The speech-to-noise ratio that was asked for is the one that is there, before and after the file."""

from __future__ import annotations

from pathlib import Path

import av
import numpy as np
import pytest

from mertools.media import SAMPLE_RATE, read_audio, write_clip
from noise.audio import mix_at_snr, rms

CASES = 1_000
MIXING_ERROR_DB = 0.01
CODING_ERROR_DB = 0.5


def babbling(seconds: float, seed: int, sample_rate: int = SAMPLE_RATE) -> np.ndarray:
    """Something like speech: coloured noise in syllables and pauses."""
    rng = np.random.default_rng(seed)
    count = round(seconds * sample_rate)
    sound = np.convolve(rng.normal(size=count), np.hanning(9) * np.cos(np.arange(9)), "same")
    loudness = np.repeat(rng.random(count // 1_600 + 1) * (rng.random(count // 1_600 + 1) > 0.3), 1_600)[:count]
    return (0.1 * loudness * sound).astype(np.float32)


def decibels(ratio: float) -> float:
    return 20 * np.log10(ratio)


def test_the_ratio_is_the_drawn_one() -> None:
    rng = np.random.default_rng(0)
    for case in range(CASES):
        count = int(rng.integers(400, 24_000))
        speech = (10 ** rng.uniform(-3, 0) * rng.normal(size=count)).astype(np.float32)
        noise = (10 ** rng.uniform(-4, 0) * rng.laplace(size=count)).astype(np.float32)
        snr_db = rng.uniform(5, 10)
        mixture, scale = mix_at_snr(speech, noise, snr_db)
        assert mixture.dtype == np.float32 and np.abs(mixture).max() <= 1, case
        left = mixture.astype(np.float64) / scale - speech
        assert decibels(rms(speech) / rms(left)) == pytest.approx(snr_db, abs=MIXING_ERROR_DB), case


def test_only_what_would_clip_is_scaled() -> None:
    speech, noise = babbling(1, 1), babbling(1, 2)
    mixture, scale = mix_at_snr(speech, noise, 5)
    assert scale == 1
    loud, scale = mix_at_snr(speech / np.abs(mixture).max() * 2, noise, 5)
    assert scale == pytest.approx(0.5, abs=1e-6) and np.abs(loud).max() == pytest.approx(1)


def test_silence_and_lengths() -> None:
    noise, silence = babbling(1, 1), np.zeros(SAMPLE_RATE, np.float32)
    assert not mix_at_snr(silence, noise, 5)[0].any()
    with pytest.raises(ValueError, match="silent"):
        mix_at_snr(noise, silence, 5)
    with pytest.raises(ValueError, match="length"):
        mix_at_snr(noise, noise[1:], 5)


@pytest.mark.parametrize("rate, layout", [(SAMPLE_RATE, "mono"), (44_100, "stereo")])
def test_the_ratio_survives_the_file(rate: int, layout: str, tmp_path: Path) -> None:
    speech = babbling(3, 1)
    with av.open(str(tmp_path / "noise.wav"), "w") as container:
        stream = container.add_stream("pcm_s16le", rate=rate, layout=layout)
        samples = (np.repeat(babbling(3, 2, rate), 2 if layout == "stereo" else 1) * 2**15).astype(np.int16)
        frame = av.AudioFrame.from_ndarray(samples[None], format="s16", layout=layout)
        frame.sample_rate = rate
        container.mux(stream.encode(frame))
        container.mux(stream.encode(None))
    noise = read_audio(tmp_path / "noise.wav").samples
    speech, noise = speech[: len(noise)], noise[: len(speech)]
    for snr_db in (5, 7.5, 10):
        mixture, _ = mix_at_snr(speech, noise, snr_db)
        write_clip(tmp_path / "noisy.mp4", [np.zeros((16, 16, 3), np.uint8)] * 75, 25, mixture)
        decoded = read_audio(tmp_path / "noisy.mp4").samples
        assert projected_snr_db(decoded, speech, noise) == pytest.approx(snr_db, abs=CODING_ERROR_DB)


def test_the_ratio_survives_the_file_on_recordings(media_folder: Path, tmp_path: Path) -> None:
    noises = sorted((media_folder / "speech").glob("*.wav"))
    for number, path in enumerate(sorted((media_folder / "ravdess").glob("*.flac"))[::60]):
        speech, noise = read_audio(path).samples, read_audio(noises[number % len(noises)]).samples
        noise = np.resize(noise, len(speech))
        for snr_db in (5, 10):
            mixture, _ = mix_at_snr(speech, noise, snr_db)
            write_clip(tmp_path / "noisy.mp4", [np.zeros((16, 16, 3), np.uint8)] * 75, 25, mixture)
            found = projected_snr_db(read_audio(tmp_path / "noisy.mp4").samples, speech, noise)
            assert found == pytest.approx(snr_db, abs=CODING_ERROR_DB), path.name


def projected_snr_db(decoded: np.ndarray, speech: np.ndarray, noise: np.ndarray) -> float:
    """The ratio of speech to noise in `decoded`, aligned with them and projected on both."""
    count = 2 * len(speech)
    correlation = np.fft.irfft(np.fft.rfft(decoded, count) * np.conj(np.fft.rfft(speech, count)), count)
    decoded = np.roll(decoded, -int(correlation.argmax()))[: len(speech)]
    length = min(len(decoded), len(speech))
    parts = np.stack([speech[:length], noise[:length]], axis=1).astype(np.float64)
    (of_speech, of_noise), *_ = np.linalg.lstsq(parts, decoded[:length].astype(np.float64), rcond=None)
    return decibels(of_speech * rms(speech) / (of_noise * rms(noise)))
