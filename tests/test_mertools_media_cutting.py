"""Clips that are cut from films: sound and picture within 40 ms of the source, at both ends."""

from __future__ import annotations

from fractions import Fraction
from pathlib import Path

import av
import numpy as np
import pytest

from mertools.media import (
    FramePart,
    MissingMedium,
    UnreadableMedia,
    cut_clip,
    read_audio,
    read_audio_part,
    read_frames,
    read_text_streams,
)

SECONDS = 20
RATE = 48_000
TOLERANCE = 0.04


def is_on(times: np.ndarray) -> np.ndarray:
    """Picture and sound of the films are on and off together, for 0.4 s each."""
    return (np.asarray(times) / 0.4).astype(int) % 2 == 1


def film(path: Path, stamps: np.ndarray, sound_from: float = 0.0, gop: int = 250, rate: int = 25) -> Path:
    """Pictures at `stamps` seconds, white while it is on; a tone while it is on, from `sound_from` seconds on."""
    base = Fraction(1, 90_000)
    with av.open(str(path), "w") as container:
        options = {"g": str(gop), "keyint_min": str(gop), "sc_threshold": "0", "threads": "1", "preset": "ultrafast"}
        video = container.add_stream("libx264", rate=rate, options=options)
        video.width, video.height, video.pix_fmt = 64, 48, "yuv420p"
        video.codec_context.time_base = base
        audio = container.add_stream("aac", rate=RATE, layout="mono")
        times = np.arange(round(sound_from * RATE), SECONDS * RATE) / RATE
        samples = (0.4 * np.sin(2 * np.pi * 500 * times) * is_on(times)).astype(np.float32)
        pictures = [(stamp, None) for stamp in stamps]
        sounds = [(times[start], samples[None, start : start + 1024]) for start in range(0, len(samples), 1024)]
        # In the order of time, as films are: what a film's streams start with is then found at its beginning.
        for time, part in sorted(pictures + sounds, key=lambda one: one[0]):
            if part is None:
                image = np.full((48, 64, 3), 230 * is_on(time) + 10, np.uint8)
                frame = av.VideoFrame.from_ndarray(image, format="rgb24")
                frame.pts, frame.time_base = round(time / base), base
                container.mux(video.encode(frame))
            else:
                sound = av.AudioFrame.from_ndarray(part, format="fltp", layout="mono")
                sound.sample_rate, sound.time_base, sound.pts = RATE, Fraction(1, RATE), round(time * RATE)
                container.mux(audio.encode(sound))
        for stream in (video, audio):
            container.mux(stream.encode(None))
    return path


def steady(rate: float, begin: float = 0.0) -> np.ndarray:
    return np.arange(begin, SECONDS, 1 / rate)


def uneven() -> np.ndarray:
    gaps = np.random.default_rng(1).choice([1 / 60, 1 / 30, 1 / 15], 3000)
    times = np.cumsum(gaps)
    return np.concatenate([[0.0], times[times < SECONDS]])


FILMS = {
    "long-gop.mp4": lambda path: film(path, steady(25)),
    "film-rate.mkv": lambda path: film(path, steady(24000 / 1001), rate=24),
    "uneven.mp4": lambda path: film(path, uneven()),
    "late-sound.mkv": lambda path: film(path, steady(25), sound_from=1.5),
    "late-picture.mkv": lambda path: film(path, steady(25, 1.5)),
    "late-both.ts": lambda path: film(path, steady(30, 3.0), sound_from=2.5, gop=60),
}


@pytest.fixture(scope="module", params=FILMS)
def source(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Path:
    return FILMS[request.param](tmp_path_factory.mktemp("films") / request.param)


def switches(path: Path) -> tuple[np.ndarray, np.ndarray]:
    """When picture and sound go on or off, in seconds."""
    frames = read_frames(path)
    seen = frames.times[1:][np.diff(np.array([image.mean() for image in frames.images]) > 128)]
    sound = read_audio(path)
    level = np.abs(sound.samples[: len(sound.samples) // 80 * 80]).reshape(-1, 80).max(1)
    return seen, np.flatnonzero(np.diff(level > 0.1)) * 80 / sound.sample_rate


@pytest.mark.parametrize("begin, end", [(5.07, 17.31), (4.0, 6.013)])
def test_sound_and_picture_stay_with_the_source_to_both_ends(
    source: Path, tmp_path: Path, begin: float, end: float
) -> None:
    cut_clip(source, begin, end, tmp_path / "clip.mp4")
    seen, heard = switches(tmp_path / "clip.mp4")
    for found, whole in zip((seen, heard), switches(source), strict=True):
        expected = whole[(whole > begin + TOLERANCE) & (whole < end - TOLERANCE)] - begin
        inside = found[(found > TOLERANCE / 2) & (found < end - begin - TOLERANCE / 2)]
        close = np.abs(expected[:, None] - inside[None]).min(1)
        assert len(expected) > 3
        assert close.max() <= TOLERANCE
    frames = read_frames(tmp_path / "clip.mp4")
    shown_until = frames.times[-1] + np.median(np.diff(frames.times))
    assert shown_until == pytest.approx(end - begin, abs=TOLERANCE)
    assert read_audio(tmp_path / "clip.mp4").duration_seconds == pytest.approx(end - begin, abs=TOLERANCE)


def test_a_part_before_the_sound_begins_is_silent_until_then(tmp_path: Path) -> None:
    path = film(tmp_path / "late.mkv", steady(25), sound_from=1.5)
    part = read_audio_part(path, 1.0, 2.0)
    whole = read_audio(path)
    np.testing.assert_allclose(part.samples, whole.samples[16_000:48_000], atol=0.02)


def test_a_part_that_the_film_does_not_have_is_told_of(tmp_path: Path) -> None:
    path = film(tmp_path / "film.mp4", steady(25))
    part = FramePart(path, 18.0, 100, 25)
    assert len(list(part)) == 100
    assert "the picture ends" in part.problem
    with pytest.raises(UnreadableMedia, match="ends"):
        cut_clip(path, 18.0, 22.0, tmp_path / "clip.mp4")
    assert not (tmp_path / "clip.mp4").exists()


def test_a_damaged_part_is_refused_and_the_rest_can_be_cut(tmp_path: Path) -> None:
    path = film(tmp_path / "film.mkv", steady(25), gop=25)
    with av.open(str(path)) as container:
        hurt = [p.pos for p in container.demux(video=0) if p.pts is not None and 8.0 < p.pts * p.time_base < 9.0]
    content = bytearray(path.read_bytes())
    for position in hurt:
        content[position + 12 : position + 40] = bytes(range(200, 228))
    path.write_bytes(content)
    with pytest.raises(UnreadableMedia):
        cut_clip(path, 7.5, 9.5, tmp_path / "damaged.mp4")
    cut_clip(path, 12.0, 14.0, tmp_path / "whole.mp4")
    assert (tmp_path / "whole.mp4").exists()


def test_a_film_without_sound_lacks_a_medium(tmp_path: Path) -> None:
    whole, silent = film(tmp_path / "film.mp4", steady(25)), tmp_path / "silent.mp4"
    with av.open(str(whole)) as old, av.open(str(silent), "w") as new:
        stream = new.add_stream_from_template(old.streams.video[0])
        for packet in old.demux(video=0):
            if packet.dts is not None:
                packet.stream = stream
                new.mux(packet)
    with pytest.raises(MissingMedium):
        cut_clip(silent, 1.0, 3.0, tmp_path / "clip.mp4")
    assert read_text_streams(silent) == []
