"""`sources.lock`: what each source without a pinned revision stood for when it was first used."""

from __future__ import annotations

import json
import tomllib
from pathlib import Path

from mertools.errors import InputError
from mertools.model_sources.downloads import alone, write_whole

LOCK = Path("sources.lock")
LOCK_HEADER = """\
# What each model source without a pinned revision stood for when it was first used.
# Written by mertools; keep it beside your features. To take a newer revision of one source, delete its line.
"""


def read_pins(lock: Path) -> dict[str, str]:
    """What each source in the file `lock` stands for. Raises InputError for a file that cannot be read."""
    try:
        pins = tomllib.loads(lock.read_text(encoding="utf-8"))
    except FileNotFoundError:
        return {}
    except (OSError, ValueError) as error:
        raise InputError(
            f"{lock} cannot be read: {error}. Repair it, or delete it to pin every source anew."
        ) from error
    wrong = [source for source, revision in pins.items() if not isinstance(revision, str)]
    if wrong:
        raise InputError(f'{lock}: {wrong[0]!r} has no revision. Wanted lines like "hf:org/name" = "revision".')
    return pins


def check_pin(lock: Path, source: str, revision: str, keep: str) -> None:
    """Raise InputError where `lock` says that `source` stood for another revision; `keep` says how to stay with it."""
    known = read_pins(lock).get(source, revision)
    if known != revision:
        raise InputError(
            f"{source} now stands for {revision}, but {lock} says it was {known}. To stay with that one, "
            f"{keep.format(known)}; to take the new one, delete its line from {lock} and extract again."
        )


def write_pin(lock: Path, source: str, revision: str) -> None:
    """Note in `lock` that `source` stands for `revision`."""
    with alone(lock):
        pins = read_pins(lock)
        if pins.get(source) == revision:
            return
        pins[source] = revision
        lines = [f"{json.dumps(name)} = {json.dumps(value)}\n" for name, value in sorted(pins.items())]
        write_whole(lock, LOCK_HEADER + "".join(lines))
