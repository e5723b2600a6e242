"""Extract on a Ray cluster (https://docs.ray.io/en/latest/data/data.html): the extra `ray`.

A block of the manifest is a row of a Ray Dataset. Actors on CPUs prepare its clips, each in worker processes as one
machine does, so that a clip that hangs or crashes costs only itself. Actors with a GPU each, or one a node where there
is none, encode it with models they load once. The command stores it. A batch never leaves its block, so the features
are those of a run on one machine, and a run that was killed is continued by either.

The nodes need this suite, the weights, and the clips at the same paths.
"""

from __future__ import annotations

import functools
import logging
import os
import platform
import socket
import threading
import warnings
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from types import ModuleType
from typing import Any

from feature_extractors.encoder import Encoder, device_type
from feature_extractors.runner import Means, Model, Preparation, Sink, Tally, Task, store
from mertools.clip_rows import FAILED
from mertools.errors import InputError
from mertools.feature_store import Provenance, Row
from mertools.machine import cores

LOCAL = "local"
"""The address that starts a Ray on this machine for as long as the command runs."""

READERS = 4
"""Worker processes of an actor that prepares clips; more of them would often wait for the last clip of a block."""

RETRIES = 3
"""How often a block is tried again because its actor died, as on a node that is taken away."""

BLOCK = "block"
"""The one column of the Dataset."""


@dataclass(frozen=True)
class RayCluster:
    """The engine that is the Ray cluster at `address`: `auto`, `HOST:PORT`, or LOCAL.

    Raises InputError where Ray is not installed; when called, where the cluster cannot be reached or is too small, and
    where a node does not see the clips or cannot load a model.
    """

    address: str

    def __post_init__(self) -> None:
        _ray()

    def __call__(
        self,
        blocks: Sequence[Sequence[Task]],
        encoders: Mapping[str, Encoder],
        sinks: Mapping[str, Sink],
        means: Means,
        tally: Tally,
    ) -> None:
        tally.tell()
        with _connected(self.address) as ray:
            crew = Crew.of([node["Resources"] for node in ray.nodes() if node["Alive"]], means)
            here = device_type(means.device)
            if crew.device_type != here:
                raise InputError(
                    f"The Ray cluster encodes on {crew.device_type}, this machine would on {here}, and the files say "
                    f"which. Say it: --device {crew.device_type}"
                )
            job = Job(
                encoders,
                {name: (sinks[name].level, sinks[name].provenance) for name in encoders},
                means,
                crew.processes,
                Path.cwd(),
                _any_file(blocks),
            )
            try:
                for row in _encoded(ray, blocks, job, crew).iter_rows():
                    _append(row[BLOCK].content, sinks, tally)
            except ray.exceptions.RayTaskError as error:
                if isinstance(error.cause, InputError):
                    # Ray adds lines about its settings.
                    raise InputError(str(error.cause).splitlines()[0]) from None
                raise
            except ray.exceptions.RayActorError as error:
                raise InputError(
                    f"Actors do not start on the Ray cluster, or died {1 + RETRIES} times over one block of clips: "
                    f"{str(error).strip().splitlines()[-1]} What was stored is kept, and the same command continues; "
                    "if memory was short, with a smaller --batch-size."
                ) from error


@dataclass(frozen=True)
class Crew:
    """How many actors prepare and encode, and what each takes of a node.

    `processes` is how many worker processes an actor that prepares has.
    """

    preparing: int
    preparing_cpus: int
    processes: int
    encoding: int
    encoding_needs: Mapping[str, float]

    @property
    def device_type(self) -> str:
        """What the actors encode on."""
        return "cuda" if "num_gpus" in self.encoding_needs else "cpu"

    @classmethod
    def of(cls, nodes: Sequence[Mapping[str, float]], means: Means) -> Crew:
        """The crew of a cluster whose `nodes` have these resources (`CPU`, `GPU`).

        With GPUs each has an actor that encodes, and all CPUs prepare. Without, one a node encodes with half the CPUs
        of the smallest node, and the others prepare. Nodes with fewer CPUs than these take are left idle. Raises
        InputError where no node is left.
        """
        gpus = 0 if means.device == "cpu" else int(sum(node.get("GPU", 0) for node in nodes))
        wanted = 1 if gpus else 2
        cpus = [int(node.get("CPU", 0)) for node in nodes if node.get("CPU", 0) >= wanted]
        if not cpus:
            raise InputError(
                f"The Ray cluster has no node with {wanted} CPUs, as reading clips and encoding them take. "
                "Start one with: ray start --num-cpus N"
            )
        threads = 0 if gpus else min(cpus) // 2
        free = min(cpus) - threads
        # Two even on one CPU: with one, clips would be prepared in the actor itself, which a bad clip could then end.
        processes = max(2, min(READERS, free)) if means.workers is None else means.workers
        preparing_cpus = min(max(1, processes), free)
        return cls(
            preparing=sum((count - threads) // preparing_cpus for count in cpus),
            preparing_cpus=preparing_cpus,
            processes=processes,
            encoding=gpus or len(cpus),
            # Beside a GPU no CPU is asked for: a node may have given all of them to actors that prepare.
            encoding_needs={"num_gpus": 1, "num_cpus": 0} if gpus else {"num_cpus": threads},
        )


@dataclass(frozen=True, repr=False)
class Parcel:
    """What travels in a row of a Dataset as it is. Ray looks into lists and dictionaries, and prints rows that fail."""

    content: Any


@dataclass(frozen=True)
class Job:
    """What the actors need to know.

    `heads` are the level and provenance of each feature's file; `folder` is where the command runs, `witness` a file
    that it sees.
    """

    encoders: Mapping[str, Encoder]
    heads: Mapping[str, tuple[str, Provenance]]
    means: Means
    processes: int
    folder: Path
    witness: Path | None

    def settle(self) -> None:
        """Let paths mean in this process what they mean in the command's. Raises InputError where they cannot."""
        if self.witness is not None and not self.witness.exists():
            raise InputError(
                f"The node {platform.node()} does not see {self.witness}: every node of the Ray cluster needs the "
                "clips at the same paths. Put them into a folder that all nodes share."
            )
        if self.folder.is_dir():
            os.chdir(self.folder)


class PreparingActor:
    """An actor that prepares blocks of clips."""

    def __init__(self, job: Job) -> None:
        self._job = job

    def __call__(self, row: Mapping[str, Parcel]) -> dict[str, Parcel]:
        return {BLOCK: Parcel(list(self._preparation.run(row[BLOCK].content)))}

    # What is wrong in a constructor reaches the command only as text: what can be is made at the first block.
    @functools.cached_property
    def _preparation(self) -> Preparation:
        self._job.settle()
        # Never left: its processes end with this one.
        return Preparation(self._job.encoders, self._job.processes, self._job.means.time_limit).__enter__()


class EncodingActor:
    """An actor that encodes blocks of prepared clips."""

    def __init__(self, job: Job) -> None:
        self._job = job

    def __call__(self, row: Mapping[str, Parcel]) -> dict[str, Parcel]:
        sinks = {name: Shard(*head) for name, head in self._job.heads.items()}
        store(row[BLOCK].content, self._models, sinks, threading.Event())
        return {BLOCK: Parcel({name: sink.rows for name, sink in sinks.items()})}

    @functools.cached_property
    def _models(self) -> dict[str, Model]:
        self._job.settle()
        means = self._job.means
        return {name: Model(encoder, means.device, means.batch_size) for name, encoder in self._job.encoders.items()}


@dataclass
class Shard:
    """The rows of a block on their way to the feature file."""

    level: str
    provenance: Provenance
    rows: list[Row] = field(default_factory=list)

    def append(self, rows: Sequence[Row]) -> None:
        self.rows += rows


def _encoded(ray: ModuleType, blocks: Sequence[Sequence[Task]], job: Job, crew: Crew) -> Any:
    """The Dataset of encoded `blocks`; it is made as it is read, in any order."""
    rows = [{BLOCK: Parcel(block)} for block in blocks]

    def actors(count: int, **needs: float) -> dict[str, Any]:
        pool = ray.data.ActorPoolStrategy(size=min(count, len(rows)))
        return {"compute": pool, "fn_constructor_args": (job,), "max_task_retries": RETRIES, **needs}

    with warnings.catch_warnings():
        # Ray would have retries unlimited: a block on which the encoder crashes would be tried for ever.
        warnings.simplefilter("ignore", DeprecationWarning)
        return (
            ray.data.from_items(rows, override_num_blocks=len(rows))
            .map(PreparingActor, **actors(crew.preparing, num_cpus=crew.preparing_cpus))
            .map(EncodingActor, **actors(crew.encoding, **crew.encoding_needs))
        )


def _append(shards: Mapping[str, Sequence[Row]], sinks: Mapping[str, Sink], tally: Tally) -> None:
    for name, rows in shards.items():
        sinks[name].append(rows)
    rows = [row for shard in shards.values() for row in shard]
    tally.add(len({row.name for row in rows}), sum(row.status == FAILED for row in rows))


def _any_file(blocks: Sequence[Sequence[Task]]) -> Path | None:
    """A file or folder of a clip that is there; None where clips have only texts."""
    clips = (task.clip for block in blocks for task in block)
    paths = (path for clip in clips for path in (clip.video, clip.audio, clip.faces) if path)
    return next((path for path in paths if path.exists()), None)


@contextmanager
def _connected(address: str) -> Iterator[ModuleType]:
    """The ray package, connected; raises InputError where there is no cluster at `address`."""
    ray = _ray()
    # Two CPUs at least, declared where there is one core: an actor that prepares and one that encodes.
    own = {"num_cpus": max(2, cores()), "include_dashboard": False} if address == LOCAL else {}
    try:
        _knock(address)
        ray.init(address, log_to_driver=False, logging_level=logging.ERROR, **own)
    except (OSError, ValueError) as error:
        reason = str(error).splitlines()[0].rstrip(".")
        raise InputError(
            f"No Ray cluster at {address}: {reason}. Start one with `ray start --head`, or leave out the address. "
            "To a cluster that asks for a token, which new ones do, connect with RAY_AUTH_MODE=token."
        ) from error
    try:
        logging.getLogger("ray.data").setLevel(logging.CRITICAL)
        context = ray.data.DataContext.get_current()
        context.enable_progress_bars = False
        context.raise_original_map_exception = True
        context.enable_fallback_to_arrow_object_ext_type = True
        yield ray
    finally:
        ray.shutdown()


def _knock(address: str) -> None:
    """Raise OSError or ValueError where nothing listens at HOST:PORT; Ray itself would try for many minutes."""
    host, colon, port = address.removeprefix("ray://").rpartition(":")
    if colon:
        socket.create_connection((host, int(port)), timeout=10).close()


def _ray() -> ModuleType:
    # Before Ray is loaded: it would report to its makers what is run.
    os.environ.setdefault("RAY_USAGE_STATS_ENABLED", "0")
    try:
        import ray
        import ray.data
    except ImportError as error:
        raise InputError(
            f"--ray needs the package ray with its part for data ({error}). Install it: pip install 'mertools[ray]'"
        ) from error
    return ray
