"""explanations.jsonl: what explainers train on: each clip's description and labels, in English and in Chinese."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from mertools.errors import InputError
from mertools.ov.json_lines import read_objects, write_objects

TEXTS = ("subtitle", "subtitle_english", "description_en", "description_zh", "split", "failed")
LABELS = ("labels_en", "labels_zh")


@dataclass(frozen=True)
class Explanation:
    """What is felt in one clip and from what it is told; a language that it was not built in is empty.

    `clues` are the texts that the description was made from, by the medium they are of (`audio`, `video`,
    `audio-video`); `source` says which models and people had a part. `split` is "" where none was drawn. `failed` is
    the reason why the row is not complete, "" where it is: a row that failed has no labels and is not to be trained on.
    """

    name: str
    subtitle: str = ""
    subtitle_english: str = ""
    description_en: str = ""
    description_zh: str = ""
    labels_en: tuple[str, ...] = ()
    labels_zh: tuple[str, ...] = ()
    clues: Mapping[str, str] = field(default_factory=dict, hash=False)
    source: Mapping[str, Any] = field(default_factory=dict, hash=False)
    split: str = ""
    failed: str = ""

    def description(self, language: str) -> str:
        """The description in `en` or `zh`."""
        return self.description_en if language == "en" else self.description_zh

    def labels(self, language: str) -> tuple[str, ...]:
        """The labels in `en` or `zh`."""
        return self.labels_en if language == "en" else self.labels_zh


def read_explanations(path: Path) -> Iterator[Explanation]:
    """The explanations of a file in its order.

    Raises InputError, with the line, for what is no explanation, for labels of a clip that failed, and for a second
    explanation of a clip.
    """
    seen = set()
    for number, row in read_objects(path, {"name": str}):
        where = f"{path}, line {number}"
        if row["name"] in seen:
            raise InputError(f"{where}: clip {row['name']!r} has an explanation already.")
        seen.add(row["name"])
        yield _explanation(where, row)


def write_explanations(path: Path, explanations: Iterable[Explanation]) -> None:
    """Write `explanations` as they come, atomically."""
    write_objects(path, map(_object, explanations))


def _explanation(where: str, row: Mapping[str, Any]) -> Explanation:
    texts = {name: _of_type(where, row, name, str, "") for name in TEXTS}
    labels = {name: tuple(_of_type(where, row, name, list, [])) for name in LABELS}
    if texts["failed"] and any(labels.values()):
        raise InputError(f"{where}: clip {row['name']!r} failed ({texts['failed']}), but has labels. Empty them.")
    dictionaries = {name: _of_type(where, row, name, dict, {}) for name in ("clues", "source")}
    return Explanation(row["name"], **texts, **labels, **dictionaries)


def _of_type(where: str, row: Mapping[str, Any], name: str, kind: type, default: Any) -> Any:
    value = row.get(name, default)
    if not isinstance(value, kind) or (kind is list and not all(isinstance(one, str) for one in value)):
        wanted = {str: "a text", list: "a list of texts", dict: "an object"}[kind]
        raise InputError(f"{where}, {name!r}: got {str(value)[:40]!r}, wanted {wanted}.")
    return value


def _object(one: Explanation) -> dict[str, Any]:
    row = {
        "name": one.name,
        "subtitle": one.subtitle,
        "subtitle_english": one.subtitle_english,
        "description_en": one.description_en,
        "description_zh": one.description_zh,
        "labels_en": list(one.labels_en),
        "labels_zh": list(one.labels_zh),
        "clues": dict(one.clues),
        "source": dict(one.source),
    }
    further = {"split": one.split, "failed": one.failed}
    return row | {name: value for name, value in further.items() if value}
