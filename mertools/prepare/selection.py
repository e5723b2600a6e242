"""Choose what to annotate: the clips whose emotion most systems agree on, class by class (MER2024 §2.2)."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from fractions import Fraction

from mertools.emotions import LabelSet
from mertools.errors import InputError
from mertools.randomness import generator, seed_for


@dataclass(frozen=True)
class Vote:
    """The primary label of a clip, and how many of the systems gave it."""

    label: str
    count: int
    systems: int

    @property
    def share(self) -> Fraction:
        """The clip's score: predicted as happy by 10 systems and as neutral by 6, it is max(6, 10) / 16."""
        return Fraction(self.count, self.systems)


def vote(name: str, predicted: Sequence[str], labels: LabelSet, seed: int) -> Vote:
    """What the systems say of the clip `name`; `predicted` has each system's label.

    Where several labels are given equally often, the seed draws one: the share is the same, but the clip stands for one
    class only.
    """
    counts = Counter(predicted)
    most = max(counts.values())
    tied = [label for label in labels.names if counts[label] == most]
    drawn = generator(seed, "primary label", name).integers(len(tied)) if len(tied) > 1 else 0
    return Vote(tied[drawn], most, len(predicted))


def choose(votes: Mapping[str, Vote], labels: LabelSet, count: int, seed: int) -> list[str]:
    """The names of the `count` clips with the clearest votes under class balance, sorted.

    Every class gets the same number of places (`equal_places`) and fills them with its highest shares; the places that
    do not go round go, one a class, to the classes whose next clip has the highest share. Equal shares are ordered by
    the seed. Neither the order of `votes` nor that of the systems matters.

    Raises InputError where there are fewer clips than `count`.
    """
    if len(votes) < count:
        raise InputError(f"There are {len(votes)} clips to choose from, {count} are asked for. Lower --count.")

    def clearest_first(name: str) -> tuple[Fraction, int, str]:
        return -votes[name].share, seed_for(seed, "selection", name), name

    queues: dict[str, list[str]] = {label: [] for label in labels.names}
    for name in sorted(votes, key=clearest_first):
        queues[votes[name].label].append(name)
    places = equal_places({label: len(queue) for label, queue in queues.items()}, count)
    chosen = [name for label, queue in queues.items() for name in queue[: places[label]]]
    following = [queue[places[label]] for label, queue in queues.items() if len(queue) > places[label]]
    return sorted([*chosen, *sorted(following, key=clearest_first)[: count - len(chosen)]])


def equal_places(available: Mapping[str, int], count: int) -> dict[str, int]:
    """How many of `count` places each class gets for certain, when it has so many clips `available`.

    Water-filling: all classes get the same number, except that a class with fewer clips gives all it has, and what it
    leaves is shared by the others in the same way. Fewer places than there are classes left may not go round: they are
    in nobody's number.
    """
    places: dict[str, int] = {}
    waiting = sorted(available, key=available.__getitem__)
    for number, label in enumerate(waiting):
        level = (count - sum(places.values())) // (len(waiting) - number)
        if available[label] > level:
            return places | dict.fromkeys(waiting[number:], level)
        places[label] = available[label]
    return places
