"""Who annotates which clips of a corpus as EMER was made: drawn once, and kept in study.json (EMER §2)."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

from mertools.clip import Clip
from mertools.errors import InputError
from mertools.randomness import generator
from mertools.whole_files import whole_file

FORMAT = "mertools emer study 1"

ASPECTS = {
    "face": "Facial expressions and body movements",
    "tone": "Tone and intonation",
    "content": "Speech content",
    "scene": "Video content, environment, and other clues",
}
"""The four aspects of clues, by what they are called in files (EMER §2)."""

CHECKER = "checker"
"""Who looks over what language models make of the annotators' clues."""


@dataclass(frozen=True)
class StudyClip:
    """A clip of the study. `item` is what people's files call it; `media` the file they see, relative to the folder of
    their pages, "" for a clip of text alone."""

    item: str
    name: str
    subtitle: str
    subtitle_english: str
    media: str

    @property
    def clip(self) -> Clip:
        """The clip as the steps take it."""
        return Clip(self.name, subtitle=self.subtitle, subtitle_english=self.subtitle_english)


@dataclass(frozen=True)
class Study:
    """The clips, and by annotator the items that they see, in their order.

    `language` is that of all that people write; `corpus` describes where the clips are from, `steps` says who did
    each step, `commands` what was typed.
    """

    id: str
    seed: int
    language: str
    clips: tuple[StudyClip, ...]
    assigned: Mapping[str, tuple[str, ...]]
    corpus: Mapping[str, Any] = field(default_factory=dict, hash=False)
    steps: Mapping[str, Sequence[str]] = field(default_factory=dict, hash=False)
    commands: tuple[str, ...] = ()

    @property
    def names(self) -> dict[str, str]:
        """The clips' names by item."""
        return {clip.item: clip.name for clip in self.clips}


def eligible(clips: Sequence[Clip], excluded: Sequence[str], seed: int) -> list[Clip]:
    """The clips to draw from, in drawn order: the first so many are a sample.

    With labels `excluded`, those clips and the clips without a label are left out: they may be of these too. The order
    of `clips` does not matter.
    """
    kept = sorted(
        (clip for clip in clips if not excluded or (clip.label and clip.label not in excluded)),
        key=lambda clip: clip.name,
    )
    return [kept[place] for place in generator(seed, "emer clips").permutation(len(kept))]


def assign(items: Sequence[str], annotators: int, per_clip: int, seed: int) -> dict[str, tuple[str, ...]]:
    """By annotator the items that they annotate, in an order of their own.

    Each item gets `per_clip` of so many `annotators` at random, and no annotator has more than one item more than
    another. Raises InputError where there are not so many.
    """
    if not 1 <= per_clip <= annotators:
        raise InputError(f"{per_clip} of {annotators} annotators for each clip: wanted 1 to {annotators} (--per-clip).")
    loads = {f"annotator-{number}": 0 for number in range(1, annotators + 1)}
    assigned: dict[str, list[str]] = {annotator: [] for annotator in loads}
    for item in items:
        draws = dict(zip(loads, generator(seed, "emer annotators", item).random(annotators), strict=True))
        for annotator in sorted(loads, key=lambda one: (loads[one], draws[one]))[:per_clip]:
            loads[annotator] += 1
            assigned[annotator].append(item)
    return {
        annotator: tuple(own[place] for place in generator(seed, "emer order", annotator).permutation(len(own)))
        for annotator, own in assigned.items()
    }


def study_id(seed: int, clips: Sequence[StudyClip], assigned: Mapping[str, Sequence[str]]) -> str:
    """What tells a study's files from another's."""
    told = [seed, [clip.name for clip in clips], {annotator: list(own) for annotator, own in assigned.items()}]
    return hashlib.sha256(json.dumps(told).encode()).hexdigest()[:12]


def write_study(path: Path, study: Study) -> None:
    """Write study.json, atomically."""
    with whole_file(path) as file:
        file.write(json.dumps({"format": FORMAT, **asdict(study)}, ensure_ascii=False, indent=1) + "\n")


def read_study(path: Path) -> Study:
    """Read study.json; raises InputError for a file that is none."""
    try:
        contents = json.loads(path.read_text(encoding="utf-8"))
    except ValueError:
        contents = None
    if not isinstance(contents, dict) or contents.pop("format", None) != FORMAT:
        raise InputError(f"{path} is not the study.json that `mertools ov build emer` writes.")
    clips = tuple(StudyClip(**clip) for clip in contents.pop("clips"))
    assigned = {annotator: tuple(own) for annotator, own in contents.pop("assigned").items()}
    commands = tuple(contents.pop("commands"))
    return Study(**contents, clips=clips, assigned=assigned, commands=commands)
