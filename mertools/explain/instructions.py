"""What explainers are taught: examples of our own explanations, and of published sets of pictures and videos."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path, PurePosixPath
from typing import Any

from mertools.clip import Clip
from mertools.corpus import read_manifest
from mertools.errors import InputError
from mertools.explain.configuration import AUDIO, VIDEO, DataSet
from mertools.ov.explanations import Explanation, read_explanations

DESCRIPTION_COLUMN = "description"

PLACEHOLDERS = ("<image>", "<video>", "<Img><ImageHere></Img>", "<ImageHere>")
"""What published questions hold where the medium stands; our template says itself where that is."""

QUESTION_FOR_CAPTIONS = "Describe this picture in detail."
"""MiniGPT-4's pictures have a caption and no question; its training asks one of a few such."""


@dataclass(frozen=True)
class Example:
    """One answer to learn.

    `clip` is the name of the clip whose media stand in the prompt, `media` which of them its feature files must know:
    a picture has no sound. `question` is "" for the prompt's own. `labels` are the true open-vocabulary labels.
    """

    clip: str
    answer: str
    subtitle: str = ""
    question: str = ""
    labels: tuple[str, ...] = ()
    media: tuple[str, ...] = (AUDIO, VIDEO)


def read_set(data: DataSet) -> list[Example]:
    """The examples of a set, in its order.

    Raises InputError for a file that is absent or not of its kind, and where no example is left.
    """
    path = Path(data.path)
    if not path.is_file():
        raise InputError(f"There is no set of instructions {path}. Correct the configuration's path to it.")
    examples = list(READERS[data.kind](path, data))
    if not examples:
        wanted = f" of split {data.split}, complete in {data.language}" if data.kind in OWN else ""
        raise InputError(f"{path} has no example{wanted}. Correct the split, or leave the set out.")
    return examples


def questions_about(clips: Iterable[Clip], language: str) -> list[Example]:
    """What is asked about `clips`: the prompt's own question, with the subtitle in `language`, and no answer."""
    return [Example(clip.name, "", _subtitle(clip, language), labels=clip.open_labels) for clip in clips]


def descriptions_of(clips: Iterable[Clip], language: str) -> list[Example]:
    """What a manifest says of those of `clips` that it describes, as answers to the prompt's own question."""
    return [
        Example(clip.name, answer, _subtitle(clip, language), labels=clip.open_labels)
        for clip in clips
        if (answer := clip.columns.get(DESCRIPTION_COLUMN, ""))
    ]


def _explanations(path: Path, data: DataSet) -> Iterator[Example]:
    for one in read_explanations(path):
        # Where no split was drawn, all clips are to train on.
        if one.failed or (one.split or "train") not in data.splits or not one.description(data.language):
            continue
        subtitle = _subtitle(one, data.language)
        yield Example(one.name, one.description(data.language), subtitle, labels=one.labels(data.language))


def _manifest(path: Path, data: DataSet) -> Iterator[Example]:
    clips = [clip for clip in read_manifest(path).clips if clip.split in data.splits]
    yield from descriptions_of(clips, data.language)


def _llava(path: Path, _: DataSet) -> Iterator[Example]:
    """LLaVA's instructions (Liu et al. 2023): every question of a conversation is an example of its own."""
    for where, row in _rows(path, _read_json(path)):
        turns = _field(where, row, "conversations", list)
        clip = _clip_name(_field(where, row, "image", str))
        for asked, answered in zip(turns[::2], turns[1::2], strict=False):
            question, answer = (_field(where, turn, "value", str) for turn in (asked, answered))
            yield Example(clip, answer.strip(), question=_bare(question), media=(VIDEO,))


def _minigpt4(path: Path, _: DataSet) -> Iterator[Example]:
    """MiniGPT-4's second stage (Zhu et al. 2023): captions of pictures."""
    content = _read_json(path)
    for where, row in _rows(path, content.get("annotations") if isinstance(content, Mapping) else content):
        answer = _field(where, row, "caption", str).strip()
        clip = _clip_name(str(row.get("image_id", "")) or _field(where, row, "image", str))
        yield Example(clip, answer, question=QUESTION_FOR_CAPTIONS, media=(VIDEO,))


def _videochat(path: Path, _: DataSet) -> Iterator[Example]:
    """VideoChat's instructions (Li et al. 2023), as Video-LLaMA reads them: questions and answers on a video."""
    for where, row in _rows(path, _read_json(path)):
        clip = _clip_name(_field(where, row, "video", str))
        for turn in _field(where, row, "QA", list):
            question, answer = (_field(where, turn, key, str) for key in ("q", "a"))
            yield Example(clip, answer.strip(), question=_bare(question), media=(VIDEO,))


Reader = Callable[[Path, DataSet], Iterator[Example]]

READERS: dict[str, Reader] = {
    "explanations": _explanations,
    "manifest": _manifest,
    "llava": _llava,
    "minigpt4": _minigpt4,
    "videochat": _videochat,
}
"""What reads each kind of `mertools.explain.configuration.DataSet`."""

OWN = ("explanations", "manifest")


def _subtitle(one: Clip | Explanation, language: str) -> str:
    """The subtitle in `language`, else the one there is."""
    in_language = {"en": one.subtitle_english, "zh": one.subtitle}[language]
    return in_language or one.subtitle or one.subtitle_english


def _read_json(path: Path) -> Any:
    try:
        return json.loads(path.read_text(encoding="utf-8"))
    except ValueError:
        raise InputError(f"{path} is not JSON in UTF-8. Correct the configuration's path, or its kind.") from None


def _rows(path: Path, content: Any) -> Iterator[tuple[str, Mapping[str, Any]]]:
    if not isinstance(content, list):
        raise InputError(f"{path}: got {str(content)[:40]!r}, wanted a list of examples. Correct the set's kind.")
    for number, row in enumerate(content, start=1):
        yield f"{path}, example {number}", row


def _field(where: str, row: Any, name: str, kind: type) -> Any:
    value = row.get(name) if isinstance(row, Mapping) else None
    if not isinstance(value, kind):
        raise InputError(f"{where}: got {str(row)[:60]!r}, wanted {name!r} in it, of type {kind.__name__}.")
    return value


def _clip_name(medium: str) -> str:
    """What the clip of a picture or video is called: its file's name without the ending."""
    return PurePosixPath(medium).stem


def _bare(question: str) -> str:
    for placeholder in PLACEHOLDERS:
        question = question.replace(placeholder, "")
    return question.strip()
