"""Extraction on Ray: the features, reasons and resumption of one machine; most tests need the extra `ray`."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path

import pytest
from test_feature_extractors_opensmile import voice, write_wav
from test_feature_extractors_runner import Toy, clips, endings
from test_feature_extractors_runner_killed import arrays

from feature_extractors import runner
from feature_extractors.encoder import Encoding
from feature_extractors.ray_cluster import Crew, Job, RayCluster
from feature_extractors.runner import WORKER_DIED, Means
from mertools.clip import Clip
from mertools.commands.extract import main
from mertools.corpus import write_manifest
from mertools.errors import InputError

TESTS = Path(__file__).parent
MEANS = Means(workers=None, device="auto", batch_size=32, time_limit=300)
NOWHERE = "127.0.0.1:1"
"""An address without a cluster: runs that have nothing to do never look for one."""

SCRIPT = """
import pathlib, sys

from test_feature_extractors_runner import Toy, clips

from feature_extractors import runner
from feature_extractors.encoder import Encoding
from feature_extractors.ray_cluster import RayCluster
from mertools.commands.command_line import run


def main(arguments):
    _, folder, where = sys.argv
    runner.BLOCK = 4
    runner.extract(
        clips(*[f"slow!{'x' * (number * 7 % 5)}" for number in range(24)]),
        [Toy()],
        pathlib.Path(folder),
        level="frame",
        workers=2,
        batch_size=3,
        engine=RayCluster("local") if where == "ray" else None,
        progress=lambda done, total, failed: print(done, flush=True),
    )
    return 0


if __name__ == "__main__":
    run(main)
"""


@pytest.fixture
def ray(monkeypatch: pytest.MonkeyPatch) -> None:
    """Skips where Ray is not installed; its processes find this suite and its tests."""
    pytest.importorskip("ray")
    monkeypatch.setenv("PYTHONPATH", os.pathsep.join([str(TESTS.parent), str(TESTS)]))


def gpus(count: int, cpus: int) -> dict[str, float]:
    return {"GPU": float(count), "CPU": float(cpus), "memory": 1e9}


@pytest.mark.parametrize(
    ("nodes", "crew"),
    [
        # A workstation, a GPU machine, and GPU machines that nodes without GPU help.
        ([gpus(0, 2)], Crew(1, 1, 2, 1, {"num_cpus": 1})),
        ([gpus(0, 16)], Crew(2, 4, 4, 1, {"num_cpus": 8})),
        ([gpus(1, 16)], Crew(4, 4, 4, 1, {"num_gpus": 1, "num_cpus": 0})),
        ([gpus(8, 32), gpus(8, 32), gpus(0, 64)], Crew(32, 4, 4, 16, {"num_gpus": 1, "num_cpus": 0})),
        # A head that takes no work.
        ([gpus(0, 0), gpus(0, 4), gpus(0, 6)], Crew(3, 2, 2, 2, {"num_cpus": 2})),
        ([gpus(2, 1)], Crew(1, 1, 2, 2, {"num_gpus": 1, "num_cpus": 0})),
    ],
)
def test_a_crew_fills_its_cluster_and_never_more(nodes: Sequence[dict[str, float]], crew: Crew) -> None:
    assert Crew.of(nodes, MEANS) == crew
    taken = crew.preparing * crew.preparing_cpus + crew.encoding * crew.encoding_needs["num_cpus"]
    assert taken <= sum(node["CPU"] for node in nodes)


def test_a_crew_follows_the_options() -> None:
    node = gpus(1, 16)
    assert Crew.of([node], Means(1, "cpu", 32, 300)) == Crew(8, 1, 1, 1, {"num_cpus": 8})
    assert Crew.of([node], Means(0, "auto", 32, 300)) == Crew(16, 1, 0, 1, {"num_gpus": 1, "num_cpus": 0})
    assert Crew.of([node], Means(1, "cpu", 32, 300)).device_type == "cpu"
    assert Crew.of([node], Means(1, "auto", 32, 300)).device_type == "cuda"
    with pytest.raises(InputError, match="no node with 2 CPUs"):
        Crew.of([gpus(0, 1), gpus(0, 1)], MEANS)


def test_a_node_without_the_clips_is_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(TESTS)
    job = Job({}, {}, MEANS, processes=2, folder=tmp_path, witness=tmp_path / "clip.mp4")
    with pytest.raises(InputError, match=r"does not see .*clip\.mp4.*Put them into a folder that all nodes share"):
        job.settle()
    (tmp_path / "clip.mp4").touch()
    job.settle()
    assert Path.cwd() == tmp_path


def test_without_ray_the_extra_is_named(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "ray", None)
    write_manifest(tmp_path / "manifest.csv", [Clip("one", subtitle="Hello")])
    out = tmp_path / "features"
    with pytest.raises(InputError, match=r"needs the package ray .*pip install 'mertools\[ray\]'"):
        main(["--data", str(tmp_path / "manifest.csv"), "--out", str(out), "--feature", "minilm", "--ray"])
    assert not out.exists()


def test_a_plan_is_of_this_machine(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit, match="2"):
        main(["--feature", "minilm", "--ray", "--plan"])
    assert "leave out --ray" in capsys.readouterr().err


@pytest.mark.usefixtures("ray")
def test_features_equal_those_of_one_machine(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    corpus = []
    for number in range(10):
        write_wav(tmp_path / f"{number}.wav", voice(0.2 + 0.05 * number, 120 + 10 * number))
        corpus.append(Clip(f"clip {number}", audio=tmp_path / f"{number}.wav", subtitle=f"{'so ' * number}good"))
    (tmp_path / "text.wav").write_text("not media")
    corpus += [Clip("text", audio=tmp_path / "text.wav", subtitle="Fine"), Clip("mute", subtitle="Hm")]
    write_manifest(tmp_path / "manifest.csv", corpus)

    def extract(out: str, *more: str) -> int:
        words = ["--data", str(tmp_path / "manifest.csv"), "--feature", "egemaps", "minilm", "--level", "frame"]
        return main([*words, "--out", str(tmp_path / out), "--device", "cpu", *more])

    assert extract("here", "--workers", "0") == 0
    here = capsys.readouterr().out
    assert extract("ray", "--ray", "--strict") == 3
    there = capsys.readouterr().out
    assert arrays(tmp_path / "ray") == arrays(tmp_path / "here")
    assert "egemaps\ttext\tfailed\ttext.wav cannot be opened as media" in there
    assert there.splitlines()[:8] == here.splitlines()[:8]


@pytest.mark.usefixtures("ray")
def test_bad_clips_keep_their_reasons_and_finished_ones_are_left_alone(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(runner, "BLOCK", 4)
    corpus = clips("ab", "missing", "kills", "bug", "a", "hangs", "nan", "too big", "partial")
    options = {"level": "frame", "time_limit": 2, "engine": RayCluster("local")}
    toy, other = runner.extract(corpus, [Toy(), Toy("other")], tmp_path, **options)
    assert endings(toy) == [
        ("ok", ""),
        ("missing", "no subtitle"),
        ("failed", WORKER_DIED),
        ("failed", "KeyError: 'subtitle'"),
        ("ok", ""),
        ("failed", "reading the clip took more than 2 s"),
        ("failed", "the encoder gave NaN or infinity in utterance"),
        ("failed", "MemoryError: out of memory"),
        ("ok", "the stream broke half-way"),
    ]
    assert endings(other)[2] == ("ok", "")
    finished = [clip for clip, row in zip(corpus, toy.rows, strict=True) if row.status != "failed"]
    (again,) = runner.extract(finished, [Toy()], tmp_path, **{**options, "engine": RayCluster(NOWHERE)})
    assert [row.status for row in again.rows] == ["ok", "missing", "ok", "ok"]


class Unloadable(Toy):
    def load(self, device: str) -> None:
        raise InputError("no such model")


class Crashing(Toy):
    def encode(self, batch: Sequence[object]) -> list[Encoding]:
        os._exit(1)


@pytest.mark.usefixtures("ray")
def test_faults_of_the_set_up_end_the_run(tmp_path: Path) -> None:
    with pytest.raises(InputError, match=r"^no such model$"):
        runner.extract(clips("a"), [Unloadable()], tmp_path, level="frame", engine=RayCluster("local"))
    with pytest.raises(InputError, match="died 4 times over one block"):
        runner.extract(clips("a"), [Crashing()], tmp_path, level="frame", engine=RayCluster("local"))
    for address in (NOWHERE, "nowhere:port"):
        with pytest.raises(InputError, match=rf"^No Ray cluster at {address}: .*ray start --head"):
            runner.extract(clips("a"), [Toy()], tmp_path, level="frame", engine=RayCluster(address))


@pytest.mark.usefixtures("ray")
@pytest.mark.skipif(sys.platform == "win32", reason="POSIX signals")
@pytest.mark.parametrize("blow", [signal.SIGKILL, signal.SIGINT])
def test_an_interrupted_run_continues_to_the_same_features(tmp_path: Path, blow: signal.Signals) -> None:
    script, whole, broken = tmp_path / "run.py", tmp_path / "whole", tmp_path / "broken"
    script.write_text(SCRIPT)
    assert start(script, whole, "here").wait() == 0
    process = start(script, broken, "ray")
    while int(process.stdout.readline()) < 8:
        pass
    # As a terminal sends Ctrl-C: to all processes in the foreground.
    os.killpg(process.pid, blow)
    _, errors = process.communicate()
    if blow == signal.SIGINT:
        assert process.returncode == 130 and errors.endswith("\nStopped.\n") and "Traceback" not in errors
    assert list((broken / "toy.parts").glob("0*.h5")) and not (broken / "toy.h5").exists()
    process = start(script, broken, "ray")
    printed, errors = process.communicate()
    assert process.returncode == 0, errors
    assert 0 < int(printed.splitlines()[-1]) < 24
    assert arrays(broken) == arrays(whole)


def start(script: Path, out: Path, where: str) -> subprocess.Popen[str]:
    command = [sys.executable, str(script), str(out), where]
    return subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, start_new_session=True)
