"""Run encoders over a corpus: worker processes prepare clips, the model encodes behind them, shards are stored.

A clip that cannot be used costs itself and nothing else: what went wrong stands in its row. Which clips share a shard
depends on the manifest alone, and a batch never leaves its shard, so a run that was killed and continued gives the
features of one that was not.
"""

from __future__ import annotations

import copy
import itertools
import multiprocessing
import os
import signal
import threading
from collections import deque
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from concurrent.futures import Future, ProcessPoolExecutor, ThreadPoolExecutor
from concurrent.futures.process import BrokenProcessPool
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from feature_extractors.encoder import Encoder, Encoding
from feature_extractors.pooling import masked_mean
from mertools.clip import Clip
from mertools.errors import InputError
from mertools.feature_store import FAILED, FRAME, MISSING, OK, FeatureWriter, Row, non_finite, read_heads
from mertools.media import MissingMedium, UnreadableMedia

BLOCK = 64
"""Clips that share a shard: consecutive ones of the manifest."""

WORKER_DIED = "the process that read the clip died (out of memory, or a crash inside a media library)"

THREAD_COUNTS = ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS", "OPENCV_FOR_THREADS_NUM")
"""Environment variables in which torch, NumPy and OpenCV look up how many threads to start."""

Progress = Callable[[int, int, int], None]
"""Told how many clips are prepared, how many there are to do, and how many failures there were, feature by feature."""


@dataclass(frozen=True)
class Outcome:
    """What became of the asked clips for one feature: their rows without arrays, in the manifest's order."""

    feature: str
    path: Path
    rows: tuple[Row, ...]

    def count(self, status: str) -> int:
        """How many of the clips have `status`."""
        return sum(row.status == status for row in self.rows)


@dataclass(frozen=True)
class Task:
    """One clip, and the features that it still lacks."""

    clip: Clip
    features: tuple[str, ...]


@dataclass(frozen=True)
class Prepared:
    """What a worker made of one clip for one feature: an `item` to encode, or the reason why there is none."""

    media_key: str
    status: str
    reason: str = ""
    item: Any = None


def extract(
    clips: Sequence[Clip],
    encoders: Sequence[Encoder],
    folder: Path,
    *,
    level: str,
    workers: int | None = None,
    device: str = "auto",
    batch_size: int = 32,
    limit: int | None = None,
    progress: Progress = lambda done, total, failed: None,
) -> list[Outcome]:
    """Write `<folder>/<feature>.h5` for every encoder and say what became of the clips.

    `clips` are the whole corpus; `limit` restricts the work to the first so many. Clips that are stored already with
    the same media are not touched. `workers` processes prepare clips, by default one a core; 0 or 1 prepares them in
    this process.

    Raises InputError where a file belongs to another recipe or another process, and where a model cannot be loaded.
    """
    asked = clips[:limit]
    with ExitStack() as stack:
        writers = {
            encoder.name: stack.enter_context(FeatureWriter(folder / f"{encoder.name}.h5", encoder.provenance(level)))
            for encoder in encoders
        }
        for writer in writers.values():
            _refuse_to_shrink(writer, asked)
        blocks = _plan(asked, encoders, writers)
        if blocks:
            by_name = {encoder.name: encoder for encoder in encoders}
            count = default_workers() if workers is None else workers
            _run(blocks, by_name, writers, count, device, batch_size, progress)
        for writer in writers.values():
            writer.pack([clip.name for clip in clips])
        return [_outcome(encoder.name, writers[encoder.name].path, asked) for encoder in encoders]


def _refuse_to_shrink(writer: FeatureWriter, asked: Sequence[Clip]) -> None:
    dropped = set(writer.superseded()) - {clip.name for clip in asked}
    if dropped:
        raise InputError(
            f"{writer.path} holds {len(dropped)} clips without frames that this command leaves out (first: "
            f"{min(dropped)}): with --level frame they would be lost. Extract all clips, or give another --out."
        )


def default_workers() -> int:
    """The CPU cores that this process may use."""
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1


def _plan(clips: Sequence[Clip], encoders: Sequence[Encoder], writers: Mapping[str, FeatureWriter]) -> list[list[Task]]:
    """The unfinished clips of each block of the manifest; blocks without any are left out."""
    finished = {encoder.name: writers[encoder.name].finished() for encoder in encoders}
    blocks = []
    for begin in range(0, len(clips), BLOCK):
        tasks = []
        for clip in clips[begin : begin + BLOCK]:
            keys: dict[str, str] = {}
            lacking = tuple(e.name for e in encoders if not _is_finished(clip, e, finished[e.name], keys))
            if lacking:
                tasks.append(Task(clip, lacking))
        if tasks:
            blocks.append(tasks)
    return blocks


def _is_finished(clip: Clip, encoder: Encoder, finished: Mapping[str, str], keys: dict[str, str]) -> bool:
    if clip.name not in finished:
        return False
    if encoder.modality not in keys:
        try:
            keys[encoder.modality] = clip.media_key(encoder.modality)
        except OSError:
            return False
    return finished[clip.name] == keys[encoder.modality]


def _run(
    blocks: Sequence[Sequence[Task]],
    encoders: Mapping[str, Encoder],
    writers: Mapping[str, FeatureWriter],
    workers: int,
    device: str,
    batch_size: int,
    progress: Progress,
) -> None:
    """Prepare block after block, while a thread encodes and stores the block before."""
    wanted = dict.fromkeys(feature for block in blocks for task in block for feature in task.features)
    total, done, failed = sum(map(len, blocks)), 0, 0
    stopping = threading.Event()
    with Preparation(encoders, min(workers, total)) as preparation, ThreadPoolExecutor(1) as thread:
        try:
            for name in wanted:
                encoders[name].load(device)
            progress(0, total, 0)
            prepared = preparation.run(itertools.chain.from_iterable(blocks))
            behind = _done(0)
            for block in blocks:
                results = []
                for task, result in itertools.islice(prepared, len(block)):
                    results.append((task, result))
                    done += 1
                    failed += sum(one.status == FAILED for one in result.values())
                    progress(done, total, failed)
                failed += behind.result()
                behind = thread.submit(_store, results, encoders, writers, batch_size, stopping)
            failed += behind.result()
        except BaseException:
            # The thread is waited for: it should not encode to the end what nobody waits for.
            stopping.set()
            raise
    progress(done, total, failed)


def _store(
    block: Sequence[tuple[Task, Mapping[str, Prepared]]],
    encoders: Mapping[str, Encoder],
    writers: Mapping[str, FeatureWriter],
    batch_size: int,
    stopping: threading.Event,
) -> int:
    """Encode a block and append one shard a feature; gives how many clips failed in the encoders.

    When `stopping` is set, the shard that is not encoded yet is left out.
    """
    failed = 0
    for name, encoder in encoders.items():
        prepared = {task.clip.name: result[name] for task, result in block if name in result}
        ready = sorted(
            (clip for clip, one in prepared.items() if one.status == OK),
            key=lambda clip: encoder.length(prepared[clip].item),
        )
        rows = {}
        for begin in range(0, len(ready), batch_size):
            if stopping.is_set():
                return failed
            batch = ready[begin : begin + batch_size]
            for clip, encoding in zip(batch, _encode(encoder, [prepared[c].item for c in batch]), strict=True):
                rows[clip] = _row(clip, prepared[clip].media_key, encoding, writers[name].level)
                failed += rows[clip].status == FAILED
        writers[name].append(
            [rows.get(clip) or Row(clip, one.status, one.reason, one.media_key) for clip, one in prepared.items()]
        )
    return failed


def _encode(encoder: Encoder, items: Sequence[Any]) -> list[Encoding | Exception]:
    """The encodings of a batch; where the batch fails, each item is tried alone, so that one costs only itself."""
    try:
        return list(encoder.encode(items))
    except Exception as error:
        return [error] if len(items) == 1 else [_encode(encoder, [item])[0] for item in items]


def _row(clip: str, media_key: str, encoding: Encoding | Exception, level: str) -> Row:
    """The row of an encoded clip, with frames where the file holds them."""
    if isinstance(encoding, Exception):
        return Row(clip, FAILED, _told(encoding), media_key)
    if not len(encoding.frames):
        return Row(clip, FAILED, "the encoder gave no frames", media_key)
    utterance = masked_mean(encoding.frames) if encoding.utterance is None else encoding.utterance
    row = Row(clip, OK, _one_line(encoding.problem), media_key, utterance=utterance.astype(np.float32))
    if level == FRAME:
        row = Row(*_head(row), row.utterance, encoding.frames, encoding.times, encoding.outputs)
    bad = non_finite(row)
    return Row(clip, FAILED, f"the encoder gave NaN or infinity in {bad}", media_key) if bad else row


def _head(row: Row) -> tuple[str, str, str, str]:
    return row.name, row.status, row.reason, row.media_key


def _outcome(feature: str, path: Path, asked: Iterable[Clip]) -> Outcome:
    rows = {row.name: row for row in read_heads(path)}
    return Outcome(feature, path, tuple(rows[clip.name] for clip in asked))


# ---- preparing ------------------------------------------------------------------------------------------------------


class Preparation:
    """Prepares clips in worker processes; a context manager.

    Workers are spawned: forking a process that has loaded torch or CUDA is not safe. When one dies, which takes the
    others with it, the clips that were under way are prepared again one at a time in a process of their own, so that
    the one which kills it is known and the rest goes on.
    """

    def __init__(self, encoders: Mapping[str, Encoder], workers: int) -> None:
        # Copies: the originals get their models while workers are still being started, and models stay where they are.
        self._encoders = {name: copy.copy(encoder) for name, encoder in encoders.items()}
        self._workers = workers
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
                alone = Task(task.clip, (feature,))
                try:
                    result = _result(alone, self._submit(alone))
                except BrokenProcessPool:
                    result = {feature: Prepared("", FAILED, WORKER_DIED)}
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
            initargs=(self._encoders,),
        )
        with _interrupts_held():
            return [self._executor.submit(os.getpid) for _ in range(workers)]

    def _stop(self) -> None:
        if self._executor is not None:
            self._executor.shutdown(cancel_futures=True)
            self._executor = None


def prepare(task: Task, encoders: Mapping[str, Encoder]) -> dict[str, Prepared]:
    """What each feature of `task` needs from its clip; never raises."""
    return {feature: _prepare(task.clip, encoders[feature]) for feature in task.features}


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


_worker_encoders: dict[str, Encoder] = {}
"""The encoders of a worker process."""


def _start_worker(encoders: dict[str, Encoder]) -> None:
    # Where signals cannot be held back while a process starts (Windows), they are ignored from here on.
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    # One worker a core: a library that starts threads of its own would only get in the others' way.
    os.environ.update(dict.fromkeys(THREAD_COUNTS, "1"))
    _worker_encoders.update(encoders)
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
    return prepare(task, _worker_encoders)


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
