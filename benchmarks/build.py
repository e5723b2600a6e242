"""Whether a corpus of explanations is built at flat memory, and at the same cost for its last clip as for its first.

    python benchmarks/build.py

`mertools ov build coarse` explains generated clips (words alone, clues in files) by a scripted server in a process of
its own. Every build holds the whole corpus in memory, also one of a part of it, so that what differs is the build's
alone. Printed are

- the peak of memory when all clips are explained over that when a tenth of them are (--limit; wanted: at most 1.05),
  asked, and where all answers are in the cache, as after a kill;
- the CPU time of a clip of the second half over that of a clip of the first half but its first tenth, which pays for
  the start (wanted: at most 1.25, which leaves room for a busy machine). CPU time, since a clip's time on the clock
  is the server's.

Exits with status 1 where one is missed. Reads /proc: Linux alone.
"""

from __future__ import annotations

import argparse
import contextlib
import io
import multiprocessing
import re
import sys
import tempfile
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

sys.path.insert(0, str(Path(__file__).parent.parent / "tests"))

from scripted_server import ScriptedServer, prompt_of

from mertools.clip import Clip
from mertools.commands import ov_build_coarse
from mertools.corpus import read_manifest, write_manifest
from mertools.ov.clues import Clue, write_clues

FLAT = 1.05
STEADY = 1.25
CLUE = "In clip {0} the {1} of the person changes: first it is calm, then it rises, and at the end it breaks off. " * 4


@dataclass(frozen=True)
class Cost:
    """What one build took."""

    peak_kilobytes: int
    seconds: float
    cpu_seconds: float


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--clips", type=int, default=20_000, help="clips of the corpus")
    clips = parser.parse_args().clips
    limits = (clips // 10, clips // 2, clips)
    with tempfile.TemporaryDirectory() as folder, served() as url:
        make_corpus(Path(folder), clips)
        asked = {limit: build(Path(folder), url, limit) for limit in limits}
        cached = {limit: build(Path(folder), url, limit) for limit in limits}
    ratios = [told(what, costs) for what, costs in (("asked", asked), ("from the cache", cached))]
    return int(any(memory > FLAT or growth > STEADY for memory, growth in ratios))


def told(what: str, costs: Mapping[int, Cost]) -> tuple[float, float]:
    """Prints and gives how memory and the CPU time of a clip grow."""
    (few, half, clips) = costs
    memory = costs[clips].peak_kilobytes / costs[few].peak_kilobytes
    early = (costs[half].cpu_seconds - costs[few].cpu_seconds) / (half - few)
    late = (costs[clips].cpu_seconds - costs[half].cpu_seconds) / (clips - half)
    print(
        f"{clips} clips, {what}, in {costs[clips].seconds:.0f} s: peak {costs[few].peak_kilobytes / 1024:.1f} MB for "
        f"{few}, {costs[clips].peak_kilobytes / 1024:.1f} MB for all; {memory:.3f} (wanted: at most {FLAT})\n"
        f"  {1e3 * early:.2f} ms of CPU a clip at first, {1e3 * late:.2f} ms at last; {late / early:.3f} "
        f"(wanted: at most {STEADY})"
    )
    return memory, late / early


def make_corpus(folder: Path, count: int) -> None:
    clips = [
        Clip(f"clip_{n:06d}", subtitle=f"我没事{n}。", subtitle_english=f"I am fine {n}.", split="test")
        for n in range(count)
    ]
    write_manifest(folder / "manifest.csv", clips)
    for medium, what in (("audio", "voice"), ("video", "face")):
        rows = (Clue(clip.name, medium, CLUE.format(n, what), {"model": medium}) for n, clip in enumerate(clips))
        write_clues(folder / f"{medium}.jsonl", rows)


def build(folder: Path, url: str, limit: int) -> Cost:
    """What it costs to explain the first `limit` clips, in a process of its own."""
    with multiprocessing.get_context("spawn").Pool(1) as pool:
        return pool.apply(built, (folder, url, limit))


def built(folder: Path, url: str, limit: int) -> Cost:
    begin, used = time.perf_counter(), time.process_time()
    # Held to the end, as a build of all clips holds them.
    others = read_manifest(folder / "manifest.csv").clips[limit:]
    clues = [str(folder / f"{medium}.jsonl") for medium in ("audio", "video")]
    words = ["--data", str(folder / "manifest.csv"), "--clues", *clues, "--limit", str(limit), "--concurrency", "16"]
    with contextlib.redirect_stdout(io.StringIO()), contextlib.redirect_stderr(io.StringIO()):
        status = ov_build_coarse.main([*words, "--server", url, "--out", str(folder / str(limit)), "--strict"])
    assert status == 0, "some clips failed"
    del others
    return Cost(peak_kilobytes(), time.perf_counter() - begin, time.process_time() - used)


@contextmanager
def served() -> Iterator[str]:
    """The address of a scripted server in a process of its own."""
    context = multiprocessing.get_context("spawn")
    ours, theirs = context.Pipe()
    process = context.Process(target=serve, args=(theirs,), daemon=True)
    process.start()
    yield ours.recv()
    ours.send("enough")
    process.join()


def serve(pipe: Any) -> None:
    with ScriptedServer(script, keep=False) as server:
        pipe.send(server.url)
        pipe.recv()


def script(request: Mapping[str, Any]) -> str:
    prompt = prompt_of(request)
    number = next(filter(None, re.search(r"fine (\d+)|clip (\d+)|片段(\d+)", prompt).groups()))
    if prompt.startswith("请把下面的文字"):
        return f"片段{number}中的人物很担心，声音越来越高，最后中断。" * 4
    if prompt.endswith("Output:"):
        return "['担心']" if "请你担任" in prompt else "['worried']"
    return f"The person in clip {number} is worried: the voice rises, and at the end it breaks off. " * 4


def peak_kilobytes() -> int:
    lines = Path("/proc/self/status").read_text().splitlines()
    return next(int(line.split()[1]) for line in lines if line.startswith("VmHWM:"))


if __name__ == "__main__":
    sys.exit(main())
