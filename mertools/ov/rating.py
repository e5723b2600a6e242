"""Ask people: descriptions of several systems and the truth, in an order that hides which is whose (EMER §4, §6.2).

`key.json` says which item is whose; nothing that a rater gets does.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from mertools.errors import InputError
from mertools.ov.language import check_one_language
from mertools.randomness import generator

CHOICES = ("completely wrong", "correct (small part)", "correct (most part)", "completely correct")
"""What raters choose from, worth 1 to 4 (EMER §4)."""

VALUES = tuple(str(number) for number, _ in enumerate(CHOICES, start=1))
"""The same as answers are written down."""

RATING = "rating"
"""What the one question is called in raters' files."""

FORMAT = "mertools rating key 1"


@dataclass(frozen=True)
class Item:
    """One description to be rated: `id` and `shown_clip` are all that raters see of where it is from."""

    id: str
    clip: str
    shown_clip: str
    system: str


@dataclass(frozen=True)
class Key:
    """Which item is whose. `truth` is the system that is the ground truth, "" without one.

    `orders` has, by rater, the items in the order in which that rater sees them; `study` tells the files of this study
    from those of another.
    """

    study: str
    seed: int
    systems: tuple[str, ...]
    truth: str
    items: tuple[Item, ...]
    orders: Mapping[str, tuple[str, ...]]

    @property
    def clips(self) -> tuple[str, ...]:
        """The names of the clips, in the order of their first items."""
        return tuple(dict.fromkeys(item.clip for item in self.items))


def draw_clips(texts: Mapping[str, Mapping[str, str]], seed: int) -> list[str]:
    """Every clip that all systems describe, in drawn order: the first so many are a sample.

    `texts` maps systems to the descriptions of clips. The order of neither matters.
    """
    common = sorted(set.intersection(*(set(of_clip) for of_clip in texts.values())))
    return [common[place] for place in generator(seed, "rating clips").permutation(len(common))]


def draw_study(
    texts: Mapping[str, Mapping[str, str]], clips: Sequence[str], raters: int, seed: int, truth: str = ""
) -> Key:
    """What each rater is asked about `clips`: each system's description of each, shuffled over clips and systems alike.

    Every rater gets every item, each in an order of their own. Items are numbered at random.
    """
    shown = {clip: f"clip-{number:02d}" for number, clip in enumerate(clips, start=1)}
    pairs = [(clip, system) for clip in sorted(clips) for system in sorted(texts)]
    order = generator(seed, "rating items").permutation(len(pairs))
    items = tuple(
        Item(f"item-{number:03d}", pairs[place][0], shown[pairs[place][0]], pairs[place][1])
        for number, place in enumerate(order, start=1)
    )
    orders = {
        rater: tuple(items[place].id for place in generator(seed, "rating order", rater).permutation(len(items)))
        for rater in (f"rater-{number}" for number in range(1, raters + 1))
    }
    told = [(item.id, item.clip, item.system, texts[item.system][item.clip]) for item in items]
    study = hashlib.sha256(json.dumps([seed, told]).encode()).hexdigest()[:12]
    return Key(study, seed, tuple(texts), truth, items, orders)


def check_language(texts: Mapping[str, Mapping[str, str]], clips: Sequence[str], language: str | None) -> None:
    """Raises InputError, with counts, where the descriptions of `clips` are not all in `language` or, without one, not
    all in one language: raters would know a system by it.
    """
    described = {system: [of_clip[clip] for clip in clips] for system, of_clip in sorted(texts.items())}
    check_one_language(described, "raters would know a system by its own", language)


def write_key(path: Path, key: Key) -> None:
    """Write key.json, atomically."""
    contents = {
        "format": FORMAT,
        "study": key.study,
        "seed": key.seed,
        "choices": dict(zip(VALUES, CHOICES, strict=True)),
        "systems": key.systems,
        "truth": key.truth,
        "items": [
            {"item": item.id, "clip": item.clip, "shown_clip": item.shown_clip, "system": item.system}
            for item in key.items
        ],
        "orders": key.orders,
    }
    temporary = path.with_name(f".{path.name}.tmp")
    temporary.write_text(json.dumps(contents, ensure_ascii=False, indent=1) + "\n", encoding="utf-8")
    temporary.replace(path)


def read_key(path: Path) -> Key:
    """Read key.json; raises InputError for a file that is absent or is no key."""
    try:
        contents = json.loads(path.read_text(encoding="utf-8"))
    except FileNotFoundError:
        raise InputError(f"There is no key {path}. `mertools ov rate export` writes it as key.json.") from None
    except ValueError:
        contents = None
    if not isinstance(contents, dict) or contents.get("format") != FORMAT:
        raise InputError(f"{path} is not the key.json that `mertools ov rate export` writes.")
    items = tuple(Item(row["item"], row["clip"], row["shown_clip"], row["system"]) for row in contents["items"])
    orders = {rater: tuple(order) for rater, order in contents["orders"].items()}
    return Key(contents["study"], contents["seed"], tuple(contents["systems"]), contents["truth"], items, orders)
