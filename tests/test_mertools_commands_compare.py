"""`mertools compare` on real small runs: its numbers, and what it refuses."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest
from finished_runs import make_run, make_runs, rewrite, rows

from mertools.commands import ensemble
from mertools.commands.compare import main
from mertools.errors import InputError
from mertools.run_record import read_result


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("compare")


@pytest.fixture(scope="module")
def runs(folder: Path) -> dict[str, Path]:
    return make_runs(folder)


def compared(capsys: pytest.CaptureFixture[str], *arguments: object) -> tuple[list[dict[str, str]], str]:
    """The table's rows and everything printed."""
    capsys.readouterr()
    assert main([str(argument) for argument in arguments]) == 0
    output = capsys.readouterr().out
    header, *lines = [line.split("\t") for line in output.splitlines() if "\t" in line]
    return [dict(zip(header, line, strict=True)) for line in lines], output


def test_every_labelled_split_is_compared(runs: dict[str, Path], capsys: pytest.CaptureFixture[str]) -> None:
    a, b = runs["toy-audio"], runs["toy-text"]
    table, output = compared(capsys, a, b)
    assert [(row["split"], row["clips"]) for row in table] == [("train", "60"), ("semi", "15"), ("noise", "15")]
    for row in table:
        for letter, run in (("A", a), ("B", b)):
            scores = read_result(run)["rows"][-1]["scores"]
            (score,) = (
                s for s in scores if (s["split"], s["metric"]) == (row["split"], "waf") and s["estimate"] != "cv-nested"
            )
            assert row[letter] == f"{100 * score['value']:.2f}"
        assert float(row["B - A"]) == pytest.approx(float(row["B"]) - float(row["A"]), abs=0.011)
        low, high = map(float, row["B - A 95 %"].strip("[]").split(","))
        assert low - 0.05 <= float(row["B - A"]) <= high + 0.05
    assert f"A: {a}" in output and f"B: {b}" in output
    assert "train, A and B: cv-paper, best epoch and configuration chosen on the folds that are reported" in output


def test_clips_that_one_alone_gets_right_are_counted(runs: dict[str, Path], capsys: pytest.CaptureFixture[str]) -> None:
    a, b = runs["toy-video"], runs["toy-text"]
    (row,), output = compared(capsys, a, b, "--split", "train", "--metric", "f1_happy")
    right = [[line["predicted"] == line["label"] for line in rows(run / "out_of_fold.csv")] for run in (a, b)]
    assert row["only A right"] == str(sum(one and not other for one, other in zip(*right, strict=True)))
    assert row["only B right"] == str(sum(other and not one for one, other in zip(*right, strict=True)))
    assert "f1_happy in per cent" in output


def test_a_run_is_no_better_than_itself(runs: dict[str, Path], capsys: pytest.CaptureFixture[str]) -> None:
    table, output = compared(capsys, runs["toy-text"], runs["toy-text"], "--split", "semi")
    assert [(row["B - A"], row["p"], row["McNemar p"]) for row in table] == [("+0.00", "1.000", "1.000")]
    assert "cv-paper" not in output, "nothing is said of folds that are not shown"


def test_runs_on_candidates_alone(
    folder: Path, runs: dict[str, Path], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    candidates = tmp_path / "candidates.csv"
    candidates.write_text("name\nclip_075\nclip_061\n")
    pair = [make_run(folder, feature, "--candidates", str(candidates)) for feature in ("toy-text", "toy-audio")]
    vote = tmp_path / "vote"
    assert ensemble.main([*map(str, pair), "--out", str(vote)]) == 0
    candidates.unlink()
    table, _ = compared(capsys, *pair)
    assert sum(int(row["clips"]) for row in table) == 62 and table[0]["clips"] == "60"
    table, _ = compared(capsys, vote, pair[0])
    assert sum(int(row["clips"]) for row in table) == 62
    with pytest.raises(InputError, match="is of another corpus"):
        main([str(runs["toy-text"]), str(pair[0])])


def test_other_folds_are_refused_where_folds_count(
    folder: Path, runs: dict[str, Path], capsys: pytest.CaptureFixture[str]
) -> None:
    other = make_run(folder, "toy-text", "--seed", "1", "--group", "speaker")
    with pytest.raises(InputError, match=r"other folds than .* again with --seed 0 --folds 3, or .* --split"):
        main([str(runs["toy-text"]), str(other)])
    with pytest.raises(InputError, match=r"again with --seed 1 --folds 3 --group speaker"):
        main([str(other), str(runs["toy-text"])])
    table, _ = compared(capsys, runs["toy-text"], other, "--split", "noise")
    assert [row["split"] for row in table] == ["noise"]


def test_other_corpora_and_labels_are_refused(tmp_path: Path, runs: dict[str, Path]) -> None:
    one, other = tmp_path / "one", tmp_path / "other"
    make_runs_of = make_runs(one)
    shutil.copytree(one, other)
    rewrite(other / "manifest.csv", lambda lines: [line.replace(",semi,neutral", ",semi,") for line in lines])
    relabelled = make_run(other, "toy-text")
    with pytest.raises(InputError, match=r"is of another corpus \(.*other/manifest.csv, fingerprint"):
        main([str(make_runs_of["toy-text"]), str(relabelled)])
    fewer = make_run(one, "toy-text", "--labels", "neutral,angry,happy")
    with pytest.raises(InputError, match=r"knows the labels neutral, angry, happy, .* same --labels"):
        main([str(make_runs_of["toy-text"]), str(fewer)])


def test_a_manifest_that_changed_or_moved(
    tmp_path: Path, runs: dict[str, Path], folder: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    pair = [str(runs["toy-text"]), str(runs["toy-audio"])]
    moved = tmp_path / "moved.csv"
    lines = (folder / "manifest.csv").read_text().splitlines()
    # The order of the clips plays no part, but for that of the splits.
    moved.write_text("\n".join([lines[0], *reversed(lines[1:])]) + "\n")
    train, semi, noise = compared(capsys, *pair)[0]
    assert compared(capsys, *pair, "--data", moved)[0] == [train, noise, semi]
    moved.write_text("\n".join(lines[:-1]) + "\n")
    with pytest.raises(InputError, match=r"is not what .* was run on .* --data"):
        main([*pair, "--data", str(moved)])


@pytest.mark.parametrize(
    ("more", "message"),
    [
        (["--metric", "f1_hapy"], r"Did you mean 'f1_happy'"),
        (["--split", "test"], "no clip of it has a label. Labelled splits: train, semi, noise"),
        (["--data", "absent.csv"], "no manifest absent.csv"),
    ],
)
def test_refuses_with_the_next_step(runs: dict[str, Path], more: list[str], message: str) -> None:
    with pytest.raises(InputError, match=message):
        main([str(runs["toy-text"]), str(runs["toy-audio"]), *more])


def test_predictions_that_lack_clips_are_refused(tmp_path: Path, runs: dict[str, Path]) -> None:
    damaged = shutil.copytree(runs["toy-text"], tmp_path / "damaged")
    rewrite(damaged / "predictions.csv", lambda lines: lines[:-2])
    with pytest.raises(InputError, match=r"predictions.csv lacks 2 of 30 clips \(first: clip_"):
        main([str(runs["toy-text"]), str(damaged)])
    with pytest.raises(InputError, match="did not finish"):
        main([str(runs["toy-text"]), str(tmp_path)])
