"""`run_fusion.py` on a toy corpus: what it writes, that its numbers agree with its files, and what it refuses."""

from __future__ import annotations

import csv
import json
from pathlib import Path

import numpy as np
import pytest
from toy_corpus import LABELS, add_noise, make_toy_corpus

from fusion.inputs import load_inputs
from fusion.networks import load_networks
from fusion.study import without_password
from mertools.commands.fuse import extract_command, main, parse
from mertools.corpus import read_manifest
from mertools.errors import InputError
from mertools.metrics import confusion_matrix, waf
from mertools.run_record import read_result

QUICK = ["--trials", "2", "--epochs", "8", "--folds", "3", "--repeats", "0"]


def options(folder: Path, *more: str) -> list[str]:
    return [
        *("--data", str(folder / "manifest.csv"), "--features", str(folder / "features")),
        *("--runs", str(folder / "runs")),
        *QUICK,
        *more,
    ]


def only_run(folder: Path) -> Path:
    (run,) = (folder / "runs").iterdir()
    return run


def table(path: Path) -> list[dict[str, str]]:
    with path.open(encoding="utf-8", newline="") as file:
        return list(csv.DictReader(file))


@pytest.fixture(scope="module")
def finished(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("fusion")
    make_toy_corpus(folder)
    assert main(options(folder, "--top", "1")) == 0
    return folder


def test_a_run_describes_itself(finished: Path) -> None:
    run = only_run(finished)
    result = read_result(run)
    assert result["configuration"]["top"] == 1 and result["seed"] == 0
    assert result["corpus"]["fingerprint"] == read_manifest(finished / "manifest.csv").fingerprint
    assert result["corpus"]["splits"]["train"]["clips"] == 60
    assert [row["features"] for row in result["rows"]][-1] == ["toy-audio", "toy-video", "toy-text"]
    assert result["rows"][-1]["modalities"] == "AVT"
    (video,) = (feature for feature in result["features"] if feature["name"] == "toy-video")
    assert (video["ok"], video["missing"], video["failed"]) == (81, 9, 0)
    assert [row["written"] for row in result["rows"]] == [False, False, False, True]
    assert result["rows"][-1]["repeats"] == 0 and result["timings"]["resumed_draws"] == 0
    for key in ("predictions", "out_of_fold", "networks", "ranking", "table", "report"):
        assert (run / result["files"][key]).stat().st_size > 0


def test_scores_are_those_of_the_files(finished: Path) -> None:
    run = only_run(finished)
    every = read_result(run)["rows"][-1]["scores"]
    assert {score["estimate"] for score in every} == {"cv-paper", "cv-nested", "test"}
    scores = {(s["split"], s["metric"]): s for s in every if s["estimate"] != "cv-nested"}
    rows = table(run / "out_of_fold.csv")
    of_folds = []
    for fold in sorted({row["fold"] for row in rows}):
        of_fold = [row for row in rows if row["fold"] == fold]
        truth, predicted = ([LABELS.index(row[column]) for row in of_fold] for column in ("label", "predicted"))
        of_folds.append(float(waf(confusion_matrix(truth, predicted, 6))))
    assert scores["train", "waf"]["value"] == pytest.approx(np.mean(of_folds))
    assert scores["train", "waf"]["estimate"] == "cv-paper" and scores["semi", "waf"]["estimate"] == "test"
    assert {score["std"] for score in scores.values()} == {None}

    label_of = {clip.name: clip.label for clip in read_manifest(finished / "manifest.csv").clips}
    for split in ("semi", "noise"):
        rows = [row for row in table(run / "predictions.csv") if row["split"] == split]
        truth = [LABELS.index(label_of[row["name"]]) for row in rows]
        value = float(waf(confusion_matrix(truth, [LABELS.index(row["predicted"]) for row in rows], 6)))
        score = scores[split, "waf"]
        assert score["value"] == pytest.approx(value) and score["n"] == len(rows) == 15
        assert score["low"] <= value <= score["high"]
        submitted = {row["name"]: row["discrete"] for row in table(run / f"submission-{split}.csv")}
        assert submitted == {row["name"]: row["predicted"] for row in rows}


def test_the_ranking_is_by_train_cross_validation(finished: Path) -> None:
    run = only_run(finished)
    ranking = table(run / "ranking.csv")
    assert list(ranking[0]) == ["modality", "feature", "waf", "low", "high"]
    values = [float(row["waf"]) for row in ranking]
    assert values == sorted(values, reverse=True)
    singles = {row["features"][0]: row for row in read_result(run)["rows"] if row["kind"] == "single"}
    for row in ranking:
        assert float(row["waf"]) == max(trial["value"] for trial in singles[row["feature"]]["trials"])


def test_the_same_command_gives_the_same_numbers(finished: Path, tmp_path: Path) -> None:
    again = [*options(finished, "--feature", "toy-text,toy-audio"), "--runs", str(tmp_path / "runs")]
    assert main(again) == 0 and main(again) == 0
    one, two = sorted((tmp_path / "runs").iterdir())
    for name in ("predictions.csv", "out_of_fold.csv", "submission-semi.csv"):
        assert (one / name).read_bytes() == (two / name).read_bytes()
    assert not (one / "ranking.csv").exists(), "two named features need no ranking"
    assert read_result(one)["rows"] == read_result(two)["rows"]


def test_without_a_terminal_the_table_is_tab_separated(finished: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(options(finished, "--feature", "toy-text")) == 0
    output = capsys.readouterr().out
    rows = [line.split("\t") for line in output.splitlines() if "\t" in line]
    assert len({len(row) for row in rows}) == 1 and len(rows) == 2
    assert "cv-paper" in output and "Report:" in output


def test_modalities_narrow_down_the_features(finished: Path, tmp_path: Path) -> None:
    narrowed = ["--feature", "toy-text,toy-audio,toy-video", "--modalities", "AT", "--runs", str(tmp_path)]
    assert main(options(finished, *narrowed)) == 0
    (run,) = tmp_path.iterdir()
    system = read_result(run)["rows"][-1]
    assert (system["modalities"], system["features"]) == ("AT", ["toy-text", "toy-audio"])


def test_fewer_features_than_asked_for_is_said(
    finished: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(options(finished, "--top", "2", "--modalities", "A", "--runs", str(tmp_path))) == 0
    assert "note: fewer than --top 2 features of audio (1): all are used" in capsys.readouterr().err


def test_other_labels(tmp_path: Path) -> None:
    manifest = make_toy_corpus(tmp_path)
    text = manifest.read_text()
    for old, new in (("neutral", "Joy"), ("angry", "fear"), ("happy", "disgust")):
        text = text.replace(f",{old},", f",{new},")
    manifest.write_text(text)
    with pytest.raises(InputError, match=r"clip 'clip_000': Label 'Joy' is not one of neutral.*--labels auto"):
        main(options(tmp_path))
    assert main(options(tmp_path, "--labels", "auto", "--feature", "toy-text")) == 0
    run = only_run(tmp_path)
    assert read_result(run)["labels"] == ["Joy", "disgust", "fear"]
    assert list(table(run / "predictions.csv")[0])[3:6] == ["p_Joy", "p_disgust", "p_fear"]


def score(row: dict, split: str, estimate: str) -> dict:
    (found,) = (s for s in row["scores"] if (s["split"], s["estimate"], s["metric"]) == (split, estimate, "waf"))
    return found


def run_in(folder: Path, finished: Path, *more: str) -> dict:
    """The result of a run whose folder lies in `folder`."""
    assert main(options(finished, "--runs", str(folder / "runs"), *more)) == 0
    return read_result(only_run(folder))


def test_repeats_give_means_and_deviations(finished: Path, tmp_path: Path) -> None:
    row = run_in(tmp_path, finished, "--feature", "toy-text", "--repeats", "3")["rows"][-1]
    assert row["repeats"] == 3
    for split, estimate in (("train", "cv-paper"), ("semi", "test"), ("noise", "test")):
        found = score(row, split, estimate)
        assert found["std"] > 0 and found["low"] <= found["value"] <= found["high"]
    assert score(row, "train", "cv-nested")["std"] is None
    alone = run_in(tmp_path / "alone", finished, "--feature", "toy-text")["rows"][-1]
    assert alone["chosen"] == row["chosen"] and alone["trials"] == row["trials"]
    assert score(alone, "train", "cv-nested") == score(row, "train", "cv-nested")


def test_both_tables_of_the_paper(finished: Path, tmp_path: Path) -> None:
    result = run_in(tmp_path, finished, "--table4", "--table5")
    rows = [(row["kind"], row["modalities"], row["top"]) for row in result["rows"]]
    assert rows == [
        *(("single", letter, None) for letter in "ATV"),
        *(("system", letters, 1) for letters in ("AV", "AT", "VT", "AVT")),
    ]
    (written,) = (row for row in result["rows"] if row["written"])
    nested = [score(row, "train", "cv-nested")["value"] for row in result["rows"]]
    assert score(written, "train", "cv-nested")["value"] == max(nested)


def test_as_released(finished: Path, tmp_path: Path) -> None:
    result = run_in(tmp_path, finished, "--feature", "toy-text", "toy-audio", "--as-released")
    assert result["configuration"]["model"] == "attention-release" and result["configuration"]["scale"] == "none"
    (row,) = result["rows"]
    assert {s["estimate"] for s in row["scores"]} == {"cv-paper", "test"}
    assert len(row["trials"]) == 2 and all(trial["repeats"] is None for trial in row["trials"])
    with pytest.raises(SystemExit):
        main(options(finished, "--as-released", "--group", "speaker"))


def test_without_the_nested_estimate(finished: Path, tmp_path: Path) -> None:
    (row,) = run_in(tmp_path, finished, "--feature", "toy-text", "--no-nested", "--folds", "2")["rows"]
    assert {s["estimate"] for s in row["scores"]} == {"cv-paper", "test"}


def test_only_candidates_are_predicted(finished: Path, tmp_path: Path) -> None:
    candidates = tmp_path / "candidates.csv"
    candidates.write_text("name\nclip_075\nclip_061\n")
    run_in(tmp_path, finished, "--feature", "toy-text", "--candidates", str(candidates))
    assert [row["name"] for row in table(only_run(tmp_path) / "predictions.csv")] == ["clip_061", "clip_075"]
    candidates.write_text("name\nclip_075\nnobody\n")
    with pytest.raises(InputError, match=r"names 1 clips that .* does not have \(first: nobody\)"):
        main(options(finished, "--candidates", str(candidates)))


def test_a_corpus_that_is_all_training(tmp_path: Path) -> None:
    """Nothing to predict is nothing wrong: cross-validation says what there is to say."""
    folder = edited(tmp_path, ",semi,", ",train,")
    edited_again = (folder / "manifest.csv").read_text().replace(",noise,", ",train,")
    (folder / "manifest.csv").write_text(edited_again)
    assert main(options(folder, "--feature", "toy-text")) == 0
    run = only_run(folder)
    assert table(run / "predictions.csv") == []
    assert {s["split"] for s in read_result(run)["rows"][0]["scores"]} == {"train"}


def test_other_features_of_the_same_names_are_scored_beside(finished: Path, tmp_path: Path) -> None:
    also = ["--also", f"again={finished / 'features'}"]
    with_it = run_in(tmp_path, finished, "--feature", "toy-text", *also)["rows"][-1]
    without = run_in(tmp_path / "plain", finished, "--feature", "toy-text")["rows"][-1]
    for split, estimate in (("train", "cv-paper"), ("semi", "test"), ("noise", "test")):
        expected = score(without, split, estimate)
        assert score(with_it, split, estimate) == expected
        assert score(with_it, f"{split} (again)", estimate) == {**expected, "split": f"{split} (again)"}
    with pytest.raises(InputError, match="has no feature 'toy-text'"):
        main(options(finished, "--feature", "toy-text", "--also", f"noise={tmp_path}"))


def test_noisy_copies_are_trained_on_too(finished: Path, tmp_path: Path) -> None:
    one, two, heard = (
        add_noise(finished / "features", tmp_path / name, seed, clips)
        for seed, (name, clips) in enumerate([("one", 60), ("two", 60), ("heard", None)])
    )
    also = ["--feature", "toy-text", "toy-audio", "--also", f"noise={heard}", "--study", str(tmp_path / "journal")]
    remedies = {
        "copies": ["--train-also", str(one), str(two)],
        "consistency": ["--train-also", str(one), "--consistency", "0.5"],
        "together": ["--train-also", f"{one},{two}", "--consistency", "0.5", "--modality-dropout", "0.2"],
    }
    plain = run_in(tmp_path / "plain", finished, *also)
    results = {name: run_in(tmp_path / name, finished, *also, *more) for name, more in remedies.items()}
    assert all(result["timings"]["resumed_draws"] == 0 for result in results.values())
    wafs = {score(result["rows"][0], "semi (noise)", "test")["value"] for result in (plain, *results.values())}
    assert len(wafs) > 1
    together = results["together"]
    asked = together["configuration"]
    assert asked["train_also"] == [str(one), str(two)] and asked["consistency"] == 0.5
    for feature in together["features"]:
        assert [(copy["noise"], copy["ok"]) for copy in feature["copies"]] == [("noise-0", 60), ("noise-1", 60)]
    assert [feature["copies"] for feature in plain["features"]] == [[], []]
    again = run_in(tmp_path / "again", finished, *also, *remedies["together"])
    assert again["timings"]["resumed_draws"] == 2 and again["rows"] == together["rows"]


def test_copies_that_lack_training_clips_are_refused(finished: Path, tmp_path: Path) -> None:
    part = add_noise(finished / "features", tmp_path / "part", seed=0, clips=50)
    with pytest.raises(InputError) as error:
        main(options(finished, "--feature", "toy-text", "--train-also", str(part)))
    assert str(error.value) == (
        f"--train-also {part}: Feature 'toy-text' lacks 10 of 60 clips (first: clip_050). Run: python extract.py "
        f"--feature toy-text --data {finished / 'manifest.csv'} --out {part} --noise RECIPE"
    )


def test_a_search_goes_on_where_it_ended(finished: Path, tmp_path: Path) -> None:
    study = ["--feature", "toy-text", "--study", str(tmp_path / "kept.journal")]
    first = run_in(tmp_path, finished, *study)
    again = run_in(tmp_path / "again", finished, *study)
    assert (first["timings"]["resumed_draws"], again["timings"]["resumed_draws"]) == (0, 2)
    assert first["rows"] == again["rows"]
    for name in ("predictions.csv", "out_of_fold.csv", "networks.safetensors"):
        one, two = (only_run(folder) / name for folder in (tmp_path, tmp_path / "again"))
        assert one.read_bytes() == two.read_bytes()


def test_the_networks_predict_again_what_the_run_said(finished: Path, tmp_path: Path) -> None:
    run_in(tmp_path, finished, "--feature", "toy-text", "toy-video")
    run = only_run(tmp_path)
    networks, clips = load_networks(run / "networks.safetensors"), read_manifest(finished / "manifest.csv").others
    inputs = load_inputs(finished / "features", list(networks.shapes), clips, "{feature}")
    networks.check(inputs)
    said = networks.predict(inputs, [clip.name for clip in clips], "cpu")
    written = [[float(row[f"p_{name}"]) for name in networks.labels] for row in table(run / "predictions.csv")]
    np.testing.assert_allclose(said.probabilities, written, atol=1e-5)


def edited(folder: Path, old: str, new: str) -> Path:
    manifest = make_toy_corpus(folder)
    manifest.write_text(manifest.read_text().replace(old, new))
    return folder


@pytest.mark.parametrize(
    ("more", "message"),
    [
        (["--feature", "toy-vidio"], r"Did you mean 'toy-video'\?"),
        (["--feature", "toy-text", "--modalities", "AT"], r"no audio feature among toy-text \(text\)"),
        (["--group", "take"], "has no value in column 'take'"),
        (["--folds", "30"], r"Class 'angry' has 20 training clips, fewer than the 30 folds"),
        (["--device", "cuda:99"], "--device cuda:99 cannot be used"),
        (["--folds", "1", "--no-nested"], "--folds 1: cross-validation needs two folds or more"),
        (["--rank-by", "paper"], "--rank-by paper: Table 4 of MER2024 has no feature 'toy-audio'"),
        (["--study", "nonsense://x"], "--study nonsense://x cannot be opened"),
    ],
)
def test_refuses_with_the_next_step(finished: Path, more: list[str], message: str) -> None:
    with pytest.raises(InputError, match=message):
        main(options(finished, *more))


def test_refuses_corpora_it_cannot_learn_from(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="clip 'clip_000' is of split 'train' but has no label"):
        main(options(edited(tmp_path / "one", "clip_000,x,train,neutral", "clip_000,x,train,")))
    with pytest.raises(InputError, match=r"no clip to train on: its splits are dev, semi, noise"):
        main(options(edited(tmp_path / "two", ",train,", ",dev,")))
    with pytest.raises(InputError, match="Class 'surprise' has a single training clip"):
        main(options(edited(tmp_path / "three", "clip_000,x,train,neutral", "clip_000,x,train,surprised")))


def test_a_label_in_another_spelling_is_the_same_class(tmp_path: Path) -> None:
    folder = edited(tmp_path, ",happy,", ",surprise,")
    manifest = folder / "manifest.csv"
    manifest.write_text(manifest.read_text().replace(",surprise,", ",surprised,", 7))
    assert main(options(folder, "--feature", "toy-text")) == 0
    assert read_result(only_run(folder))["corpus"]["splits"]["train"]["classes"]["surprise"] == 20


def test_no_features_at_all_says_how_to_get_some(tmp_path: Path) -> None:
    make_toy_corpus(tmp_path)
    with pytest.raises(
        InputError, match=r"There are no feature files in .*empty. Run: python extract.py --feature NAME"
    ):
        main([*options(tmp_path), "--features", str(tmp_path / "empty")])


def test_nothing_is_written_when_refused(tmp_path: Path) -> None:
    make_toy_corpus(tmp_path)
    with pytest.raises(InputError):
        main(options(tmp_path, "--labels", "happy,sad"))
    assert not (tmp_path / "runs").exists()


def test_unlabelled_clips_are_predicted_and_not_scored(tmp_path: Path) -> None:
    folder = edited(tmp_path, ",semi,neutral", ",semi,")
    assert main(options(folder, "--feature", "toy-text")) == 0
    run = only_run(folder)
    (score,) = (s for s in read_result(run)["rows"][-1]["scores"] if (s["split"], s["metric"]) == ("semi", "waf"))
    assert score["n"] == 10
    assert len(table(run / "submission-semi.csv")) == 15


def test_a_run_that_did_not_finish_is_no_run(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="did not finish"):
        read_result(tmp_path)
    (tmp_path / "result.json").write_text(json.dumps({"schema": 99}))
    with pytest.raises(InputError, match="schema 99"):
        read_result(tmp_path)


@pytest.mark.parametrize(
    ("more", "message"),
    [
        (["--folds", "2"], "cv-nested needs three folds, got --folds 2: use more, or --no-nested"),
        (["--top", "1", "--table4"], "--top chooses one system"),
        (["--as-released", "--model", "concat"], "--as-released sets --model to attention-release, not concat"),
        (["--also", "noise"], "'noise' is not NAME=DIR"),
        (["--also", "noise=a", "--also", "noise=b"], "each NAME stands for one folder"),
        (["--consistency", "1"], "name those with --train-also"),
        (["--train-also", "noisy", "--consistency", "-1"], "'-1' is not a number of at least 0"),
        (["--train-also", "noisy", "--consistency", "inf"], "'inf' is not a number of at least 0"),
        (["--modality-dropout", "1"], "'1' is not a number from 0 to below 1"),
    ],
)
def test_options_that_contradict_each_other(more: list[str], message: str, capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit, match="2"):
        parse(more)
    assert message in capsys.readouterr().err


def test_as_released_takes_two_folds() -> None:
    assert parse(["--as-released", "--folds", "2"]).nested is False


def test_repeats_give_a_deviation(finished: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    again = ["--feature", "toy-text", "--no-nested", "--repeats", "2", "--runs", str(tmp_path / "runs")]
    assert main(options(finished, *again)) == 0
    (run,) = (tmp_path / "runs").iterdir()
    assert {score["std"] is None for score in read_result(run)["rows"][-1]["scores"]} == {False}
    assert "±: standard deviation over re-runs" in capsys.readouterr().out


@pytest.mark.parametrize("more", [["--study", "nonsense://host"], ["--rank-by", "paper"]])
def test_a_refused_run_leaves_nothing(finished: Path, tmp_path: Path, more: list[str]) -> None:
    with pytest.raises(InputError):
        main(options(finished, "--runs", str(tmp_path / "runs"), *more))
    assert not (tmp_path / "runs").exists()


def test_an_ended_run_leaves_no_run(finished: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def end(*_: object) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr("mertools.commands.fuse.work", end)
    with pytest.raises(KeyboardInterrupt):
        main(options(finished, "--runs", str(tmp_path / "runs")))
    assert list((tmp_path / "runs").iterdir()) == []


def test_a_study_is_recorded_without_its_password() -> None:
    study = "postgresql://me:s3cret@host/db"
    assert without_password(f"run_fusion.py --study={study}", study) == (
        "run_fusion.py --study=postgresql://me:***@host/db"
    )
    assert without_password("run_fusion.py", "results/search.journal") == "run_fusion.py"


def test_the_command_that_extracts_can_be_typed() -> None:
    command = extract_command(parse(["--data", "my clips/{a}.csv", "--media-root", "/media"]), "features")
    assert command.format(feature="egemaps") == (
        "python extract.py --feature egemaps --data 'my clips/{a}.csv' --out features --media-root /media"
    )
