"""The only place that decodes or encodes audio and video, on PyAV alone.

Times are seconds from the clip's start: the moment where the earlier of its two streams, sound and picture, begins. So
sound and frames of one clip share one clock, whatever the file's own clock says.

Files are opened for local reading only: a playlist that poses as a clip cannot make a run fetch anything from a
network. Each stream is decoded on one thread, because extraction works on several clips at once.

Inside `decoding_once` whoever asks for the same medium of the same file again gets what was decoded before. Inside
`altered` sound and pictures are changed on their way to the reader, who need not know of it.
"""

from __future__ import annotations

import io
import wave
from bisect import bisect_left
from collections.abc import Callable, Hashable, Iterable, Iterator
from contextlib import contextmanager, suppress
from contextvars import ContextVar
from dataclasses import dataclass, replace
from fractions import Fraction
from functools import partial
from itertools import islice
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar

import numpy as np

if TYPE_CHECKING:
    import av
    from av.container import InputContainer, OutputContainer

SAMPLE_RATE = 16_000

Chooser = Callable[[np.ndarray], np.ndarray]
"""Times of all frames (N,) -> sorted indices of those to keep."""

DEFAULT_FRAME_RATE = Fraction(25)
"""For streams that say nothing at all about time (bare H.264)."""

LONGEST_GAP_SECONDS = 10.0
"""A pause in the sound's time stamps up to this is silence; a longer one is a broken time stamp."""

PICTURE_GAP_SECONDS = 0.5
"""A picture that begins this much after a part of a film, or is the last this long before its end, is told of."""

CLIP_SOUND_RATE = 48_000
"""Of clips that are cut from films."""

SLOWEST_FRAME_RATE, FASTEST_FRAME_RATE = Fraction(15), Fraction(60)
"""Rates of pictures that clips are written at; a film of another average gets DEFAULT_FRAME_RATE."""

RUN_UP_SECONDS = 0.2
"""What is decoded before and after a part of a sound: more than codecs and resamplers look around."""

SHORTFALL = 0.05, 0.25
"""A stream that ends earlier than its header promises by more than this share and these seconds is cut off."""

FORMATS_THAT_STATE_DURATION = {"mov", "matroska", "avi", "flv", "wav", "flac", "asf"}
"""By FFmpeg's names. For others the duration is a guess from the bit rate, and no promise."""


FRAMES_KEPT_BYTES = 256 * 2**20
"""How much of a file's decoded video `decoding_once` keeps: 7 s in 1280 x 720 at 25 frames a second."""

SAME_BITS = {"threads": "1", "x264-params": "mbtree=0"}
"""What makes x264's output depend on its input alone: it depends on the number of threads, and x264's AVX-512 code for
its macroblock tree reads memory that nobody has written."""

T = TypeVar("T")

_kept: ContextVar[dict[Hashable, Any] | None] = ContextVar("kept", default=None)
"""What has been decoded inside `decoding_once`; None outside."""


class MissingMedium(Exception):
    """The clip lacks what was asked for: a stream, a face. The message is the reason that is stored."""


class UnreadableMedia(Exception):
    """The file is absent, empty, not media, or nothing in it decodes. The message is the reason that is stored."""


@dataclass(frozen=True)
class Sound:
    """Mono sound. `samples` hold what was decoded; `problem` says why that is not all of it, None where it is."""

    samples: np.ndarray  # (N,) float32 in [-1, 1]
    sample_rate: int
    problem: str | None = None

    @property
    def duration_seconds(self) -> float:
        return len(self.samples) / self.sample_rate


@dataclass(frozen=True)
class Frames:
    """Frames and their times; iterating gives (time, image) pairs. `problem` says why some are lacking or damaged."""

    images: list[np.ndarray]  # T x (H, W, 3) uint8 RGB
    times: np.ndarray  # (T,) float64 seconds
    problem: str | None = None

    def __iter__(self) -> Iterator[tuple[float, np.ndarray]]:
        return zip(self.times.tolist(), self.images, strict=True)


def evenly(count: int) -> Chooser:
    """Keep `count` frames evenly spaced in time: those shown at the middles of `count` equal parts of the clip.

    A clip with fewer frames gives them all, each once.
    """
    return partial(_shown_at_middles, count)


def _shown_at_middles(count: int, times: np.ndarray) -> np.ndarray:
    total = len(times)
    count = min(count, total)
    ranks = np.arange(count)
    last_shown_for = np.median(np.diff(times)) if total > 1 else 1.0
    middles = times[0] + (ranks + 0.5) / count * (times[-1] - times[0] + last_shown_for)
    shown = np.searchsorted(times, middles, side="right") - 1
    # At a variable frame rate one frame may be shown at several middles: spread them so that each is taken once.
    shown = np.maximum.accumulate(shown - ranks) + ranks
    return np.minimum(shown, total - count + ranks)


def every() -> Chooser:
    """Keep all frames."""
    return _all


def _all(times: np.ndarray) -> np.ndarray:
    return np.arange(len(times))


@contextmanager
def decoding_once() -> Iterator[None]:
    """While this lasts, nothing is decoded twice in this thread: several encoders read one clip at the price of one.

    Sound is kept by file and sample rate, and each reader gets samples of its own. Video is decoded as far as the
    readers before have asked, whichever frames they chose; beyond FRAMES_KEPT_BYTES a file is decoded anew for each.
    What a reader gets, damage told included, is what it would get alone.
    """
    token = _kept.set({})
    try:
        yield
    finally:
        _kept.reset(token)


@dataclass(frozen=True)
class _Alteration:
    sound: Callable[[Sound], Sound]
    picture: Callable[[np.ndarray], np.ndarray]


_alteration: ContextVar[_Alteration | None] = ContextVar("alteration", default=None)
"""What `altered` does to what is read; None outside."""


@contextmanager
def altered(sound: Callable[[Sound], Sound], picture: Callable[[np.ndarray], np.ndarray]) -> Iterator[None]:
    """While this lasts, `read_audio` gives `sound` of what it read in this thread, and frames are `picture` of theirs.

    `picture` gets upright images (H, W, 3) uint8 RGB, which it leaves as they are, and gives others of that size. For
    one clip: `decoding_once` inside it shares what was altered. Parts of a sound (`read_audio_part`) are left alone.
    """
    token = _alteration.set(_Alteration(sound, picture))
    try:
        yield
    finally:
        _alteration.reset(token)


def once(key: Hashable, make: Callable[[], T]) -> T:
    """What `make` gives; inside `decoding_once` it is made at the first call with `key` and kept."""
    kept = _kept.get()
    if kept is None:
        return make()
    if key not in kept:
        kept[key] = make()
    return kept[key]


def read_audio(path: Path, sample_rate: int = SAMPLE_RATE) -> Sound:
    """The sound of an audio or video file, mixed to mono and resampled as `ffmpeg -ac 1 -ar 16000` does, 16 bits deep.

    Sample i sounds at i / sample_rate seconds from the clip's start: where the sound begins after the picture, or
    pauses by its time stamps, silence stands for what is not there.

    Raises MissingMedium for a file without an audio stream, UnreadableMedia for one from which no sound can be had.
    """
    sound = once(("sound", path, sample_rate), lambda: _read_audio(path, sample_rate))
    return sound if _kept.get() is None else replace(sound, samples=sound.samples.copy())


def _read_audio(path: Path, sample_rate: int) -> Sound:
    import av

    with _opened(path) as container:
        stream = _stream(container, "audio", path)
        origin = _clip_start(container)
        damage = _Damage()
        mixer = _Mixer(sample_rate)
        for frame in _decoded(container, stream, damage):
            try:
                mixer.add(frame, None if frame.time is None else frame.time - origin)
            except av.FFmpegError as error:
                # A damaged header made of it a frame of a layout or rate that there is none of.
                damage.add(error.strerror)
        samples = mixer.finish()
        if not len(samples):
            raise UnreadableMedia(f"no sound can be decoded from {path.name}{damage.why}")
        shortfall = _shortfall(stream, "sound", len(samples) / sample_rate - (_start(stream) - origin))
        sound = Sound(samples, sample_rate, _joined([*damage.lines, *shortfall]))
    alteration = _alteration.get()
    return sound if alteration is None else alteration.sound(sound)


def read_audio_part(path: Path, begin_seconds: float, seconds: float, sample_rate: int = SAMPLE_RATE) -> Sound:
    """`seconds` of a file's sound from `begin_seconds` on, as `read_audio` gives it; less where it ends before.

    What lies before is skipped by the container's index, not decoded: for a crop of a long recording. Raises
    MissingMedium for a file without an audio stream, UnreadableMedia for one that cannot be opened.
    """
    import av

    with _opened(path) as container:
        stream = _stream(container, "audio", path)
        origin = _clip_start(container)
        # A little earlier: the first frame after a jump is decoded without the one it overlaps with.
        jump = max(begin_seconds - RUN_UP_SECONDS, 0.0)
        with suppress(av.FFmpegError):
            # A file without an index is decoded from its beginning.
            container.seek(int((origin + jump) / stream.time_base), stream=stream)
        damage, mixer, first = _Damage(), _Mixer(sample_rate), None
        for frame in _decoded(container, stream, damage):
            time = 0.0 if frame.time is None else frame.time - origin
            first = time if first is None else first
            if time >= begin_seconds + seconds + RUN_UP_SECONDS:
                break
            mixer.add(frame, time - first)
        begin, count = round((begin_seconds - (first or 0.0)) * sample_rate), round(seconds * sample_rate)
        # Silence stands for sound that begins after the part does.
        samples = np.pad(mixer.finish(), (max(-begin, 0), 0))[max(begin, 0) :][:count]
        return Sound(samples, sample_rate, _joined(damage.lines))


def sound_seconds(path: Path) -> float:
    """How long a file's sound is by its header, which may promise too much; decoded only where that says nothing.

    Raises what `read_audio` does.
    """
    with _opened(path) as container:
        stream = _stream(container, "audio", path)
        if stream.duration:
            return float(stream.duration * stream.time_base) + _start(stream) - _clip_start(container)
    return read_audio(path).duration_seconds


def stated_seconds(path: Path) -> float:
    """How long a file is by its header, the longer of sound and picture; decoded only where that says nothing.

    Raises MissingMedium for a file with neither sound nor picture, UnreadableMedia for one that cannot be opened or of
    which nothing decodes.
    """
    with _opened(path) as container:
        if not any(_streams(container, medium) for medium in ("video", "audio")):
            raise MissingMedium(f"{path.name} has neither sound nor picture")
        if container.duration:
            return container.duration / 1e6
        if not _streams(container, "video"):
            return read_audio(path).duration_seconds
    schedule = _read_schedule(path)
    return float(schedule.times[-1] + (np.median(np.diff(schedule.times)) if len(schedule.times) > 1 else 0.0))


def check_video(path: Path) -> None:
    """Raises MissingMedium for a file without a video stream, UnreadableMedia for one that cannot be opened."""
    with _opened(path) as container:
        _stream(container, "video", path)


class _Mixer:
    """Decoded audio frames in, one mono signal out."""

    def __init__(self, sample_rate: int) -> None:
        self.sample_rate = sample_rate
        self.parts: list[np.ndarray] = []
        self.resampler: av.AudioResampler | None = None
        self.format: tuple | None = None
        self.seconds = 0.0

    def add(self, frame: av.AudioFrame, time: float | None) -> None:
        """Append one frame that starts at `time` seconds."""
        import av

        gap = 0.0 if time is None else time - self.seconds
        # Time stamps are rounded, often to whole milliseconds: only a real gap counts, except at the very start.
        if (0.05 if self.parts else 0.0) < gap <= LONGEST_GAP_SECONDS:
            self.parts.append(np.zeros(round(gap * self.sample_rate), np.int16))
            self.seconds += gap
        format = (frame.format.name, frame.layout.name, frame.sample_rate)
        if format != self.format:
            self._drain()
            self.format = None
            self.resampler = av.AudioResampler("s16", "mono", self.sample_rate)
        # The resampler counts for itself: stamps that jump would confuse it.
        frame.pts = None
        self.parts += [part.to_ndarray()[0] for part in self.resampler.resample(frame)]
        self.seconds += frame.samples / frame.sample_rate
        self.format = format

    def finish(self) -> np.ndarray:
        """All that was added: (N,) float32 in [-1, 1]."""
        self._drain()
        if not self.parts:
            return np.zeros(0, np.float32)
        return np.concatenate(self.parts).astype(np.float32) / 2**15

    def _drain(self) -> None:
        if self.resampler is not None and self.format is not None:
            self.parts += [part.to_ndarray()[0] for part in self.resampler.resample(None)]


class FrameStream:
    """The chosen frames of one clip, decoded one at a time while they are iterated as (time, image) pairs.

    For work that needs each frame once (faces), so that a long or large clip never lies in memory whole. `times` are
    the times of the chosen frames as the file states them; `index` is the place in the file, from 0, of the frame that
    was given last; `problem` is known when the iteration has ended.

    The times of all frames are learnt beforehand from the packets, without decoding: what headers say about count and
    duration is often wrong. Where a chosen frame cannot be decoded, the next one that can stands in for it. Images are
    (H, W, 3) uint8 RGB, upright (rotation metadata is applied).

    Raises MissingMedium for a file without a video stream (cover art is none) and UnreadableMedia for one that cannot
    be opened or holds no frames; iterating raises UnreadableMedia where not one frame can be decoded.
    """

    def __init__(self, path: Path, choose: Chooser | None = None) -> None:
        self.path = path
        self.index: int | None = None
        self.problem: str | None = None
        self._schedule = once(("schedule", path), lambda: _read_schedule(path))
        self._times = self._schedule.times
        self._chosen = [int(index) for index in (choose or every())(self._times)]
        self.times = self._times[self._chosen]

    def __iter__(self) -> Iterator[tuple[float, np.ndarray]]:
        wanted = list(reversed(self._chosen))
        index, shown, damage, given = -1, None, _Damage(), False
        for frame, damage in _pictures(self.path):  # noqa: B007 (the last one is told below)
            if frame is None:
                break
            shown = frame
            index, given = self._index_of(frame, index), False
            while wanted and wanted[-1] <= index:
                wanted.pop()
                if not given:
                    given = True
                    yield self._given(frame, index)
            if not wanted:
                break
        if shown is None:
            raise UnreadableMedia(f"no frame of {self.path.name} can be decoded{damage.why}")
        if wanted and not given:
            # The file promised frames after this one; the last there is stands in for them.
            yield self._given(shown, index)
        self.problem = _joined([*self._schedule.problems, *damage.lines])

    def _given(self, frame: av.VideoFrame, index: int) -> tuple[float, np.ndarray]:
        self.index = index
        return float(self._times[index]), _image(frame, self.path)

    def _index_of(self, frame: av.VideoFrame, last: int) -> int:
        """Which frame of the file this is; decoders leave out what they cannot decode, so its stamp says it best."""
        index = last + 1
        if self._schedule.stamps is not None and frame.pts is not None:
            index = max(index, bisect_left(self._schedule.stamps, frame.pts))
        return min(index, len(self._times) - 1)


class FramePart:
    """`count` pictures of a part of a film at a constant rate, from `begin_seconds` on, decoded as they are iterated.

    Picture k is the one that the film shows at begin + k / rate, to the nearest half of a picture: a film of that very
    rate gives each of its own pictures once, and one of a variable rate is off by half a picture at most. What lies
    before is skipped by the file's index, not decoded. Where the film shows nothing yet, or no longer, the nearest
    picture stands in, and `problem` says so, as it does of damage inside the part; it is known when iteration has
    ended. Images are (H, W, 3) uint8 RGB, upright.

    Raises MissingMedium for a file without a video stream and UnreadableMedia for one that cannot be opened; iterating
    raises UnreadableMedia where no picture of the part can be decoded.
    """

    def __init__(self, path: Path, begin_seconds: float, count: int, frames_per_second: float) -> None:
        check_video(path)
        self.path = path
        self.problem: str | None = None
        self._times = begin_seconds + (np.arange(count) + 0.5) / frames_per_second
        self._begin = begin_seconds

    def __iter__(self) -> Iterator[np.ndarray]:
        damage = _Damage()
        wanted, shown, shown_from, lacking = iter(self._times.tolist()), None, 0.0, []
        time = next(wanted, None)
        for start, frame in _shown_from(self.path, self._begin, damage):
            if start > self._begin + PICTURE_GAP_SECONDS and shown is None:
                lacking.append(f"the picture begins {start - self._begin:.2f} s after the part")
            image = None
            while time is not None and start > time:
                # `shown` is on the screen until this picture takes its place.
                image = _image(shown or frame, self.path) if image is None else image
                yield image
                time = next(wanted, None)
            shown, shown_from = frame, start
            if time is None:
                break
        if shown is None:
            raise UnreadableMedia(f"no picture of this part of {self.path.name} can be decoded{damage.why}")
        if time is not None and self._times[-1] > shown_from + PICTURE_GAP_SECONDS:
            lacking.append(f"the picture ends {self._times[-1] - shown_from:.2f} s before the part")
        while time is not None:
            yield _image(shown, self.path)
            time = next(wanted, None)
        self.problem = _joined([*lacking, *damage.lines])


def _shown_from(
    path: Path, begin_seconds: float, damage: _Damage, jump: bool = True
) -> Iterator[tuple[float, av.VideoFrame]]:
    """Pictures and when the film shows them, from the one on the screen at `begin_seconds` on, if there is one."""
    import av

    with _opened(path) as container:
        stream = _stream(container, "video", path)
        origin = _clip_start(container)
        rate = float(stream.average_rate or stream.guessed_rate or DEFAULT_FRAME_RATE)
        if jump:
            with suppress(av.FFmpegError):
                container.seek(int((origin + begin_seconds) / stream.time_base), stream=stream)
        before = last = None
        # What is damaged before the part is no fault of the part.
        for number, frame in enumerate(_decoded(container, stream, damage, origin + begin_seconds)):
            time = number / rate if frame.time is None else frame.time - origin
            if last is None and time <= begin_seconds:
                before = time, frame
                continue
            if last is None and before is not None:
                yield before
            elif last is None and jump:
                # The index led too far, or there is no earlier picture: only reading all tells.
                yield from _shown_from(path, begin_seconds, damage, jump=False)
                return
            if last is None or time > last:
                # After damage decoders may give pictures out of order.
                last = time
                yield time, frame
        if last is None and before is not None:
            yield before


def _image(frame: av.VideoFrame, path: Path) -> np.ndarray:
    import av

    try:
        image = frame.to_ndarray(format="rgb24", threads=1)
    except av.FFmpegError as error:
        raise UnreadableMedia(
            f"frames of {path.name} cannot be converted from {frame.format.name} to RGB: {error.strerror}"
        ) from error
    turns = round(frame.rotation / 90) % 4
    image = np.ascontiguousarray(np.rot90(image, turns)) if turns else image
    alteration = _alteration.get()
    return image if alteration is None else alteration.picture(image)


@dataclass(frozen=True)
class _Schedule:
    """When the frames of a file are shown: `times` (N,) in seconds, and sorted `stamps` in the stream's time base."""

    times: np.ndarray
    stamps: list[int] | None
    problems: list[str]


def _read_schedule(path: Path) -> _Schedule:
    with _opened(path) as container:
        stream = _stream(container, "video", path)
        damage = _Damage()
        stamps = _frame_stamps(container, stream, damage)
        if not stamps:
            raise UnreadableMedia(f"the video stream of {path.name} holds no frames{damage.why}")
        if None in stamps:
            rate = stream.average_rate or stream.guessed_rate or DEFAULT_FRAME_RATE
            seconds, stamps = np.arange(len(stamps)) / float(rate), None
        else:
            stamps = sorted(stamps)
            seconds = np.array([float((stamp - stamps[0]) * stream.time_base) for stamp in stamps])
        last_shown_for = float(np.median(np.diff(seconds))) if len(seconds) > 1 else 0.0
        problems = [*damage.lines, *_shortfall(stream, "video", seconds[-1] + last_shown_for)]
        # The stream's own start, not the first stamp: AVI stamps are those of decoding, which runs ahead.
        return _Schedule(seconds + (_start(stream) - _clip_start(container)), stamps, problems)


Picture = tuple["av.VideoFrame | None", "_Damage"]
"""A frame as it is decoded, or None at the end, and the damage seen up to it."""


def _pictures(path: Path) -> Iterable[Picture]:
    """The frames of a file from its beginning, as they are decoded or, inside `decoding_once`, were decoded before."""
    return _decode_pictures(path) if _kept.get() is None else once(("pictures", path), lambda: _Pictures(path))


def _decode_pictures(path: Path) -> Iterator[Picture]:
    damage = _Damage()
    with _opened(path) as container:
        for frame in _decoded(container, _stream(container, "video", path), damage):
            yield frame, replace(damage)
    yield None, damage


class _Pictures:
    """The frames of one file, decoded as far as someone has asked and kept for whoever asks next."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self._kept: list[Picture] = []
        self._bytes = 0
        self._source: Iterator[Picture] | None = _decode_pictures(path)

    def __iter__(self) -> Iterator[Picture]:
        place = 0
        while place < len(self._kept) or (self._bytes < FRAMES_KEPT_BYTES and self._decode_next()):
            yield self._kept[place]
            place += 1
        if self._bytes >= FRAMES_KEPT_BYTES:
            # Who comes here first goes on with the open file; others decode what is not kept for themselves.
            source, self._source = self._source, None
            yield from source or islice(_decode_pictures(self._path), place, None)

    def _decode_next(self) -> bool:
        picture = next(self._source, None)
        if picture is None:
            return False
        self._kept.append(picture)
        frame, _ = picture
        self._bytes += 0 if frame is None else sum(plane.buffer_size for plane in frame.planes)
        return True


def read_frames(path: Path, choose: Chooser | None = None) -> Frames:
    """The frames that `choose` keeps (all without it), with their times in seconds from the clip's start.

    One decoding pass that ends with the last kept frame; only kept frames are converted to RGB. All of them lie in
    memory at once: for large clips use FrameStream, which also says what is raised and when.
    """
    stream = FrameStream(path, choose)
    pairs = list(stream)
    return Frames([image for _, image in pairs], np.array([time for time, _ in pairs]), stream.problem)


@contextmanager
def _opened(path: Path) -> Iterator[InputContainer]:
    import av

    if path.is_dir():
        raise UnreadableMedia(f"{path.name} is a folder, not a media file")
    if not path.exists():
        raise UnreadableMedia(f"{path.name} does not exist")
    if path.stat().st_size == 0:
        raise UnreadableMedia(f"{path.name} is empty (0 bytes)")
    try:
        # "file:" so that no name is taken for a protocol or a pattern, and that what a playlist names must be a local
        # file too; tags in odd encodings are no reason to fail.
        container = av.open(f"file:{path.absolute()}", metadata_errors="replace")
    except av.FFmpegError as error:
        raise UnreadableMedia(
            f"{path.name} cannot be opened as media: {error.strerror} "
            "(not an audio or video file, or cut off before its index)"
        ) from error
    with container:
        yield container


def _stream(container: InputContainer, medium: str, path: Path) -> av.VideoStream | av.AudioStream:
    streams = _streams(container, medium)
    if not streams:
        raise MissingMedium(f"{path.name} has no {medium} stream")
    stream = streams[0]
    if stream.codec_context is None:
        raise UnreadableMedia(f"the {medium} stream of {path.name} is of an unknown codec")
    stream.codec_context.thread_count = 1
    return stream


def _streams(container: InputContainer, medium: str) -> list:
    """Streams of a medium; cover art is a picture, not video."""
    from av.stream import Disposition

    return [s for s in container.streams if s.type == medium and not s.disposition & Disposition.attached_pic]


def _start(stream: av.VideoStream | av.AudioStream) -> float:
    """When a stream begins by the file's clock, in seconds."""
    start = float((stream.start_time or 0) * stream.time_base)
    # Sound that starts before zero is an encoder's run-up, which decoders leave out.
    return max(start, 0.0) if stream.type == "audio" else start


def _clip_start(container: InputContainer) -> float:
    """When the earlier of sound and picture begins by the file's clock, in seconds."""
    return min(_start(stream) for medium in ("video", "audio") for stream in _streams(container, medium)[:1])


def _packets(container: InputContainer, stream: av.VideoStream | av.AudioStream, damage: _Damage) -> Iterator:
    """The stream's packets and, last, one that flushes the decoder."""
    import av

    try:
        for packet in container.demux(stream):
            damage.packets += bool(packet.size)
            yield packet
    except IndexError:
        # PyAV's way to end a file in which a stream turned up half-way (damaged MPEG-TS).
        yield None
    except av.FFmpegError as error:
        damage.broken = error.strerror
        yield None


def _decoded(
    container: InputContainer, stream: av.VideoStream | av.AudioStream, damage: _Damage, since: float | None = None
) -> Iterator:
    """The stream's frames as far as they can be decoded; what goes wrong is noted in `damage`.

    With `since`, in seconds by the file's clock, only what goes wrong from then on.
    """
    import av

    for packet in _packets(container, stream, damage):
        try:
            frames = stream.decode(packet)
        except EOFError:
            # Flushed already.
            continue
        except av.FFmpegError as error:
            if not _is_before(packet, since):
                damage.add(error.strerror)
            continue
        for frame in frames:
            damage.spoilt += frame.is_corrupt and not _is_before(frame, since)
            yield frame


def _is_before(shown: av.Packet | av.VideoFrame | av.AudioFrame | None, since: float | None) -> bool:
    """Whether a packet or frame is shown before `since` for certain."""
    if shown is None or None in (since, shown.pts, shown.time_base):
        return False
    return float(shown.pts * shown.time_base) < since


def _frame_stamps(container: InputContainer, stream: av.VideoStream, damage: _Damage) -> list[int | None]:
    """When each frame is shown, in the stream's time base; None where the file does not say. Nothing is decoded."""
    return [
        packet.dts if packet.pts is None else packet.pts
        for packet in _packets(container, stream, damage)
        if packet is not None and packet.size and not packet.is_discard
    ]


@dataclass
class _Damage:
    """What went wrong while one stream was read."""

    packets: int = 0
    failed: int = 0
    spoilt: int = 0
    first_error: str = ""
    broken: str = ""

    def add(self, error: str) -> None:
        self.failed += 1
        self.first_error = self.first_error or error

    @property
    def lines(self) -> list[str]:
        """What to tell about it; empty where nothing went wrong."""
        lines = []
        if self.broken:
            lines.append(f"the file breaks off after {self.packets} packets: {self.broken}")
        if self.failed:
            lines.append(f"{self.failed} of {self.packets} packets cannot be decoded: {self.first_error}")
        if self.spoilt:
            lines.append(f"decoded with damage: {self.spoilt} frames")
        return lines

    @property
    def why(self) -> str:
        return f" ({_joined(self.lines)})" if self.lines else ""


def _shortfall(stream: av.VideoStream | av.AudioStream, medium: str, found: float) -> list[str]:
    """A line about a stream of which far less was found, in seconds, than its header promises."""
    if FORMATS_THAT_STATE_DURATION.isdisjoint(stream.container.format.name.split(",")):
        return []
    if stream.duration is not None:
        promised = float(stream.duration * stream.time_base)
    elif stream.container.duration is not None:
        # Matroska and FLV state the moment, in microseconds, when the last of all streams ends.
        promised = stream.container.duration / 1e6 - _start(stream)
    else:
        return []
    share, seconds = SHORTFALL
    if promised - found <= max(share * promised, seconds):
        return []
    return [f"the {medium} ends after {found:.2f} s, the file promises {promised:.2f} s"]


def _joined(lines: list[str]) -> str | None:
    return "; ".join(dict.fromkeys(lines)) or None


def write_clip(
    path: Path,
    frames: Iterable[np.ndarray],
    frames_per_second: float,
    samples: np.ndarray | None = None,
    sample_rate: int = SAMPLE_RATE,
    crf: int = 18,
) -> None:
    """Write an mp4 of H.264 video and, where `samples` are given, AAC sound; both start at time 0.

    `frames` yields (H, W, 3) uint8 RGB images of one size, one at a time, so that a long clip need not fit into memory;
    H.264 wants even sizes, so an odd side gets its last row or column twice. `samples` is (N,) float mono, clipped to
    [-1, 1]. `crf` is x264's constant rate factor: at 18 hardly a difference is seen, 6 more halve the file or so. The
    file appears under its name when it is complete; the same input gives the same bytes.

    Raises ValueError where `frames` yields nothing or images of other shapes.
    """
    import av

    temporary = path.with_name(f".{path.name}.tmp")
    try:
        # +bitexact leaves out dates and library versions.
        with av.open(f"file:{temporary.absolute()}", "w", format="mp4", options={"fflags": "+bitexact"}) as container:
            _encode(
                container, frames, Fraction(frames_per_second).limit_denominator(100_000), samples, sample_rate, crf
            )
        temporary.replace(path)
    finally:
        temporary.unlink(missing_ok=True)


def cut_clip(film: Path, begin_seconds: float, end_seconds: float, path: Path) -> None:
    """Write the part of a film between two moments as an mp4 of its own, encoded once, at the film's own frame rate.

    Sound and picture are of the same moments and end within half a picture, or a frame of AAC (21 ms), of the asked
    one. A film of variable frame rate becomes one of its average rate. The sound is mixed to mono. The file appears
    when it is complete.

    Raises MissingMedium for a film without picture or sound, and UnreadableMedia where the part lacks a piece of either
    or is damaged.
    """
    rate = _frame_rate(film)
    count = max(1, round((end_seconds - begin_seconds) * rate))
    sound = read_audio_part(film, begin_seconds, end_seconds - begin_seconds, CLIP_SOUND_RATE)
    lacking = max(end_seconds - begin_seconds - sound.duration_seconds, 0.0)
    if sound.problem or lacking > PICTURE_GAP_SECONDS:
        raise UnreadableMedia(sound.problem or f"the sound ends {lacking:.2f} s before the part")
    samples = np.pad(sound.samples, (0, round(lacking * CLIP_SOUND_RATE)))
    pictures = FramePart(film, begin_seconds, count, float(rate))

    def undamaged() -> Iterator[np.ndarray]:
        yield from pictures
        if pictures.problem:
            raise UnreadableMedia(pictures.problem)

    write_clip(path, undamaged(), rate, samples, CLIP_SOUND_RATE)


def _frame_rate(film: Path) -> Fraction:
    with _opened(film) as container:
        rate = _stream(container, "video", film).average_rate or DEFAULT_FRAME_RATE
    return rate if SLOWEST_FRAME_RATE <= rate <= FASTEST_FRAME_RATE else DEFAULT_FRAME_RATE


@dataclass(frozen=True)
class TextStream:
    """The subtitles inside a film: `language` as the file tags it, and (begin, end, text) in seconds of its clock."""

    language: str
    lines: list[tuple[float, float, str]]


def read_text_streams(path: Path) -> list[TextStream]:
    """The subtitle streams of a film that are text; pictures of text (DVD, Blu-ray) are left out.

    Raises UnreadableMedia for a file that cannot be opened.
    """
    with _opened(path) as container:
        languages = {
            stream.index: stream.language or ""
            for stream in container.streams.subtitles
            if stream.codec_context is not None
        }
        lines: dict[int, list[tuple[float, float, str]]] = {index: [] for index in languages}
        if not languages:
            return []
        origin = _clip_start(container)
        for packet in container.demux([container.streams[index] for index in languages]):
            if packet.pts is None or not packet.size:
                continue
            begin = float(packet.pts * packet.time_base) - origin
            end = begin + float((packet.duration or 0) * packet.time_base)
            lines[packet.stream.index] += [(begin, end, text) for text in _texts(packet)]
        return [TextStream(languages[index], found) for index, found in lines.items() if found]


def _texts(packet: av.Packet) -> list[str]:
    import av
    from av.subtitles.subtitle import AssSubtitle

    try:
        shown = packet.decode()
    except av.FFmpegError:
        return []
    return [part.dialogue.decode(errors="replace") for part in shown if isinstance(part, AssSubtitle)]


def write_sound(path: Path, samples: np.ndarray, sample_rate: int = SAMPLE_RATE) -> None:
    """Write a FLAC file of `samples` (N,), float mono, clipped to [-1, 1], in 16 bits.

    The file appears under its name when it is complete; the same input gives the same bytes.
    """
    import av

    temporary = path.with_name(f".{path.name}.tmp")
    whole = np.round(np.clip(samples, -1, 1) * (2**15 - 1)).astype(np.int16)
    try:
        with av.open(f"file:{temporary.absolute()}", "w", format="flac", options={"fflags": "+bitexact"}) as container:
            stream = container.add_stream("flac", rate=sample_rate, layout="mono", options={"flags": "+bitexact"})
            stream.format = "s16"
            for start in range(0, len(whole), 4096):
                frame = av.AudioFrame.from_ndarray(whole[None, start : start + 4096], format="s16", layout="mono")
                frame.sample_rate, frame.pts, frame.time_base = sample_rate, start, Fraction(1, sample_rate)
                container.mux(stream.encode(frame))
            container.mux(stream.encode(None))
        temporary.replace(path)
    finally:
        temporary.unlink(missing_ok=True)


def wav_of(samples: np.ndarray, sample_rate: int = SAMPLE_RATE) -> bytes:
    """A whole WAV file of `samples` (N,), float mono, clipped to [-1, 1], in 16 bits."""
    whole = np.round(np.clip(samples, -1, 1) * (2**15 - 1)).astype("<i2")
    content = io.BytesIO()
    with wave.open(content, "wb") as file:
        file.setparams((1, 2, sample_rate, len(whole), "NONE", ""))
        file.writeframes(whole.tobytes())
    return content.getvalue()


def _encode(
    container: OutputContainer,
    frames: Iterable[np.ndarray],
    frames_per_second: Fraction,
    samples: np.ndarray | None,
    sample_rate: int,
    crf: int,
) -> None:
    import av
    from av.video.reformatter import ColorRange, Colorspace

    video = audio = None
    sounds = iter(())
    for index, image in enumerate(frames):
        image = _even(image)
        if video is None:
            shape = image.shape
            options = {"preset": "veryfast", "crf": str(crf), "flags": "+bitexact", **SAME_BITS}
            video = container.add_stream("libx264", rate=frames_per_second, options=options)
            video.height, video.width, video.pix_fmt = shape[0], shape[1], "yuv420p"
            video.codec_context.time_base = 1 / frames_per_second
            # What the conversion from RGB does; without the tags players take large pictures for BT.709.
            video.codec_context.colorspace, video.codec_context.color_range = Colorspace.ITU601, ColorRange.MPEG
            if samples is not None:
                audio = container.add_stream("aac", rate=sample_rate, layout="mono", options={"flags": "+bitexact"})
                audio.bit_rate = 96_000
                sounds = _sound_frames(samples, sample_rate)
        if image.shape != shape:
            raise ValueError(f"frame {index} is {image.shape}, the first one {shape}: a clip has one size")
        frame = av.VideoFrame.from_ndarray(image, format="rgb24").reformat(format="yuv420p", threads=1)
        frame.pts, frame.time_base = index, 1 / frames_per_second
        container.mux(video.encode(frame))
        # Sound follows its picture closely, so that the muxer need not hold a whole stream to interleave the two.
        for sound in sounds:
            container.mux(audio.encode(sound))
            if sound.pts / sample_rate > index / frames_per_second:
                break
    if video is None:
        raise ValueError("no frames to write")
    for sound in sounds:
        container.mux(audio.encode(sound))
    for stream in filter(None, (video, audio)):
        container.mux(stream.encode(None))


def _sound_frames(samples: np.ndarray, sample_rate: int, length: int = 1024) -> Iterator[av.AudioFrame]:
    import av

    samples = np.clip(samples, -1, 1).astype(np.float32)
    for start in range(0, len(samples), length):
        frame = av.AudioFrame.from_ndarray(samples[None, start : start + length], format="fltp", layout="mono")
        frame.sample_rate, frame.pts, frame.time_base = sample_rate, start, Fraction(1, sample_rate)
        yield frame


def _even(image: np.ndarray) -> np.ndarray:
    height, width = image.shape[:2]
    if height % 2 or width % 2:
        image = np.pad(image, ((0, height % 2), (0, width % 2), (0, 0)), mode="edge")
    return np.ascontiguousarray(image)
