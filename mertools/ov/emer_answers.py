"""What annotators and checker hand back in EMER's procedure, checked, and annotations.jsonl (EMER §2)."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path

from mertools.errors import InputError
from mertools.ov.emer_study import ASPECTS, CHECKER, Study, StudyClip
from mertools.ov.json_lines import read_objects, write_objects
from mertools.ov.language import is_mostly_in
from mertools.ov.rating_sheets import collect, read_answers

READY = "ready"
"""What the annotators' last question is called in their files, and its only answer."""
VERDICT = "verdict"
SUMMARY, DESCRIPTION, LABELS = "summary", "description", "labels"
"""What the checker's questions are called."""
GOOD, BAD = "good", "bad"

UNFINISHED = "Nothing is left out of a corpus: let them finish."


@dataclass(frozen=True)
class Annotation:
    """What one annotator wrote of one clip, by aspect; an aspect without a clue is ""."""

    name: str
    annotator: str
    clues: Mapping[str, str]


def study_of(study: Study, step: str) -> str:
    """What tells the files of one step of a study from all others."""
    return f"{study.id}-{step}"


def read_annotations(path: Path) -> Iterator[Annotation]:
    """The annotations of a file in its order."""
    for _, row in read_objects(path, {"name": str, "annotator": str, "clues": dict}):
        yield Annotation(row["name"], row["annotator"], row["clues"])


def write_annotations(path: Path, annotations: Iterable[Annotation]) -> None:
    """Write annotations.jsonl, atomically."""
    write_objects(path, map(asdict, annotations))


def take_annotations(paths: Sequence[Path], study: Study) -> list[Annotation]:
    """The annotators' files as annotations: of each clip all of its annotators', in the order of the clips.

    Raises InputError, with counts and for every file at once: for a file of another study or person, two of one person
    or none of another; items that are unknown, missing, there twice or not marked as ready; items without any clue; and
    clues in another language than the study's.
    """
    wrong, given = [], {}
    for path in paths:
        try:
            annotator, texts = _annotator(path, study)
        except InputError as error:
            wrong.append(str(error))
            continue
        if annotator in given:
            wrong.append(f"{path} is the second file of {annotator}. Name one file a person.")
        given[annotator] = texts
    if not wrong and (absent := [annotator for annotator in study.assigned if annotator not in given]):
        wrong.append(f"{len(absent)} of {len(study.assigned)} annotators gave no file: {', '.join(absent)}")
    wrong += _astray(given, study.language)
    if wrong:
        raise InputError("\n  ".join(["The annotators' files cannot be used.", *wrong]))
    return [
        Annotation(clip.name, annotator, given[annotator][clip.item])
        for clip in study.clips
        for annotator, own in study.assigned.items()
        if clip.item in own
    ]


def take_checks(
    path: Path, study: Study, step: str, texts: Sequence[str], clips: Sequence[StudyClip]
) -> dict[str, dict[str, str]]:
    """The checker's file of one step about `clips`: by name the `texts` and VERDICT, which is GOOD or BAD.

    Raises InputError, with counts, as above; only of a clip that is BAD the first text may be empty.
    """
    file = read_answers(path, VERDICT)
    items = {clip.item: clip.name for clip in clips}
    verdicts = collect([file], study_of(study, step), [CHECKER], list(items), (GOOD, BAD), mend=UNFINISHED)
    found = {text: dict(read_answers(path, text).given) for text in texts}
    checks = {
        items[item]: {VERDICT: verdict, **{text: found[text][item].strip() for text in texts}}
        for item, verdict in verdicts.answers[CHECKER].items()
    }
    good = {name: check[texts[0]] for name, check in checks.items() if check[VERDICT] == GOOD}
    if empty := [name for name, text in good.items() if not text]:
        raise InputError(f"{path}: {len(empty)} clips are {GOOD} and have no {texts[0]} (first: {empty[0]}).")
    if astray := _astray({CHECKER: {name: {texts[0]: text} for name, text in good.items()}}, study.language):
        raise InputError(f"{path} cannot be used: {astray[0]}.")
    return checks


def _annotator(path: Path, study: Study) -> tuple[str, dict[str, dict[str, str]]]:
    """Whose file `path` is, and by item what it says of each aspect."""
    ready = read_answers(path, READY)
    own = study.assigned.get(ready.rater, ())
    collect([ready], study_of(study, "clues"), list(study.assigned), own, ("yes",), mend=UNFINISHED)
    by_aspect = {aspect: dict(read_answers(path, aspect).given) for aspect in ASPECTS}
    texts = {item: {aspect: given[item].strip() for aspect, given in by_aspect.items()} for item in own}
    if silent := [item for item, clues in texts.items() if not any(clues.values())]:
        raise InputError(f"{path}: {len(silent)} items of {ready.rater} have no clue at all (first: {silent[0]}).")
    return ready.rater, texts


def _astray(given: Mapping[str, Mapping[str, Mapping[str, str]]], language: str) -> list[str]:
    """By person how many texts are in another language; nothing where all are in `language`."""
    lines = []
    for person, texts in given.items():
        written = [text for of_item in texts.values() for text in of_item.values() if text]
        if astray := [text for text in written if not is_mostly_in(language, text)]:
            lines.append(
                f"{person}: {len(astray)} of {len(written)} texts are not in the study's language {language!r} "
                f"(first: {astray[0][:40]!r})"
            )
    return lines
