"""Which language models made a file of labels, as far as the files beside it tell."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

from mertools.errors import InputError
from mertools.ov.language_models import is_closed
from mertools.run_record import RESULT, read_result

STEPS = ("clues*.jsonl", "descriptions*.jsonl")
"""The files of the steps before labels, whose rows name their models in `source`."""
EXCHANGES = "exchanges.sqlite"
NO_MODEL = "none"

RULE = 'MER2024 §2.4: "participants cannot use closed-source models (such as GPT or Claude) in MER-OV"'


def models_of(labels: Path) -> dict[str, Path] | None:
    """The models behind the file `labels`, each with the file that names it; None where no file tells who extracted it.

    Read are the clues and descriptions in its folder, and the exchanges there or, of a run among several or in a grid,
    up to two folders above: who extracted labels stands there alone, unless result.json says that no one was asked.

    Raises InputError for clues and descriptions that do not name their source.
    """
    folder = labels.resolve().parent
    steps = [path for pattern in STEPS for path in sorted(folder.glob(pattern))]
    found = {model: path for path in steps for model in _models_in_sources(path)}
    if exchanges := _above(folder, EXCHANGES):
        return dict.fromkeys(_models_asked(exchanges), exchanges) | found
    if any(map(is_closed, found)) or _was_offline(folder):
        return found
    return None


def _above(folder: Path, name: str) -> Path | None:
    """The file `name` in a folder, or up to two above."""
    return next((path for at in (folder, *folder.parents[:2]) if (path := at / name).is_file()), None)


def _was_offline(folder: Path) -> bool:
    """Whether the labels are of `mertools ov run --offline`."""
    path = _above(folder, RESULT)
    return path is not None and bool(read_result(path.parent).get("configuration", {}).get("offline"))


def check_open(models: Mapping[str, Path | None]) -> None:
    """Raises InputError for a closed model, naming the rule and the file that names the model."""
    for model, path in models.items():
        if is_closed(model):
            where = f" ({path} names it)" if path else ""
            raise InputError(f"Not written: {model} is a closed model{where}. {RULE}. Use open models for every step.")


def _models_in_sources(path: Path) -> Sequence[str]:
    found: dict[str, None] = {}
    with path.open(encoding="utf-8") as file:
        for number, line in enumerate(file, start=1):
            try:
                source = json.loads(line)["source"] if line.strip() else {}
            except (ValueError, KeyError, TypeError):
                raise InputError(
                    f"{path}, line {number}: no object with a 'source'; no telling what made it."
                ) from None
            found |= dict.fromkeys(_models_in(source))
    return [*found]


def _models_in(source: Any) -> Iterator[str]:
    """Every value called `model` in a source and in what it is made from."""
    if isinstance(source, dict):
        for key, value in source.items():
            if key == "model" and isinstance(value, str) and value not in ("", NO_MODEL):
                yield value
            else:
                yield from _models_in(value)
    elif isinstance(source, list):
        for part in source:
            yield from _models_in(part)


def _models_asked(path: Path) -> list[str]:
    from mertools.ov.exchanges import Exchanges

    with Exchanges(path) as exchanges:
        return exchanges.models()
