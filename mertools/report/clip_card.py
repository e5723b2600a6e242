"""One clip as the page of explained clips shows it: what is known of it beside what each system says."""

from __future__ import annotations

import math
from collections.abc import Callable, Hashable, Iterable, Mapping, Sequence
from typing import Any

from mertools.clip import Clip
from mertools.ov.clues import Clue
from mertools.report.classifier import Classifier
from mertools.report.explanations import ExplainingSystem, Explanation, Synonyms, meanings, true_labels

DESCRIPTION_COLUMN = "description"
"""A further column of the manifest: what a human says of the clip, or what it was generated from."""


def clip_card(
    clip: Clip, systems: Sequence[ExplainingSystem], classifier: Classifier | None, synonyms: Synonyms
) -> dict[str, Any]:
    """One clip as the template shows it, and the words that the filter finds it by."""
    truth = meanings(true_labels(clip), synonyms)

    def is_true(label: str) -> bool:
        return not truth.isdisjoint(meanings([label], synonyms))

    names, said = [system.name for system in systems], [system.of(clip) for system in systems]
    opinions = [opinion for one in said if (opinion := one.opinion) is not None]
    found = meanings([label for opinion in opinions for label in opinion], synonyms)
    labels = [*true_labels(clip), *(label for opinion in opinions for label in opinion)]
    words = [clip.name, clip.split, clip.speaker, *labels]
    return {
        "clip": clip,
        "labels": tuple(label for label in clip.open_labels if label != clip.label),
        "reference": clip.columns.get(DESCRIPTION_COLUMN, ""),
        "words": " ".join(filter(None, words)).lower(),
        "failed": any(one.has_failed for one in said),
        "missed": bool(truth and opinions) and truth.isdisjoint(found),
        "classifier": classifier and _classified(classifier, clip, is_true),
        "systems": [
            _said(system.name, one, clip, is_true, synonyms) | {"description_of": described, "clues_of": noticed}
            for system, one, described, noticed in zip(
                systems,
                said,
                _first_to_say(names, map(_prose, said)),
                _first_to_say(names, map(_clues, said)),
                strict=True,
            )
        ],
    }


def _prose(explanation: Explanation) -> Hashable:
    """The description as its reader sees it."""
    one = explanation.description
    return one and (one.description, one.failed, _made_by(one.source), bool(one.evidence))


def _clues(explanation: Explanation) -> Hashable:
    """The clues as their reader sees them."""
    return tuple((clue.modality, clue.text, clue.failed, _made_by(clue.source)) for clue in explanation.clues)


def _first_to_say(names: Sequence[str], texts: Iterable[Hashable]) -> list[str]:
    """For each system the one before it that says the very same, "" where none does or there is nothing to say.

    Systems that differ in a later step alone share what comes before it: shown once, the difference is seen.
    """
    first: dict[Hashable, str] = {}
    repeats = []
    for name, text in zip(names, texts, strict=True):
        repeats.append(first.get(text, "") if text else "")
        first.setdefault(text, name)
    return repeats


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
