"""Five people label clips: what each is asked in which order, and which answers become labels (MER2024 §2.2)."""

from __future__ import annotations

import hashlib
import json
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from mertools.emotions import LabelSet
from mertools.errors import InputError
from mertools.randomness import generator
from mertools.whole_files import whole_file

EMOTION = "emotion"
"""What the one question is called in raters' files."""

OTHER = "other"
"""The answer of a rater who sees none of the classes: it counts as an answer, and never becomes a label."""

FORMAT = "mertools annotation key 1"

SEMI, NOISE = "semi", "noise"


@dataclass(frozen=True)
class Key:
    """Which item is which clip: `clips` by item. `orders` has, by rater, the items in the order that rater sees.

    `labels` are the classes in their order; `study` tells the files of this study from those of another.
    """

    study: str
    seed: int
    labels: tuple[str, ...]
    clips: Mapping[str, str]
    orders: Mapping[str, tuple[str, ...]]

    @property
    def answers(self) -> tuple[str, ...]:
        """What may be answered: the classes, and OTHER."""
        return answers_for(self.labels)


@dataclass(frozen=True)
class Verdict:
    """The answer that most raters gave for a clip, and how many did."""

    answer: str
    count: int


def answers_for(labels: Sequence[str]) -> tuple[str, ...]:
    """What raters choose from: the classes, and OTHER."""
    return tuple(dict.fromkeys((*labels, OTHER)))


def draw_study(names: Sequence[str], labels: LabelSet, raters: int, seed: int) -> Key:
    """Every rater gets every clip, each in an order of their own; items are numbered at random.

    A function of the seed and the names, in whatever order they come.
    """
    names = sorted(names)
    width = len(str(len(names)))
    drawn = generator(seed, "annotation items").permutation(len(names))
    clips = {f"item-{number:0{width}d}": names[place] for number, place in enumerate(drawn, start=1)}
    items = list(clips)
    orders = {
        rater: tuple(items[place] for place in generator(seed, "annotation order", rater).permutation(len(items)))
        for rater in (f"rater-{number}" for number in range(1, raters + 1))
    }
    told = json.dumps([seed, labels.names, raters, list(clips.items())])
    return Key(hashlib.sha256(told.encode()).hexdigest()[:12], seed, labels.names, clips, orders)


def check_threshold(agree: int, raters: int) -> None:
    """Raises InputError where `agree` of `raters` are no majority, so that two answers might reach it, or too many."""
    if not raters < 2 * agree <= 2 * raters:
        raise InputError(f"--agree {agree}: of {raters} raters, wanted {raters // 2 + 1} to {raters}.")


def verdicts(key: Key, answers: Mapping[str, Mapping[str, str]], agree: int) -> dict[str, Verdict]:
    """By clip the answer on which at least `agree` raters agree; clips without such an answer are not in it.

    `answers` are by rater and item. `agree` is a majority of the raters (`check_threshold`), so one answer at most can
    reach it.
    """
    agreed = {}
    for item, clip in key.clips.items():
        counts = Counter(given[item] for given in answers.values() if item in given)
        for answer, count in counts.items():
            if count >= agree:
                agreed[clip] = Verdict(answer, count)
    return agreed


def as_numbers(key: Key, answers: Mapping[str, Mapping[str, str]]) -> np.ndarray:
    """The answers (M raters, N items) as numbers of `key.answers`, NaN where there is none."""
    number = {answer: float(place) for place, answer in enumerate(key.answers)}
    return np.array([[number.get(given.get(item, ""), np.nan) for item in key.clips] for given in answers.values()])


def halves(label_of: Mapping[str, str], labels: Sequence[str], seed: int) -> dict[str, str]:
    """The split of each labelled clip: of each class one half is SEMI, the other NOISE, drawn by the seed.

    The odd clip goes to NOISE. Of several classes with an odd number the first gives its odd clip to NOISE, the next
    to SEMI, in turn: so the whole is halved too, as 2,339 clips are into 1,169 and 1,170.
    """
    splits: dict[str, str] = {}
    odd_goes_to = NOISE
    for label in labels:
        names = sorted(name for name, given in label_of.items() if given == label)
        order = [names[place] for place in generator(seed, "halves", label).permutation(len(names))]
        semi = len(order) // 2
        if len(order) % 2:
            semi += odd_goes_to == SEMI
            odd_goes_to = SEMI if odd_goes_to == NOISE else NOISE
        splits |= dict.fromkeys(order[:semi], SEMI) | dict.fromkeys(order[semi:], NOISE)
    return splits


def write_key(path: Path, key: Key) -> None:
    """Write key.json, atomically."""
    contents = {
        "format": FORMAT,
        "study": key.study,
        "seed": key.seed,
        "labels": key.labels,
        "clips": key.clips,
        "orders": key.orders,
    }
    with whole_file(path) as file:
        file.write(json.dumps(contents, ensure_ascii=False, indent=1) + "\n")


def read_key(path: Path) -> Key:
    """Read key.json; raises InputError for a file that is absent or is no key."""
    try:
        contents = json.loads(path.read_text(encoding="utf-8"))
    except FileNotFoundError:
        raise InputError(f"There is no key {path}. `mertools prepare annotate export` writes it as key.json.") from None
    except ValueError:
        contents = None
    if not isinstance(contents, dict) or contents.get("format") != FORMAT:
        raise InputError(f"{path} is not the key.json that `mertools prepare annotate export` writes.")
    orders = {rater: tuple(order) for rater, order in contents["orders"].items()}
    return Key(contents["study"], contents["seed"], tuple(contents["labels"]), contents["clips"], orders)
