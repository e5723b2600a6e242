"""What an extraction would take, from a sample of its clips; nothing is stored."""

from __future__ import annotations

import threading
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace

import numpy as np

from feature_extractors.encoder import Encoder
from feature_extractors.runner import (
    Preparation,
    Progress,
    Tally,
    Task,
    loaded,
    store,
    together,
    under_noise,
)
from mertools.clip import Clip
from mertools.clip_rows import FAILED
from mertools.errors import InputError
from mertools.feature_store import Provenance, Row
from mertools.machine import cores
from noise.corruption import Noise

PROBED = 50
"""How many clips are tried, evenly spread over the corpus."""

FILE_BYTES, ROW_BYTES = 8_000, 8
"""What a feature file takes beside its rows, and a row beside its arrays, its name and its media key; about."""


@dataclass(frozen=True)
class Forecast:
    """What all `clips` would take: `seconds` on this machine, start-up left out, and `bytes` on disk by feature.

    `probed` says from how many clips that is known, `failed` how many of these failed by feature.
    """

    clips: int
    probed: int
    seconds: float
    bytes: Mapping[str, int]
    failed: Mapping[str, int]


@dataclass
class _Scale:
    """Weighs the rows that a feature file would hold."""

    provenance: Provenance
    bytes: int = 0
    failed: int = 0
    level: str = field(init=False)

    def __post_init__(self) -> None:
        self.level = self.provenance.level

    def append(self, rows: Sequence[Row]) -> None:
        for row in rows:
            arrays = [row.utterance, row.frames, row.times, *row.outputs.values()]
            self.bytes += sum(array.nbytes for array in arrays if array is not None)
            self.bytes += ROW_BYTES + len(row.name.encode()) + len(row.media_key)
            self.failed += row.status == FAILED


def forecast(
    clips: Sequence[Clip],
    encoders: Sequence[Encoder],
    *,
    level: str,
    dtype: str = "float32",
    workers: int | None = None,
    device: str = "auto",
    batch_size: int = 32,
    noise: Noise | None = None,
    progress: Progress = lambda done, total, failed: None,
) -> Forecast:
    """Prepare and encode PROBED of `clips` and reckon from their time and size what all would take.

    Preparing and encoding are timed one after the other. On the CPU they share the cores, and their times add up; next
    to CUDA preparing goes on while the device encodes, and the slower of the two counts. Raises what `extract` does.
    """
    if not clips:
        raise InputError("There are no clips to plan for.")
    clips = under_noise(clips, noise)
    for encoder in encoders:
        encoder.check(clips)
    count = cores() if workers is None else workers
    places = np.unique(np.linspace(0, len(clips) - 1, min(PROBED, len(clips))).round().astype(int))
    probe = [clips[place] for place in places]
    scales = {encoder.name: _Scale(replace(encoder.provenance(level), dtype=dtype)) for encoder in encoders}
    groups = together(encoders)
    tally = Tally(len(groups) * len(probe), progress)
    seconds = 0.0
    for group in groups:
        by_name = {encoder.name: encoder for encoder in group}
        tasks = [Task(clip, tuple(by_name), noise and noise.of(clip)) for clip in probe]
        with Preparation(by_name, min(count, len(tasks))) as preparation, loaded(by_name, device, batch_size) as models:
            # Libraries load, and files come from a slow disk, at the first clip of each process.
            warm_up = list(preparation.run(tasks[: max(1, count)]))
            store(
                warm_up, models, {name: _Scale(scale.provenance) for name, scale in scales.items()}, threading.Event()
            )
            begin = time.perf_counter()
            block = []
            for pair in preparation.run(tasks):
                block.append(pair)
                tally.add(1)
            prepared = time.perf_counter()
            tally.add(failed=store(block, models, scales, threading.Event()))
            parts = prepared - begin, time.perf_counter() - prepared
            seconds += max(parts) if any(model.on_cuda for model in models.values()) else sum(parts)
    share = len(clips) / len(probe)
    return Forecast(
        clips=len(clips),
        probed=len(probe),
        seconds=seconds * share,
        bytes={name: FILE_BYTES + round(scale.bytes * share) for name, scale in scales.items()},
        failed={name: scale.failed for name, scale in scales.items()},
    )
