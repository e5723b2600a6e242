"""Every exchange with a language model, in one SQLite file: what was asked, what came back, when.

A run resumes from it, replays without a server and can be audited. Several processes may share the file.
"""

from __future__ import annotations

import hashlib
import json
import sqlite3
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path

from mertools.errors import InputError

SCHEMA_VERSION = 1

TABLE = """
CREATE TABLE IF NOT EXISTS exchanges (
    id INTEGER PRIMARY KEY,
    key TEXT NOT NULL,
    date TEXT NOT NULL,
    model TEXT NOT NULL,
    request TEXT NOT NULL,
    requests INTEGER NOT NULL,
    text TEXT NOT NULL,
    refusal TEXT NOT NULL,
    finish_reason TEXT NOT NULL,
    usage TEXT NOT NULL,
    served_model TEXT NOT NULL,
    status TEXT NOT NULL,
    reason TEXT NOT NULL
)
"""
INDEX = "CREATE INDEX IF NOT EXISTS exchanges_by_key ON exchanges (key, id)"

PATIENCE_SECONDS = 60
"""How long one process waits for another that is writing."""


def now() -> str:
    """The time in UTC, to the second."""
    return datetime.now(UTC).isoformat(timespec="seconds")


@dataclass(frozen=True)
class Exchange:
    """One message to a language model and what came of it.

    `request` is what was sent, media replaced by their kind and digest; `requests` counts how often. `text` is the raw
    answer and `refusal` what the server gave in its place; `served_model` is the model's name as the server said it.
    `reason` says why there is no answer, "" where there is one.
    """

    key: str
    model: str
    request: Mapping[str, object]
    requests: int
    text: str = ""
    refusal: str = ""
    finish_reason: str = ""
    usage: Mapping[str, object] = field(default_factory=dict)
    served_model: str = ""
    reason: str = ""
    date: str = field(default_factory=now)

    @property
    def status(self) -> str:
        """`answered` or `failed`."""
        return "failed" if self.reason else "answered"


def exchange_key(
    parameters: Mapping[str, object],
    schema: Mapping[str, object] | None,
    prompt: str,
    media_key: str,
    run: int,
    turns: Sequence[str] = (),
) -> str:
    """The digest that equal exchanges share, as hexadecimal digits.

    `parameters` are the model's name and how it samples. `turns` are what was said after the prompt, the model's
    answer first: empty but for a repair.
    """
    content = [dict(parameters), schema, prompt, media_key, run, list(turns)]
    return hashlib.sha256(json.dumps(content, sort_keys=True).encode()).hexdigest()


class Exchanges:
    """The exchanges in the file at `path`, which is made where it is not there.

    One that `add` has returned from survives the process, however that ends. None is ever replaced: of several with one
    key, the latest counts.
    """

    def __init__(self, path: Path) -> None:
        """Open the file. Raises InputError for one that is something else, and where it cannot be written."""
        self.path = path
        path.parent.mkdir(parents=True, exist_ok=True)
        with self._errors():
            # Opened in one thread and used in another, never in two at once.
            self._database = sqlite3.connect(
                path, timeout=PATIENCE_SECONDS, isolation_level=None, check_same_thread=False
            )
            self._prepare_patiently()

    def _prepare_patiently(self) -> None:
        begin = time.monotonic()
        while True:
            try:
                return self._prepare()
            except sqlite3.OperationalError as error:
                # SQLite itself does not wait where several processes make or leave a file at once.
                if error.sqlite_errorcode != sqlite3.SQLITE_BUSY or time.monotonic() - begin > PATIENCE_SECONDS:
                    raise
                time.sleep(0.05)

    def _prepare(self) -> None:
        # With the log, a commit is in the kernel's hands and outlives us; only a power cut may lose the last ones.
        self._database.execute("PRAGMA journal_mode = WAL")
        self._database.execute("PRAGMA synchronous = NORMAL")
        (version,) = self._database.execute("PRAGMA user_version").fetchone()
        if version not in (0, SCHEMA_VERSION):
            raise InputError(
                f"{self.path} is of version {version}, and this is mertools for version {SCHEMA_VERSION}. "
                "Name another file with --cache."
            )
        self._database.execute(TABLE)
        self._database.execute(INDEX)
        self._database.execute(f"PRAGMA user_version = {SCHEMA_VERSION}")

    def close(self) -> None:
        """Close the file; what was added stays."""
        self._database.close()

    def __enter__(self) -> Exchanges:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def add(self, exchange: Exchange) -> None:
        """Keep an exchange. Raises InputError where the disk refuses."""
        row = (
            exchange.key,
            exchange.date,
            exchange.model,
            json.dumps(exchange.request, ensure_ascii=False),
            exchange.requests,
            exchange.text,
            exchange.refusal,
            exchange.finish_reason,
            json.dumps(exchange.usage),
            exchange.served_model,
            exchange.status,
            exchange.reason,
        )
        with self._errors():
            self._database.execute(
                "INSERT INTO exchanges (key, date, model, request, requests, text, refusal, finish_reason, usage, "
                "served_model, status, reason) VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)",
                row,
            )

    def latest(self, key: str, after: int = 0) -> Exchange | None:
        """The latest exchange with this key, None where there is none with a number above `after`."""
        with self._errors():
            row = self._database.execute(
                "SELECT * FROM exchanges WHERE key = ? AND id > ? ORDER BY id DESC LIMIT 1", (key, after)
            ).fetchone()
        return None if row is None else _exchange(row)

    def last_number(self) -> int:
        """The number of the newest exchange, 0 where there is none."""
        with self._errors():
            return self._database.execute("SELECT coalesce(max(id), 0) FROM exchanges").fetchone()[0]

    def models(self) -> list[str]:
        """The models that were asked, by name."""
        with self._errors():
            rows = self._database.execute("SELECT DISTINCT model FROM exchanges ORDER BY model").fetchall()
        return [model for (model,) in rows]

    def __iter__(self) -> Iterator[Exchange]:
        """Every exchange, oldest first, one in memory at a time."""
        yield from map(_exchange, self._database.execute("SELECT * FROM exchanges ORDER BY id"))

    @contextmanager
    def _errors(self) -> Iterator[None]:
        try:
            yield
        except sqlite3.DatabaseError as error:
            raise InputError(
                f"{self.path} cannot be used for the exchanges with language models: {error}. "
                "Name another file with --cache, or see to the disk."
            ) from error


def _exchange(row: Sequence) -> Exchange:
    _, key, date, model, request, requests, text, refusal, finish_reason, usage, served_model, _, reason = row
    return Exchange(
        key,
        model,
        json.loads(request),
        requests,
        text,
        refusal,
        finish_reason,
        json.loads(usage),
        served_model,
        reason,
        date,
    )
