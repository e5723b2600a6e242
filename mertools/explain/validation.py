"""How good an explainer is after an epoch: its loss on a validation set, and the labels in what it generates."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

import torch

from mertools.explain.configuration import Validation
from mertools.explain.explainer import Explainer
from mertools.explain.instructions import Example
from mertools.explain.stored_frames import StoredFrames
from mertools.explain.teaching import Lessons, asking_batch, learning_batch
from mertools.intervals import Estimate
from mertools.lexicon import lexicon
from mertools.ov.groupings import BySynonyms
from mertools.ov.labels import OpenLabels
from mertools.ov.scoring import score
from mertools.set_metrics import SET_LEVEL


def validate(
    explainer: Explainer, lessons: Lessons, validation: Validation, batch_size: int, seed: int
) -> dict[str, Any]:
    """The loss an answer token on `lessons`, and where labels are known and wanted the set-level scores with their
    95 % intervals: `{"loss": …, "avg": {"value", "low", "high", "n"}, "accuracy": …, "recall": …}`.

    Labels are the lexicon's words in what is generated, greedily.
    """
    found: dict[str, Any] = {"loss": loss_on(explainer, lessons.frames, lessons.examples, batch_size)}
    labelled = [example for example in lessons.examples if example.labels]
    if validation.generate and labelled:
        answers = generated(explainer, lessons.frames, labelled, batch_size, validation.max_new_tokens)
        texts = {example.clip: text for example, text in answers}
        estimates = label_scores({one.clip: one.labels for one in labelled}, texts, lessons.data.language, seed)
        found |= {name: vars(estimate) for name, estimate in estimates.items()}
    return found


@torch.no_grad()
def loss_on(
    explainer: Explainer,
    frames: StoredFrames,
    examples: Sequence[Example],
    batch_size: int,
    shown: Mapping[str, str] | None = None,
) -> float:
    """The mean cross-entropy of the answers' tokens, without dropout; `shown` as in `learning_batch`."""
    was_training = explainer.training
    explainer.eval()
    total, tokens = 0.0, 0
    for some in in_batches(examples, batch_size):
        loss = explainer(learning_batch(explainer, frames, some, shown).to(device_of(explainer)))
        total += loss.total.item()
        tokens += loss.tokens
    explainer.train(was_training)
    return total / tokens


def generated(
    explainer: Explainer,
    frames: StoredFrames,
    examples: Sequence[Example],
    batch_size: int,
    max_new_tokens: int,
    shown: Mapping[str, str] | None = None,
) -> Iterator[tuple[Example, str]]:
    """Each example with what is generated for its prompt, greedily; `shown` as in `learning_batch`."""
    for some in in_batches(examples, batch_size):
        batch = asking_batch(explainer, frames, some, shown).to(device_of(explainer))
        yield from zip(some, explainer.generate(batch, max_new_tokens), strict=True)


def in_batches(examples: Sequence[Example], size: int) -> Iterator[Sequence[Example]]:
    """`examples` in order, `size` at a time and the rest at the end."""
    return (examples[first : first + size] for first in range(0, len(examples), size))


def label_scores(
    truth: Mapping[str, tuple[str, ...]], texts: Mapping[str, str], language: str, seed: int
) -> Mapping[str, Estimate]:
    """The set-level scores of the words for emotions in `texts` against the true labels, same synonyms counting as
    one."""
    words = lexicon()
    labels = {name: OpenLabels(name, words.words_in(text, language)) for name, text in texts.items()}
    return score(truth, labels, BySynonyms(words), SET_LEVEL, seed).estimates


def device_of(explainer: Explainer) -> torch.device:
    """Where the explainer's weights are."""
    return next(explainer.parameters()).device
