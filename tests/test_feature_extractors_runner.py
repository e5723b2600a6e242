"""The runner: one clip's trouble stays its own, what was stored is kept, and interruptions change nothing."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import textwrap
import time
import weakref
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pytest

from feature_extractors import runner
from feature_extractors.cards.card import Card, same
from feature_extractors.encoder import Encoder, Encoding, Settings
from feature_extractors.runner import WORKER_DIED, Outcome, extract
from mertools.clip import Clip
from mertools.errors import InputError
from mertools.feature_store import FrameReader, merge, read_features
from mertools.media import MissingMedium, UnreadableMedia


@dataclass(frozen=True)
class Item:
    text: str
    problem: str = ""


class Weights:
    """Tells its encoder when it leaves memory."""

    def __init__(self, encoder: Toy) -> None:
        weakref.finalize(self, encoder.events.append, f"free {encoder.name}")


class Toy(Encoder):
    """Its features are the letters of the subtitle; some subtitles are trouble."""

    batches: list[list[str]]
    events: list[str]

    def __init__(self, name: str = "toy", revision: str = "1", parameters: int = 0, fits: int = 1000) -> None:
        card = Card(
            name,
            name,
            "text",
            "toy",
            "path:/toy",
            revision,
            dim=2,
            licence="none",
            recipes=same({}),
            language="english",
            parameters=parameters,
        )
        super().__init__(card, Settings())
        self.batches, self.events, self.fits = [], [], fits

    def prepare(self, clip: Clip) -> Item:
        match clip.subtitle.split("!")[0]:
            case "missing":
                raise MissingMedium("no subtitle")
            case "unreadable":
                raise UnreadableMedia("not\n  media")
            case "bug":
                raise KeyError("subtitle")
            case "kills" if self.name == "toy":
                os.kill(os.getpid(), signal.SIGKILL)
            case "lambda":
                return lambda: None  # cannot be sent to another process
            case "hangs":
                time.sleep(60)
            case "slow":
                time.sleep(0.2)
            case "signals":
                held = signal.pthread_sigmask(signal.SIG_BLOCK, [])
                return Item(f"{signal.SIGINT in held}")
            case "partial":
                return Item(clip.subtitle, "the stream broke half-way")
        return Item(clip.subtitle)

    def length(self, item: Item) -> int:
        return len(item.text)

    def load(self, device: str) -> None:
        self.events.append(f"load {self.name}")
        self.weights = Weights(self)

    def encode(self, batch: Sequence[Item]) -> list[Encoding]:
        self.batches.append([item.text for item in batch])
        if len(batch) > self.fits:
            raise MemoryError("out of memory")
        if any(item.text == "too big" for item in batch):
            raise MemoryError("out of memory")
        # A sum over the batch: features tell which clips shared one.
        company = sum(len(item.text) for item in batch)
        return [self._encoding(item, company) for item in batch]

    def _encoding(self, item: Item, company: int) -> Encoding:
        letters = np.array([[ord(letter), company] for letter in item.text], np.float32).reshape(-1, 2)
        if item.text == "nan":
            letters[0, 0] = np.nan
        if item.text == "silence":
            letters = letters[:0]
        times = np.arange(len(letters)) / 10
        return Encoding(letters, times, {"probabilities": letters / 1000}, problem=item.problem)


def clips(*subtitles: str) -> list[Clip]:
    return [Clip(f"clip {number}", subtitle=subtitle) for number, subtitle in enumerate(subtitles)]


def run(
    folder: Path, corpus: Sequence[Clip], *encoders: Toy, level: str = "utterance", workers: int = 0, **options
) -> list[Outcome]:
    return extract(corpus, encoders or [Toy()], folder, level=level, workers=workers, **options)


def endings(outcome: Outcome) -> list[tuple[str, str]]:
    return [(row.status, row.reason) for row in outcome.rows]


def test_every_clip_ends_with_a_status_and_a_reason(tmp_path: Path) -> None:
    subtitles = ["ab", "missing", "unreadable", "bug", "too big", "nan", "silence", "partial", "ac"]
    (outcome,) = run(tmp_path, clips(*subtitles))
    assert endings(outcome) == [
        ("ok", ""),
        ("missing", "no subtitle"),
        ("failed", "not media"),
        ("failed", "KeyError: 'subtitle'"),
        ("failed", "MemoryError: out of memory"),
        ("failed", "the encoder gave NaN or infinity in utterance"),
        ("failed", "the encoder gave no frames"),
        ("ok", "the stream broke half-way"),
        ("ok", ""),
    ]
    assert (outcome.count("ok"), outcome.count("missing"), outcome.count("failed")) == (3, 1, 5)
    features = read_features(outcome.path)
    assert features.names == tuple(clip.name for clip in clips(*subtitles))
    np.testing.assert_allclose(features.utterance[0, 0], 97.5)
    assert not features.utterance[1:7].any()


def test_frames_are_stored_when_asked_for(tmp_path: Path) -> None:
    (outcome,) = run(tmp_path, clips("abc", "missing", "d"), level="frame")
    with FrameReader(outcome.path) as reader:
        row = reader["clip 0"]
        np.testing.assert_array_equal(row.frames[:, 0], [97, 98, 99])
        np.testing.assert_allclose(row.times, [0, 0.1, 0.2])
        np.testing.assert_allclose(row.outputs["probabilities"], row.frames / 1000)
        np.testing.assert_allclose(row.utterance, row.frames.mean(axis=0))
        assert reader["clip 1"].frames is None
    # Files of utterances alone are made anew when frames are asked for.
    run(tmp_path / "later", clips("abc", "d"))
    (later,) = run(tmp_path / "later", clips("abc", "d"), level="frame")
    with FrameReader(later.path) as reader:
        assert len(reader["clip 0"].frames) == 3
    # A file that holds frames gets frames, also from a run that did not ask for them.
    run(tmp_path, clips("abc", "missing", "d", "ee"))
    with FrameReader(outcome.path) as reader:
        assert len(reader["clip 3"].frames) == 2


def test_what_is_finished_is_left_alone(tmp_path: Path) -> None:
    run(tmp_path, clips("ab", "missing", "bug", "d"))
    again = Toy()
    run(tmp_path, clips("ab", "missing", "bug", "d"), again)
    assert again.batches == [], "only the failed clip was tried again"
    unneeded = Toy()
    run(tmp_path, clips("ab", "missing"), unneeded)
    assert unneeded.events == []
    changed = Toy()
    (outcome,) = run(tmp_path, clips("ab", "found", "good", "changed", "new"), changed)
    assert changed.batches == [["new", "good", "found", "changed"]], "shortest first"
    assert [row.status for row in outcome.rows] == ["ok"] * 5


def test_a_second_feature_joins_the_first(tmp_path: Path) -> None:
    run(tmp_path, clips("ab", "c"), Toy("one"))
    one, two = Toy("one"), Toy("two")
    outcomes = run(tmp_path, clips("ab", "c", "d"), one, two)
    assert one.batches == [["d"]] and two.batches == [["c", "d", "ab"]]
    assert [outcome.path.name for outcome in outcomes] == ["one.h5", "two.h5"]


def test_models_that_do_not_fit_together_are_loaded_one_after_the_other(tmp_path: Path) -> None:
    half = runner.PARAMETERS_TOGETHER // 2
    toys = [Toy("one", parameters=half), Toy("two", parameters=half), Toy("three", parameters=1), Toy("four")]
    assert [[toy.name for toy in group] for group in runner.together(toys)] == [["one", "two"], ["three", "four"]]
    huge = [Toy("one", parameters=3 * half), Toy("two", parameters=3 * half)]
    huge[1].events = huge[0].events
    told = []
    outcomes = run(tmp_path, clips("a", "bug"), *huge, progress=lambda *numbers: told.append(numbers))
    assert huge[0].events == ["load one", "free one", "load two", "free two"]
    assert [outcome.count("ok") for outcome in outcomes] == [1, 1]
    assert told[0] == (0, 4, 0) and told[-1] == (4, 4, 2)


def test_a_batch_that_does_not_fit_is_halved_and_so_are_those_after_it(tmp_path: Path) -> None:
    toy = Toy(fits=5)
    (outcome,) = run(tmp_path, clips(*["a"] * 70), toy, batch_size=32)
    assert outcome.count("ok") == 70
    # The shard of 64 clips, then that of 6.
    assert [len(batch) for batch in toy.batches] == [32, 16, 8, *[4] * 16, 4, 2]
    # One item that does not fit by itself leaves the size as it was.
    toy = Toy()
    (outcome,) = run(tmp_path / "one", clips("too big", *["a"] * 7, *["too bigger"] * 8), toy, batch_size=4)
    assert endings(outcome)[0] == ("failed", "MemoryError: out of memory") and outcome.count("ok") == 15
    assert [len(batch) for batch in toy.batches] == [4, 4, 2, 2, 1, 1, 4, 4]


def test_float16_on_disk(tmp_path: Path) -> None:
    class Loud(Toy):
        def _encoding(self, item: Item, company: int) -> Encoding:
            encoding = super()._encoding(item, company)
            return Encoding(encoding.frames * 1000, encoding.times, encoding.outputs) if item.text == "z" else encoding

    (whole,) = run(tmp_path / "32", clips("abc", "de"), level="frame")
    (half,) = run(tmp_path / "16", clips("abc", "de", "z"), Loud(), level="frame", dtype="float16")
    assert endings(half)[2] == ("failed", "numbers in utterance are too large for float16")
    features = read_features(half.path)
    assert features.provenance.dtype == "float16"
    assert features.utterance[:2, 0] == pytest.approx(read_features(whole.path).utterance[:, 0], rel=2**-11)
    with FrameReader(half.path) as reader:
        assert reader["clip 0"].frames.dtype == np.float16
    with pytest.raises(InputError, match="dtype 'float16', now asked for is 'float32'"):
        run(tmp_path / "16", clips("abc"))


def test_what_was_computed_in_another_type_is_not_mixed_in(tmp_path: Path) -> None:
    class Halved(Toy):
        def compute_dtype(self, device: str) -> str:
            return "float16"

    (full,) = run(tmp_path / "full", clips("abc"))
    (half,) = run(tmp_path / "half", clips("abc"), Halved())
    dtypes = [read_features(outcome.path).provenance.compute_dtype for outcome in (full, half)]
    assert dtypes == ["float32", "float16"]
    with pytest.raises(InputError, match="compute_dtype 'float32', now asked for is 'float16'"):
        run(tmp_path / "full", clips("abc", "de"), Halved())
    (same,) = run(tmp_path / "full", clips("abc"), Halved())
    assert read_features(same.path).provenance.compute_dtype == "float32", "nothing was to be computed"
    with pytest.raises(InputError, match="compute_dtype is 'float32' in the first and 'float16' in the second"):
        merge([full.path, half.path], tmp_path / "merged.h5")


def test_parts_of_a_corpus_make_up_the_whole(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(runner, "BLOCK", 4)
    corpus = clips(*("x" * (1 + number * 7 % 5) for number in range(18)))
    (whole,) = run(tmp_path, corpus)
    features = read_features(whole.path)
    whole_rows = dict(zip(features.names, features.utterance, strict=True))
    parts = [run(tmp_path / str(n), corpus, part=runner.Part(n, 3))[0] for n in (1, 2, 3)]
    assert [len(part.rows) for part in parts] == [8, 6, 4]
    for part in parts:
        features = read_features(part.path)
        for name, row in zip(features.names, features.utterance, strict=True):
            np.testing.assert_array_equal(row, whole_rows.pop(name))
    assert not whole_rows
    with pytest.raises(InputError, match=r"^Shard 6/7 has no clips: 18 clips make 5 blocks of 4\."):
        run(tmp_path / "6", corpus, part=runner.Part(6, 7))
    assert not (tmp_path / "6").exists()


def test_a_limit_keeps_the_rest_of_the_file(tmp_path: Path) -> None:
    corpus = clips("a", "b", "c")
    (outcome,) = run(tmp_path, corpus, limit=2)
    assert len(outcome.rows) == 2 and len(read_features(outcome.path).names) == 2
    run(tmp_path, corpus)
    (outcome,) = run(tmp_path, corpus, limit=1)
    assert len(outcome.rows) == 1 and len(read_features(outcome.path).names) == 3


def test_frames_for_some_clips_never_replace_utterances_of_more(tmp_path: Path) -> None:
    corpus = clips("a", "b", "c")
    run(tmp_path, corpus)
    with pytest.raises(InputError, match=r"holds 2 clips without frames .*\(first: clip 1\).*--out"):
        run(tmp_path, corpus, limit=1, level="frame")
    (outcome,) = run(tmp_path, corpus, level="frame")
    assert len(read_features(outcome.path).names) == 3


def test_an_interrupted_run_continues_to_the_same_features(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(runner, "BLOCK", 4)
    corpus = clips(*("x" * (1 + number * 7 % 5) for number in range(18)))
    (whole,) = run(tmp_path / "whole", corpus, batch_size=3)
    told = []

    def interrupt(done: int, total: int, failed: int) -> None:
        told.append((done, total, failed))
        if done == 14:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        run(tmp_path / "broken", corpus, batch_size=3, progress=interrupt)
    assert told == [(done, 18, 0) for done in range(15)]
    assert list((tmp_path / "broken" / "toy.parts").glob("0*.h5")), "acknowledged shards are kept"
    rest = Toy()
    (continued,) = run(tmp_path / "broken", corpus, rest, batch_size=3)
    assert 0 < sum(map(len, rest.batches)) < 18
    np.testing.assert_array_equal(read_features(whole.path).utterance, read_features(continued.path).utterance)


def test_progress_counts_what_failed(tmp_path: Path) -> None:
    told = []
    run(tmp_path, clips("a", "bug", "nan", "missing"), progress=lambda *numbers: told.append(numbers))
    assert told == [(0, 4, 0), (1, 4, 0), (2, 4, 1), (3, 4, 1), (4, 4, 1), (4, 4, 2)]


def test_faults_of_the_set_up_end_the_run(tmp_path: Path) -> None:
    class Unloadable(Toy):
        def load(self, device: str) -> None:
            raise InputError("no such model")

    with pytest.raises(InputError, match="no such model"):
        run(tmp_path, clips("a"), Unloadable())
    run(tmp_path, clips("a"))
    with pytest.raises(InputError, match="revision '1', now asked for is '2'"):
        run(tmp_path, clips("a"), Toy(revision="2"))


@pytest.mark.skipif(sys.platform == "win32", reason="POSIX signals")
def test_a_clip_that_kills_its_worker_costs_only_itself(tmp_path: Path) -> None:
    subtitles = ["a", "b", "kills", "c", "lambda", "kills!", "signals", *"defghij"]
    toy, other = run(tmp_path, clips(*subtitles), Toy(), Toy("other"), workers=2)
    assert [row.name for row in toy.rows if row.reason == WORKER_DIED] == ["clip 2", "clip 5"]
    assert toy.count("failed") == 3 and toy.count("ok") == len(subtitles) - 3
    assert "clip 4" in [row.name for row in toy.rows if "pickle" in row.reason]
    # The same clip through another encoder, which it does not kill.
    assert [row.name for row in other.rows if row.status == "failed"] == ["clip 4"]
    (in_process,) = run(tmp_path / "in process", clips("a", "b", "c"))
    (in_workers,) = run(tmp_path / "in workers", clips("a", "b", "c"), workers=2)
    np.testing.assert_array_equal(read_features(in_process.path).utterance, read_features(in_workers.path).utterance)
    with FrameReader(run(tmp_path / "signals", clips("signals", "a"), level="frame", workers=2)[0].path) as reader:
        assert bytes(reader["clip 0"].frames[:, 0].astype(np.uint8)) == b"True", "workers do not see Ctrl-C"


def test_a_clip_that_hangs_costs_only_itself(tmp_path: Path) -> None:
    (outcome,) = run(tmp_path, clips("a", "hangs", *"bcdef"), workers=2, time_limit=0.5)
    assert endings(outcome) == [("ok", ""), ("failed", "reading the clip took more than 0.5 s"), *[("ok", "")] * 5]


@pytest.mark.skipif(sys.platform == "win32", reason="POSIX signals")
def test_workers_end_with_a_main_process_that_is_killed(tmp_path: Path) -> None:
    script = tmp_path / "main.py"
    script.write_text(
        textwrap.dedent(
            f"""
            import os, pathlib, sys, time
            sys.path.insert(0, {str(Path(__file__).parent)!r})
            from test_feature_extractors_runner import Toy, clips, run

            class Slow(Toy):
                def prepare(self, clip):
                    (pathlib.Path({str(tmp_path)!r}) / f"{{os.getpid()}}.pid").touch()
                    time.sleep(0.2)
                    return super().prepare(clip)

            if __name__ == "__main__":
                run(pathlib.Path({str(tmp_path)!r}), clips(*["a"] * 1000), Slow(), workers=2)
            """
        )
    )
    environment = {**os.environ, "PYTHONPATH": str(Path(__file__).parent.parent)}
    main = subprocess.Popen([sys.executable, str(script)], env=environment)
    try:
        _wait_until(lambda: len(list(tmp_path.glob("*.pid"))) == 2, seconds=60)
    finally:
        main.kill()
        main.wait()
    workers = [int(path.stem) for path in tmp_path.glob("*.pid")]
    _wait_until(lambda: not any(map(_is_alive, workers)), seconds=30)


def _wait_until(condition, seconds: float) -> None:
    deadline = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < deadline
        time.sleep(0.05)


def _is_alive(process: int) -> bool:
    try:
        os.kill(process, 0)
    except ProcessLookupError:
        return False
    # An orphan that nobody has waited for yet is a zombie, not alive.
    state = Path(f"/proc/{process}/stat")
    return not (state.exists() and state.read_text().rpartition(")")[2].split()[0] == "Z")
