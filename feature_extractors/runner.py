"""Run encoders over a corpus: worker processes prepare clips, the model encodes behind them, shards are stored.

A clip that cannot be used costs itself and nothing else: what went wrong stands in its row. Which clips share a shard
depends on the manifest alone, and a batch never leaves its shard, so a run that was killed and continued, or divided
among machines, gives the features of one that was not.

Features asked for together are extracted in one pass over the clips, which decodes each clip once for all of them, as
long as their models fit in memory together; where they do not, there are several passes (`together`).
"""

from __future__ import annotations

import copy
import faulthandler
import itertools
import multiprocessing
import os
import signal
import sys
import threading
import time
from collections import deque
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from concurrent.futures import Future, ProcessPoolExecutor, ThreadPoolExecutor
from concurrent.futures.process import BrokenProcessPool
from contextlib import AbstractContextManager, ExitStack, contextmanager, nullcontext
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, Protocol

import numpy as np

from feature_extractors.encoder import FULL_DTYPE, Encoder, Encoding, torch_device
from feature_extractors.pooling import masked_mean
from mertools.clip import Clip
from mertools.clip_rows import FAILED, MISSING, OK, Head
from mertools.errors import InputError
from mertools.feature_store import FRAME, UNDECIDED, FeatureWriter, Provenance, Row, non_finite, read_heads
from mertools.machine import cores
from mertools.media import MissingMedium, UnreadableMedia, decoding_once
from noise.corruption import Corruption, Noise, uncropped

BLOCK = 64
"""Clips that share a shard: consecutive ones of the manifest."""

PARAMETERS_TOGETHER = 1_500_000_000
"""Models are in memory together up to this many parameters (6 GB in float32); a larger one is there alone."""

TIME_LIMIT_SECONDS = 300.0
"""A worker process that prepares one clip for one feature for longer is taken to hang."""

WORKER_DIED = "the process that read the clip died (out of memory, or a crash inside a media library)"

NOISY = ("audio", "video")
"""Modalities that noise changes; the subtitle of a noisy clip is the clip's."""

THREAD_COUNTS = ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS", "OPENCV_FOR_THREADS_NUM")
"""Environment variables in which torch, NumPy and OpenCV look up how many threads to start."""

Progress = Callable[[int, int, int], None]
"""Told how many clips are prepared, how many there are to do, and how many failures there were, feature by feature."""


@dataclass(frozen=True)
class Outcome:
    """What became of the asked clips for one feature: their heads, in the manifest's order."""

    feature: str
    path: Path
    rows: tuple[Head, ...]

    def count(self, status: str) -> int:
        """How many of the clips have `status`."""
        return sum(row.status == status for row in self.rows)


@dataclass(frozen=True)
class Task:
    """One clip, the features that it still lacks, and what is done to it while it is read: nothing, or noise."""

    clip: Clip
    features: tuple[str, ...]
    corruption: Corruption | None = None


@dataclass(frozen=True)
class Prepared:
    """What a worker made of one clip for one feature: an `item` to encode, or the reason why there is none."""

    media_key: str
    status: str
    reason: str = ""
    item: Any = None


@dataclass(frozen=True)
class Part:
    """One of `count` parts of a corpus, counted from 1: every `count`-th of the blocks that its shards are made of."""

    number: int = 1
    count: int = 1

    def of(self, clips: Sequence[Clip]) -> list[Clip]:
        """The clips of this part, in their order; raises InputError where there is none."""
        blocks = _blocks(clips)[self.number - 1 :: self.count]
        if clips and not blocks:
            raise InputError(
                f"Shard {self.number}/{self.count} has no clips: {len(clips)} clips make {len(_blocks(clips))} blocks "
                f"of {BLOCK}. Ask for at most as many shards."
            )
        return [clip for block in blocks for clip in block]


class Sink(Protocol):
    """Where rows go: a FeatureWriter, or what only weighs them."""

    level: str
    provenance: Provenance

    def append(self, rows: Sequence[Row]) -> None: ...


@dataclass(frozen=True)
class Means:
    """With what clips are prepared and encoded: the options of `extract` of these names."""

    workers: int | None
    device: str
    batch_size: int
    time_limit: float


class Engine(Protocol):
    """What prepares and encodes blocks of clips: this machine (`run_here`), or a cluster."""

    def __call__(
        self,
        blocks: Sequence[Sequence[Task]],
        encoders: Mapping[str, Encoder],
        sinks: Mapping[str, Sink],
        means: Means,
        tally: Tally,
    ) -> None:
        """Append one shard a block and feature to the sinks; no batch holds clips of two blocks."""


def extract(
    clips: Sequence[Clip],
    encoders: Sequence[Encoder],
    folder: Path,
    *,
    level: str,
    dtype: str = "float32",
    workers: int | None = None,
    device: str = "auto",
    batch_size: int = 32,
    limit: int | None = None,
    part: Part = Part(),
    noise: Noise | None = None,
    time_limit: float = TIME_LIMIT_SECONDS,
    engine: Engine | None = None,
    progress: Progress = lambda done, total, failed: None,
) -> list[Outcome]:
    """Write `<folder>/<feature>.h5` for every encoder and say what became of the clips.

    `clips` are the whole corpus; `limit` restricts the work to the first so many, `part` to a part of those. Clips that
    are stored already with the same media are not touched. `noise` makes clips noisy while they are read, and the files
    of sound and picture say which noise it was. `dtype` is the type on disk. `workers` processes prepare clips, by
    default one a core; 0 or 1 prepares them in this process, where nothing can end a clip that hangs after `time_limit`
    seconds. `engine` does the work elsewhere than on this machine.

    Raises InputError where a file belongs to another recipe or another process, where clips would be added to it that
    are computed in another type than its own, where the noise recipe lacks clips, where a model cannot be loaded, and
    what `Encoder.check` raises.
    """
    asked = under_noise(part.of(clips[:limit]), noise)
    for encoder in encoders:
        encoder.check(asked)
    engine, means = engine or run_here, Means(workers, device, batch_size, time_limit)
    with ExitStack() as stack:
        writers = {
            encoder.name: stack.enter_context(
                FeatureWriter(
                    folder / f"{encoder.name}.h5",
                    replace(
                        encoder.provenance(level),
                        dtype=dtype,
                        compute_dtype=UNDECIDED,
                        noise=noise.fingerprint if noise and encoder.modality in NOISY else "",
                    ),
                )
            )
            for encoder in encoders
        }
        for writer in writers.values():
            _refuse_to_shrink(writer, asked)
        groups = together(encoders)
        plans = [_plan(asked, group, writers, noise) for group in groups]
        lacking = {feature for blocks in plans for block in blocks for task in block for feature in task.features}
        for encoder in encoders:
            if encoder.name in lacking:
                # Not before: finding the device takes torch, and a finished file may have been computed on any.
                writers[encoder.name].compute_in(encoder.compute_dtype(device))
        tally = Tally(sum(map(_clips, plans)), progress)
        for group, blocks in zip(groups, plans, strict=True):
            if blocks:
                by_name = {encoder.name: encoder for encoder in group if encoder.name in lacking}
                engine(blocks, by_name, writers, means, tally)
            for encoder in group:
                writers[encoder.name].pack([clip.name for clip in asked])
        return [_outcome(encoder.name, writers[encoder.name].path, asked) for encoder in encoders]


def under_noise(clips: Sequence[Clip], noise: Noise | None) -> list[Clip]:
    """`clips` as they are read under `noise`, if any. Raises InputError where its recipe lacks one of them."""
    if noise is None:
        return list(clips)
    noise.check(clips)
    return uncropped(clips)


def together(encoders: Sequence[Encoder]) -> list[list[Encoder]]:
    """The encoders in the groups that are in memory, and read the clips, together: as many as fit, in their order."""
    groups: list[list[Encoder]] = []
    held = 0
    for encoder in encoders:
        held += encoder.card.parameters
        if not groups or held > PARAMETERS_TOGETHER:
            groups.append([])
            held = encoder.card.parameters
        groups[-1].append(encoder)
    return groups


def _refuse_to_shrink(writer: FeatureWriter, asked: Sequence[Clip]) -> None:
    dropped = set(writer.superseded()) - {clip.name for clip in asked}
    if dropped:
        raise InputError(
            f"{writer.path} holds {len(dropped)} clips without frames that this command leaves out (first: "
            f"{min(dropped)}): with --level frame they would be lost. Extract all clips, or give another --out."
        )


def _blocks(clips: Sequence[Clip]) -> list[Sequence[Clip]]:
    return [clips[begin : begin + BLOCK] for begin in range(0, len(clips), BLOCK)]


def _plan(
    clips: Sequence[Clip], encoders: Sequence[Encoder], writers: Mapping[str, FeatureWriter], noise: Noise | None
) -> list[list[Task]]:
    """The unfinished clips of each block of the manifest; blocks without any are left out."""
    finished = {encoder.name: writers[encoder.name].finished() for encoder in encoders}
    blocks = []
    for block in _blocks(clips):
        tasks = []
        for clip in block:
            keys: dict[str, str] = {}
            lacking = tuple(e.name for e in encoders if not _is_finished(clip, e, finished[e.name], keys))
            if lacking:
                tasks.append(Task(clip, lacking, noise and noise.of(clip)))
        if tasks:
            blocks.append(tasks)
    return blocks


def _clips(blocks: Sequence[Sequence[Task]]) -> int:
    return sum(map(len, blocks))


def _is_finished(clip: Clip, encoder: Encoder, finished: Mapping[str, str], keys: dict[str, str]) -> bool:
    if clip.name not in finished:
        return False
    if clip.is_away(encoder.modality):
        # A file that has been moved away has not changed: what was extracted from it is all that is left.
        return True
    if encoder.modality not in keys:
        try:
            keys[encoder.modality] = clip.media_key(encoder.modality)
        except OSError:
            return False
    return finished[clip.name] == keys[encoder.modality]


@dataclass
class Tally:
    """How far a run is, told to `progress` as it changes."""

    total: int
    progress: Progress
    done: int = 0
    failed: int = 0

    def add(self, done: int = 0, failed: int = 0) -> None:
        """Count `done` clips that are prepared and `failed` ones that failed."""
        self.done += done
        self.failed += failed
        if done or failed:
            self.tell()

    def tell(self) -> None:
        self.progress(self.done, self.total, self.failed)


def run_here(
    blocks: Sequence[Sequence[Task]],
    encoders: Mapping[str, Encoder],
    sinks: Mapping[str, Sink],
    means: Means,
    tally: Tally,
) -> None:
    """The engine that is this machine: its cores prepare, its device encodes."""
    workers = cores() if means.workers is None else means.workers
    with (
        Preparation(encoders, min(workers, _clips(blocks)), means.time_limit) as preparation,
        loaded(encoders, means.device, means.batch_size) as models,
    ):
        _run(blocks, preparation, models, sinks, tally)


def _run(
    blocks: Sequence[Sequence[Task]],
    preparation: Preparation,
    models: Mapping[str, Model],
    sinks: Mapping[str, Sink],
    tally: Tally,
) -> None:
    """Prepare block after block, while a thread encodes and stores the block before."""
    stopping = threading.Event()
    with ThreadPoolExecutor(1) as thread:
        try:
            tally.tell()
            prepared = preparation.run(itertools.chain.from_iterable(blocks))
            behind = _done(0)
            for block in blocks:
                results = []
                for task, result in itertools.islice(prepared, len(block)):
                    results.append((task, result))
                    tally.add(1, sum(one.status == FAILED for one in result.values()))
                tally.add(failed=behind.result())
                behind = thread.submit(store, results, models, sinks, stopping)
            tally.add(failed=behind.result())
        except BaseException:
            # The thread is waited for: it should not encode to the end what nobody waits for.
            stopping.set()
            raise


def store(
    block: Sequence[tuple[Task, dict[str, Prepared]]],
    models: Mapping[str, Model],
    sinks: Mapping[str, Sink],
    stopping: threading.Event,
) -> int:
    """Encode a block and append one shard a feature; gives how many clips failed in the encoders.

    What was prepared is taken out of `block` as it is used. When `stopping` is set, the shard that is not encoded yet
    is left out.
    """
    failed = 0
    for name, model in models.items():
        prepared = {task.clip.name: result.pop(name) for task, result in block if name in result}
        ready = sorted(
            (clip for clip, one in prepared.items() if one.status == OK),
            key=lambda clip: model.encoder.length(prepared[clip].item),
        )
        rows = {}
        for clip, encoding in zip(ready, model.encodings([prepared[clip].item for clip in ready]), strict=True):
            if stopping.is_set():
                return failed
            rows[clip] = _row(clip, prepared[clip].media_key, encoding, sinks[name])
            failed += rows[clip].status == FAILED
        sinks[name].append(
            [rows.get(clip) or Row(clip, one.status, one.reason, one.media_key) for clip, one in prepared.items()]
        )
    return failed


def _row(clip: str, media_key: str, encoding: Encoding | Exception, sink: Sink) -> Row:
    """The row of an encoded clip, with frames where the file holds them, in the type that the file holds."""
    if isinstance(encoding, Exception):
        return Row(clip, FAILED, _told(encoding), media_key)
    if not len(encoding.frames):
        return Row(clip, FAILED, "the encoder gave no frames", media_key)
    utterance = masked_mean(encoding.frames) if encoding.utterance is None else encoding.utterance
    row = Row(clip, OK, _one_line(encoding.problem), media_key, utterance=utterance.astype(np.float32))
    if sink.level == FRAME:
        row = Row(*_head(row), row.utterance, encoding.frames, encoding.times, encoding.outputs)
    bad = non_finite(row)
    if bad:
        return Row(clip, FAILED, f"the encoder gave NaN or infinity in {bad}", media_key)
    dtype = sink.provenance.dtype
    with np.errstate(over="ignore"):
        row = replace(
            row,
            utterance=row.utterance.astype(dtype),
            frames=None if row.frames is None else row.frames.astype(dtype),
            outputs={name: output.astype(dtype) for name, output in row.outputs.items()},
        )
    bad = non_finite(row)
    return Row(clip, FAILED, f"numbers in {bad} are too large for {dtype}", media_key) if bad else row


def _head(row: Row) -> tuple[str, str, str, str]:
    return row.name, row.status, row.reason, row.media_key


def _outcome(feature: str, path: Path, asked: Iterable[Clip]) -> Outcome:
    rows = {row.name: row for row in read_heads(path)}
    return Outcome(feature, path, tuple(rows[clip.name] for clip in asked))


# ---- encoding -------------------------------------------------------------------------------------------------------


class Model:
    """A loaded encoder, and how many items it takes at once.

    Where the memory does not suffice for a batch, it is halved, and so are those that follow. On CUDA the encoder runs
    under autocast to the type that it names; clips whose numbers leave its range are encoded again in float32.
    """

    def __init__(self, encoder: Encoder, device: str, batch_size: int) -> None:
        self.encoder = copy.copy(encoder)
        self.encoder.load(device)
        self.batch_size = batch_size
        # An encoder that needs no torch should not have it imported for its sake.
        self.on_cuda = "torch" in sys.modules and torch_device(device).type == "cuda"
        self.autocast_dtype = encoder.compute_dtype(device) if self.on_cuda else FULL_DTYPE

    def encodings(self, items: Sequence[Any]) -> Iterator[Encoding | Exception]:
        """The encodings of items in their order, or why there is none; a bad item costs only itself."""
        begin = 0
        while begin < len(items):
            size = self.batch_size
            results = self._in_parts(items[begin : begin + size])
            if any(map(_is_out_of_memory, results)):
                # An item is too large by itself; others need not suffer for it.
                self.batch_size = size
            yield from results
            begin += len(results)

    def _in_parts(self, batch: Sequence[Any]) -> list[Encoding | Exception]:
        """The encodings of a batch, at once if possible, in smaller ones if the memory is short, else one by one."""
        result = self._encode(batch)
        if isinstance(result, list):
            return result
        if len(batch) == 1:
            return [result]
        size = 1
        if _is_out_of_memory(result):
            _empty_cache()
            size = self.batch_size = (len(batch) + 1) // 2
        results: list[Encoding | Exception] = []
        while len(results) < len(batch):
            size = min(size, self.batch_size)
            results += self._in_parts(batch[len(results) : len(results) + size])
        return results

    def _encode(self, batch: Sequence[Any]) -> list[Encoding] | Exception:
        try:
            with self._autocast():
                encodings = list(self.encoder.encode(batch))
            if self.autocast_dtype != FULL_DTYPE:
                encodings = [
                    encoding if _is_finite(encoding) else self.encoder.encode([item])[0]
                    for item, encoding in zip(batch, encodings, strict=True)
                ]
            return encodings
        except Exception as error:
            # Its traceback would keep the tensors that did not fit.
            return error.with_traceback(None)

    def _autocast(self) -> AbstractContextManager:
        if self.autocast_dtype == FULL_DTYPE:
            return nullcontext()
        import torch

        return torch.autocast("cuda", getattr(torch, self.autocast_dtype))


@contextmanager
def loaded(encoders: Mapping[str, Encoder], device: str, batch_size: int) -> Iterator[dict[str, Model]]:
    """The models of `encoders`, in memory as long as this lasts; the encoders themselves stay without."""
    models = {name: Model(encoder, device, batch_size) for name, encoder in encoders.items()}
    try:
        yield models
    finally:
        models.clear()
        _empty_cache()


def _empty_cache() -> None:
    """Give back the memory of the device that torch keeps for later."""
    torch = sys.modules.get("torch")
    if torch is not None and torch.cuda.is_initialized():
        torch.cuda.empty_cache()


def _is_out_of_memory(result: object) -> bool:
    """Whether an encoder failed for want of memory: Python's error, CUDA's, or that of torch's allocator on the CPU."""
    return (
        isinstance(result, MemoryError)
        or type(result).__name__ == "OutOfMemoryError"
        or (isinstance(result, RuntimeError) and "can't allocate memory" in str(result))
    )


def _is_finite(encoding: Encoding) -> bool:
    arrays = [encoding.frames, encoding.utterance, *encoding.outputs.values()]
    return all(array is None or np.isfinite(array).all() for array in arrays)


# ---- preparing ------------------------------------------------------------------------------------------------------


class Preparation:
    """Prepares clips in worker processes; a context manager.

    Workers are spawned: forking a process that has loaded torch or CUDA is not safe. When one dies, which takes the
    others with it, the clips that were under way are prepared again one at a time in a process of their own, so that
    the one which kills it is known and the rest goes on. A worker that takes more than `time_limit` seconds for one
    feature of a clip ends itself, so that a codec that hangs costs that feature of that clip, and the limit twice.
    """

    def __init__(self, encoders: Mapping[str, Encoder], workers: int, time_limit: float = TIME_LIMIT_SECONDS) -> None:
        self._encoders = dict(encoders)
        self._workers = workers
        self._time_limit = time_limit
        self._executor: ProcessPoolExecutor | None = None

    def __enter__(self) -> Preparation:
        if self._workers > 1:
            self._start(self._workers)
        return self

    def __exit__(self, *exception: object) -> None:
        self._stop()

    def run(self, tasks: Iterable[Task]) -> Iterator[tuple[Task, dict[str, Prepared]]]:
        """Each task with what it gave by feature, in order; no more tasks are under way than keep the workers busy."""
        if self._workers <= 1:
            yield from ((task, prepare(task, self._encoders)) for task in tasks)
            return
        tasks = iter(tasks)
        under_way = deque((task, self._submit(task)) for task in itertools.islice(tasks, 2 * self._workers))
        while under_way:
            task, future = under_way.popleft()
            try:
                result = _result(task, future)
            except BrokenProcessPool:
                suspects = [task, *(other for other, future in under_way if not _succeeded(future))]
                results = self._one_by_one(suspects)
                self._start(self._workers)
                under_way = deque(
                    (other, future if _succeeded(future) else _done(results[other.clip.name]))
                    for other, future in under_way
                )
                result = results[task.clip.name]
            under_way.extend((task, self._submit(task)) for task in itertools.islice(tasks, 1))
            yield task, result

    def _one_by_one(self, tasks: Sequence[Task]) -> dict[str, dict[str, Prepared]]:
        """What each task gives, by clip, each feature prepared while nothing else is."""
        results: dict[str, dict[str, Prepared]] = {task.clip.name: {} for task in tasks}
        self._start_one()
        for task in tasks:
            for feature in task.features:
                alone = replace(task, features=(feature,))
                begin = time.monotonic()
                try:
                    result = _result(alone, self._submit(alone))
                except BrokenProcessPool:
                    hung = time.monotonic() - begin >= self._time_limit
                    reason = f"reading the clip took more than {self._time_limit:g} s" if hung else WORKER_DIED
                    result = {feature: Prepared("", FAILED, reason)}
                    self._start_one()
                results[task.clip.name].update(result)
        return results

    def _submit(self, task: Task) -> Future:
        try:
            return self._executor.submit(_prepare_in_worker, task)
        except BrokenProcessPool as error:
            future: Future = Future()
            future.set_exception(error)
            return future

    def _start_one(self) -> None:
        """Have one fresh process. Raises RuntimeError where it does not even start: that is no clip's fault."""
        try:
            self._start(1)[0].result()
        except BrokenProcessPool as error:
            raise RuntimeError("worker processes do not start here; --workers 0 does without") from error

    def _start(self, workers: int) -> list[Future]:
        """Have `workers` fresh processes; gives what tells when they have started."""
        self._stop()
        self._executor = ProcessPoolExecutor(
            workers,
            multiprocessing.get_context("spawn"),
            initializer=_start_worker,
            initargs=(self._encoders, self._time_limit),
        )
        with _interrupts_held():
            return [self._executor.submit(os.getpid) for _ in range(workers)]

    def _stop(self) -> None:
        if self._executor is not None:
            self._executor.shutdown(cancel_futures=True)
            self._executor = None


def prepare(task: Task, encoders: Mapping[str, Encoder], time_limit: float | None = None) -> dict[str, Prepared]:
    """What each feature of `task` needs from its clip; never raises.

    Features of one modality share what is decoded, and corrupted. With `time_limit` this process ends where one takes
    longer.
    """
    prepared = {}
    for modality in dict.fromkeys(encoders[feature].modality for feature in task.features):
        features = [feature for feature in task.features if encoders[feature].modality == modality]
        with (
            task.corruption.applied() if task.corruption else nullcontext(),
            decoding_once() if len(features) > 1 else nullcontext(),
        ):
            for feature in features:
                with _ending_after(time_limit):
                    prepared[feature] = _prepare(task.clip, encoders[feature])
    return prepared


@contextmanager
def _ending_after(seconds: float | None) -> Iterator[None]:
    """This process ends when what is done meanwhile takes longer, even inside a library that holds the GIL."""
    if seconds is None:
        yield
        return
    with Path(os.devnull).open("w") as nowhere:
        faulthandler.dump_traceback_later(seconds, exit=True, file=nowhere)
        try:
            yield
        finally:
            faulthandler.cancel_dump_traceback_later()


def _prepare(clip: Clip, encoder: Encoder) -> Prepared:
    key = ""
    try:
        # Before reading: a file that changes meanwhile must count as changed next time.
        key = clip.media_key(encoder.modality)
        return Prepared(key, OK, item=encoder.prepare(clip))
    except MissingMedium as error:
        return Prepared(key, MISSING, _one_line(str(error)))
    except UnreadableMedia as error:
        return Prepared(key, FAILED, _one_line(str(error)))
    except Exception as error:
        return Prepared(key, FAILED, _told(error))


_worker: dict[str, Any] = {}
"""What a worker process prepares clips with: the encoders and the time limit."""


def _start_worker(encoders: dict[str, Encoder], time_limit: float) -> None:
    # Where signals cannot be held back while a process starts (Windows), they are ignored from here on.
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    # One worker a core: a library that starts threads of its own would only get in the others' way.
    os.environ.update(dict.fromkeys(THREAD_COUNTS, "1"))
    _worker.update(encoders=encoders, time_limit=time_limit)
    # A main process that is killed leaves its workers waiting for ever.
    threading.Thread(target=_end_with_parent, daemon=True).start()


def _end_with_parent() -> None:
    multiprocessing.parent_process().join()
    os._exit(1)


@contextmanager
def _interrupts_held() -> Iterator[None]:
    """Processes that are started meanwhile never see Ctrl-C, which a terminal sends to all: this one decides."""
    if not hasattr(signal, "pthread_sigmask"):
        yield
        return
    before = signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGINT})
    try:
        yield
    finally:
        signal.pthread_sigmask(signal.SIG_SETMASK, before)


def _prepare_in_worker(task: Task) -> dict[str, Prepared]:
    return prepare(task, **_worker)


def _result(task: Task, future: Future) -> dict[str, Prepared]:
    """What `future` gives for `task`; raises BrokenProcessPool where the worker died."""
    try:
        return future.result()
    except BrokenProcessPool:
        raise
    except Exception as error:
        # Not from preparing, which catches its own: the result could not be sent here.
        return {feature: Prepared("", FAILED, _told(error)) for feature in task.features}


def _succeeded(future: Future) -> bool:
    return future.done() and not future.cancelled() and future.exception() is None


def _done(result: Any) -> Future:
    future: Future = Future()
    future.set_result(result)
    return future


def _told(error: Exception) -> str:
    return _one_line(f"{type(error).__name__}: {error}")


def _one_line(text: str) -> str:
    return " ".join(text.split())
