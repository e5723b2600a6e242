"""`mertools ensemble` on real small runs: the vote, its honest score, and that it is a run like others."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from finished_runs import FEATURES, make_run, make_runs, rows
from toy_corpus import LABELS

from mertools.commands import compare
from mertools.commands.ensemble import main
from mertools.corpus import read_manifest
from mertools.errors import InputError
from mertools.metrics import confusion_matrix, waf
from mertools.run_record import read_result


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("ensemble")


@pytest.fixture(scope="module")
def runs(folder: Path) -> dict[str, Path]:
    return make_runs(folder)


def ensemble(runs: dict[str, Path], out: Path, *more: str) -> Path:
    assert main([*map(str, runs.values()), "--out", str(out), *more]) == 0
    return out


def probabilities(path: Path) -> np.ndarray:
    return np.array([[float(row[f"p_{label}"]) for label in LABELS] for row in rows(path)])


def test_a_soft_vote_is_the_mean(runs: dict[str, Path], tmp_path: Path) -> None:
    out = ensemble(runs, tmp_path / "vote")
    for name in ("predictions.csv", "out_of_fold.csv"):
        mean = np.mean([probabilities(run / name) for run in runs.values()], axis=0)
        np.testing.assert_allclose(probabilities(out / name), mean, atol=1e-5)
        # Each run puts all its attention on its one feature, where the clip has it.
        for row in rows(out / name):
            video = 0 if int(row["name"][-3:]) % 10 == 9 else 1 / 3
            assert [float(row[f"w_{feature}"]) for feature in FEATURES] == pytest.approx(
                [1 / 3, video, 1 / 3], abs=1e-5
            )
    assert [member["weight"] for member in read_result(out)["members"]] == pytest.approx([1 / 3] * 3)


@pytest.mark.parametrize("method", ["soft-vote", "greedy"])
def test_scores_are_those_of_the_files(
    method: str, runs: dict[str, Path], folder: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    out = ensemble(runs, tmp_path / "run", "--method", method)
    result = read_result(out)
    *members, system = result["rows"]
    assert result["kind"] == "ensemble" and [row["kind"] for row in members] == ["member"] * 3
    assert system["modalities"] == "AVT" and system["name"] == f"{method} of 3"
    scores = {(s["split"], s["estimate"], s["metric"]): s["value"] for s in system["scores"]}
    label_of = {clip.name: clip.label for clip in read_manifest(folder / "manifest.csv").clips}

    def of_rows(some: list[dict[str, str]]) -> float:
        truth = [LABELS.index(label_of[row["name"]]) for row in some]
        return float(waf(confusion_matrix(truth, [LABELS.index(row["predicted"]) for row in some], 6)))

    out_of_fold = rows(out / "out_of_fold.csv")
    of_folds = [of_rows([row for row in out_of_fold if row["fold"] == fold]) for fold in "012"]
    # The members chose their epochs on these folds, and nothing chosen later undoes that.
    assert scores["train", "cv-paper", "waf"] == pytest.approx(np.mean(of_folds))
    for split in ("semi", "noise"):
        predicted = [row for row in rows(out / "predictions.csv") if row["split"] == split]
        assert scores[split, "test", "waf"] == pytest.approx(of_rows(predicted))
        submitted = [(row["name"], row["discrete"]) for row in rows(out / f"submission-{split}.csv")]
        assert submitted == [(row["name"], row["predicted"]) for row in predicted]
    assert {f"f1_{label}" for label in LABELS} <= {metric for _, _, metric in scores}
    output = capsys.readouterr().out
    assert f"{method} of 3" in output and "optimistic" in output and str(out) in output
    assert f"{method} of 3" in (out / "table.md").read_text()


def test_each_fold_is_voted_on_with_weights_of_the_others(runs: dict[str, Path], tmp_path: Path) -> None:
    out = ensemble(runs, tmp_path / "run", "--method", "greedy")
    members = read_result(out)["members"]
    assert sum(member["weight"] for member in members) == pytest.approx(1)
    fold_weights = np.array([member["fold_weights"] for member in members])  # (M, folds)
    assert fold_weights.sum(axis=0) == pytest.approx([1, 1, 1])
    folds = [int(row["fold"]) for row in rows(out / "out_of_fold.csv")]
    said = np.array([probabilities(run / "out_of_fold.csv") for run in runs.values()])
    voted = np.einsum("mn,mnc->nc", fold_weights[:, folds], said)
    np.testing.assert_allclose(probabilities(out / "out_of_fold.csv"), voted, atol=1e-5)


def test_an_ensemble_is_a_run_like_others(
    runs: dict[str, Path], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    out = ensemble(runs, tmp_path / "vote")
    assert compare.main([str(runs["toy-text"]), str(out)]) == 0
    assert main([str(out), str(runs["toy-text"]), "--out", str(tmp_path / "again")]) == 0
    assert read_result(tmp_path / "again")["members"][0]["run"] == str(out)


def test_what_cannot_vote_together_is_refused(folder: Path, runs: dict[str, Path], tmp_path: Path) -> None:
    text, out = str(runs["toy-text"]), tmp_path / "out"
    other = make_run(folder, "toy-text", "--seed", "1")
    with pytest.raises(InputError, match=r"other folds than .* Run it again with --seed 0 --folds 3"):
        main([text, str(other), "--out", str(out)])
    with pytest.raises(InputError, match="at least two runs"):
        main([text, "--out", str(out)])
    assert not out.exists(), "nothing is written when refused"
    with pytest.raises(InputError, match="is there already"):
        main([text, text, "--out", str(tmp_path)])
