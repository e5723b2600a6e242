"""Inside a corruption, media give the noisy clip to whoever reads; outside, nothing has changed."""

from __future__ import annotations

import shutil
import wave
from pathlib import Path

import numpy as np
import pytest
from noise_corpus import make_corpus, make_musan

from mertools.clip import Clip
from mertools.corpus import read_manifest
from mertools.errors import InputError
from mertools.media import Sound, UnreadableMedia, decoding_once, evenly, read_audio, read_frames
from noise.audio import rms
from noise.blur import blur
from noise.corruption import Corruption, Noise, load_noise
from noise.draw import draw_voice
from noise.recipe import ClipNoise, Piece, Recipe, write_recipe
from noise.recordings import musan, read_voice

VOICE = (Piece("librivox/long.wav", 1.0), Piece("librivox/short.wav", 0.0))


@pytest.fixture(scope="module")
def clip(tmp_path_factory: pytest.TempPathFactory) -> Clip:
    return read_manifest(make_corpus(tmp_path_factory.mktemp("corpus"))).clips[0]


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return make_musan(tmp_path_factory.mktemp("musan")) / "speech"


def test_readers_get_the_noisy_clip(clip: Clip, folder: Path) -> None:
    clean, frames = read_audio(clip.sound), read_frames(clip.video, evenly(3))
    with Corruption(ClipNoise(6, (VOICE,), 4), folder, "pyramid").applied():
        noisy, blurred = read_audio(clip.sound), read_frames(clip.video, evenly(3))
        with decoding_once():
            for _ in range(2):
                np.testing.assert_array_equal(read_audio(clip.sound).samples, noisy.samples)
                np.testing.assert_array_equal(read_frames(clip.video, evenly(3)).images, blurred.images)
        at_8000 = read_audio(clip.sound, 8000)
    noise = read_audio(folder / "librivox" / "long.wav").samples[16_000:][: len(clean.samples)]
    left = noisy.samples - clean.samples
    assert 20 * np.log10(rms(clean.samples) / rms(left)) == pytest.approx(6, abs=0.01)
    assert np.corrcoef(left, noise)[0, 1] > 0.999
    assert len(at_8000.samples) == pytest.approx(len(noisy.samples) / 2, abs=1)
    np.testing.assert_array_equal(blurred.images, [blur(image, 4) for image in frames.images])
    np.testing.assert_array_equal(read_audio(clip.sound).samples, clean.samples)
    np.testing.assert_array_equal(read_frames(clip.video, evenly(3)).images, frames.images)


@pytest.mark.parametrize("cases", [100, pytest.param(1_000, marks=pytest.mark.slow)])
def test_the_ratio_holds_whatever_the_recordings_are(cases: int, tmp_path: Path) -> None:
    """Stereo and other rates, shorter than the clip, next to silent; measured before anything is encoded."""
    folder = tmp_path / "recordings"
    folder.mkdir()
    for name, rate, channels, seconds, loudness in (
        ("stereo.wav", 44_100, 2, 1.5, 0.2),
        ("slow.wav", 8_000, 1, 1.5, 0.2),
        ("short.wav", 22_050, 2, 0.1, 0.2),
        ("quiet.wav", 16_000, 1, 1.5, 5e-4),
    ):
        samples = loudness * np.random.default_rng(rate).normal(size=(round(seconds * rate), channels)).clip(-4, 4)
        write_pcm(folder / name, samples, rate)
    recordings, rng = musan(folder, "speech"), np.random.default_rng(0)
    used: set[str] = set()
    for case in range(cases):
        speech = (10 ** rng.uniform(-3, -0.3) * rng.normal(size=int(rng.integers(800, 12_000)))).astype(np.float32)
        snr_db = float(rng.uniform(5, 10))
        voice = draw_voice(rng, recordings, {"nobody"}, len(speech) / 16_000, [])
        used.update(piece.file for piece in voice)
        noisy = Corruption(ClipNoise(snr_db, (voice,), 1), folder, "pyramid").sound(Sound(speech, 16_000)).samples
        noise = read_voice(folder, voice, len(speech), 16_000)
        (scale, gain), *_ = np.linalg.lstsq(np.stack([speech, noise], axis=1).astype(float), noisy, rcond=None)
        assert 20 * np.log10(scale * rms(speech) / (gain * rms(noise))) == pytest.approx(snr_db, abs=0.01), case
        assert np.abs(noisy).max() <= 1
    assert used == {recording.file for recording in recordings.files}


def write_pcm(path: Path, samples: np.ndarray, rate: int) -> None:
    """Samples (N, channels) as 16-bit sound."""
    with wave.open(str(path), "wb") as file:
        file.setnchannels(samples.shape[1])
        file.setsampwidth(2)
        file.setframerate(rate)
        file.writeframes((samples.clip(-1, 1) * (2**15 - 1)).astype("<i2").tobytes())


def test_what_has_no_noise_is_not_passed_for_noisy(clip: Clip, folder: Path) -> None:
    with Corruption(ClipNoise(None, (), None), folder, "pyramid").applied():
        with pytest.raises(UnreadableMedia, match="no noise for its sound"):
            read_audio(clip.sound)
        with pytest.raises(UnreadableMedia, match="no blur for its video"):
            read_frames(clip.video)


@pytest.mark.parametrize(
    ("file", "told"), [("broken.wav", "cannot be read"), ("absent.wav", "does not exist"), ("silent.wav", "is silent")]
)
def test_recordings_that_have_changed_are_told(file: str, told: str, clip: Clip, folder: Path) -> None:
    noise = ClipNoise(6, ((Piece(f"librivox/{file}", 0.0),),), 1)
    with Corruption(noise, folder, "pyramid").applied(), pytest.raises(UnreadableMedia, match=told) as failed:
        read_audio(clip.sound)
    assert file in str(failed.value)


def test_where_the_recordings_lie(clip: Clip, folder: Path, tmp_path: Path) -> None:
    clips = {clip.name: ClipNoise(6, (VOICE,), 1)}
    write_recipe(tmp_path / "recipe.jsonl", Recipe(0, "speech", "pyramid", clips))
    noise = load_noise(tmp_path / "recipe.jsonl", folder.parent, tmp_path)
    assert noise == load_noise(tmp_path / "recipe.jsonl", folder, tmp_path) and noise.folder == folder.resolve()
    assert noise.of(clip).noise.snr_db == 6
    with pytest.raises(InputError, match="--speech"):
        load_noise(tmp_path / "recipe.jsonl", None, tmp_path)
    with pytest.raises(InputError, match="has none of the 2 recordings"):
        load_noise(tmp_path / "recipe.jsonl", clip.video.parent, tmp_path)
    write_recipe(tmp_path / "babble.jsonl", Recipe(0, "corpus", "pyramid", clips))
    shutil.copytree(folder, tmp_path / "corpus")
    assert load_noise(tmp_path / "babble.jsonl", None, tmp_path / "corpus").folder == (tmp_path / "corpus").resolve()


def test_a_recipe_that_lacks_clips(clip: Clip, folder: Path) -> None:
    with pytest.raises(InputError, match=r"lacks 1 of 1 clips \(first: both\)"):
        Noise(Recipe(0, "speech", "pyramid", {}), folder).check([clip])
