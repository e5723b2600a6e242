"""When a request that failed is sent again."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime


@dataclass(frozen=True)
class Retries:
    """At most `tries` requests for one exchange; between them a wait that doubles each time, from `first_wait_seconds`.

    No wait is longer than `longest_wait_seconds`, whatever the server asks for.
    """

    tries: int = 5
    first_wait_seconds: float = 1.0
    longest_wait_seconds: float = 120.0

    def wait_seconds(self, attempt: int, asked_seconds: float | None, draw: float) -> float:
        """How long to wait after the try numbered `attempt`, from 1.

        `asked_seconds` is the server's Retry-After. `draw`, from [0, 1), spreads clients that were turned away
        together: it halves a wait of ours at most, and lengthens one the server asked for.
        """
        if asked_seconds is not None:
            return min(max(asked_seconds, 0) + draw * self.first_wait_seconds, self.longest_wait_seconds)
        return min(self.first_wait_seconds * 2 ** (attempt - 1), self.longest_wait_seconds) * (0.5 + 0.5 * draw)


def retry_after_seconds(header: str | None, now: datetime | None = None) -> float | None:
    """What a header Retry-After says, in seconds from `now`; None where it is absent or neither seconds nor a date."""
    if not header:
        return None
    if header.strip().isdecimal():
        return float(header)
    try:
        date = parsedate_to_datetime(header)
    except ValueError:
        return None
    if date.tzinfo is None:
        date = date.replace(tzinfo=UTC)
    return max((date - (now or datetime.now(UTC))).total_seconds(), 0.0)
