"""`mertools data demo`: generate the demo corpus."""

from __future__ import annotations

import shlex
import sys
import time
from collections import Counter
from collections.abc import Sequence
from pathlib import Path

from mertools.commands.command_line import make_parser, positive
from mertools.commands.display import clip_progress

DESCRIPTION = """\
Generate a corpus of short clips: drawn faces that speak Mandarin and English, with subtitles, speakers and emotions.
A test of machinery, not of emotion recognition. What is there already is kept: the same command continues after an
interruption, and does nothing when the corpus is complete."""

EXAMPLES = """\
  mertools data demo --out demo
  mertools data demo --out small --clips 24 --seed 1"""


def main(arguments: Sequence[str] | None = None) -> int:
    """Parse, generate, tell; returns the exit status."""
    parser = make_parser("mertools data demo", DESCRIPTION, EXAMPLES)
    parser.add_argument("--out", type=Path, default=Path("demo"), metavar="DIR", help="folder of manifest and clips")
    parser.add_argument("--clips", type=positive, default=240, metavar="N", help="clips to generate, 12 or more")
    parser.add_argument("--seed", type=int, default=0, help="seed of all draws")
    parser.add_argument("--workers", type=positive, metavar="N", help="processes to use (default: one a CPU core)")
    options = parser.parse_args(arguments)

    from mertools.corpus import read_manifest
    from mertools.machine import cores
    from mertools.prepare.demo_corpus import generate

    begin, reused = time.monotonic(), None
    with clip_progress("generating") as progress:

        def tell(done: int, total: int) -> None:
            nonlocal reused
            reused = done if reused is None else reused
            progress(done, total, 0)

        workers = options.workers or cores()
        manifest = generate(options.out, options.clips, options.seed, workers, tell)
    seconds = time.monotonic() - begin

    corpus = read_manifest(manifest)
    counts = Counter(clip.split for clip in corpus.clips)
    splits = ", ".join(f"{counts[split]} {split}" for split in corpus.splits)
    made = options.clips - reused
    done = f"{made} generated in {seconds:.1f} s" if made else "all there already"
    sys.stdout.write(f"{manifest}: {options.clips} clips ({splits}), {done}\n{corpus.notice}\n")
    next_command = ["python", "extract.py", "--data", str(manifest), "--out", str(options.out / "features")]
    sys.stdout.write(f"\nNext: {shlex.join([*next_command, '--feature', 'egemaps', 'face-expression', 'minilm'])}\n")
    return 0
