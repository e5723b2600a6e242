"""How a search shows that it is alive, on standard error."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from fusion.search import Progress
    from fusion.system import ProgressOf


@contextmanager
def search_progress() -> Iterator[ProgressOf]:
    """A bar for each search; one line a search without a terminal. What has no draws is only named."""
    from rich.console import Console
    from rich.progress import (
        BarColumn,
        MofNCompleteColumn,
        Progress,
        TextColumn,
        TimeElapsedColumn,
        TimeRemainingColumn,
    )

    console = Console(stderr=True)
    bars = Progress(
        TextColumn("{task.description}"),
        BarColumn(bar_width=24),
        MofNCompleteColumn(),
        TextColumn("best WAF {task.fields[best]}"),
        TimeElapsedColumn(),
        TimeRemainingColumn(),
        console=console,
        disable=not console.is_terminal,
    )

    def begin(title: str, draws: int) -> Progress:
        if not draws:
            console.print(title, highlight=False)
        task = bars.add_task(title, total=draws, best="-", visible=draws > 0)

        def advance(known: int, total: int, best: float | None) -> None:
            shown = "-" if best is None else f"{100 * best:.2f}"
            bars.update(task, completed=known, best=shown)
            if not console.is_terminal and known == total:
                console.print(f"{title}: {total} draws, best WAF {shown}", highlight=False)

        return advance

    with bars:
        yield begin
