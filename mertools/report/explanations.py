"""What systems say of clips in open vocabulary: clues, a description and labels, read from each system's folder."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from itertools import combinations
from pathlib import Path
from typing import Protocol

from mertools.clip import Clip
from mertools.errors import InputError
from mertools.ov.clues import Clue, read_clues
from mertools.ov.descriptions import Description, read_descriptions
from mertools.ov.labels import OpenLabels, read_labels

CLUES, DESCRIPTIONS, LABELS = "clues.jsonl", "descriptions.jsonl", "labels.csv"


class Synonyms(Protocol):
    """Which labels say the same (`mertools.lexicon`)."""

    def group(self, label: str) -> str | None:
        """The group of synonyms that `label` is in, None for a label that is in no table."""


@dataclass(frozen=True)
class Explanation:
    """What one system says of one clip; what it does not say is None or empty."""

    clues: tuple[Clue, ...] = ()
    description: Description | None = None
    labels: OpenLabels | None = None

    @property
    def failures(self) -> tuple[str, ...]:
        """Why there are no clues, no description or no labels, where something failed."""
        reasons = [part.failed for part in (*self.clues, self.description, self.labels) if part is not None]
        return tuple(dict.fromkeys(filter(None, reasons)))

    @property
    def opinion(self) -> tuple[str, ...] | None:
        """The labels; None where none were asked for or extracting them failed, which an empty list is not."""
        return None if self.labels is None or self.labels.failed else self.labels.labels

    @property
    def has_failed(self) -> bool:
        """Whether something failed and there are no labels for it; a clue that failed may have been made up for."""
        return self.opinion is None and bool(self.failures)


@dataclass(frozen=True)
class ExplainingSystem:
    """A system by the name its reader knows it by, and its explanations by the clips' names."""

    name: str
    explanations: Mapping[str, Explanation]

    def of(self, clip: Clip) -> Explanation:
        """What the system says of `clip`: nothing where it does not know it."""
        return self.explanations.get(clip.name, Explanation())


def read_system(name: str, folder: Path, clips: Sequence[Clip]) -> ExplainingSystem:
    """The system whose clues.jsonl, descriptions.jsonl and labels.csv lie in `folder`; any of them may be absent.

    Raises InputError for a folder with none of them, and for one that speaks of other clips than `clips`.
    """
    paths = [folder / file for file in (CLUES, DESCRIPTIONS, LABELS)]
    if not any(path.is_file() for path in paths):
        raise InputError(
            f"--system {name}={folder}: the folder holds none of {CLUES}, {DESCRIPTIONS} and {LABELS}. "
            "Name the folder that `mertools ov run` wrote to, of several runs one: run-1."
        )
    clues, descriptions, labels = (
        read(path) if path.is_file() else []
        for path, read in zip(paths, (read_clues, read_descriptions, read_labels), strict=True)
    )
    clues_of: dict[str, list[Clue]] = defaultdict(list)
    for clue in clues:
        clues_of[clue.name].append(clue)
    description_of = {row.name: row for row in descriptions}
    labels_of = {row.name: row for row in labels}
    names = dict.fromkeys([*clues_of, *description_of, *labels_of])
    known = {clip.name for clip in clips}
    if names and known.isdisjoint(names):
        raise InputError(
            f"--system {name}={folder} speaks of other clips ({_first(names)}) than the manifest ({_first(known)}). "
            "Name the manifest that it was run on with --data."
        )
    return ExplainingSystem(
        name,
        {
            clip: Explanation(tuple(clues_of.get(clip, ())), description_of.get(clip), labels_of.get(clip))
            for clip in names
        },
    )


def true_labels(clip: Clip) -> tuple[str, ...]:
    """The label and the open labels of a clip, each once."""
    return tuple(dict.fromkeys(filter(None, (clip.label, *clip.open_labels))))


def meanings(labels: Iterable[str], synonyms: Synonyms) -> frozenset[str]:
    """What labels are compared by: their groups of synonyms; a label outside the table means what it says."""
    return frozenset(synonyms.group(label) or label.strip().casefold() for label in labels)


def disagreement(opinions: Sequence[frozenset[str]]) -> float:
    """The share of pairs of opinions (sets of meanings) that have nothing in common, in [0, 1]; 0 without a pair.

    An empty opinion contradicts none and counts in no pair.
    """
    pairs = list(combinations(filter(None, opinions), 2))
    return sum(one.isdisjoint(other) for one, other in pairs) / max(1, len(pairs))


def clip_disagreement(clip: Clip, systems: Sequence[ExplainingSystem], synonyms: Synonyms) -> float:
    """How far the systems disagree on the labels of a clip; a system alone is compared with the truth."""
    opinions = [opinion for system in systems if (opinion := system.of(clip).opinion) is not None]
    if len(systems) == 1 and true_labels(clip):
        opinions.append(true_labels(clip))
    return disagreement([meanings(opinion, synonyms) for opinion in opinions])


def _first(names: Iterable[str]) -> str:
    return ", ".join(sorted(names)[:3])
