"""The page on which a person answers questions about clips, by key: one HTML file that works offline and saves a file.

Which questions, is data: four choices about a description (EMER §4), six labels, or texts to write or to correct.
"""

from __future__ import annotations

import base64
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

from mertools.report.rating_clips import MEDIA_TYPES
from mertools.report.rendering import source_of, write_document


@dataclass(frozen=True)
class Choice:
    """One answer to a question: `value` is what is saved, `text` what is shown."""

    value: str
    text: str


@dataclass(frozen=True)
class Question:
    """What is asked of every item. `key` names the answer in what is saved; the N-th choice has the digit N.

    Raises ValueError for more choices than there are digits.
    """

    key: str
    text: str
    choices: tuple[Choice, ...]

    def __post_init__(self) -> None:
        if not 1 <= len(self.choices) <= 9:
            raise ValueError(f"{len(self.choices)} choices for {self.key!r}: a digit each, 1 to 9")


@dataclass(frozen=True)
class TextQuestion:
    """What is answered in the rater's own words; where it is not `required`, it may stay empty."""

    key: str
    text: str
    required: bool = True


@dataclass(frozen=True)
class ShownClip:
    """What there is to see, hear and read of a clip. `media` is a file of MEDIA_TYPES, None for text alone."""

    id: str
    media: Path | None
    subtitle: str = ""
    subtitle_english: str = ""


@dataclass(frozen=True)
class ShownItem:
    """One thing to be judged: a clip and, where the question is about a text, that text.

    `drafts` are, by the keys of text questions, what stands there to be corrected: an answer until it is changed.
    """

    id: str
    clip: str
    text: str = ""
    drafts: Mapping[str, str] = field(default_factory=dict, hash=False)


@dataclass(frozen=True)
class Sitting:
    """What one rater is asked: `items` in the rater's order, each about one of `clips`.

    `study` and `rater` tell the answers from others; `title` and `guide` stand at the head of the page, `text_heading`
    above an item's text.
    """

    study: str
    rater: str
    title: str
    guide: str
    text_heading: str
    questions: Sequence[Question | TextQuestion]
    clips: Sequence[ShownClip]
    items: Sequence[ShownItem]


def write_rating_page(path: Path, sitting: Sitting, embedded: bool = True) -> int:
    """Write the page of one rater to `path` and return its size in bytes.

    The clips are within the page or, where not `embedded`, stay beside it: then their files must lie below the page's
    folder and go where it goes.
    """
    data = {
        "study": sitting.study,
        "rater": sitting.rater,
        "questions": [asdict(question) for question in sitting.questions],
        "items": [asdict(item) for item in sitting.items],
        "clips": {clip.id: _clip(clip, path.parent, embedded) for clip in sitting.clips},
    }
    write_document(
        path,
        "rating.html.j2",
        ("report.css", "rating.css"),
        [source_of("rating.js")],
        title=sitting.title,
        sitting=sitting,
        data=data,
        media_source="blob:" if embedded else "'self' file:",
        keys=_keys(sitting.questions),
        writes=any(isinstance(question, TextQuestion) for question in sitting.questions),
    )
    return path.stat().st_size


def _clip(clip: ShownClip, folder: Path, embedded: bool) -> dict[str, Any]:
    shown: dict[str, Any] = {"subtitle": clip.subtitle, "english": clip.subtitle_english}
    if clip.media is not None:
        shown["type"] = MEDIA_TYPES[clip.media.suffix]
        if embedded:
            shown["content"] = base64.b64encode(clip.media.read_bytes()).decode()
        else:
            shown["file"] = clip.media.relative_to(folder).as_posix()
    return shown


def _keys(questions: Iterable[Question | TextQuestion]) -> str:
    """The keys that answer, as the page's legend shows them; "" where none does."""
    most = max((len(question.choices) for question in questions if isinstance(question, Question)), default=0)
    return f"1–{most}" if most > 1 else "1" if most else ""
