"""What a language model takes beside text: asked, not assumed.

Each question is asked of two made clips that differ in nothing but the answer. A server that drops a part of a question
without a word (the sound of a video, most often) leaves two equal questions, and a model then gives the same answer to
both: only one that perceives is right twice. The clips are sent as real ones are.
"""

from __future__ import annotations

import re
import tempfile
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from mertools.clip import Clip
from mertools.errors import InputError
from mertools.media import SAMPLE_RATE, write_clip
from mertools.ov.answers import read_text
from mertools.ov.chat import NOT_IN_THE_CACHE, Answer, Chat, Question
from mertools.ov.clip_media import ClipMedia, Preparation
from mertools.ov.takes import Takes

SECONDS = 2
FRAMES_PER_SECOND = 25
SIDE = 256
BEEP_HERTZ = 880
BEEP_SECONDS = 0.25
COLOURS = {"red": (220, 20, 20), "blue": (20, 20, 220)}

PREPARATION = Preparation()
GREETING = "Please answer with the one word: yes"


@dataclass(frozen=True)
class Trial:
    """A question about two clips, and how each is rightly answered: by a word that begins so.

    `perceived` and `takes` say how a clip is sent (ClipMedia).
    """

    part: str
    perceived: str
    takes: Takes
    prompt: str
    answers: tuple[tuple[str, str], tuple[str, str]]


COLOUR = "do you see last, red or blue? Please answer with one word."
BEEPS = "hold beeps, or is it silent? Please answer with one word: beeps or silent."
TRIALS = (
    Trial(
        "images",
        "video",
        Takes(images=True),
        f"These pictures are frames of a video in their order. Which colour {COLOUR}",
        (("red-blue-beeps", "blue"), ("blue-red", "red")),
    ),
    Trial(
        "video",
        "video",
        Takes(video=True),
        f"This is a video. Which colour {COLOUR}",
        (("red-blue-beeps", "blue"), ("blue-red", "red")),
    ),
    Trial(
        "audio",
        "audio",
        Takes(audio=True),
        f"Does this recording {BEEPS}",
        (("red-blue-beeps", "beep"), ("blue-red", "silen")),
    ),
    Trial(
        "sound of video",
        "video",
        Takes(video=True),
        f"Does the sound of this video {BEEPS}",
        # The same pictures twice, which would give the answer away.
        (("red-blue-beeps", "beep"), ("red-blue", "silen")),
    ),
)


@dataclass(frozen=True)
class Finding:
    """What came of a trial: the answers, and the `reason` why a clip was not answered about, "" where both were."""

    part: str
    answers: tuple[str, ...]
    reason: str
    is_right: bool


def probe(chat: Chat, preparation: Preparation = PREPARATION) -> tuple[Finding, ...]:
    """Try each part on the model; images are as many as `preparation` says.

    Raises InputError where the model does not even answer words.
    """
    (greeted,) = chat.answers([Question("greeting", GREETING, read_text)])
    if greeted.reason == NOT_IN_THE_CACHE:
        raise InputError(
            "What the model takes was not tried out in the exchanges that are replayed. Say it with --takes, as then."
        )
    if greeted.reason:
        raise InputError(f"The model does not answer a question in words alone: {greeted.reason}. See to that first.")
    with tempfile.TemporaryDirectory(prefix="mertools-probe-") as folder:
        questions = [_question(trial, Path(folder), name, preparation) for trial in TRIALS for name, _ in trial.answers]
        answers = iter(list(chat.answers(questions)))
    return tuple(_finding(trial, [next(answers) for _ in trial.answers]) for trial in TRIALS)


def takes(findings: Sequence[Finding]) -> Takes:
    """What the model takes: the parts it was right about. The sound of videos plays no part: it is never relied on."""
    right = {finding.part for finding in findings if finding.is_right}
    return Takes(images="images" in right, video="video" in right, audio="audio" in right)


def _question(trial: Trial, folder: Path, name: str, preparation: Preparation) -> Question[str]:
    media = ClipMedia(_clip(folder, name), trial.perceived, trial.takes, preparation)
    return Question(f"{trial.part} of {name}", trial.prompt, read_text, media.load, media.key)


def _clip(folder: Path, name: str) -> Clip:
    """A clip that shows and sounds as its name says, made unless it is there; the same bytes every time."""
    path = folder / f"{name}.mp4"
    if not path.exists():
        pictures = [np.full((SIDE, SIDE, 3), COLOURS[part], np.uint8) for part in name.split("-") if part in COLOURS]
        frames = [picture for picture in pictures for _ in range(SECONDS * FRAMES_PER_SECOND // len(pictures))]
        write_clip(path, frames, FRAMES_PER_SECOND, _sound("beeps" in name))
    return Clip(name, video=path)


def _sound(beeps: bool) -> np.ndarray:
    """Beeps with pauses as long between them, or as much silence."""
    seconds = np.arange(SECONDS * SAMPLE_RATE) / SAMPLE_RATE
    sounding = (seconds // BEEP_SECONDS) % 2 == 0
    return 0.5 * beeps * sounding * np.sin(2 * np.pi * BEEP_HERTZ * seconds)


def _finding(trial: Trial, answers: Sequence[Answer[str]]) -> Finding:
    reason = next((answer.reason for answer in answers if answer.reason), "")
    said = tuple(" ".join((answer.value or "").split()) for answer in answers)
    wanted = [beginning for _, beginning in trial.answers]
    heard = [{beginning for beginning in wanted if re.search(rf"\b{beginning}", text.lower())} for text in said]
    return Finding(trial.part, said, reason, not reason and heard == [{beginning} for beginning in wanted])
