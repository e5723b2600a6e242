"""Look a name up in a table, or say which name was probably meant."""

from __future__ import annotations

import difflib
from collections.abc import Iterable, Mapping
from typing import TypeVar

from mertools.errors import InputError

T = TypeVar("T")


def look_up(kind: str, name: str, table: Mapping[str, T]) -> T:
    """The entry of `table` called `name`.

    `kind` is the noun the message uses ("feature", "fusion model").

    Raises InputError for a name that is not in the table, with the nearest name or, where none is near, all of them.
    """
    if name in table:
        return table[name]
    raise InputError(f"Unknown {kind} {name!r}. {hint(name, table)}")


def hint(name: str, table: Iterable[str]) -> str:
    """What to say of a name that is not in `table`: the nearest one in it or, where none is near, all of them."""
    table = list(table)
    near = difflib.get_close_matches(name, table, n=1)
    return f"Did you mean {near[0]!r}?" if near else f"Known: {', '.join(table) or 'none at all'}."
