"""EMER's procedure: the clues of several people -> one text, and the emotions that it tells of (EMER §2)."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from functools import partial

from mertools.clip import Clip
from mertools.ov.answers import LABELS_SCHEMA, read_label_list, read_text
from mertools.ov.asking import Asked, Done, ask
from mertools.ov.chat import Answer, Chat, Question, Unreadable
from mertools.ov.descriptions import Description
from mertools.ov.emer_answers import Annotation
from mertools.ov.emer_study import ASPECTS
from mertools.ov.labels import OpenLabels
from mertools.ov.language import NAMES, is_in, is_mostly_in
from mertools.ov.prompts import EMOTION_SUMMARY, annotation_summary_prompt


def clue_lines(annotations: Sequence[Annotation]) -> list[str]:
    """What people wrote of one clip, a clue each, those of one aspect together and each only once."""
    clues = (one.clues.get(aspect, "").strip() for aspect in ASPECTS for one in annotations)
    return list(dict.fromkeys(" ".join(clue.split()) for clue in clues if clue))


def summarise(
    clips: Iterable[Clip], annotations: Mapping[str, Sequence[Annotation]], chat: Chat, language: str
) -> Iterator[Done[Description]]:
    """One text in `language` of all clues of each clip, by EMER's prompt (Figure 1)."""
    source = {**chat.source, "step": "summary", "language": language}
    read = partial(_read_in, language)

    def item(clip: Clip) -> Asked[str, Description]:
        prompt = annotation_summary_prompt(clue_lines(annotations[clip.name]))

        def row(answer: Answer[str]) -> Description:
            return Description(clip.name, clip.subtitle, answer.value or "", {}, source, answer.reason)

        return Asked(Question(clip.name, prompt, read), row)

    return ask(map(item, clips), chat)


def summarise_offline(
    clips: Iterable[Clip], annotations: Mapping[str, Sequence[Annotation]], language: str
) -> Iterator[Done[Description]]:
    """The same without a language model: all clues one after the other."""
    for clip in clips:
        text = (" " if language == "en" else "").join(map(_sentence, clue_lines(annotations[clip.name])))
        yield Done(Description(clip.name, clip.subtitle, text, {}, {"model": "none", "step": "summary"}))


def name_emotions(summaries: Iterable[Description], chat: Chat) -> Iterator[Done[OpenLabels]]:
    """The emotions that each summary tells of, by EMER's prompt with one example (Figure 2)."""

    def item(one: Description) -> Asked[tuple[str, ...], OpenLabels] | OpenLabels:
        if one.failed:
            return OpenLabels(one.name, (), one.failed)

        def row(answer: Answer[tuple[str, ...]]) -> OpenLabels:
            return OpenLabels(one.name, answer.value or (), answer.reason)

        prompt = EMOTION_SUMMARY.format(prediction=one.description)
        return Asked(Question(one.name, prompt, read_label_list, schema=LABELS_SCHEMA), row)

    return ask(map(item, summaries), chat)


def _read_in(language: str, text: str) -> str:
    found = read_text(text)
    if not is_mostly_in(language, found):
        raise Unreadable(f"the text is not in {NAMES[language]}")
    return found


def _sentence(clue: str) -> str:
    """A clue with a full stop, so that the next one begins anew."""
    return clue if clue[-1] in ".!?。！？" else clue + ("。" if is_in("zh", clue) else ".")
