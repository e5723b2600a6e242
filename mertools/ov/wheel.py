"""The emotion wheels of MER2025 and MER2026: labels are the same where they lie in one sector of a wheel.

A label is looked up among inflections (form to base words), these among synonyms (base word to words of the wheels),
and the alphabetically first of those that a wheel holds says the sector. A label that leads nowhere has no class: it
counts neither as true nor as predicted. There are five wheels with two levels each.
"""

from __future__ import annotations

import functools
import re
from collections import defaultdict
from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from mertools.errors import InputError
from mertools.ov.groupings import View
from mertools.restricted_pickle import read_archive

if TYPE_CHECKING:
    import pandas as pd

WHEELS = tuple(f"wheel{number}" for number in range(1, 6))
LEVELS = ("level1", "level2")
LEVELS_OF = {"2025": LEVELS, "2026": LEVELS[:1]}
"""Which levels a year's score is the mean over (track 2 of MER2025, track 2 of MER2026)."""
RUNS = 8
"""Synonyms were asked for eight times: the columns `word_run1`, `synonym_run1` and so on."""


@dataclass(frozen=True)
class Tables:
    """The organisers' tables: base words of a form, wheel words of a base, and sectors of words by wheel and level."""

    bases: Mapping[str, Collection[str]]
    words: Mapping[str, Collection[str]]
    sectors: Mapping[str, Mapping[str, Mapping[str, str]]]


class Wheels:
    """The wheels as a grouping: a view for each wheel and each of `levels`."""

    def __init__(self, tables: Tables, levels: Sequence[str]) -> None:
        self._tables = tables
        self._sectors = [tables.sectors[wheel][level] for level in levels for wheel in WHEELS]
        self._sectors_of = functools.cache(self._look_up)

    def views(self, clip: str, labels: Collection[str]) -> tuple[View, ...]:
        """The sectors of `labels`, wheel by wheel."""
        found = [self._sectors_of(part) for label in labels for part in cut(label)]
        return tuple(frozenset(filter(None, (of[view] for of in found))) for view in range(len(self._sectors)))

    def knows(self, label: str) -> bool:
        """Whether the label has a sector in any of the wheels."""
        return any(any(self._sectors_of(part)) for part in cut(label))

    def _look_up(self, form: str) -> tuple[str | None, ...]:
        words = sorted({word for base in self._tables.bases.get(form, ()) for word in self._tables.words.get(base, ())})
        return tuple(next((sectors[word] for word in words if word in sectors), None) for sectors in self._sectors)


def cut(label: str) -> list[str]:
    """A label as the organisers' scorer reads it: lower-case, and several where it holds a comma or a quote."""
    return [part for part in map(str.strip, re.split(r"""['",]""", label.lower())) if part]


def read_wheels(path: Path, levels: Sequence[str]) -> Wheels:
    """Read the wheels on `levels` from the organisers' tables: a folder of spreadsheets (2025) or an `.npz` (2026).

    The folder holds `format`, `synonym` and `wheel1` to `wheel5`, each as `.csv` or `.xlsx`. Both years' tables can be
    scored by both years' rules (LEVELS_OF).

    Raises InputError for what is absent, incomplete or of another form.
    """
    if path.is_dir():
        return Wheels(_from_folder(path), levels)
    if not path.is_file():
        raise InputError(
            f"There are no wheels {path}. Give the organisers' folder emotion_wheel (format.csv, synonym.xlsx, "
            "wheel1.xlsx to wheel5.xlsx) or their wheel_mapping.npz."
        )
    return Wheels(_from_archive(path), levels)


def _from_archive(path: Path) -> Tables:
    arrays = read_archive(path)
    keys = ("format_mapping", "raw_mapping", "wheel_map_whole")
    if lacking := [key for key in keys if key not in arrays]:
        raise InputError(f"{path} has no array {lacking[0]!r}: got {', '.join(arrays) or 'none'}.")
    bases, words, sectors = (_dictionary(path, key, arrays[key]) for key in keys)
    for wheel in WHEELS:
        for level in LEVELS:
            if not isinstance(sectors.get(wheel, {}).get(level), dict):
                raise InputError(f"{path}: 'wheel_map_whole' has no dictionary for {wheel}, {level}.")
    return Tables(bases, words, sectors)


def _dictionary(path: Path, key: str, array: Any) -> dict[str, Any]:
    value = array.item() if array.size == 1 else None
    if not isinstance(value, dict):
        raise InputError(f"{path}: {key!r} is no dictionary.")
    return value


def _from_folder(folder: Path) -> Tables:
    bases: dict[str, set[str]] = defaultdict(set)
    for base, forms in _pairs(folder, "format", "name", "format"):
        for form in (base, *_listed(forms)):
            bases[form].add(base)
    words: dict[str, set[str]] = defaultdict(set)
    for run in range(1, RUNS + 1):
        for word, synonyms in _pairs(folder, "synonym", f"word_run{run}", f"synonym_run{run}"):
            for base in (word, *_listed(synonyms)):
                words[base].add(word)
    return Tables(bases, words, {wheel: _sectors(folder, wheel) for wheel in WHEELS})


def _sectors(folder: Path, wheel: str) -> dict[str, dict[str, str]]:
    """Of one wheel by level the sector of each word; of a word that stands twice, the last row's.

    On the second level a word of the first stands for the alphabetically first of its own.
    """
    # Cells are merged in the spreadsheets: an empty one holds what stands above it.
    rows = _columns(folder, wheel, ("level1", "level2", "level3"))
    rows = rows.mask(rows == "").ffill().fillna("")
    rows = [tuple(word.strip().lower() for word in row) for row in rows.itertuples(index=False)]
    children: dict[str, set[str]] = defaultdict(set)
    for first, second, _ in rows:
        children[first].add(second)
    level1 = {word: first for first, second, third in rows for word in (first, second, third)}
    level2 = {word: second for _, second, third in rows for word in (second, third)}
    return {"level1": level1, "level2": level2 | {first: min(below) for first, below in children.items()}}


def _pairs(folder: Path, table: str, *columns: str) -> Iterator[tuple[str, str]]:
    """Two columns of a table, rows with an empty first cell left out; the first lower-case."""
    for key, cell in _columns(folder, table, columns).itertuples(index=False):
        if key.strip():
            yield key.strip().lower(), cell


def _listed(cell: str) -> list[str]:
    return [part for part in map(str.strip, cell.lower().split(",")) if part]


def _columns(folder: Path, table: str, columns: Sequence[str]) -> pd.DataFrame:
    """Columns of a table as text, an empty cell as ""."""
    path = next((path for suffix in SPREADSHEETS if (path := folder / f"{table}{suffix}").is_file()), None)
    if path is None:
        raise InputError(f"{folder} has neither {table}.csv nor {table}.xlsx: it is no folder of the emotion wheels.")
    rows = SPREADSHEETS[path.suffix](path)
    if lacking := [column for column in columns if column not in rows.columns]:
        raise InputError(f"{path} has no column {lacking[0]!r}: got {', '.join(map(str, rows.columns))}.")
    return rows[list(columns)].fillna("").astype(str)


def _read_csv(path: Path) -> pd.DataFrame:
    import pandas as pd

    try:
        return pd.read_csv(path, dtype=str, keep_default_na=False)
    except ValueError as error:
        raise InputError(f"{path} is no CSV in UTF-8: {error}.") from None


def _read_xlsx(path: Path) -> pd.DataFrame:
    import zipfile

    import pandas as pd

    try:
        # "null" and "none" are words, not gaps.
        return pd.read_excel(path, dtype=str, keep_default_na=False)
    except ImportError:
        raise InputError(
            f"{path}: no reader of spreadsheets is installed: pip install 'mertools[wheel]', or save it as CSV."
        ) from None
    except (ValueError, KeyError, zipfile.BadZipFile) as error:
        raise InputError(f"{path} is no spreadsheet (.xlsx): {error}.") from None


SPREADSHEETS = {".csv": _read_csv, ".xlsx": _read_xlsx}
