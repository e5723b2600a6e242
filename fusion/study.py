"""A search's memory: an Optuna study in which any number of workers claim draws and tell what they found.

All draws stand in the study from its beginning, waiting. A worker claims some, and says from time to time that it is
alive; the draws of one that is not will wait again. Whoever opens the study later finds what was told.
"""

from __future__ import annotations

import os
import socket
import threading
import time
import uuid
from collections.abc import Hashable, Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from dataclasses import asdict
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import optuna
from optuna.distributions import CategoricalDistribution
from optuna.exceptions import UpdateFinishedTrialError
from optuna.storages import BaseStorage, JournalStorage
from optuna.storages.journal import JournalFileBackend
from optuna.trial import FrozenTrial, Trial, TrialState
from sqlalchemy.exc import DBAPIError

from fusion.training import Configuration
from mertools.errors import InputError

DRAW, WORKER, BEAT, OUTCOME = "draw", "worker", "beat", "outcome"
"""Attributes of a trial: which draw it is, who has claimed it, when that worker last said that it is alive, and what
came of it beside its value."""

BEAT_SECONDS = 20.0
DEAD_AFTER_SECONDS = 120.0
"""A worker that has been silent for so long is taken for dead."""

TABLES_SECONDS = 1.0
"""What another worker may need to make a database's tables."""


def open_storage(location: str) -> BaseStorage:
    """The Optuna storage at `location`: a database's URL, or the path of a journal file.

    Raises InputError where it cannot be opened.
    """
    optuna.logging.set_verbosity(optuna.logging.WARNING)
    try:
        if "://" in location:
            return _database(location)
        # Whole, since Optuna's lock is a link to it: the lock of a killed worker would never be taken for stale.
        path = Path(location).absolute()
        path.parent.mkdir(parents=True, exist_ok=True)
        return JournalStorage(JournalFileBackend(str(path)))
    except Exception as error:
        reason = (str(error).splitlines() or [type(error).__name__])[0].rstrip(".")
        raise InputError(
            f"--study {without_password(location, location)} cannot be opened: {reason}. Give the path of a journal "
            "file, or a URL such as sqlite:///search.db."
        ) from error


def _database(location: str) -> BaseStorage:
    try:
        return optuna.storages.get_storage(location)
    except DBAPIError:
        # Of two workers that begin at once and both make the tables, one fails: then they are there.
        time.sleep(TABLES_SECONDS)
        return optuna.storages.get_storage(location)


def without_password(text: str, study: str) -> str:
    """`text`, which names the storage `study`, as others may read it: runs are handed on, with what they record."""
    password = urlsplit(study).password
    return text.replace(f":{password}@", ":***@") if password else text


class Study:
    """The draws of one search, by number. Draws of equal key have equal values: only the first of them is trained."""

    def __init__(
        self,
        storage: BaseStorage,
        name: str,
        space: Mapping[str, Sequence[Any]],
        draws: Sequence[Configuration],
        keys: Sequence[Hashable],
    ) -> None:
        """Open the study `name`, or make it; `space` are the choices that `draws` were drawn from."""
        self._space = {name: CategoricalDistribution(choices) for name, choices in space.items()}
        self._draws, self._keys = draws, keys
        self._study = optuna.create_study(storage=storage, study_name=name, direction="maximize", load_if_exists=True)
        self._worker = f"{socket.gethostname()}:{os.getpid()}:{uuid.uuid4().hex[:8]}"
        self._claimed: dict[int, Trial] = {}
        self._lock = threading.Lock()

    def refresh(self) -> None:
        """Let every draw wait that is neither told nor claimed by a worker that is alive."""
        for trial in self._trials(TrialState.RUNNING):
            if not self._is_alive(trial):
                self._fail(trial.number)
        present = {trial.user_attrs[DRAW] for trial in self._trials()}
        for draw, configuration in enumerate(self._draws):
            if draw not in present:
                self._study.enqueue_trial(asdict(configuration), user_attrs={DRAW: draw})

    def claim(self, at_most: int) -> None:
        """Claim up to so many waiting draws."""
        for _ in range(at_most):
            if not self._trials(TrialState.WAITING):
                return
            trial = self._study.ask(self._space)
            if DRAW not in trial.user_attrs:
                # Another worker took the last waiting draw, and Optuna made one up.
                self._fail(trial.number)
                return
            draw = trial.user_attrs[DRAW]
            if draw in self._claimed:
                # Two workers that began at once have both let it wait.
                self._fail(trial.number)
                continue
            trial.set_user_attr(WORKER, self._worker)
            trial.set_user_attr(BEAT, time.time())
            with self._lock:
                self._claimed[draw] = trial

    def to_train(self) -> list[int]:
        """The claimed draws that no other trial of the same key precedes: those this worker has to train."""
        first = self._first_of_key()
        return [draw for draw, trial in self._claimed.items() if first[self._keys[draw]].number == trial.number]

    def tell(self, draw: int, value: float, outcome: Mapping[str, Any]) -> None:
        """What came of a claimed draw: its value, and beside it `outcome`, which JSON can hold.

        Nothing happens where this worker was silent for so long that another has taken the draw back.
        """
        with self._lock:
            trial = self._claimed.pop(draw)
        with suppress(UpdateFinishedTrialError):
            trial.set_user_attr(OUTCOME, dict(outcome))
            self._study.tell(trial, value, skip_if_finished=True)

    def tell_repeated(self) -> None:
        """Tell the claimed draws of which an equal one is told already."""
        first = self._first_of_key()
        for draw in list(self._claimed):
            known = first[self._keys[draw]]
            if known.state is TrialState.COMPLETE:
                self.tell(draw, known.value, known.user_attrs[OUTCOME])

    def told(self) -> dict[int, tuple[float, dict[str, Any]]]:
        """Value and outcome of every draw that is told, by its number."""
        told = {}
        for trial in self._trials(TrialState.COMPLETE):
            told.setdefault(trial.user_attrs[DRAW], (trial.value, trial.user_attrs[OUTCOME]))
        return dict(sorted(told.items()))

    @contextmanager
    def beating(self) -> Iterator[None]:
        """While this lasts, the claimed draws are known to be in work; afterwards those not told wait again."""
        stopping = threading.Event()

        def beat() -> None:
            while not stopping.wait(BEAT_SECONDS):
                with self._lock:
                    for trial in self._claimed.values():
                        with suppress(UpdateFinishedTrialError):
                            trial.set_user_attr(BEAT, time.time())

        thread = threading.Thread(target=beat, daemon=True)
        thread.start()
        try:
            yield
        finally:
            stopping.set()
            thread.join()
            for trial in self._claimed.values():
                self._fail(trial.number)
            self._claimed.clear()

    def _trials(self, *states: TrialState) -> list[FrozenTrial]:
        """The trials that are draws and not given up, by number."""
        trials = self._study.get_trials(deepcopy=False, states=states or None)
        return [trial for trial in trials if DRAW in trial.user_attrs and trial.state is not TrialState.FAIL]

    def _first_of_key(self) -> dict[Hashable, FrozenTrial]:
        first: dict[Hashable, FrozenTrial] = {}
        for trial in self._trials():
            first.setdefault(self._keys[trial.user_attrs[DRAW]], trial)
        return first

    def _is_alive(self, trial: FrozenTrial) -> bool:
        if WORKER not in trial.user_attrs:
            # Its worker has yet to say who it is, which takes it no time, or was killed at that.
            return time.time() - trial.datetime_start.timestamp() < BEAT_SECONDS
        worker = trial.user_attrs[WORKER]
        if worker == self._worker:
            return True
        host, _, rest = worker.partition(":")
        if host == socket.gethostname() and not _runs(int(rest.partition(":")[0])):
            return False
        return time.time() - trial.user_attrs.get(BEAT, trial.datetime_start.timestamp()) < DEAD_AFTER_SECONDS

    def _fail(self, number: int) -> None:
        # Where another worker was faster there is nothing left to do.
        self._study.tell(number, state=TrialState.FAIL, skip_if_finished=True)


def _runs(process: int) -> bool:
    """Whether a process of this machine is there."""
    try:
        os.kill(process, 0)
    except ProcessLookupError:
        return False
    except PermissionError:
        return True
    return True
