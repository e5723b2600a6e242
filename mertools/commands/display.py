"""What commands show: tables on standard output, progress over clips on standard error."""

from __future__ import annotations

import sys
import time
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import contextmanager

LINE_EVERY_SECONDS = 10
"""How often progress is told where there is no terminal to draw a bar on."""


def print_table(header: Sequence[str], rows: Iterable[Sequence[str]]) -> None:
    """A table on standard output: laid out on a terminal, tab-separated elsewhere."""
    if not sys.stdout.isatty():
        sys.stdout.writelines("\t".join(row) + "\n" for row in [header, *rows])
        return
    from rich import box
    from rich.console import Console
    from rich.table import Table
    from rich.text import Text

    table = Table(*header, box=box.SIMPLE_HEAD, pad_edge=False)
    for row in rows:
        # Text: a clip's name may hold what rich takes for markup.
        table.add_row(*map(Text, row))
    Console().print(table)


@contextmanager
def clip_progress(
    doing: str, counted: str = "failures", unit: str = "clips"
) -> Iterator[Callable[[int, int, float], None]]:
    """A bar with rate and time left on standard error; without a terminal a line now and then.

    What it gives is told how many clips (or what `unit` names) are done, how many there are, and how many of what
    `counted` names, or how much of it.
    """
    from rich.console import Console
    from rich.progress import BarColumn, MofNCompleteColumn, TextColumn, TimeElapsedColumn, TimeRemainingColumn
    from rich.progress import Progress as Bars

    console = Console(stderr=True)
    bars = Bars(
        TextColumn(doing),
        BarColumn(bar_width=24),
        MofNCompleteColumn(),
        TextColumn(f"{{task.fields[rate]}} · {counted}: {{task.fields[failed]}}"),
        TimeElapsedColumn(),
        TimeRemainingColumn(),
        console=console,
        disable=not console.is_terminal,
    )
    begin = last_told = time.monotonic()
    told = None

    def tell(done: int, total: int, failed: float) -> None:
        nonlocal last_told, told
        if (done, failed) == told:
            return
        told, now = (done, failed), time.monotonic()
        rate = done / max(now - begin, 1e-9)
        if console.is_terminal:
            if not bars.task_ids:
                bars.add_task("", total=total, rate="", failed=0)
            bars.update(bars.task_ids[0], completed=done, rate=f"{rate:.1f} {unit}/s", failed=f"{failed:g}")
        elif done == total or now - last_told >= LINE_EVERY_SECONDS:
            last_told = now
            left = f", {(total - done) / rate:.0f} s left" if 0 < done < total else ""
            console.print(
                f"{doing}: {done}/{total} {unit}, {rate:.1f} {unit}/s{left}, {counted}: {failed:g}",
                highlight=False,
                soft_wrap=True,
            )

    with bars:
        yield tell
