"""What is true of a demo clip in open vocabulary: its emotions as words, and a description of what shows them.

Both follow from what was drawn, and hold nothing that a viewer could not perceive: the clip's emotion, the other
emotion where a cue lies between two, and the shade of it that each clear cue has, such as a face that is not just angry
but hostile, or someone who says that she is lonely.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from mertools.prepare.demo_sentences import Sentence


@dataclass(frozen=True)
class Cue:
    """What one modality of a clip shows: an emotion, or something between it and `other`."""

    emotion: str
    other: str | None = None


@dataclass(frozen=True)
class Sign:
    """How an emotion shows in one modality: what is perceived, and the shade of the emotion that this stands for."""

    perceived: str
    shade: str


FACE = {
    "angry": Sign("the brows are drawn down and the teeth are bared", "hostile"),
    "happy": Sign("the mouth smiles broadly and the cheeks are raised", "joyful"),
    "sad": Sign("the lids droop, the corners of the mouth hang and the eyes look down", "dejected"),
    "worried": Sign("the brows are pulled up in the middle, the eyes are wide and the lips are stretched", "tense"),
    "surprise": Sign("the brows are raised high, the eyes are wide and the jaw has dropped", "amazed"),
}
"""As `demo_face.EXPRESSIONS` draws them."""

VOICE = {
    "angry": Sign("loud, fast and rough", "aggressive"),
    "happy": Sign("high, bright, fast and full of melody", "excited"),
    "sad": Sign("low, soft, slow and flat", "depressed"),
    "worried": Sign("trembling, breathy and soft", "nervous"),
    "surprise": Sign("loud, very high and leaps up and down", "astonished"),
}
"""As `demo_speech.PROSODIES` sounds them."""

SIGNS = {"video": FACE, "audio": VOICE}
UNMOVED = ("neutral", "calm")
"""The labels of a clip in which nothing is expressed."""


def open_labels(label: str, cues: Mapping[str, Cue], sentence: Sentence) -> tuple[str, ...]:
    """One to three English emotion words that a viewer could give, the clip's emotion first.

    `label` is the clip's class, `cues` what each modality shows of it.
    """
    if label == "neutral":
        return UNMOVED
    others = [_word(cue.other) for cue in cues.values() if cue.other]
    shades = [_shade(modality, cue, sentence) for modality, cue in cues.items()]
    return tuple(dict.fromkeys(filter(None, [_word(label), *others, *shades])))


def describe(label: str, cues: Mapping[str, Cue], sentence: Sentence) -> str:
    """What face, voice and words show and which emotions follow, in English."""
    found = _listed(open_labels(label, cues, sentence))
    ending = "Nothing stirs this person, who is" if label == "neutral" else "So this person is"
    return " ".join([_face(cues["video"]), _voice(cues["audio"]), _words(cues["text"], sentence), f"{ending} {found}."])


def _word(emotion: str) -> str:
    """How a person is who feels `emotion`, a class of MER2024."""
    return "surprised" if emotion == "surprise" else emotion


def _shade(modality: str, cue: Cue, sentence: Sentence) -> str:
    if modality == "text":
        return sentence.feeling
    # Half an expression has none of the whole one's shade.
    return "" if cue.emotion == "neutral" or cue.other else SIGNS[modality][cue.emotion].shade


def _face(cue: Cue) -> str:
    if cue.emotion == "neutral":
        return "The face is at rest."
    if cue.other:
        return f"The face lies between {_word(cue.emotion)} and {_word(cue.other)}."
    sign = FACE[cue.emotion]
    return f"The face is {_listed((_word(cue.emotion), sign.shade))}: {sign.perceived}."


def _voice(cue: Cue) -> str:
    if cue.emotion == "neutral":
        return "The voice is even, of ordinary loudness and pace."
    if cue.other:
        return f"The voice lies between {_word(cue.emotion)} and {_word(cue.other)}."
    sign = VOICE[cue.emotion]
    return f"The voice is {sign.perceived}: {_listed((_word(cue.emotion), sign.shade))}."


def _words(cue: Cue, sentence: Sentence) -> str:
    said = f'The person says: "{sentence.english}"'
    if cue.emotion == "neutral":
        return f"{said} These words tell of everyday things."
    speaker = _listed(tuple(filter(None, (_word(cue.emotion), _word(cue.other or ""), sentence.feeling))))
    return f"{said} These are words of someone {speaker}."


def _listed(words: Sequence[str]) -> str:
    """As in a sentence: a, b and c."""
    *others, last = words
    return f"{', '.join(others)} and {last}" if others else last
