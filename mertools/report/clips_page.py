"""Explained clips on one page: what was said, what is true, what the classifier and every system say of each clip."""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from mertools.clip import Clip
from mertools.corpus import Corpus
from mertools.ov.clues import Clue
from mertools.report.classifier import Classifier
from mertools.report.clip_choice import choose_clips
from mertools.report.clip_pictures import FRAMES, LOUDNESS_STEPS, glance
from mertools.report.explanations import (
    ExplainingSystem,
    Explanation,
    Synonyms,
    clip_disagreement,
    meanings,
    true_labels,
)
from mertools.report.rendering import source_of, write_document

FREQUENT_LABELS = 8
"""So many stand in the overview."""

DESCRIPTION_COLUMN = "description"
"""A further column of the manifest: what a human says of the clip, or what it was generated from."""

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
        _card(clip, systems, classifier, synonyms) | {"glance": seen, "disputed": disagreements[clip.name] > 0}
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
        frames=FRAMES,
        loudness_steps=LOUDNESS_STEPS,
    )
    return len(shown)


def _glances(clips: Sequence[Clip], progress: Progress) -> Iterator[Any]:
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
    failed = sum(_failed(one) for one in explanations)
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


def _card(
    clip: Clip, systems: Sequence[ExplainingSystem], classifier: Classifier | None, synonyms: Synonyms
) -> dict[str, Any]:
    """One clip as the template shows it, and the words that the filter finds it by."""
    truth = meanings(true_labels(clip), synonyms)

    def is_true(label: str) -> bool:
        return not truth.isdisjoint(meanings([label], synonyms))

    said = [system.of(clip) for system in systems]
    opinions = [opinion for one in said if (opinion := one.opinion) is not None]
    found = meanings([label for opinion in opinions for label in opinion], synonyms)
    labels = [*true_labels(clip), *(label for opinion in opinions for label in opinion)]
    words = [clip.name, clip.split, clip.speaker, *labels]
    return {
        "clip": clip,
        "labels": tuple(label for label in clip.open_labels if label != clip.label),
        "reference": clip.columns.get(DESCRIPTION_COLUMN, ""),
        "words": " ".join(filter(None, words)).lower(),
        "failed": any(map(_failed, said)),
        "missed": bool(truth and opinions) and truth.isdisjoint(found),
        "classifier": classifier and _classified(classifier, clip, is_true),
        "systems": [
            _said(system.name, one, clip, is_true, synonyms) for system, one in zip(systems, said, strict=True)
        ],
    }


def _failed(explanation: Explanation) -> bool:
    """Whether something failed and there are no labels for it; a clue that failed may have been made up for."""
    return explanation.opinion is None and bool(explanation.failures)


def _classified(classifier: Classifier, clip: Clip, is_true: Callable[[str], bool]) -> dict[str, Any]:
    evidence = classifier.evidence[clip.name]
    return {
        "estimate": evidence.estimate,
        "probabilities": [
            (label, value, label == evidence.label, is_true(label)) for label, value in evidence.probabilities.items()
        ],
        "weights": list(classifier.attention(clip.name).items()),
    }


def _said(
    name: str, explanation: Explanation, clip: Clip, is_true: Callable[[str], bool], synonyms: Synonyms
) -> dict[str, Any]:
    """What one system says of a clip as the template shows it."""
    opinion = explanation.opinion
    truth = meanings(clip.open_labels, synonyms)
    description = explanation.description
    return {
        "name": name,
        "labels": None if opinion is None else [(label, is_true(label)) for label in opinion],
        # The classes of a corpus are one label a clip: to count what is lacking takes open labels.
        "found": (len(truth & meanings(opinion, synonyms)), len(truth)) if opinion and truth else None,
        "labels_failed": explanation.labels.failed if explanation.labels else "",
        "description": description,
        "description_by": _made_by(description.source) if description else "",
        "clues": [
            {
                "clue": clue,
                "by": _made_by(clue.source),
                "parts": _parts(clue),
                "clauses": clauses(clue),
            }
            for clue in explanation.clues
        ],
        "silent": not (explanation.clues or description or explanation.labels),
    }


def _made_by(source: Mapping[str, Any]) -> str:
    """Who or what a source names as the maker of a text; "" where it names none."""
    model = source.get("model")
    if model:
        return "no language model" if model == "none" else str(model)
    if "observer" in source:
        return f"observer {source['observer']}"
    return str(source.get("imported", ""))


def clauses(clue: Clue) -> list[dict[str, Any]]:
    """The clauses of a clue that tell the number behind them: `clause`, `signal`, `value`, `percentile` and `seconds`,
    from when to when they hold.

    What a source leaves out, or gives as something else than numbers, is None.
    """
    listed = clue.source.get("clauses")
    rows = [row for row in listed if isinstance(row, Mapping)] if isinstance(listed, list) else []
    return [
        {
            "clause": str(row.get("clause") or ""),
            "signal": str(row.get("signal") or ""),
            "value": _number(row.get("value")),
            "percentile": _number(row.get("percentile")),
            "seconds": _span(row.get("seconds")),
        }
        for row in rows
    ]


def _number(value: Any) -> float | None:
    is_number = isinstance(value, int | float) and not isinstance(value, bool) and math.isfinite(value)
    return float(value) if is_number else None


def _span(value: Any) -> tuple[float, float] | None:
    numbers = [_number(end) for end in value] if isinstance(value, list | tuple) else []
    return None if len(numbers) != 2 or None in numbers else (numbers[0], numbers[1])


def _parts(clue: Clue) -> list[tuple[str, dict[str, Any] | None]]:
    """The text of a clue cut at its clauses: (piece, the clause it is, None for what lies between)."""
    pieces, rest = [], clue.text
    for clause in clauses(clue):
        before, found, after = rest.partition(clause["clause"]) if clause["clause"] else (rest, "", "")
        if found:
            pieces += [(before, None), (found, clause)]
            rest = after
    return [piece for piece in [*pieces, (rest, None)] if piece[0]]
