"""What makes two labels the same: groupings that turn the labels of a clip into classes."""

from __future__ import annotations

import re
from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Protocol

from mertools.lexicon import Lexicon

View = frozenset[str]
"""The classes of one clip's labels, as one view of a grouping has them."""


class Grouping(Protocol):
    """A way to tell labels apart; an emotion wheel is several views of them, the others are one."""

    def views(self, clip: str, labels: Collection[str]) -> tuple[View, ...]:
        """The classes of `labels`, view by view; labels that a view leaves out have no class there."""

    def knows(self, label: str) -> bool:
        """Whether the label is in the grouping's tables; always, where there are none."""


def fold(label: str) -> str:
    """A label as it is compared: without case, white space at its ends or twice, and typographic apostrophes."""
    return re.sub(r"\s+", " ", label.replace("’", "'").lower()).strip()


class Exact:
    """Labels are the same where they are spelled the same, case apart."""

    def views(self, clip: str, labels: Collection[str]) -> tuple[View, ...]:
        """The folded labels."""
        return (frozenset(map(fold, labels)),)

    def knows(self, label: str) -> bool:
        """Always: there is no table."""
        return True


@dataclass(frozen=True)
class BySynonyms:
    """Labels are the same where the lexicon has them in one group; a label outside it is a class of its own."""

    lexicon: Lexicon

    def views(self, clip: str, labels: Collection[str]) -> tuple[View, ...]:
        """The labels' synonym groups."""
        return (frozenset(self.lexicon.group(label) or fold(label) for label in labels),)

    def knows(self, label: str) -> bool:
        """Whether the lexicon has the label."""
        return self.lexicon.group(label) is not None


@dataclass(frozen=True)
class ByFamily:
    """Labels are the same where the lexicon has them in one family; a label outside it has no class."""

    lexicon: Lexicon

    def views(self, clip: str, labels: Collection[str]) -> tuple[View, ...]:
        """The labels' families."""
        return (frozenset(filter(None, map(self.lexicon.family, labels))),)

    def knows(self, label: str) -> bool:
        """Whether the lexicon has the label."""
        return self.lexicon.family(label) is not None


@dataclass(frozen=True)
class ByClip:
    """Each clip has groups of its own, given or asked for (MER2024, eq. 4).

    `groups` holds by clip the groups of its labels, folded; a label in none of them is a class of its own, one in two
    belongs to the later. `failed` holds by clip why it has no groups though they were asked for: it cannot be scored.
    """

    groups: Mapping[str, Sequence[Sequence[str]]]
    failed: Mapping[str, str] = field(default_factory=dict)

    def views(self, clip: str, labels: Collection[str]) -> tuple[View, ...]:
        """The first label of each label's group."""
        first = {label: group[0] for group in self.groups.get(clip, ()) for label in group}
        return (frozenset(first.get(label, label) for label in map(fold, labels)),)

    def knows(self, label: str) -> bool:
        """Always: the groups were made for these labels."""
        return True


def folded(groups: Iterable[Iterable[str]]) -> tuple[tuple[str, ...], ...]:
    """Groups with folded labels, without empty labels and groups."""
    found = (tuple(filter(None, map(fold, group))) for group in groups)
    return tuple(filter(None, found))
