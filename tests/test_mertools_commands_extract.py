"""`extract.py` as a user meets it: what it prints, how it ends, what it leaves alone."""

from __future__ import annotations

import ast
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from test_feature_extractors_opensmile import RATE, voice, write_wav

from feature_extractors.runner import Outcome
from mertools.clip import Clip
from mertools.commands.extract import main, show
from mertools.corpus import write_manifest
from mertools.errors import InputError
from mertools.feature_store import FrameReader, Row, read_features

ROOT = Path(__file__).parent.parent
HEAVY = ("torch", "transformers", "timm", "cv2", "dlib", "opensmile", "sklearn")


@pytest.fixture
def corpus(tmp_path: Path) -> Path:
    """Five clips: two voices, silence, a text file that poses as sound, and a subtitle without sound."""
    write_wav(tmp_path / "one.wav", voice(0.3))
    write_wav(tmp_path / "'二' 😀.wav", voice(0.4, 200.0))
    write_wav(tmp_path / "silent.wav", np.zeros(RATE))
    (tmp_path / "text.wav").write_text("not media")
    audio = {"one": "one.wav", "二 [bold]": "'二' 😀.wav", "silent": "silent.wav", "text": "text.wav"}
    clips = [Clip(name, audio=tmp_path / file) for name, file in audio.items()]
    write_manifest(tmp_path / "manifest.csv", [*clips, Clip("subtitle", subtitle="Hello")])
    return tmp_path / "manifest.csv"


def arguments(corpus: Path, *more: str) -> list[str]:
    out = corpus.parent / "features"
    return ["--data", str(corpus), "--out", str(out), "--feature", "egemaps", "--workers", "0", *more]


def test_the_table_tells_what_became_of_the_clips(corpus: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(arguments(corpus)) == 0
    printed, progress = capsys.readouterr()
    lines = printed.splitlines()
    assert lines[:2] == ["feature\tok\tmissing\tfailed", "egemaps\t2\t2\t1"]
    assert lines[3] == "feature\tclip\tstatus\treason"
    assert lines[4].startswith("egemaps\ttext\tfailed\ttext.wav cannot be opened as media")
    assert lines[5] == "egemaps\tsilent\tmissing\tthe sound is silent"
    assert lines[6] == "egemaps\tsubtitle\tmissing\tno audio"
    features = corpus.parent / "features"
    assert lines[-1] == f"Next: python run_fusion.py --data {corpus} --features {features} --feature egemaps"
    assert progress.splitlines()[-1].startswith("extracting: 5/5 clips, ") and progress.endswith("failures: 1\n")
    assert read_features(features / "egemaps.h5").names == ("one", "二 [bold]", "silent", "text", "subtitle")


def test_strict_is_a_status(corpus: Path) -> None:
    assert main(arguments(corpus, "--strict")) == 3
    assert main(arguments(corpus, "--strict", "--limit", "3")) == 0, "missing is not failed"


def test_features_of_media_that_were_moved_away_stay(corpus: Path) -> None:
    assert main(arguments(corpus)) == 0
    before = read_features(corpus.parent / "features" / "egemaps.h5")
    (corpus.parent / "one.wav").unlink()
    (corpus.parent / "silent.wav").write_bytes((corpus.parent / "'二' 😀.wav").read_bytes())
    assert main(arguments(corpus)) == 0
    after = read_features(corpus.parent / "features" / "egemaps.h5")
    assert after.status[0] == "ok" and (after.utterance[0] == before.utterance[0]).all()
    assert (before.status[2], after.status[2]) == ("missing", "ok"), "a changed clip is extracted again"


def test_frames_and_limit(corpus: Path) -> None:
    assert main(arguments(corpus, "--level", "frame", "--limit", "2")) == 0
    path = corpus.parent / "features" / "egemaps.h5"
    assert len(read_features(path).names) == 2
    with FrameReader(path) as reader:
        assert reader["one"].frames.shape[1] == 23


def test_a_second_run_loads_no_model(corpus: Path) -> None:
    write_manifest(corpus, [Clip("subtitle", subtitle="Hello")])
    words = [word if word != "egemaps" else "minilm" for word in arguments(corpus)]
    assert main(words) == 0
    code = (
        f"from mertools.commands.extract import main\nmain({words!r})\n"
        f"import sys; print([name for name in {HEAVY!r} if name in sys.modules])"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, cwd=ROOT)
    assert done.returncode == 0, done.stderr
    assert "minilm\t1\t0\t0" in done.stdout
    assert ast.literal_eval(done.stdout.splitlines()[-1]) == []


def test_a_plan_stores_nothing(corpus: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(arguments(corpus, "--plan", "--level", "frame")) == 0
    printed, progress = capsys.readouterr()
    lines = printed.splitlines()
    assert lines[0] == "feature\tGB\tfailed of 5"
    assert lines[1].startswith("egemaps\t") and lines[1].endswith("\t1")
    assert lines[-1].startswith("5 clips would take about ") and lines[-1].endswith("Nothing was stored.")
    assert "probing: 5/5 clips" in progress
    assert not (corpus.parent / "features").exists()


def test_a_shard_goes_into_a_folder_of_its_own(corpus: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(arguments(corpus, "--shard", "1/1", "--dtype", "float16")) == 0
    features = read_features(corpus.parent / "features" / "1-of-1" / "egemaps.h5")
    assert len(features.names) == 5 and features.provenance.dtype == "float16"
    out = corpus.parent / "features"
    last = capsys.readouterr().out.splitlines()[-1]
    assert last == f"  mertools features merge {out}/1-of-1/egemaps.h5 --out {out}/egemaps.h5 --data {corpus}"
    with pytest.raises(InputError, match="Shard 2/2 has no clips: 5 clips make 1 blocks of 64"):
        main(arguments(corpus, "--shard", "2/2"))
    for wrong in ("0/2", "3/2", "1", "a/b"):
        with pytest.raises(SystemExit):
            main(arguments(corpus, "--shard", wrong))
    assert "got 'a/b', wanted I/N" in capsys.readouterr().err


def test_bad_input_is_refused_before_anything_is_written(corpus: Path, capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(InputError, match=r"Unknown feature 'egemap'. Did you mean 'egemaps'\?"):
        main(["--data", str(corpus), "--feature", "minilm", "egemap"])
    with pytest.raises(InputError, match="There is no manifest"):
        main(arguments(corpus.with_name("absent.csv")))
    for words in (["--limit", "0"], ["--workers", "-1"], ["--workers", "two"], ["--face-detector", "opencv"]):
        with pytest.raises(SystemExit):
            main(arguments(corpus, *words))
    assert "--workers: 'two' is not a whole number of at least 0" in capsys.readouterr().err
    assert not (corpus.parent / "features").exists()


def test_help_lists_the_features(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit, match="0"):
        main(["--help"])
    printed = capsys.readouterr().out
    assert "egemaps" in printed and "88-d  eGeMAPS (audEERING research licence (non-commercial))" in printed


def test_long_lists_of_reasons_are_cut(capsys: pytest.CaptureFixture[str]) -> None:
    rows = tuple(Row(f"clip {number}", "failed", "not media") for number in range(25))
    show([Outcome("egemaps", Path("features/egemaps.h5"), rows)], seconds=1.0)
    printed = capsys.readouterr().out
    assert printed.count("not media") == 20
    assert "and 5 more: all of them stand in the dataset 'reason' of features/egemaps.h5\n" in printed


def test_real_clips(media_folder: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    words = ["--data", str(media_folder / "meld" / "manifest.csv"), "--out", str(tmp_path), "--limit", "3", "--strict"]
    assert main([*words, "--feature", "egemaps,minilm,face-expression", "--face-detector", "dlib"]) == 0
    assert "face-expression\t3\t0\t0" in capsys.readouterr().out
    for name, dim in (("egemaps", 88), ("minilm", 384), ("face-expression", 128)):
        features = read_features(tmp_path / f"{name}.h5")
        assert features.utterance.shape == (3, dim) and features.mask.all()
