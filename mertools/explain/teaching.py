"""From examples and stored frames to the batches that an explainer reads."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping, Sequence
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch

from mertools.errors import InputError
from mertools.explain.batch import Batch, collate, stack_media
from mertools.explain.configuration import Configuration, DataSet
from mertools.explain.explainer import Explainer
from mertools.explain.instructions import Example, read_set
from mertools.explain.stored_frames import StoredFrames, Windows
from mertools.explain.template import Encoded


@dataclass(frozen=True)
class Lessons:
    """One set: its examples, the frames of their clips, and what tells it from another."""

    data: DataSet
    examples: tuple[Example, ...]
    frames: StoredFrames
    fingerprint: str

    def record(self) -> dict[str, Any]:
        """What a checkpoint says of a set it was trained on."""
        about = {"path": self.data.path, "kind": self.data.kind, "split": self.data.split, "weight": self.data.weight}
        return about | {"examples": len(self.examples), "fingerprint": self.fingerprint}


class Library:
    """The sets of a configuration, opened once each; a context manager."""

    def __init__(self, configuration: Configuration, features: Path, windows: Windows | None = None) -> None:
        """`features` is the folder of the frames of sets that name none, `windows` the clips' utterances."""
        self._configuration = configuration
        self._features = features
        self._windows = windows
        self._stack = ExitStack()
        self._frames: dict[Path, StoredFrames] = {}
        self._lessons: dict[DataSet, Lessons] = {}

    def __enter__(self) -> Library:
        return self

    def __exit__(self, *exception: object) -> None:
        self._stack.close()

    def frames(self, folder: str = "") -> StoredFrames:
        """The frames in `folder`, by default the command's."""
        path = Path(folder) if folder else self._features
        if path not in self._frames:
            stored = StoredFrames(self._configuration.branches, path, self._windows)
            self._frames[path] = self._stack.enter_context(stored)
            stored.check_encoders(self.frames().provenance)
        return self._frames[path]

    def open(self, data: DataSet) -> Lessons:
        """The lessons of a set.

        Raises InputError as `read_set` and `StoredFrames` do, and where no example is as long as the set wants.
        """
        if data not in self._lessons:
            examples, frames = read_set(data), self.frames(data.features)
            frames.check_clips((example.clip, example.media) for example in examples)
            if data.min_seconds:
                examples = [one for one in examples if frames.has_seconds(one.clip, data.min_seconds)]
            if not examples:
                raise InputError(f"No clip of {data.path} lasts {data.min_seconds:g} s. Lower min_seconds.")
            taught = [(one, frames.windows(one.clip)) for one in examples]
            digest = hashlib.sha256(repr(taught).encode()).hexdigest()[:16]
            self._lessons[data] = Lessons(data, tuple(examples), frames, digest)
        return self._lessons[data]


def check_prompts(explainer: Explainer, lessons: Lessons) -> None:
    """Refuse a set with an example that the explainer cannot be taught: prompt or answer too long, or no answer.

    Raises InputError as `PromptTemplate.encode` does, before any step was taken.
    """
    for example in lessons.examples:
        _encode(explainer, lessons.frames, example, answered=True)


def learning_batch(
    explainer: Explainer, frames: StoredFrames, examples: Sequence[Example], shown: Mapping[str, str] | None = None
) -> Batch:
    """Prompts with their answers, to train on. `shown` says which other clip's media a clip is shown with, if any."""
    return _batch(explainer, frames, examples, shown or {}, answered=True)


def asking_batch(
    explainer: Explainer, frames: StoredFrames, examples: Sequence[Example], shown: Mapping[str, str] | None = None
) -> Batch:
    """Prompts alone, to generate from; `shown` as in `learning_batch`."""
    return _batch(explainer, frames, examples, shown or {}, answered=False)


def standardise(explainer: Explainer, lessons: Sequence[Lessons]) -> None:
    """Set the branches that standardise their frames to the training clips' mean and deviation, each clip once."""
    clips = {example.clip: one.frames for one in lessons for example in one.examples}
    for medium, branch in explainer.configuration.branches.items():
        if branch.scale != "standardise":
            continue
        count, total, squares = 0, torch.zeros(branch.width).double(), torch.zeros(branch.width).double()
        for name, frames in clips.items():
            media = frames.clip(name)[medium]
            values = media.frames[media.mask].reshape(-1, branch.width).double()
            count += len(values)
            total += values.sum(dim=0)
            squares += values.square().sum(dim=0)
        if not count:
            raise InputError(f"No clip to train on has frames of {branch.feature!r}. Leave the branch out.")
        mean = total / count
        deviation = (squares / count - mean.square()).clamp(min=0).sqrt()
        # What only rounding tells from a constant is one.
        deviation[deviation < 1e-6 * mean.abs()] = 0
        explainer.branches[medium].standardise(mean.float(), deviation.float())


def _batch(
    explainer: Explainer,
    frames: StoredFrames,
    examples: Sequence[Example],
    shown: Mapping[str, str],
    answered: bool,
) -> Batch:
    clips = [frames.clip(shown.get(one.clip, one.clip)) for one in examples]
    encoded = [_encode(explainer, frames, one, answered, shown.get(one.clip, one.clip)) for one in examples]
    media = {medium: stack_media([clip[medium] for clip in clips]) for medium in clips[0]}
    return collate(encoded, media, explainer.template.pad_id)


def _encode(
    explainer: Explainer, frames: StoredFrames, example: Example, answered: bool, shown: str | None = None
) -> Encoded:
    counts = explainer.configuration.token_counts(len(frames.windows(shown or example.clip)))
    template = explainer.template
    if answered:
        return template.encode(example.subtitle, example.answer, counts, example.question, example.clip)
    return template.encode_prompt(example.subtitle, counts, example.question, example.clip)
