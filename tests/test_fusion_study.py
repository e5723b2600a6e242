"""Draws are claimed once, told once, and taken back from workers that are gone."""

from __future__ import annotations

import os
import socket
import subprocess
import sys
import threading
import time
from pathlib import Path

import optuna
import pytest
from optuna.storages import BaseStorage, InMemoryStorage
from sqlalchemy.exc import OperationalError
from toy_problem import Small

from fusion import study
from fusion.search import draw
from fusion.study import BEAT_SECONDS, DEAD_AFTER_SECONDS, Study, open_storage
from fusion.training import Configuration
from mertools.errors import InputError

DRAWS = draw(Small, "grid", 0, 0)


@pytest.fixture(params=["journal", "sqlite"])
def storage(request: pytest.FixtureRequest, tmp_path: Path) -> BaseStorage:
    journal, database = str(tmp_path / "search.journal"), f"sqlite:///{tmp_path / 'search.db'}"
    return open_storage(journal if request.param == "journal" else database)


def opened(storage: BaseStorage, draws: list[Configuration] = DRAWS) -> Study:
    found = Study(storage, "toy", Small.search_space, draws, draws)
    found.refresh()
    return found


def states(storage: BaseStorage) -> list[str]:
    return [trial.state.name for trial in optuna.load_study(study_name="toy", storage=storage).trials]


def test_every_draw_is_claimed_once(storage: BaseStorage) -> None:
    one, two = opened(storage), opened(storage)
    assert states(storage) == ["WAITING"] * 8
    one.claim(3)
    two.claim(8)
    assert (one.to_train(), two.to_train()) == ([0, 1, 2], [3, 4, 5, 6, 7])
    one.claim(8)
    assert one.to_train() == [0, 1, 2], "nothing is left"
    for number in (2, 0, 1):
        one.tell(number, number / 10, {"folds": [number]})
    assert one.told() == two.told() == {number: (number / 10, {"folds": [number]}) for number in (0, 1, 2)}
    two.refresh()
    assert two.to_train() == [3, 4, 5, 6, 7] and len(states(storage)) == 8


def test_equal_draws_are_trained_by_one_and_told_to_the_other(storage: BaseStorage) -> None:
    draws = [DRAWS[0], DRAWS[1], DRAWS[0]]
    one, two = opened(storage, draws), opened(storage, draws)
    one.claim(2)
    two.claim(2)
    assert two.to_train() == []
    two.tell_repeated()
    assert two.told() == {}
    one.tell(0, 0.5, {"folds": [0.5]})
    two.tell_repeated()
    assert two.told() == {0: (0.5, {"folds": [0.5]}), 2: (0.5, {"folds": [0.5]})}


def test_two_that_begin_at_once_do_no_harm(storage: BaseStorage, monkeypatch: pytest.MonkeyPatch) -> None:
    """Both see an empty study and let every draw wait: each draw stands in it twice."""
    one, two = (Study(storage, "toy", Small.search_space, DRAWS, DRAWS) for _ in range(2))
    with monkeypatch.context() as blind:
        blind.setattr(two, "_trials", lambda *states: [])
        two.refresh()
        blind.setattr(one, "_trials", lambda *states: [])
        one.refresh()
    assert states(storage) == ["WAITING"] * 16
    one.claim(16)
    assert one.to_train() == list(range(8))
    for number in one.to_train():
        one.tell(number, 0.1 * number, {})
    assert set(states(storage)) == {"COMPLETE", "FAIL"}
    assert one.told() == {number: (0.1 * number, {}) for number in range(8)}


def claimed_by(storage: BaseStorage, worker: str, silent_for: float) -> None:
    """Pretend that the first claimed draw is another worker's, who was last heard of so long ago."""
    trial = next(
        one for one in optuna.load_study(study_name="toy", storage=storage).trials if one.user_attrs["draw"] == 0
    )
    storage.set_trial_user_attr(trial._trial_id, study.WORKER, worker)
    storage.set_trial_user_attr(trial._trial_id, study.BEAT, time.time() - silent_for)


def gone_process() -> int:
    process = subprocess.Popen([sys.executable, "-c", ""])
    process.wait()
    return process.pid


@pytest.mark.parametrize(
    ("worker", "silent_for", "taken_back"),
    [
        (f"{socket.gethostname()}:{gone_process()}:0", 0, True),
        (f"{socket.gethostname()}:{os.getpid()}:0", 0, False),
        (f"{socket.gethostname()}:1:0", 0, False),
        (f"{socket.gethostname()}:{os.getpid()}:0", DEAD_AFTER_SECONDS + 1, True),
        ("elsewhere:1:0", DEAD_AFTER_SECONDS - 10, False),
        ("elsewhere:1:0", DEAD_AFTER_SECONDS + 1, True),
    ],
    ids=["gone", "here", "another user's", "here and silent", "elsewhere", "elsewhere and silent"],
)
def test_the_claims_of_the_dead_are_taken_back(
    storage: BaseStorage, worker: str, silent_for: float, taken_back: bool
) -> None:
    other = opened(storage)
    other.claim(1)
    claimed_by(storage, worker, silent_for)
    mine = opened(storage)
    mine.claim(8)
    assert sorted(mine.to_train()) == list(range(0 if taken_back else 1, 8))


def test_a_worker_that_died_before_it_said_who_it_was(storage: BaseStorage, monkeypatch: pytest.MonkeyPatch) -> None:
    opened(storage)
    optuna.load_study(study_name="toy", storage=storage).ask()
    mine = opened(storage)
    assert states(storage).count("WAITING") == 7, "it may be about to say"
    now = time.time()
    monkeypatch.setattr(study.time, "time", lambda: now + BEAT_SECONDS + 1)
    mine.refresh()
    assert states(storage).count("WAITING") == 8


def test_who_was_silent_too_long_loses_its_draw_and_nothing_else(storage: BaseStorage) -> None:
    """A laptop that slept: when it wakes up its draw is another's."""
    slept = opened(storage)
    slept.claim(2)
    claimed_by(storage, "elsewhere:1:0", DEAD_AFTER_SECONDS + 1)
    other = opened(storage)
    other.claim(8)
    assert 0 in other.to_train()
    slept.tell(0, 0.9, {"folds": [0.9]})
    assert slept.told() == {}
    slept.tell(1, 0.5, {"folds": [0.5]})
    other.tell(0, 0.7, {"folds": [0.7]})
    assert slept.told() == {0: (0.7, {"folds": [0.7]}), 1: (0.5, {"folds": [0.5]})}


def test_workers_beat_and_let_go(storage: BaseStorage, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(study, "BEAT_SECONDS", 0.05)
    mine = opened(storage)

    def beats() -> list[float]:
        trials = optuna.load_study(study_name="toy", storage=storage).trials
        return [trial.user_attrs[study.BEAT] for trial in trials if trial.state.name == "RUNNING"]

    with pytest.raises(ZeroDivisionError), mine.beating():
        mine.claim(2)
        first = beats()
        deadline = time.monotonic() + 20
        while min(beats()) <= max(first):
            assert time.monotonic() < deadline
            time.sleep(0.05)
        mine.tell(0, 0.5, {})
        raise ZeroDivisionError
    assert states(storage).count("RUNNING") == 0 and mine.to_train() == []
    other = opened(storage)
    other.claim(8)
    assert sorted(other.to_train()) == list(range(1, 8))


def test_beats_go_on_where_one_draw_was_taken_back(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(study, "BEAT_SECONDS", 0.02)
    storage = InMemoryStorage()
    mine = opened(storage)
    faults: list[object] = []
    monkeypatch.setattr(threading, "excepthook", faults.append)
    with mine.beating():
        mine.claim(2)
        mine._fail(0)
        time.sleep(0.2)
    assert not faults


@pytest.mark.parametrize(
    "location", ["{}/folder", "{}/file/below", "{}/notes.txt", "nonsense://x", "sqlite:///{}/nowhere/search.db"]
)
def test_an_unusable_place_is_refused(tmp_path: Path, location: str) -> None:
    (tmp_path / "folder").mkdir()
    (tmp_path / "file").write_text("")
    (tmp_path / "notes.txt").write_text("dear diary\n\nnothing happened\n")
    with pytest.raises(InputError, match=r"^--study .* cannot be opened: .*sqlite:///search.db\.$") as error:
        open_storage(location.format(tmp_path))
    assert "\n" not in str(error.value)


def test_two_may_make_a_database_at_once(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The slower fails at tables that the faster has just made, and finds them at its second look."""
    get_storage, faults = optuna.storages.get_storage, [OperationalError("CREATE", {}, Exception("already exists"))]

    def slower(location: str) -> BaseStorage:
        if faults:
            raise faults.pop()
        return get_storage(location)

    monkeypatch.setattr(study, "TABLES_SECONDS", 0)
    monkeypatch.setattr(optuna.storages, "get_storage", slower)
    storage = open_storage(f"sqlite:///{tmp_path / 'search.db'}")
    opened(storage)
    assert len(states(storage)) == 8 and not faults


def test_the_lock_of_a_killed_worker_is_found_stale(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Also below a relative folder, as `--runs` is by default."""
    monkeypatch.chdir(tmp_path)
    location = Path("runs/search.journal")
    storage = open_storage(str(location))
    lock = storage._backend._lock
    monkeypatch.setattr(lock, "grace_period", 0.2)
    lock.acquire()
    finished = threading.Thread(target=opened, args=(storage,), daemon=True)
    finished.start()
    finished.join(20)
    assert not finished.is_alive()
