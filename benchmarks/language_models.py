"""What the client costs beside a language model, and whether its memory depends on the number of questions.

    python benchmarks/language_models.py

A scripted server in a process of its own stands in for the model. Printed are

- the answers a second that come of 64 questions under way at once, at 0.5 s an answer, over the 128 that are possible
  (wanted: at least 100), with every exchange kept in the cache;
- the peak of memory after 20,000 calls over that after 2,000, at no delay (wanted: at most 1.05), and the same where
  all of them are in the cache.

Exits with status 1 where one is missed. Reads /proc: Linux alone.
"""

from __future__ import annotations

import argparse
import multiprocessing
import sys
import tempfile
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

sys.path.insert(0, str(Path(__file__).parent.parent / "tests"))

from scripted_server import Reply, ScriptedServer

from mertools.ov.chat import Question
from mertools.ov.client import Client, Parameters
from mertools.ov.connection import Server
from mertools.ov.exchanges import Exchanges

DELAY_SECONDS = 0.5
AT_ONCE = 64
POSSIBLE = AT_ONCE / DELAY_SECONDS
WANTED = 100
FLAT = 1.05
TEXT = "['happy', 'relieved', 'it''s complicated'] " * 20


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--seconds", type=int, default=20, help="how long the rate is measured")
    parser.add_argument("--calls", type=int, default=20_000, help="calls over which memory is watched")
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        rate = answers_a_second(Path(folder) / "rate.sqlite", int(options.seconds * POSSIBLE))
        asked, replayed = memory_ratios(Path(folder) / "memory.sqlite", options.calls)
    return int(rate < WANTED or max(asked, replayed) > FLAT)


def answers_a_second(cache: Path, calls: int) -> float:
    with served(DELAY_SECONDS) as url, opened(url, cache) as client:
        begin = time.perf_counter()
        used = time.process_time()
        count = sum(answer.reason == "" for answer in client.answers(map(question, range(calls))))
        seconds, used = time.perf_counter() - begin, time.process_time() - used
    print(
        f"{AT_ONCE} at once, {DELAY_SECONDS} s an answer: {count / seconds:.1f} answers/s of {POSSIBLE:.0f} possible "
        f"(wanted: at least {WANTED}); {1e3 * used / count:.2f} ms of CPU an answer"
    )
    return count / seconds


def memory_ratios(cache: Path, calls: int) -> tuple[float, float]:
    """The peaks after all `calls` over those after a tenth of them: asked, and replayed from the cache."""
    ratios = []
    with served(0) as url:
        for what in ("asked", "replayed"):
            # In a process of its own, whose peak is of this alone.
            with multiprocessing.get_context("spawn").Pool(1) as pool:
                few, many, seconds = pool.apply(peaks, (url if what == "asked" else None, cache, calls))
            ratios.append(many / few)
            print(
                f"{calls} calls, {what} in {seconds:.1f} s: peak {few / 1024:.1f} MB after {calls // 10}, "
                f"{many / 1024:.1f} MB after all; {many / few:.3f} (wanted: at most {FLAT})"
            )
    return ratios[0], ratios[1]


def peaks(url: str | None, cache: Path, calls: int) -> tuple[int, int, float]:
    """The process' peaks in kilobytes after a tenth of the calls and after all, and the seconds they took."""
    few = 0
    begin = time.perf_counter()
    with opened(url, cache) as client:
        for number, answer in enumerate(client.answers(map(question, range(calls))), start=1):
            assert answer.reason == "", answer.reason
            if number == calls // 10:
                few = peak_kilobytes()
    return few, peak_kilobytes(), time.perf_counter() - begin


def question(number: int) -> Question[str]:
    return Question(f"clip_{number}", f"Which emotions are in clip {number}? {TEXT}", str)


@contextmanager
def opened(url: str | None, cache: Path) -> Iterator[Client]:
    with (
        Exchanges(cache) as exchanges,
        Client(Server(url) if url else None, Parameters("scripted"), exchanges, concurrency=AT_ONCE) as client,
    ):
        yield client


@contextmanager
def served(delay_seconds: float) -> Iterator[str]:
    """The address of a scripted server in a process of its own."""
    context = multiprocessing.get_context("spawn")
    ours, theirs = context.Pipe()
    process = context.Process(target=serve, args=(theirs, delay_seconds), daemon=True)
    process.start()
    yield ours.recv()
    ours.send("enough")
    process.join()


def serve(pipe: Any, delay_seconds: float) -> None:
    def script(request: Mapping[str, Any]) -> Reply:
        return Reply(TEXT, delay_seconds=delay_seconds)

    with ScriptedServer(script, keep=False) as server:
        pipe.send(server.url)
        pipe.recv()


def peak_kilobytes() -> int:
    lines = Path("/proc/self/status").read_text().splitlines()
    return next(int(line.split()[1]) for line in lines if line.startswith("VmHWM:"))


if __name__ == "__main__":
    sys.exit(main())
