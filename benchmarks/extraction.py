"""How fast features are extracted, over what is possible and over what the challenge's released code does.

    python benchmarks/extraction.py --out DIR --clips 500
    python benchmarks/extraction.py --out DIR --clips 500 --device cuda

Clips are generated once (`mertools data demo`). Printed are ratios of clips per second, each measured within this run;
starting processes and loading models do not count. Of several repeats the fastest counts.

- over the stages: the whole extraction over its stages alone. On the CPU preparing (reading, decoding, faces) and
  encoding share the cores, so that their times per clip add up; beside CUDA the slower of the two is what is possible.
- over the loop: the whole extraction over a loop on one thread that reads a clip for each feature, encodes it alone and
  writes one .npy a level. The loop decodes once for both levels, where the released code is run once for each.

On CUDA the networks of three large encoders are random ones of true size, since only their speed counts.
"""

from __future__ import annotations

import argparse
import itertools
import multiprocessing
import os
import subprocess
import sys
import tempfile
import time
from collections.abc import Mapping, Sequence
from concurrent.futures import ProcessPoolExecutor
from pathlib import Path

import numpy as np

from feature_extractors.catalog import card
from feature_extractors.encoder import Encoder, Settings, build
from feature_extractors.pooling import masked_mean
from feature_extractors.runner import BLOCK, THREAD_COUNTS, Preparation, Task, extract, loaded
from mertools.clip import Clip
from mertools.corpus import read_manifest
from mertools.libraries import transformers
from mertools.machine import cores
from mertools.media import MissingMedium, UnreadableMedia

EMBEDDED = ("egemaps", "face-expression", "minilm")
BOTH_LEVELS = ("egemaps", "face-expression")
LARGE = ("hubert-large", "clip-large", "roberta-large")

BATCH_SIZE = 32


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--out", type=Path, required=True, help="folder for the clips; kept")
    parser.add_argument("--clips", type=int, default=500)
    parser.add_argument("--repeats", type=int, default=3)
    parser.add_argument("--workers", type=int, default=cores())
    parser.add_argument("--device", default="cpu", help="cpu or cuda")
    options = parser.parse_args()
    words = ["--out", str(options.out), "--clips", str(options.clips)]
    subprocess.run([sys.executable, "-m", "mertools", "data", "demo", *words], check=True, stdout=subprocess.DEVNULL)
    clips = read_manifest(options.out / "manifest.csv").clips
    print(f"{len(clips)} clips, {options.workers} worker processes, {options.device}; the fastest of {options.repeats}")
    with tempfile.TemporaryDirectory() as folder:
        bench = Bench(clips, options.workers, options.device, options.repeats, Path(folder))
        if options.device == "cpu":
            bench.over_stages(encoders(EMBEDDED), target=0.85)
            bench.over_loop(encoders(BOTH_LEVELS), target=1.7)
        else:
            sources = large_networks(Path(folder) / "networks", clips)
            for name in LARGE:
                bench.over_stages(encoders([name], sources), target=0.85)
                bench.over_loop(encoders([name], sources), target=5)


def encoders(names: Sequence[str], sources: Mapping[str, str] | None = None) -> dict[str, Encoder]:
    settings = Settings(face_detector="dlib", sources=sources or {})
    return {name: build(card(name), settings) for name in names}


class Bench:
    """The measurements over one corpus; each gives seconds a clip."""

    def __init__(self, clips: Sequence[Clip], workers: int, device: str, repeats: int, folder: Path) -> None:
        self.clips = clips
        self.workers = workers
        self.device = device
        self.repeats = repeats
        self.folder = folder
        self._numbers = itertools.count()

    def over_stages(self, encoders: Mapping[str, Encoder], target: float) -> None:
        runs = [(self.whole(encoders, "utterance"), *self.stages(encoders)) for _ in range(self.repeats)]
        whole, preparing, encoding = map(min, zip(*runs, strict=True))
        possible = preparing + encoding if self.device == "cpu" else max(preparing, encoding)
        print(
            f"{', '.join(encoders)}: whole {1 / whole:.1f} clips/s, preparing alone {1 / preparing:.1f}, "
            f"encoding alone {1 / encoding:.1f}; over the stages {possible / whole:.2f} (target {target})",
            flush=True,
        )

    def over_loop(self, encoders: Mapping[str, Encoder], target: float) -> None:
        runs = [(self.whole(encoders, "frame"), self.loop(encoders)) for _ in range(self.repeats)]
        whole, loop = map(min, zip(*runs, strict=True))
        print(
            f"{', '.join(encoders)}, both levels: whole {1 / whole:.1f} clips/s, loop {1 / loop:.1f}; "
            f"over the loop {loop / whole:.2f} (target {target})",
            flush=True,
        )

    def whole(self, encoders: Mapping[str, Encoder], level: str) -> float:
        """Extraction as the command does it, from when the first clips are prepared."""
        clock = Clock(len(self.clips), self.workers)
        extract(
            self.clips,
            list(encoders.values()),
            self.folder / f"features-{next(self._numbers)}",
            level=level,
            workers=self.workers,
            device=self.device,
            batch_size=BATCH_SIZE,
            progress=lambda done, total, failed: clock.tell(done),
        )
        return clock.seconds_a_clip()

    def stages(self, encoders: Mapping[str, Encoder]) -> tuple[float, float]:
        """Preparing all clips on all cores; then encoding what was prepared, in the batches of an extraction."""
        clock = Clock(len(self.clips), self.workers)
        prepared = []
        with Preparation(encoders, self.workers) as preparation:
            for done, pair in enumerate(preparation.run(Task(clip, tuple(encoders)) for clip in self.clips), start=1):
                prepared.append(pair[1])
                clock.tell(done)
            preparing = clock.seconds_a_clip()
        with loaded(encoders, self.device, BATCH_SIZE) as models:
            for warm in (True, False):
                begin = time.perf_counter()
                for start in range(0, BLOCK if warm else len(prepared), BLOCK):
                    for name, model in models.items():
                        ready = [result[name].item for result in prepared[start : start + BLOCK]]
                        items = [one for one in ready if one is not None]
                        for _ in model.encodings(sorted(items, key=model.encoder.length)):
                            pass
            return preparing, (time.perf_counter() - begin) / len(prepared)

    def loop(self, encoders: Mapping[str, Encoder]) -> float:
        """A clip at a time on one thread, in a process of its own."""
        folder = self.folder / f"loop-{next(self._numbers)}"
        with ProcessPoolExecutor(1, multiprocessing.get_context("spawn"), initializer=one_thread) as executor:
            return executor.submit(one_by_one, self.clips, encoders, folder, self.device).result()


class Clock:
    """Runs from the moment when each worker has about given its first clip."""

    def __init__(self, clips: int, workers: int) -> None:
        self._clips = clips
        self._started_at = max(1, workers)
        self._begin: float | None = None

    def tell(self, done: int) -> None:
        if done >= self._started_at and self._begin is None:
            self._begin = time.perf_counter()

    def seconds_a_clip(self) -> float:
        return (time.perf_counter() - self._begin) / (self._clips - self._started_at)


def one_thread() -> None:
    os.environ.update(dict.fromkeys(THREAD_COUNTS, "1"))


def one_by_one(clips: Sequence[Clip], encoders: Mapping[str, Encoder], folder: Path, device: str) -> float:
    """Seconds a clip of the loop; one clip is for warming up."""
    seconds = 0.0
    for name, encoder in encoders.items():
        encoder.load(device)
        for level in ("utterance", "frame"):
            (folder / name / level).mkdir(parents=True)
        extract_one(clips[0], encoder, folder)
        begin = time.perf_counter()
        for clip in clips:
            extract_one(clip, encoder, folder)
        seconds += time.perf_counter() - begin
    return seconds / len(clips)


def extract_one(clip: Clip, encoder: Encoder, folder: Path) -> None:
    try:
        (encoding,) = encoder.encode([encoder.prepare(clip)])
    except (MissingMedium, UnreadableMedia):
        return
    utterance = masked_mean(encoding.frames) if encoding.utterance is None else encoding.utterance
    np.save(folder / encoder.name / "utterance" / f"{clip.name}.npy", utterance)
    np.save(folder / encoder.name / "frame" / f"{clip.name}.npy", encoding.frames)


def large_networks(folder: Path, clips: Sequence[Clip]) -> dict[str, str]:
    """Checkpoints of HuBERT-large, CLIP-large (ViT-L/14) and RoBERTa-large with random weights, as sources."""
    library = transformers()
    large = {"hidden_size": 1024, "num_hidden_layers": 24, "num_attention_heads": 16, "intermediate_size": 4096}
    letters = sorted({letter for clip in clips for letter in clip.text if not letter.isspace()})
    folder.mkdir(parents=True)
    vocabulary = folder / "vocab.txt"
    vocabulary.write_text("\n".join(["[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]", *letters]), encoding="utf-8")
    speech = {"feat_extract_norm": "layer", "conv_bias": True, "do_stable_layer_norm": True}
    image = {**large, "patch_size": 14, "image_size": 224, "projection_dim": 768}
    parts = {
        "hubert-large": [
            library.HubertModel(library.HubertConfig(**large, **speech)),
            library.Wav2Vec2FeatureExtractor(do_normalize=True, return_attention_mask=True),
        ],
        "clip-large": [
            library.CLIPVisionModelWithProjection(library.CLIPVisionConfig(**image)),
            library.CLIPImageProcessor(),
        ],
        "roberta-large": [
            library.BertModel(library.BertConfig(**large, vocab_size=21128)),
            library.BertTokenizer(str(vocabulary)),
        ],
    }
    for name, saved in parts.items():
        for part in saved:
            part.save_pretrained(folder / name)
    return {name: f"path:{folder / name}" for name in parts}


if __name__ == "__main__":
    main()
