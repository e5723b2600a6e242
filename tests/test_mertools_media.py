"""Reading and writing clips, above all the broken ones; every file is made here."""

from __future__ import annotations

import os
import pickle
import socket
import subprocess
import sys
from fractions import Fraction
from pathlib import Path

import av
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from mertools import media
from mertools.media import (
    SAMPLE_RATE,
    FrameStream,
    MissingMedium,
    UnreadableMedia,
    check_video,
    decoding_once,
    evenly,
    every,
    read_audio,
    read_audio_part,
    read_frames,
    sound_seconds,
    stated_seconds,
    write_clip,
    write_sound,
)

RED, GREEN = (200, 30, 60), (30, 200, 60)


def pictures(count: int, height: int = 48, width: int = 64) -> list[np.ndarray]:
    """A bright bar that moves from left to right on textured grey: frame i has it at column i."""
    grey = np.random.default_rng(0).integers(60, 100, (height, width, 3), dtype=np.uint8)
    images = []
    for index in range(count):
        images.append(grey.copy())
        images[-1][:, index % width] = 250
    return images


def tone(seconds: float, sample_rate: int = SAMPLE_RATE, hertz: float = 440.0) -> np.ndarray:
    times = np.arange(round(seconds * sample_rate)) / sample_rate
    return (0.4 * np.sin(2 * np.pi * hertz * times)).astype(np.float32)


@pytest.fixture(scope="module")
def clip(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Two seconds at 25 frames a second, with sound."""
    path = tmp_path_factory.mktemp("clip") / "clip.mp4"
    write_clip(path, pictures(50), 25, tone(2))
    return path


def remux(source: Path, target: Path, media: tuple[str, ...] = ("video", "audio"), **options: str) -> Path:
    """The same packets in another container."""
    with av.open(str(source)) as old, av.open(str(target), "w", options=options) as new:
        streams = {s.index: new.add_stream_from_template(s) for s in old.streams if s.type in media}
        for packet in old.demux(*(old.streams[index] for index in streams)):
            if packet.dts is not None:
                packet.stream = streams[packet.stream.index]
                new.mux(packet)
    return target


def encode(
    target: Path,
    video_codec: str | None = "libx264",
    stamps: list[int] | None = None,
    audio_codec: str | None = None,
    audio_start: float = 0.0,
    b_frames: int = 0,
) -> Path:
    """A clip that `write_clip` would not write: picture stamps in 1/1000 s, sound that begins late, other codecs."""
    stamps = list(range(0, 2000, 40)) if stamps is None else stamps
    with av.open(str(target), "w") as container:
        if video_codec:
            # AVI and MPEG-4 know nothing but a fixed rate.
            base = Fraction(1, 25) if target.suffix == ".avi" else Fraction(1, 1000)
            video = container.add_stream(video_codec, rate=25)
            video.width, video.height, video.pix_fmt = 64, 48, "yuv420p"
            video.codec_context.time_base = base
            video.codec_context.max_b_frames = b_frames
        if audio_codec:
            audio = container.add_stream(audio_codec, rate=SAMPLE_RATE, layout="mono")
        if video_codec:
            for stamp, image in zip(stamps, pictures(len(stamps)), strict=True):
                frame = av.VideoFrame.from_ndarray(image, format="rgb24")
                frame.pts, frame.time_base = round(stamp / 1000 / base), base
                container.mux(video.encode(frame))
            container.mux(video.encode(None))
        if audio_codec:
            frame = av.AudioFrame.from_ndarray(tone(2)[None], format="flt", layout="mono")
            frame.sample_rate = SAMPLE_RATE
            size = audio.codec_context.frame_size or 1024
            resampler = av.AudioResampler(audio.format, "mono", SAMPLE_RATE, size)
            for index, part in enumerate([*resampler.resample(frame), *resampler.resample(None)]):
                part.pts, part.time_base = round(audio_start * SAMPLE_RATE) + index * size, Fraction(1, SAMPLE_RATE)
                container.mux(audio.encode(part))
            container.mux(audio.encode(None))
    return target


def overwrite(path: Path, position: int, content: bytes) -> None:
    data = bytearray(path.read_bytes())
    data[position : position + len(content)] = content
    path.write_bytes(data)


# ---- what a good clip gives


def test_frames_come_back_with_their_times(clip: Path) -> None:
    frames = read_frames(clip)
    assert frames.problem is None
    np.testing.assert_allclose(frames.times, np.arange(50) / 25, atol=1e-9)
    assert [int(image.mean(axis=(0, 2)).argmax()) for image in frames.images] == list(range(50))
    assert {image.shape for image in frames.images} == {(48, 64, 3)}
    assert frames.images[0].dtype == np.uint8


def test_sound_comes_back_as_mono_float(clip: Path) -> None:
    sound = read_audio(clip)
    assert sound.problem is None
    assert sound.sample_rate == SAMPLE_RATE
    assert sound.samples.dtype == np.float32
    # AAC fills its last block of 1024 samples.
    assert 2.0 <= sound.duration_seconds <= 2.0 + 1024 / SAMPLE_RATE
    heard = sound.samples[: 2 * SAMPLE_RATE]
    assert np.corrcoef(heard, tone(2))[0, 1] > 0.99
    assert heard.std() == pytest.approx(tone(2).std(), rel=0.05)


def test_a_beep_and_a_flash_at_one_moment_stay_together(tmp_path: Path) -> None:
    images = [np.full((48, 64, 3), 255 if 25 <= index < 28 else 20, np.uint8) for index in range(50)]
    samples = np.zeros(2 * SAMPLE_RATE, np.float32)
    samples[SAMPLE_RATE : SAMPLE_RATE + 1600] = tone(0.1, hertz=1000)
    write_clip(tmp_path / "clip.mp4", images, 25, samples)
    frames, sound = read_frames(tmp_path / "clip.mp4"), read_audio(tmp_path / "clip.mp4")
    flash = next(time for time, image in frames if image.mean() > 128)
    beep = np.flatnonzero(np.abs(sound.samples) > 0.1)[0] / SAMPLE_RATE
    assert flash == pytest.approx(1.0, abs=0.001)
    assert beep == pytest.approx(1.0, abs=0.005)


@pytest.mark.parametrize("color_range", [1, 2])
@pytest.mark.parametrize("colorspace", [1, 5])
def test_colours_are_those_the_file_says(tmp_path: Path, colorspace: int, color_range: int) -> None:
    with av.open(str(tmp_path / "clip.mp4"), "w") as container:
        video = container.add_stream("libx264", rate=25, options={"crf": "1"})
        video.width, video.height, video.pix_fmt = 64, 48, "yuv420p"
        video.codec_context.colorspace, video.codec_context.color_range = colorspace, color_range
        image = np.concatenate([np.full((24, 64, 3), RED, np.uint8), np.full((24, 64, 3), GREEN, np.uint8)])
        frame = av.VideoFrame.from_ndarray(image, format="rgb24").reformat(
            format="yuv420p", dst_colorspace=colorspace, dst_color_range=color_range
        )
        container.mux(video.encode(frame))
        container.mux(video.encode(None))
    (image,) = read_frames(tmp_path / "clip.mp4").images
    np.testing.assert_allclose(image[10, 10], RED, atol=4)
    np.testing.assert_allclose(image[40, 40], GREEN, atol=4)


def test_stereo_is_averaged_and_resampled(tmp_path: Path) -> None:
    left = (tone(1, 44_100) * 32767).astype(np.int16)
    with av.open(str(tmp_path / "stereo.wav"), "w") as container:
        audio = container.add_stream("pcm_s16le", rate=44_100, layout="stereo")
        interleaved = np.stack([left, np.zeros_like(left)], axis=1).reshape(1, -1)
        frame = av.AudioFrame.from_ndarray(interleaved, format="s16", layout="stereo")
        frame.sample_rate = 44_100
        container.mux(audio.encode(frame))
        container.mux(audio.encode(None))
    sound = read_audio(tmp_path / "stereo.wav")
    assert len(sound.samples) == pytest.approx(SAMPLE_RATE, abs=32)
    middle = slice(1000, 15_000)
    np.testing.assert_allclose(sound.samples[middle], tone(1)[middle] / 2, atol=0.01)


def test_another_sample_rate_on_request(clip: Path) -> None:
    sound = read_audio(clip, 8000)
    assert sound.sample_rate == 8000
    assert sound.duration_seconds == pytest.approx(2.0, abs=0.1)


# ---- choosing frames


def test_chosen_frames_are_spread_over_the_clip(clip: Path) -> None:
    frames = read_frames(clip, evenly(5))
    np.testing.assert_allclose(frames.times, [0.2, 0.6, 1.0, 1.4, 1.8], atol=1e-9)
    assert [int(image.mean(axis=(0, 2)).argmax()) for image in frames.images] == [5, 15, 25, 35, 45]


def test_a_stream_gives_the_same_frames_one_at_a_time(clip: Path) -> None:
    stream, frames = FrameStream(clip, evenly(3)), read_frames(clip, evenly(3))
    np.testing.assert_array_equal(stream.times, frames.times)
    for (time, image), (other_time, other_image) in zip(stream, frames, strict=True):
        assert time == other_time
        np.testing.assert_array_equal(image, other_image)


@given(st.lists(st.floats(0.001, 5), min_size=1, max_size=60), st.integers(1, 80))
def test_evenly_keeps_each_frame_once(gaps: list[float], count: int) -> None:
    times = np.cumsum(gaps) - gaps[0]
    kept = evenly(count)(times)
    assert len(kept) == min(count, len(times))
    assert np.all(np.diff(kept) > 0)
    assert kept[0] >= 0
    assert kept[-1] < len(times)


def test_choosers_travel_to_worker_processes() -> None:
    times = np.arange(10) / 25
    for choose in (evenly(3), every()):
        np.testing.assert_array_equal(pickle.loads(pickle.dumps(choose))(times), choose(times))  # noqa: S301


# ---- decoding once


@pytest.mark.parametrize("bytes_kept", [media.FRAMES_KEPT_BYTES, 40_000, 0])
@pytest.mark.parametrize("order", [(3, None, 7, 3), (None, 3, 7)])
def test_readers_that_share_get_what_they_get_alone(
    clip: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, bytes_kept: int, order: tuple[int | None, ...]
) -> None:
    monkeypatch.setattr(media, "FRAMES_KEPT_BYTES", bytes_kept)
    damaged = tmp_path / "damaged.mp4"
    damaged.write_bytes(clip.read_bytes())
    overwrite(damaged, damaged.stat().st_size // 2, bytes(2000))
    for path in (clip, damaged):
        alone = [read_frames(path, count and evenly(count)) for count in order]
        with decoding_once():
            shared = [read_frames(path, count and evenly(count)) for count in order]
            at_once = [FrameStream(path, count and evenly(count)) for count in order]
            pairs = list(zip(*at_once, strict=False))
        for one, other in zip(alone, shared, strict=True):
            assert one.problem == other.problem
            np.testing.assert_array_equal(one.times, other.times)
            np.testing.assert_array_equal(one.images, other.images)
        for number, one in enumerate(alone):
            for pair, image in zip(pairs, one.images, strict=False):
                np.testing.assert_array_equal(pair[number][1], image)


def test_readers_that_share_decode_once(clip: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    opened = []
    decoded = media._decoded
    monkeypatch.setattr(media, "_decoded", lambda c, stream, d: opened.append(stream.type) or decoded(c, stream, d))
    with decoding_once():
        for count in (2, 50, 16):
            assert len(read_frames(clip, evenly(count)).images) == count
        sounds = [read_audio(clip), read_audio(clip), read_audio(clip, 8000)]
    assert opened == ["video", "audio", "audio"]
    sounds[0].samples[:] = 0
    assert sounds[1].samples.any(), "what one reader does to its samples is no concern of another's"
    read_audio(clip)
    assert len(opened) == 4, "nothing is kept afterwards"


# ---- files that are no clips, or lack a medium


def test_what_is_no_media_file_is_unreadable(tmp_path: Path) -> None:
    (tmp_path / "empty.mp4").touch()
    (tmp_path / "page.mp4").write_text("<!doctype html><html><body>404 Not Found</body></html>\n" * 20)
    (tmp_path / "folder.mp4").mkdir()
    reasons = {
        "absent.mp4": "absent.mp4 does not exist",
        "empty.mp4": "empty.mp4 is empty (0 bytes)",
        "page.mp4": "page.mp4 cannot be opened as media: Invalid data found when processing input",
        "folder.mp4": "folder.mp4 is a folder, not a media file",
    }
    for name, reason in reasons.items():
        for read in (read_audio, read_frames):
            with pytest.raises(UnreadableMedia) as caught:
                read(tmp_path / name)
            assert str(caught.value).startswith(reason)


def test_a_missing_stream_is_a_missing_medium(clip: Path, tmp_path: Path) -> None:
    silent = remux(clip, tmp_path / "silent.mp4", ("video",))
    blind = remux(clip, tmp_path / "blind.mp4", ("audio",))
    with pytest.raises(MissingMedium, match=r"^silent\.mp4 has no audio stream$"):
        read_audio(silent)
    with pytest.raises(MissingMedium, match=r"^blind\.mp4 has no video stream$"):
        read_frames(blind)
    assert len(read_frames(silent).images) == 50
    assert read_audio(blind).duration_seconds == pytest.approx(2.0, abs=0.1)


def test_cover_art_is_not_video(tmp_path: Path) -> None:
    with av.open(str(tmp_path / "song.mp3"), "w") as container:
        audio = container.add_stream("libmp3lame", rate=SAMPLE_RATE, layout="mono")
        cover = container.add_stream("mjpeg", rate=1)
        cover.width, cover.height, cover.pix_fmt = 64, 48, "yuvj420p"
        cover.disposition = av.stream.Disposition.attached_pic
        container.mux(cover.encode(av.VideoFrame.from_ndarray(pictures(1)[0], format="rgb24")))
        frame = av.AudioFrame.from_ndarray(tone(1)[None], format="fltp", layout="mono")
        frame.sample_rate = SAMPLE_RATE
        resampler = av.AudioResampler(audio.format, "mono", SAMPLE_RATE, audio.codec_context.frame_size or 576)
        for part in [*resampler.resample(frame), *resampler.resample(None)]:
            container.mux(audio.encode(part))
        container.mux(audio.encode(None))
    with av.open(str(tmp_path / "song.mp3")) as container:
        assert container.streams.video, "the file was meant to have cover art"
    with pytest.raises(MissingMedium, match=r"song\.mp3 has no video stream"):
        read_frames(tmp_path / "song.mp3")
    assert read_audio(tmp_path / "song.mp3").duration_seconds == pytest.approx(1.0, abs=0.1)


def test_a_playlist_that_poses_as_a_clip_fetches_nothing(tmp_path: Path) -> None:
    with socket.create_server(("127.0.0.1", 0)) as server:
        server.settimeout(0.2)
        address = f"http://127.0.0.1:{server.getsockname()[1]}/segment.ts"
        (tmp_path / "list.m3u8").write_text(
            f"#EXTM3U\n#EXT-X-TARGETDURATION:2\n#EXTINF:2,\n{address}\n#EXT-X-ENDLIST\n"
        )
        with pytest.raises((UnreadableMedia, MissingMedium)):
            read_frames(tmp_path / "list.m3u8")
        with pytest.raises(TimeoutError):
            server.accept()


# ---- files that break half-way


def test_a_clip_cut_off_before_its_index_says_so(clip: Path, tmp_path: Path) -> None:
    content = clip.read_bytes()
    (tmp_path / "cut.mp4").write_bytes(content[: len(content) * 6 // 10])
    with pytest.raises(UnreadableMedia, match="or cut off before its index"):
        read_frames(tmp_path / "cut.mp4")


@pytest.mark.parametrize("container", ["mp4", "mkv"])
def test_a_cut_clip_gives_what_is_there(clip: Path, tmp_path: Path, container: str) -> None:
    options = {"movflags": "faststart"} if container == "mp4" else {}
    path = remux(clip, tmp_path / f"cut.{container}", **options)
    content = path.read_bytes()
    path.write_bytes(content[: len(content) * 6 // 10])
    frames, sound = read_frames(path), read_audio(path)
    assert 10 < len(frames.images) < 45
    assert frames.problem is not None
    assert "the video ends after" in frames.problem
    assert 0.5 < sound.duration_seconds < 1.8
    assert sound.problem is not None
    assert "the sound ends after" in sound.problem
    # The frames asked for are spread over what is there.
    assert len(read_frames(path, evenly(8)).images) == 8


def test_damaged_packets_are_left_out(clip: Path, tmp_path: Path) -> None:
    path = tmp_path / "damaged.mp4"
    path.write_bytes(clip.read_bytes())
    with av.open(str(path)) as container:
        bad = [(packet.pos, packet.size) for packet in container.demux(audio=0) if packet.size][10:14]
    for position, size in bad:
        overwrite(path, position, b"\xff" * size)
    sound = read_audio(path)
    assert sound.problem is not None
    assert sound.problem.startswith("4 of 33 packets cannot be decoded: ")
    # Silence stands for them: what follows keeps its place.
    assert sound.duration_seconds == pytest.approx(2.0, abs=0.1)
    late = slice(int(1.2 * SAMPLE_RATE), int(1.9 * SAMPLE_RATE))
    assert np.corrcoef(sound.samples[late], tone(2)[late])[0, 1] > 0.9


def test_random_bytes_never_crash_a_reader(clip: Path, tmp_path: Path, capfd: pytest.CaptureFixture[str]) -> None:
    sources = [clip, *(remux(clip, tmp_path / f"clip.{container}") for container in ("mkv", "ts", "flv"))]
    generator = np.random.default_rng(0)
    partly = 0
    for trial in range(120):
        source = sources[trial % len(sources)]
        content = np.frombuffer(source.read_bytes(), np.uint8).copy()
        positions = generator.integers(0, len(content), generator.choice([3, 30, 300]))
        content[positions] = generator.integers(0, 256, len(positions))
        path = tmp_path / f"trial{source.suffix}"
        path.write_bytes(content.tobytes())
        for read in (read_frames, read_audio):
            try:
                result = read(path)
            except (MissingMedium, UnreadableMedia) as error:
                assert str(error)
            else:
                partly += result.problem is not None
    assert partly > 20
    captured = capfd.readouterr()
    assert captured.out + captured.err == ""


def test_a_frame_of_an_impossible_layout_is_left_out(clip: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Damaged AAC headers give such frames; FFmpeg's resampler refuses them."""
    original, refused = media._Mixer.add, []

    def refuse_the_first(mixer: media._Mixer, frame: av.AudioFrame, time: float | None) -> None:
        if not refused:
            refused.append(frame)
            raise av.error.ArgumentError(22, "Invalid argument")
        original(mixer, frame, time)

    monkeypatch.setattr(media._Mixer, "add", refuse_the_first)
    sound = read_audio(clip)
    assert "1 of" in sound.problem and "Invalid argument" in sound.problem
    assert sound.duration_seconds == pytest.approx(2.0, abs=0.1)


# ---- files with a twist


def test_one_frame_is_enough(tmp_path: Path) -> None:
    write_clip(tmp_path / "one.mp4", pictures(1), 25, tone(0.04))
    frames = read_frames(tmp_path / "one.mp4", evenly(16))
    assert len(frames.images) == 1
    np.testing.assert_array_equal(frames.times, [0.0])
    assert frames.problem is None


def test_4k(tmp_path: Path) -> None:
    write_clip(tmp_path / "4k.mp4", [np.full((2160, 3840, 3), RED, np.uint8)] * 2, 25)
    frames = read_frames(tmp_path / "4k.mp4", evenly(1))
    assert frames.images[0].shape == (2160, 3840, 3)
    np.testing.assert_allclose(frames.images[0][1000, 1000], RED, atol=4)


@pytest.mark.parametrize(
    ("matrix", "turned"),
    [
        # a, b, c, d of the display matrix: a quarter turn clockwise, a half turn, a quarter turn counter-clockwise.
        ((0, 1, -1, 0), lambda image: np.rot90(image, -1)),
        ((-1, 0, 0, -1), lambda image: np.rot90(image, 2)),
        ((0, -1, 1, 0), lambda image: np.rot90(image, 1)),
    ],
)
def test_rotated_clips_are_turned_upright(clip: Path, tmp_path: Path, matrix: tuple, turned) -> None:
    path = tmp_path / "phone.mp4"
    path.write_bytes(clip.read_bytes())
    a, b, c, d = (value << 16 for value in matrix)
    rows = (a, b, 0, c, d, 0, 0, 0, 1 << 30)
    # The matrix stands 40 bytes into a version 0 track header; the video's is the first.
    start = path.read_bytes().index(b"tkhd") + 4 + 40
    overwrite(path, start, b"".join(value.to_bytes(4, "big", signed=True) for value in rows))
    for before, after in zip(read_frames(clip, evenly(2)).images, read_frames(path, evenly(2)).images, strict=True):
        np.testing.assert_array_equal(after, turned(before))


@pytest.mark.parametrize(
    "name",
    [
        "with space.mp4",
        'it\'s "quoted".mp4',
        "一段视频.mp4",
        "😀🎬.mp4",
        "100%d.mp4",
        "a:b.mp4",
        "-i.mp4",
        "#?&;$(x).mp4",
    ],
)
def test_odd_names(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, name: str) -> None:
    monkeypatch.chdir(tmp_path)
    path = Path(name)
    write_clip(path, pictures(5), 25, tone(0.2))
    assert len(read_frames(path).images) == 5
    assert read_audio(path).problem is None
    assert [entry.name for entry in tmp_path.iterdir()] == [name]


def test_odd_sizes_lose_no_row(tmp_path: Path) -> None:
    image = pictures(1, 47, 63)[0]
    write_clip(tmp_path / "odd.mp4", [image] * 3, 25)
    assert read_frames(tmp_path / "odd.mp4").images[0].shape == (48, 64, 3)


@pytest.mark.parametrize(
    ("count", "problem"), [(3, None), (500, "the video ends after 2.00 s, the file promises 20.00 s")]
)
def test_a_header_that_lies_about_the_count(tmp_path: Path, count: int, problem: str | None) -> None:
    path = encode(tmp_path / "lies.avi", "mpeg4")
    # The number of frames stands 32 bytes into the stream header, and as often in the main header.
    header = path.read_bytes().index(b"strh") + 8
    overwrite(path, header + 32, count.to_bytes(4, "little"))
    frames = read_frames(path)
    assert len(frames.images) == 50
    np.testing.assert_allclose(frames.times, np.arange(50) / 25, atol=1e-9)
    assert frames.problem == problem
    assert len(read_frames(path, evenly(8)).images) == 8


def test_frames_without_presentation_times(tmp_path: Path) -> None:
    # AVI stores none; with B-frames the order of decoding is not that of showing.
    path = encode(tmp_path / "old.avi", "mpeg4", b_frames=2)
    frames = read_frames(path)
    assert [int(image.mean(axis=(0, 2)).argmax()) for image in frames.images] == list(range(50))
    np.testing.assert_allclose(frames.times, np.arange(50) / 25, atol=1e-9)


def test_a_bare_stream_counts_by_its_rate(clip: Path, tmp_path: Path) -> None:
    frames = read_frames(remux(clip, tmp_path / "bare.h264", ("video",)))
    assert len(frames.images) == 50
    np.testing.assert_allclose(np.diff(frames.times), 0.04, atol=1e-3)


def test_variable_frame_rate(tmp_path: Path) -> None:
    stamps = [0, 40, 80, 500, 540, 1500, 1510, 1900]
    frames = read_frames(encode(tmp_path / "variable.mkv", stamps=stamps))
    np.testing.assert_allclose(frames.times, np.array(stamps) / 1000, atol=1e-3)
    assert len(read_frames(tmp_path / "variable.mkv", evenly(4)).images) == 4


def test_sound_that_begins_late_is_preceded_by_silence(tmp_path: Path) -> None:
    path = encode(tmp_path / "late.mkv", audio_codec="pcm_s16le", audio_start=0.5)
    sound, frames = read_audio(path), read_frames(path)
    assert sound.duration_seconds == pytest.approx(2.5, abs=0.01)
    assert np.flatnonzero(np.abs(sound.samples) > 0.01)[0] / SAMPLE_RATE == pytest.approx(0.5, abs=0.005)
    assert frames.times[0] == 0
    assert sound.problem is None


def test_picture_that_begins_late_keeps_its_time(tmp_path: Path) -> None:
    path = encode(tmp_path / "late.mkv", stamps=list(range(1000, 2000, 40)), audio_codec="pcm_s16le")
    assert read_frames(path).times[0] == pytest.approx(1.0, abs=0.002)
    assert read_audio(path).duration_seconds == pytest.approx(2.0, abs=0.01)


def test_a_clip_whose_clock_starts_late_starts_at_zero(tmp_path: Path) -> None:
    path = encode(
        tmp_path / "later.mkv",
        stamps=list(range(7000, 9000, 40)),
        audio_codec="pcm_s16le",
        audio_start=7.0,
    )
    frames, sound = read_frames(path), read_audio(path)
    assert frames.times[0] == 0
    assert sound.duration_seconds == pytest.approx(2.0, abs=0.01)
    assert frames.problem is None
    assert sound.problem is None


# ---- writing


def test_the_same_input_gives_the_same_bytes(clip: Path, tmp_path: Path) -> None:
    write_clip(tmp_path / "again.mp4", iter(pictures(50)), 25, tone(2))
    assert (tmp_path / "again.mp4").read_bytes() == clip.read_bytes()


NOISE_HASHED = """
import hashlib, sys
from pathlib import Path
import numpy as np
from mertools.media import write_clip
write_clip(Path(sys.argv[1]), np.random.default_rng(0).integers(0, 256, (10, 144, 176, 3), dtype=np.uint8), 25)
print(hashlib.sha256(Path(sys.argv[1]).read_bytes()).hexdigest())
"""


def test_bytes_do_not_depend_on_what_lay_in_memory(tmp_path: Path) -> None:
    """Under glibc MALLOC_PERTURB_ fills what is allocated; elsewhere it does nothing."""
    digests = {
        subprocess.run(
            [sys.executable, "-c", NOISE_HASHED, str(tmp_path / "clip.mp4")],
            env=os.environ | {"MALLOC_PERTURB_": fill},
            check=True,
            capture_output=True,
            text=True,
        ).stdout
        for fill in ("0", "1", "170")
    }
    assert len(digests) == 1


def test_a_higher_rate_factor_is_a_smaller_file_of_the_same_clip(tmp_path: Path) -> None:
    write_clip(tmp_path / "large.mp4", pictures(50), 25)
    write_clip(tmp_path / "small.mp4", pictures(50), 25, crf=30)
    assert (tmp_path / "small.mp4").stat().st_size < (tmp_path / "large.mp4").stat().st_size * 0.75
    small = read_frames(tmp_path / "small.mp4")
    assert len(small.images) == 50 and small.problem is None


def test_a_failed_writer_leaves_the_old_file_alone(tmp_path: Path) -> None:
    path = tmp_path / "clip.mp4"
    write_clip(path, pictures(3), 25)
    before = path.read_bytes()

    def breaking():
        yield from pictures(2)
        raise RuntimeError("the source broke")

    with pytest.raises(RuntimeError, match="the source broke"):
        write_clip(path, breaking(), 25, tone(1))
    with pytest.raises(ValueError, match="no frames to write"):
        write_clip(path, [], 25)
    with pytest.raises(ValueError, match=r"frame 1 is \(24, 64, 3\), the first one \(48, 64, 3\)"):
        write_clip(path, [*pictures(1), *pictures(1, height=24)], 25)
    assert path.read_bytes() == before
    assert [entry.name for entry in tmp_path.iterdir()] == ["clip.mp4"]


@pytest.mark.parametrize("frames_per_second", [24, 25, 29.97, 30000 / 1001, 60])
def test_frame_rates(tmp_path: Path, frames_per_second: float) -> None:
    write_clip(tmp_path / "clip.mp4", pictures(30), frames_per_second)
    np.testing.assert_allclose(read_frames(tmp_path / "clip.mp4").times, np.arange(30) / frames_per_second, atol=1e-3)


def test_sound_longer_or_shorter_than_the_picture(tmp_path: Path) -> None:
    for seconds in (0.3, 3.0):
        write_clip(tmp_path / "clip.mp4", pictures(25), 25, tone(seconds))
        assert len(read_frames(tmp_path / "clip.mp4").images) == 25
        assert read_audio(tmp_path / "clip.mp4").duration_seconds == pytest.approx(seconds, abs=0.07)


def test_samples_beyond_full_scale_are_clipped(tmp_path: Path) -> None:
    write_clip(tmp_path / "loud.mp4", pictures(25), 25, 10 * tone(1))
    assert np.abs(read_audio(tmp_path / "loud.mp4").samples).max() <= 1.0


# ---- real clips


def test_real_clips(media_folder: Path) -> None:
    paths = sorted((media_folder / "meld").glob("*.mp4"))
    assert paths
    for path in paths:
        frames, sound = read_frames(path, evenly(4)), read_audio(path)
        assert frames.problem is None
        assert sound.problem is None
        assert len(frames.images) == 4
        assert sound.duration_seconds > frames.times[-1]


@pytest.mark.parametrize(("rate", "layout"), [(SAMPLE_RATE, "mono"), (44_100, "stereo")])
def test_a_part_of_a_sound_is_what_stands_there(rate: int, layout: str, tmp_path: Path) -> None:
    """From the beginning, the middle and the end; a part that reaches beyond the end is shorter."""
    noise = np.convolve(np.random.default_rng(0).normal(size=rate * 3), np.hanning(rate // 200), "same") / 100
    write_pcm(tmp_path / "noise.wav", np.repeat(noise, 2 if layout == "stereo" else 1), rate, layout)
    whole = read_audio(tmp_path / "noise.wav").samples
    assert sound_seconds(tmp_path / "noise.wav") == pytest.approx(3)
    for begin, seconds, expected in ((0, 0.5, 0.5), (1.25, 1, 1), (2.9, 1, 0.1), (5, 1, 0)):
        part = read_audio_part(tmp_path / "noise.wav", begin, seconds).samples
        there = whole[round(begin * SAMPLE_RATE) :][: round(seconds * SAMPLE_RATE)]
        assert len(there) == round(expected * SAMPLE_RATE) and abs(len(part) - len(there)) <= (rate != SAMPLE_RATE)
        # A resampler that begins elsewhere begins at a fraction of a sample.
        slack = 0 if rate == SAMPLE_RATE else 0.05 * np.abs(whole).max()
        np.testing.assert_allclose(part[: len(there)], there[: len(part)], atol=slack)


def write_pcm(path: Path, samples: np.ndarray, rate: int, layout: str) -> None:
    with av.open(str(path), "w") as container:
        stream = container.add_stream("pcm_s16le", rate=rate, layout=layout)
        frame = av.AudioFrame.from_ndarray((samples * 2**15).astype(np.int16)[None], format="s16", layout=layout)
        frame.sample_rate = rate
        container.mux(stream.encode(frame))
        container.mux(stream.encode(None))


def test_a_part_of_a_clips_sound(clip: Path) -> None:
    whole, part = read_audio(clip).samples, read_audio_part(clip, 1.0, 0.5).samples
    assert len(part) == SAMPLE_RATE // 2
    np.testing.assert_allclose(part, whole[SAMPLE_RATE : SAMPLE_RATE + len(part)], atol=0.02)
    assert sound_seconds(clip) == pytest.approx(2, abs=0.1)


def test_a_length_is_the_longer_of_sound_and_picture(clip: Path, tmp_path: Path) -> None:
    assert stated_seconds(clip) == pytest.approx(2, abs=0.1)
    write_clip(tmp_path / "short.mp4", pictures(25), 25, np.zeros(3 * SAMPLE_RATE, np.float32))
    assert stated_seconds(tmp_path / "short.mp4") == pytest.approx(3, abs=0.1)
    # Bare H.264 says nothing of time.
    bare = remux(clip, tmp_path / "bare.h264", ("video",))
    assert stated_seconds(bare) == pytest.approx(2, abs=0.1)
    (tmp_path / "empty.mp4").touch()
    with pytest.raises(UnreadableMedia, match="is empty"):
        stated_seconds(tmp_path / "empty.mp4")


def test_which_streams_a_file_has(clip: Path, tmp_path: Path) -> None:
    check_video(clip)
    sound = remux(clip, tmp_path / "sound.mp4", ("audio",))
    with pytest.raises(MissingMedium, match="no video stream"):
        check_video(sound)
    with pytest.raises(MissingMedium, match="no audio stream"):
        sound_seconds(remux(clip, tmp_path / "mute.mp4", ("video",)))


def test_a_sound_without_pictures(tmp_path: Path) -> None:
    """It is read as it was written, to one step of 16 bits; what is too loud is clipped."""
    write_sound(tmp_path / "sound.flac", tone(1.2345))
    sound = read_audio(tmp_path / "sound.flac")
    assert sound.problem is None
    np.testing.assert_allclose(sound.samples, tone(1.2345), atol=2**-14)
    write_sound(tmp_path / "again.flac", tone(1.2345))
    assert (tmp_path / "again.flac").read_bytes() == (tmp_path / "sound.flac").read_bytes()
    write_sound(tmp_path / "loud.flac", 10 * tone(1))
    assert np.abs(read_audio(tmp_path / "loud.flac").samples).max() <= 1.0
