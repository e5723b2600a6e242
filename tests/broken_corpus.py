"""Broken and odd clips of every kind, and what each should be called by `data validate` and `extract.py`.

All are made from one face that speaks for 2.25 s, so that what is wrong with a clip is what was done to it.
"""

from __future__ import annotations

import pickle
from dataclasses import dataclass, field
from pathlib import Path

import av
import cv2
import numpy as np
from test_feature_extractors_opensmile import RATE, voice, write_wav
from test_mertools_media import overwrite, remux

from mertools.clip import Clip
from mertools.corpus import write_manifest
from mertools.media import read_frames, write_clip
from mertools.prepare.demo_corpus import draw_clips
from mertools.prepare.demo_portrait import render

FRAMES_PER_SECOND = 4
FRAMES = 9
SECONDS = FRAMES / FRAMES_PER_SECOND

OK = ("ok", "")
NO_VIDEO = ("missing", "no video")
NO_SUBTITLE = ("missing", "no subtitle")


@dataclass(frozen=True)
class Case:
    """A clip; the problems that validation finds, as `level: kind`; and what extraction gives each feature, as status
    and a part of the reason."""

    clip: Clip
    problems: tuple[str, ...] = ()
    egemaps: tuple[str, str] = OK
    face_expression: tuple[str, str] = OK
    minilm: tuple[str, str] = OK


@dataclass
class Builder:
    """Makes the files in `folder` and notes the cases."""

    folder: Path
    cases: list[Case] = field(default_factory=list)

    def path(self, name: str) -> Path:
        return self.folder / name

    def write(self, name: str, content: bytes) -> Path:
        self.path(name).write_bytes(content)
        return self.path(name)

    def copy(self, source: Path, name: str) -> Path:
        return self.write(name, source.read_bytes())

    def add(self, name: str, *problems: str, video: Path | None = None, **facts: object) -> None:
        features = {key: facts.pop(key) for key in ("egemaps", "face_expression", "minilm") if key in facts}
        clip = Clip(name, video=video, **{"subtitle_english": "Hello", "split": "semi", **facts})
        self.cases.append(Case(clip, problems, **features))


def portrait(count: int) -> list[np.ndarray]:
    """`count` frames of a face, (256, 256, 3) uint8 RGB."""
    clip = draw_clips(12, 0)[0]
    return list(render(clip.speaker.look, clip.expression, clip.motion, [0.3] * count))


def make_broken_corpus(folder: Path) -> tuple[Path, list[Case]]:
    """Write the clips and their manifest into `folder`; gives the manifest and the cases in its order."""
    make = Builder(folder)
    faces, speech = portrait(FRAMES), voice(SECONDS)
    good = make.path("good.mp4")
    write_clip(good, faces, FRAMES_PER_SECOND, speech)
    make.add("good", video=good)
    _not_media(make)
    _damaged(make, good)
    _lacking(make, good, faces, speech)
    _odd(make, good, faces, speech)
    _crops(make, good)
    _texts(make, good)
    manifest = folder / "manifest.csv"
    write_manifest(manifest, [case.clip for case in make.cases])
    # As a user finds it: files that are there when a manifest is written may be gone when it is read.
    make.path("absent.mp4").unlink()
    return manifest, make.cases


def _not_media(make: Builder) -> None:
    def unreadable(name: str, video: Path, reason: str) -> None:
        failed = ("failed", reason)
        problems = ("error: unreadable sound", "error: unreadable video")
        make.add(name, *problems, video=video, egemaps=failed, face_expression=failed)

    generator = np.random.default_rng(0)
    unreadable("empty", make.write("empty.mp4", b""), "is empty (0 bytes)")
    unreadable("text", make.write("text.mp4", b"not media\n"), "cannot be opened as media")
    unreadable("zeros", make.write("zeros.mp4", bytes(5000)), "cannot be opened as media")
    unreadable("random", make.write("random.mp4", generator.bytes(5000)), "cannot be opened as media")
    unreadable("absent", make.write("absent.mp4", b"gone soon"), "does not exist")
    make.path("folder.mp4").mkdir()
    unreadable("folder", make.path("folder.mp4"), "is a folder")
    playlist = b"#EXTM3U\n#EXT-X-TARGETDURATION:2\n#EXTINF:2,\nhttp://127.0.0.1:9/a.ts\n#EXT-X-ENDLIST\n"
    unreadable("playlist", make.write("playlist.mp4", playlist), "cannot be opened as media")


def _damaged(make: Builder, good: Path) -> None:
    content = good.read_bytes()
    failed = ("failed", "cut off before its index")
    make.add(
        "cut before its index",
        "error: unreadable sound",
        "error: unreadable video",
        video=make.write("cut.mp4", content[: len(content) * 6 // 10]),
        egemaps=failed,
        face_expression=failed,
    )
    streamed = remux(good, make.path("cut half-way.mkv"))
    streamed.write_bytes(streamed.read_bytes()[: len(content) * 4 // 10])
    make.add(
        "cut half-way",
        "warning: damaged sound",
        "warning: damaged video",
        "warning: shorter than 2 s",
        video=streamed,
        egemaps=("ok", "the sound ends after"),
        face_expression=("ok", "the video ends after"),
    )
    spoilt = make.copy(good, "spoilt sound.mp4")
    with av.open(str(spoilt)) as container:
        bad = [(packet.pos, packet.size) for packet in container.demux(audio=0) if packet.size][10:14]
    for position, size in bad:
        overwrite(spoilt, position, b"\xff" * size)
    reason = ("ok", "packets cannot be decoded")
    make.add("spoilt sound", "warning: damaged sound", video=spoilt, egemaps=reason)


def _lacking(make: Builder, good: Path, faces: list[np.ndarray], speech: np.ndarray) -> None:
    make.add(
        "mute", "error: no sound", video=remux(good, make.path("mute.mp4"), ("video",)), egemaps=("missing", "no audio")
    )
    blind = remux(good, make.path("blind.mp4"), ("audio",))
    reason = ("missing", "blind.mp4 has no video stream")
    make.add("blind", "error: no video", video=blind, face_expression=reason)
    song = _song_with_cover(make.path("song.mp3"), speech)
    make.add("song", "error: no video", video=song, face_expression=("missing", "song.mp3 has no video stream"))
    silent = make.path("silent.mp4")
    write_clip(silent, faces, FRAMES_PER_SECOND, np.zeros_like(speech))
    make.add("silent", "error: silence", video=silent, egemaps=("missing", "the sound is silent"))
    whisper = write_wav(make.path("quiet.wav"), speech * 5e-4)
    make.add("nearly silent", "warning: nearly silent", video=good, audio=whisper)
    click = write_wav(make.path("click.wav"), voice(0.01))
    make.add("click", "error: hardly any sound", video=good, audio=click, egemaps=("missing", "the sound is too short"))
    wall = make.path("wall.mp4")
    write_clip(wall, [np.full((128, 128, 3), 120, np.uint8)] * FRAMES, FRAMES_PER_SECOND, speech)
    make.add("wall", "error: no face", video=wall, face_expression=("missing", "no face in any of 9 frames"))
    make.add(
        "sound alone",
        "error: no video",
        audio=write_wav(make.path("alone.wav"), speech),
        face_expression=NO_VIDEO,
    )


def _odd(make: Builder, good: Path, faces: list[np.ndarray], speech: np.ndarray) -> None:
    def clip(name: str, *problems: str, images: list[np.ndarray], rate: float, sound: np.ndarray) -> None:
        path = make.path(f"{name}.mp4")
        write_clip(path, images, rate, sound)
        make.add(name, *problems, video=path)

    clip("short", "warning: shorter than 2 s", images=faces[:4], rate=4, sound=voice(1.0))
    clip("long", "warning: longer than 16 s", images=faces, rate=0.5, sound=voice(18.0))
    single = ("warning: a single frame", "warning: shorter than 2 s")
    clip("one frame", *single, images=faces[-1:], rate=25, sound=voice(0.3))
    wide = [cv2.resize(np.pad(image, ((0, 0), (100, 100), (0, 0))), (3840, 2160)) for image in faces[:2]]
    clip("4k", images=wide, rate=1, sound=voice(2.0))
    turned = make.path("phone.mp4")
    write_clip(turned, [np.ascontiguousarray(np.rot90(image)) for image in faces], FRAMES_PER_SECOND, speech)
    # A quarter turn clockwise, 40 bytes into the video's track header.
    matrix = (0, 1 << 16, 0, -1 << 16, 0, 0, 0, 0, 1 << 30)
    start = turned.read_bytes().index(b"tkhd") + 4 + 40
    overwrite(turned, start, b"".join(value.to_bytes(4, "big", signed=True) for value in matrix))
    make.add("phone", video=turned)
    for name in ('it\'s "quoted" 100%d', "一段视频", "😀🎬 [bold]", "-i"):
        make.add(name, video=make.copy(good, f"{name}.mp4"))


def _crops(make: Builder, good: Path) -> None:
    crops = np.stack([image[60:172, 72:184] for image in read_frames(good).images])  # (9, 112, 112, 3)
    cut = {
        "ready crops": crops[..., ::-1],
        "no crops": crops[:0],
        "crops of floats": crops.astype(np.float32),
        "grey crops": crops[..., 0],
    }
    for name, array in cut.items():
        np.save(make.path(f"{name}.npy"), array)
    wanted = ("failed", "wanted a .npy file of (T, H, W, 3) uint8 crops")
    broken = "error: unreadable face crops"

    def add(name: str, *problems: str, faces: Path, face_expression: tuple[str, str] = wanted) -> None:
        make.add(name, *problems, video=good, faces=faces, faces_order="bgr", face_expression=face_expression)

    add("ready crops", faces=make.path("ready crops.npy"), face_expression=OK)
    none = ("missing", "no face crops in no crops.npy")
    add("no crops", "error: no face crops", faces=make.path("no crops.npy"), face_expression=none)
    add("crops of floats", broken, faces=make.path("crops of floats.npy"))
    add("grey crops", broken, faces=make.path("grey crops.npy"))
    whole = make.path("ready crops.npy").read_bytes()
    add("cut crops", broken, faces=make.write("cut crops.npy", whole[: len(whole) // 2]))
    np.save(make.path("pickled crops.npy"), np.array([{"a": 1}], dtype=object), allow_pickle=True)
    add("pickled crops", broken, faces=make.path("pickled crops.npy"))
    add("a pickle", broken, faces=make.write("pickle.npy", pickle.dumps(crops)))
    images = make.path("images")
    images.mkdir()
    for index, crop in enumerate(crops[:3]):
        cv2.imwrite(str(images / f"frame_{index}.png"), crop[..., ::-1])
    (images / "frame_1.png").write_bytes(b"not an image")
    partly = ("ok", "1 of 3 images in images cannot be read")
    make.add("images", "warning: damaged face crops", video=good, faces=images, face_expression=partly)


def _texts(make: Builder, good: Path) -> None:
    make.add("speechless", "error: no subtitle", video=good, subtitle_english="", minilm=NO_SUBTITLE)
    chinese = ("ok", "the subtitle has no Latin letters")
    make.add("chinese", video=good, subtitle="我没事。", subtitle_english="", minilm=chinese)
    make.add("unlabelled", "error: no label", video=good, split="train")
    make.add("bored", "error: unknown label", video=good, split="train", label="bored")
    make.add("surprised", video=good, split="train", label=" Surprised")


def _song_with_cover(path: Path, samples: np.ndarray) -> Path:
    with av.open(str(path), "w") as container:
        audio = container.add_stream("libmp3lame", rate=RATE, layout="mono")
        cover = container.add_stream("mjpeg", rate=1)
        cover.width, cover.height, cover.pix_fmt = 64, 48, "yuvj420p"
        cover.disposition = av.stream.Disposition.attached_pic
        picture = np.full((48, 64, 3), 90, np.uint8)
        container.mux(cover.encode(av.VideoFrame.from_ndarray(picture, format="rgb24")))
        frame = av.AudioFrame.from_ndarray(samples.astype(np.float32)[None], format="fltp", layout="mono")
        frame.sample_rate = RATE
        resampler = av.AudioResampler(audio.format, "mono", RATE, audio.codec_context.frame_size or 576)
        for part in [*resampler.resample(frame), *resampler.resample(None)]:
            container.mux(audio.encode(part))
        container.mux(audio.encode(None))
    return path
