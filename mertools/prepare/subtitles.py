"""Subtitles of a film: a file (`.srt`, `.ass`, …; parsed by pysubs2) or a stream inside it, as stretches to cut at."""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from mertools.errors import InputError
from mertools.media import TextStream, read_text_streams
from mertools.prepare.pieces import Stretch
from mertools.prepare.recogniser import CHINESE, ENGLISH, LANGUAGES
from mertools.writing import writing_of

SUFFIXES = (".srt", ".ass", ".ssa", ".vtt")

NOT_SPOKEN = re.compile(r"\[[^\]]*\]|\([^)]*\)|（[^）]*）|【[^】]*】|[♪♫#]+[^♪♫]*[♪♫]+|[♪♫]+")
"""Sounds, music and songs, as subtitles for the deaf write them."""

DASH = re.compile(r"^\s*[-–—‐]\s*")
"""How subtitles mark that another speaker begins."""

SLIP_SECONDS = 0.1
"""Subtitles that overlap by no more are meant to follow each other."""

TAGS = {CHINESE: ("chi", "zho", "zh", "cmn"), ENGLISH: ("eng", "en")}
WRITINGS = {CHINESE: "Chinese", ENGLISH: "Latin"}


@dataclass(frozen=True)
class Subtitles:
    """The stretches that subtitles say are spoken, in the order of time, and `notes` on what of them was not used."""

    stretches: list[Stretch]
    notes: list[str]


Cue = tuple[float, float, str]
"""Begin and end in seconds, and the text with its line breaks."""


def read_subtitles(path: Path, language: str, film_seconds: float) -> Subtitles:
    """The subtitles of a file for a film of so many seconds.

    Raises InputError for a file that is absent, or holds no subtitles that can be read.
    """
    try:
        import pysubs2
    except ImportError:
        raise InputError("Subtitle files need the package pysubs2: pip install 'mertools[prepare]'.") from None

    try:
        text, encoding = _decoded(path.read_bytes(), language)
        events = pysubs2.SSAFile.from_string(text, format_="srt" if path.suffix.lower() == ".srt" else None)
    except OSError as error:
        raise InputError(f"The subtitles {path} cannot be read: {error.strerror}.") from None
    except (pysubs2.exceptions.Pysubs2Error, ValueError) as error:
        raise InputError(f"{path} holds no subtitles that can be read ({error}). Wanted .srt, .ass or .vtt.") from None
    notes = [] if encoding == "utf-8-sig" else [f"the subtitles are not UTF-8; read as {encoding}"]
    stated = len(re.findall(r"^.*-->", text, re.MULTILINE))
    if stated > len(events):
        notes.append(f"{stated - len(events)} of {stated} subtitles are broken")
    cues = [(one.start / 1000, one.end / 1000, one.plaintext) for one in events if not one.is_comment]
    if not cues:
        raise InputError(f"{path} holds no subtitles. Cut by voice activity instead: --by speech.")
    return spoken(cues, language, film_seconds, notes)


def film_subtitles(film: Path, language: str, film_seconds: float) -> Subtitles | None:
    """The subtitles inside a film, of the stream that is in `language` if there is one; None where there are none."""
    streams = read_text_streams(film)
    if not streams:
        return None
    chosen = max(streams, key=lambda stream: _fits(stream, language))
    notes = []
    if len(streams) > 1:
        notes.append(f"{len(streams)} streams of subtitles; took {chosen.language or 'one of no stated language'}")
    return spoken(chosen.lines, language, film_seconds, notes)


def spoken(cues: Iterable[Cue], language: str, film_seconds: float, notes: Sequence[str] = ()) -> Subtitles:
    """What is spoken, as stretches: cues of the same times are one, sounds and music are left out.

    Cues that end before they begin or lie beyond the film's end are counted in the notes. Those that overlap become one
    stretch of several speakers: no cut can part their words.
    """
    together: dict[tuple[float, float], list[str]] = {}
    lost = dict.fromkeys(("end before they begin", "lie beyond the film's end", "are of no speech"), 0)
    for begin, end, text in cues:
        lines = [line for line in (NOT_SPOKEN.sub(" ", line).strip() for line in text.splitlines()) if line]
        if end <= begin or begin < 0:
            lost["end before they begin"] += 1
        elif begin >= film_seconds:
            lost["lie beyond the film's end"] += 1
        elif not any(character.isalnum() for line in lines for character in line):
            lost["are of no speech"] += 1
        else:
            together.setdefault((begin, min(end, film_seconds)), []).extend(lines)
    stretches: list[Stretch] = []
    for (begin, end), lines in sorted(together.items()):
        stretch = _stretch(begin, end, lines, language)
        if stretches and begin < stretches[-1].end:
            last = stretches.pop()
            if last.end - begin <= SLIP_SECONDS < end - last.begin:
                stretches.append(replace(last, end=begin))
            else:
                stretch = _overlapping(last, stretch)
        stretches.append(stretch)
    told = [f"{count} subtitles {what}" for what, count in lost.items() if count]
    return Subtitles(stretches, [*notes, *told])


def _stretch(begin: float, end: float, lines: Sequence[str], language: str) -> Stretch:
    lines = list(dict.fromkeys(lines))
    latin = [line for line in lines if language in LANGUAGES and writing_of(line) == WRITINGS[ENGLISH]]
    others = [line for line in lines if line not in latin]
    # Of two languages each marks its speakers.
    turns = max(sum(bool(DASH.match(line)) for line in group) for group in (latin, others))
    return Stretch(begin, end, _text(others), _text(latin), max(turns, 1))


def _overlapping(first: Stretch, second: Stretch) -> Stretch:
    return Stretch(
        first.begin,
        max(first.end, second.end),
        " ".join(filter(None, (first.subtitle, second.subtitle))),
        " ".join(filter(None, (first.subtitle_english, second.subtitle_english))),
        first.turns + second.turns,
    )


def _text(lines: Iterable[str]) -> str:
    return " ".join(" ".join(DASH.sub("", line).split()) for line in lines)


def _fits(stream: TextStream, language: str) -> int:
    if stream.language in TAGS.get(language, (language, language[:3])):
        return 2
    return int(writing_of(" ".join(text for _, _, text in stream.lines)) == WRITINGS.get(language))


def _decoded(content: bytes, language: str) -> tuple[str, str]:
    """The text of a subtitle file and its encoding: old ones are in that of their country."""
    if content.startswith((b"\xff\xfe", b"\xfe\xff")):
        return content.decode("utf-16", errors="replace"), "utf-16"
    try:
        return content.decode("utf-8-sig"), "utf-8-sig"
    except UnicodeDecodeError:
        encoding = "gb18030" if language == CHINESE else "cp1252"
        return content.decode(encoding, errors="replace"), encoding
