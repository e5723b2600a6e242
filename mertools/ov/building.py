"""Clues, descriptions and labels of both languages -> explanations, a row a clip (EMER-Coarse: AffectGPT §3)."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from typing import Any

from mertools.clip import Clip
from mertools.ov.clues import MODALITIES, ClipClues
from mertools.ov.descriptions import Description
from mertools.ov.explanations import Explanation
from mertools.ov.labels import OpenLabels


def explanations_of(
    clips: Iterable[Clip],
    clues: Mapping[str, ClipClues],
    descriptions: Mapping[str, Iterable[Description]],
    labels: Mapping[str, Iterable[OpenLabels]],
    labeller: Mapping[str, Any],
) -> Iterator[Explanation]:
    """What is known of each clip, put together; nothing is kept of a clip that has passed.

    `descriptions` and `labels` are, by language, those of `clips` in their order. `labeller` says where labels come
    from. A clip of which a step failed has the texts that it got so far, the reason and no label.

    Raises ValueError where the rows are not of the clips.
    """
    languages = tuple(descriptions)
    described = zip(*descriptions.values(), strict=True)
    labelled = zip(*labels.values(), strict=True)
    for clip, texts, found in zip(clips, described, labelled, strict=True):
        if {row.name for row in (*texts, *found)} != {clip.name}:
            raise ValueError(f"the rows beside clip {clip.name} are of another one")
        failed = _reason(texts, found)
        yield Explanation(
            clip.name,
            clip.subtitle,
            clip.subtitle_english,
            **{f"description_{language}": row.description for language, row in zip(languages, texts, strict=True)},
            **{f"labels_{language}": () if failed else row.labels for language, row in zip(labels, found, strict=True)},
            clues=_texts(clues.get(clip.name, ClipClues())),
            source={
                f"description_{language}": _without_clauses(row.source)
                for language, row in zip(languages, texts, strict=True)
            }
            | {"labels": dict(labeller)},
            failed=failed,
        )


def _texts(clues: ClipClues) -> dict[str, str]:
    """The texts of a clip's clues by the medium that they are of."""
    found = {
        modality: "\n".join(clue.text for clue in clues.usable if clue.modality == modality) for modality in MODALITIES
    }
    return {modality: text for modality, text in found.items() if text}


def _reason(texts: Iterable[Description], found: Iterable[OpenLabels]) -> str:
    """Why an explanation is not complete, by the first step that failed."""
    return next((row.failed for row in texts if row.failed), "") or next(
        (f"labels: {row.failed}" for row in found if row.failed), ""
    )


def _without_clauses(source: Mapping[str, Any]) -> dict[str, Any]:
    """A description's source without the numbers behind each clue: these stand in clues.jsonl."""
    clues = [{key: value for key, value in clue.items() if key != "clauses"} for clue in source.get("clues", ())]
    return {**source, "clues": clues}
