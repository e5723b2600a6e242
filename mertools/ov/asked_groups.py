"""The paper's grouping: a language model is asked which labels of a clip mean the same (MER2024 §3.4)."""

from __future__ import annotations

import json
from collections.abc import Callable, Collection, Mapping

from mertools.ov.answers import GROUPS_SCHEMA, read_groups
from mertools.ov.chat import Chat, Question, Unreadable
from mertools.ov.groupings import ByClip, fold, folded
from mertools.ov.prompts import GROUPING

Groups = tuple[tuple[str, ...], ...]


def ask_groups(
    chat: Chat, truth: Mapping[str, Collection[str]], predicted: Mapping[str, Collection[str]], run: int = 0
) -> ByClip:
    """Ask `chat` to group the true and predicted labels of each clip of `truth`, together.

    Not asked about are clips whose score no grouping changes: without true or predicted labels, or with one label in
    all. A clip without a usable answer is in `failed`. `run` tells repeated runs apart.
    """
    labels = {clip: _together(truth[clip], predicted.get(clip, ())) for clip in truth}
    questions = [_question(clip, found) for clip, found in labels.items() if len(found) > 1]
    groups, failed = {clip: _alone(truth[clip]) for clip in truth}, {}
    for answer in chat.answers(questions, run):
        if answer.value is None:
            failed[answer.question.name] = answer.reason
        else:
            groups[answer.question.name] = answer.value
    return ByClip(groups, failed)


def _together(true: Collection[str], predicted: Collection[str]) -> list[str]:
    """The labels to group, sorted: the same question whatever the order they come in."""
    true, predicted = set(map(fold, true)), set(map(fold, predicted))
    return sorted(true | predicted) if true and predicted else []


def _alone(labels: Collection[str]) -> Groups:
    return tuple((label,) for label in map(fold, labels))


def _question(clip: str, labels: list[str]) -> Question[Groups]:
    prompt = f"{GROUPING}\nEmotions: {json.dumps(labels, ensure_ascii=False)}"
    return Question(clip, prompt, _reader(labels), schema=GROUPS_SCHEMA)


def _reader(labels: list[str]) -> Callable[[str], Groups]:
    def read(text: str) -> Groups:
        groups = folded(read_groups(text))
        if not any(label in group for group in groups for label in labels):
            raise Unreadable("none of the given emotions is in the groups; group the emotions that were given")
        return groups

    return read
