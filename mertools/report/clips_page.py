"""Explained clips on one page: what was said, what is true, what the classifier and every system say of each clip."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from mertools.clip import Clip
from mertools.corpus import Corpus
from mertools.report.classifier import Classifier
from mertools.report.clip_card import clip_card
from mertools.report.clip_choice import choose_clips
from mertools.report.clip_pictures import LOUDNESS_STEPS, Glance, glance
from mertools.report.explanations import ExplainingSystem, Synonyms, clip_disagreement, true_labels
from mertools.report.rendering import source_of, write_document

FREQUENT_LABELS = 8
"""So many stand in the overview."""

Progress = Callable[[int, int, int], None]


@dataclass(frozen=True)
class Choice:
    """How many clips a page shows, the seed of those drawn by lot, and whether with their `media`."""

    count: int
    seed: int
    media: bool


def write_clips_page(
    path: Path,
    corpus: Corpus,
    systems: Sequence[ExplainingSystem],
    classifier: Classifier | None,
    synonyms: Synonyms,
    choice: Choice,
    made: Mapping[str, Any],
    progress: Progress,
) -> int:
    """Write the page to `path` and return how many clips it shows.

    `classifier`, where there is one, answers all clips of the corpus. `made` says how the page came to be: `command`,
    `started` and `versions`. `progress` is told of each clip and of those whose media lacked something.
    """
    clips = corpus.clips
    disagreements = {clip.name: clip_disagreement(clip, systems, synonyms) for clip in clips}
    shown = choose_clips(clips, disagreements, choice.count, choice.seed)
    glances = list(_glances(shown, progress)) if choice.media else [None] * len(shown)
    cards = [
        clip_card(clip, systems, classifier, synonyms) | {"glance": seen, "disputed": disagreements[clip.name] > 0}
        for clip, seen in zip(shown, glances, strict=True)
    ]
    write_document(
        path,
        "clips.html.j2",
        ("report.css", "clips.css"),
        [source_of("clips.js")],
        title="Explained clips",
        result=made,
        manifest=corpus.manifest,
        notice=corpus.notice,
        seed=choice.seed,
        splits=dict(Counter(clip.split for clip in clips)),
        clip_count=len(clips),
        disputed=sum(value > 0 for value in disagreements.values()),
        cards=cards,
        systems=[system.name for system in systems],
        classified=classifier is not None,
        overview=[_overview(system, clips) for system in systems],
        truth_labels=_frequent([true_labels(clip) for clip in clips]),
        truths=sum(bool(true_labels(clip)) for clip in clips),
        loudness_steps=LOUDNESS_STEPS,
    )
    return len(shown)


def _glances(clips: Sequence[Clip], progress: Progress) -> Iterator[Glance]:
    lacking = 0
    for number, clip in enumerate(clips, start=1):
        seen = glance(clip)
        lacking += bool(seen.problems)
        progress(number, len(clips), lacking)
        yield seen


def _overview(system: ExplainingSystem, clips: Sequence[Clip]) -> dict[str, Any]:
    """How many of `clips` a system labelled, how many failed, and which labels it gives."""
    explanations = [system.of(clip) for clip in clips]
    opinions = [opinion for one in explanations if (opinion := one.opinion) is not None]
    failed = sum(one.has_failed for one in explanations)
    return {
        "name": system.name,
        "labelled": sum(map(bool, opinions)),
        "empty": sum(not opinion for opinion in opinions),
        "failed": failed,
        "lacking": len(clips) - len(opinions) - failed,
        "mean": sum(map(len, opinions)) / len(opinions) if opinions else None,
        "labels": _frequent(opinions),
    }


def _frequent(label_sets: Sequence[Sequence[str]]) -> dict[str, Any]:
    """The most frequent labels with their counts and, for the bars, their share of the most frequent one's."""
    counts = Counter(label for labels in label_sets for label in {label.strip().casefold() for label in labels})
    top = sorted(counts.items(), key=lambda pair: (-pair[1], pair[0]))[:FREQUENT_LABELS]
    return {"different": len(counts), "top": [(label, count, count / top[0][1]) for label, count in top]}
