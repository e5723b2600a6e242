"""What the demo takes and what fusion wins in it, over several corpora.

    python benchmarks/demo.py --out DIR --seeds 0 1 2 3 4

For each seed the demo's corpus is generated, noise is drawn for its split `noise`, and it is extracted and fused.
Printed are the seconds of each step, the WAF of each modality alone and of their fusion (the mean over the test splits
`semi` and `noise`), and what fusion wins over the best single modality. The numbers speak of machinery, not of emotion
recognition.
"""

from __future__ import annotations

import argparse
import statistics
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

from mertools.commands.demo import steps
from mertools.run_record import read_result

LEAST_MEAN_GAIN, MOST_ALONE = 5, 70
"""What the demo corpus promises, in points of WAF on its test splits; no corpus may lose by fusion."""


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--out", type=Path, required=True, help="folder for the corpora; kept")
    parser.add_argument("--seeds", type=int, nargs="+", default=[0, 1, 2, 3, 4])
    parser.add_argument("--clips", type=int, default=240)
    options = parser.parse_args()
    gains, best_alone = [], []
    print("seed  generate     noise   extract      fuse   total s |      A      V      T    AVT | gain")
    for seed in options.seeds:
        folder = options.out / f"seed{seed}"
        seconds = [run(verb, words) for verb, words in steps(folder, options.clips, 50, seed)]
        waf = test_waf(read_result(max((folder / "runs").iterdir())))
        best_alone.append(max(waf["A"], waf["V"], waf["T"]))
        gains.append(waf["AVT"] - best_alone[-1])
        times = "  ".join(f"{value:8.1f}" for value in seconds)
        scores = " ".join(f"{waf[letters]:6.2f}" for letters in ("A", "V", "T", "AVT"))
        print(f"{seed:4}  {times}  {sum(seconds):8.1f} | {scores} | {gains[-1]:5.2f}", flush=True)
    print(
        f"gain over the best single modality: mean {statistics.mean(gains):.2f}, least {min(gains):.2f} points of WAF"
    )


def run(verb: str, words: list[str]) -> float:
    """Seconds that `mertools verb words` takes, its start included."""
    begin = time.perf_counter()
    subprocess.run(
        [sys.executable, "-m", "mertools", *verb.split(), *words],
        check=True,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
    )
    return time.perf_counter() - begin


def test_waf(result: dict[str, Any]) -> dict[str, float]:
    """The mean WAF over the test splits of each row of a result, in per cent, by its modalities' letters."""
    return {
        row["modalities"]: 100
        * statistics.mean(s["value"] for s in row["scores"] if s["metric"] == "waf" and s["estimate"] == "test")
        for row in result["rows"]
    }


if __name__ == "__main__":
    main()
