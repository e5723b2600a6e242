"""A generated film with known turns, pauses and faults, to try `mertools prepare cut` on: film, subtitles and truth.

Its people and voices are those of the demo corpus. Drawn faces lie closer together than real ones do by a network that
learnt on photographs, so a film like this wants its own `--face-distance`.
"""

from __future__ import annotations

import csv
from collections.abc import Iterator
from dataclasses import dataclass
from itertools import cycle
from pathlib import Path

import numpy as np

from mertools.media import write_clip
from mertools.prepare import demo_face, demo_portrait, demo_speech
from mertools.prepare.demo_corpus import Speaker, draw_speakers
from mertools.prepare.demo_sentences import draw_sentence
from mertools.prepare.pieces import NO_FACE, SEVERAL_FACES, SEVERAL_PERSONS, TOO_SHORT
from mertools.randomness import generator

HEIGHT, WIDTH = demo_portrait.SIZE, 2 * demo_portrait.SIZE
RATE, PICTURES = demo_speech.SAMPLE_RATE, demo_portrait.FRAMES_PER_SECOND

PLAIN, TWO_FACES, VOICE_OVER, SCENE_CUT, SHORT = "plain", "two faces", "voice-over", "scene cut", "short"
EXPECTED = {PLAIN: "", TWO_FACES: SEVERAL_FACES, VOICE_OVER: NO_FACE, SCENE_CUT: SEVERAL_PERSONS, SHORT: TOO_SHORT}
"""What becomes of the turn in a scene of each kind."""

KINDS = (PLAIN, PLAIN, TWO_FACES, PLAIN, VOICE_OVER, PLAIN, PLAIN, SCENE_CUT, PLAIN, SHORT)

PAUSE_IN_TURN = 0.35, 0.6
PAUSE_BETWEEN_SCENES = 1.3, 2.2
"""In seconds: within the longest pause that is closed by merging, and beyond it."""

SHORT_WORDS = {"en": "Really?", "cmn": "真的吗？"}


@dataclass(frozen=True)
class Turn:
    """What one person says without another one in between: `lines` of (begin, end, words), and the fault, if any."""

    kind: str
    speaker: str
    lines: list[tuple[float, float, str]]

    @property
    def begin(self) -> float:
        return self.lines[0][0]

    @property
    def end(self) -> float:
        return self.lines[-1][1]


@dataclass(frozen=True)
class _Scene:
    """Sound (N,) of one scene, and whose portraits are seen: one list of people for each half."""

    turn: Turn
    sound: np.ndarray
    shown: tuple[list[Speaker], list[Speaker]]


def generate_film(folder: Path, seconds: float, seed: int = 0) -> list[Turn]:
    """Write film.mp4, at least `seconds` long, with film.srt and truth.csv into `folder`; gives the turns in it."""
    folder.mkdir(parents=True, exist_ok=True)
    scenes = list(_scenes(seconds, seed))
    write_clip(
        folder / "film.mp4", _pictures(scenes, seed), PICTURES, np.concatenate([s.sound for s in scenes]), RATE, crf=23
    )
    turns = [scene.turn for scene in scenes]
    lines = [line for turn in turns for line in turn.lines]
    cues = (f"{n}\n{_stamp(begin)} --> {_stamp(end)}\n{words}\n" for n, (begin, end, words) in enumerate(lines, 1))
    (folder / "film.srt").write_text("\n".join(cues), encoding="utf-8")
    with (folder / "truth.csv").open("w", encoding="utf-8", newline="") as file:
        writer = csv.writer(file)
        writer.writerow(["begin", "end", "kind", "reason", "speaker"])
        writer.writerows([f"{t.begin:.3f}", f"{t.end:.3f}", t.kind, EXPECTED[t.kind], t.speaker] for t in turns)
    return turns


def _scenes(seconds: float, seed: int) -> Iterator[_Scene]:
    people = draw_speakers(seed)
    begin = 0.0
    for number, kind in enumerate(cycle(KINDS)):
        if begin >= seconds:
            return
        rng = generator(seed, "demo-film", number)
        # Who follows is of the other sex: women are the first half.
        speaker = people[(number % 2) * len(people) // 2 + int(rng.integers(len(people) // 2))]
        scene = _scene(kind, speaker, people, begin, rng)
        begin += len(scene.sound) / RATE
        yield scene


def _scene(kind: str, speaker: Speaker, people: list[Speaker], begin: float, rng: np.random.Generator) -> _Scene:
    count = 1 if kind == SHORT else int(rng.integers(2, 4))
    parts = [np.zeros(round(rng.uniform(*PAUSE_BETWEEN_SCENES) / 2 * RATE), np.float32)]
    lines = []
    for number in range(count):
        if number:
            parts.append(np.zeros(round(rng.uniform(*PAUSE_IN_TURN) * RATE), np.float32))
        sentence = draw_sentence(rng, "neutral")
        words = sentence.mandarin if speaker.language == "cmn" else sentence.english
        words = SHORT_WORDS[speaker.language] if kind == SHORT else words
        spoken = demo_speech.speak(words, speaker.voice, demo_speech.PROSODIES["neutral"], int(rng.integers(2**31)))
        start = begin + sum(map(len, parts)) / RATE
        lines.append((start, start + len(spoken) / RATE, words))
        parts.append(spoken)
    parts.append(np.zeros(round(rng.uniform(*PAUSE_BETWEEN_SCENES) / 2 * RATE), np.float32))
    sound = np.concatenate(parts)
    # A whole number of pictures, so that the next scene begins with one.
    sound = np.pad(sound, (0, -len(sound) % (RATE // PICTURES)))
    other = people[(people.index(speaker) + len(people) // 2) % len(people)]
    shown = {
        TWO_FACES: ([speaker, other], [speaker, other]),
        VOICE_OVER: ([], []),
        SCENE_CUT: ([speaker], [other]),
    }.get(kind, ([speaker], [speaker]))
    return _Scene(Turn(kind, speaker.name, lines), sound + demo_speech.room_noise(len(sound), 1 + len(sound)), shown)


def _pictures(scenes: list[_Scene], seed: int) -> Iterator[np.ndarray]:
    for number, scene in enumerate(scenes):
        count = round(len(scene.sound) / RATE * PICTURES)
        loudness = demo_speech.loudness(scene.sound, PICTURES, count)
        middle = round(((scene.turn.begin + scene.turn.end) / 2 - _start(scenes, number)) * PICTURES)
        for people, part in zip(scene.shown, (loudness[:middle], loudness[middle:]), strict=True):
            yield from _shot(people, part, generator(seed, "demo-film pictures", number))


def _start(scenes: list[_Scene], number: int) -> float:
    return sum(len(scene.sound) for scene in scenes[:number]) / RATE


def _shot(people: list[Speaker], loudness: np.ndarray, rng: np.random.Generator) -> Iterator[np.ndarray]:
    """Portraits side by side, or one in the middle, before a landscape; the first one speaks."""
    landscape = _landscape()
    mouths = [loudness, np.zeros_like(loudness)]
    neutral = demo_face.EXPRESSIONS["neutral"]
    portraits = [
        demo_portrait.render(person.look, neutral, demo_face.draw_motion(rng), mouth)
        for person, mouth in zip(people, mouths, strict=False)
    ]
    first = 0 if len(people) == 2 else demo_portrait.SIZE // 2
    for _ in loudness:
        picture = landscape.copy()
        for place, portrait in enumerate(portraits):
            left = first + place * demo_portrait.SIZE
            picture[:, left : left + demo_portrait.SIZE] = next(portrait)
        yield picture


def _landscape() -> np.ndarray:
    """Sky over a field, (HEIGHT, WIDTH, 3) uint8."""
    rows = np.linspace(0, 1, HEIGHT)[:, None, None]
    sky, field = np.array([120, 170, 230]) + 60 * rows, np.array([70, 130, 60]) - 30 * rows
    return np.broadcast_to(np.where(rows < 0.55, sky, field), (HEIGHT, WIDTH, 3)).astype(np.uint8)


def _stamp(seconds: float) -> str:
    whole, milliseconds = divmod(round(1000 * seconds), 1000)
    return f"{whole // 3600:02d}:{whole // 60 % 60:02d}:{whole % 60:02d},{milliseconds:03d}"
