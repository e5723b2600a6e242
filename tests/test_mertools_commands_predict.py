"""`mertools predict` with the networks of small real runs: on their own clips, on new ones, and what it refuses."""

from __future__ import annotations

import shutil
from pathlib import Path

import h5py
import pytest
from finished_runs import make_run, rewrite, rows
from toy_corpus import LABELS, make_toy_corpus

from mertools.commands import ensemble
from mertools.commands.predict import main
from mertools.errors import InputError
from mertools.metrics import confusion_matrix, waf
from mertools.run_record import read_result, written_row


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("predict")
    make_toy_corpus(folder)
    return folder


@pytest.fixture(scope="module")
def run(folder: Path) -> Path:
    return make_run(folder, "toy-audio", "--feature", "toy-video,toy-text")


@pytest.fixture
def corpus(folder: Path, tmp_path: Path) -> Path:
    """A copy of the corpus and its features, to change."""
    shutil.copytree(folder / "features", tmp_path / "features")
    shutil.copy(folder / "manifest.csv", tmp_path)
    return tmp_path


@pytest.fixture
def out(tmp_path: Path) -> Path:
    return tmp_path / "deep" / "out"


def predict(run: Path, corpus: Path, out: Path, *more: str) -> Path:
    """Predict the manifest in `corpus`; returns `out`."""
    data = ["--data", str(corpus / "manifest.csv"), "--features", str(corpus / "features")]
    assert main(["--run", str(run), *data, "--out", str(out), "--device", "cpu", *more]) == 0
    return out


def table(output: str) -> list[dict[str, str]]:
    header, *lines = [line.split("\t") for line in output.splitlines() if "\t" in line]
    return [dict(zip(header, line, strict=True)) for line in lines]


def test_clips_the_run_predicted_get_the_same_answers(
    run: Path, folder: Path, out: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    made = predict(run, folder, out)
    known = rows(run / "predictions.csv")
    again = rows(made / "predictions.csv")
    assert [row for row in again if row["split"] != "train"] == known
    assert len(again) == 90, "training clips are predicted too"
    for split in ("semi", "noise"):
        assert (made / f"submission-{split}.csv").read_bytes() == (run / f"submission-{split}.csv").read_bytes()
    output = capsys.readouterr().out
    assert "60 clips predicted but not scored: the run was trained on clips of these names" in output
    shown = table(output)
    assert [(row["split"], row["clips"]) for row in shown] == [("semi", "15"), ("noise", "15")]
    for row in shown:
        scores = written_row(read_result(run))["scores"]
        for metric in ("waf", "acc", "uar"):
            (score,) = (s for s in scores if (s["split"], s["metric"]) == (row["split"], metric))
            assert row[metric.upper()] == f"{100 * score['value']:.2f}"
            assert row[f"{metric.upper()} 95 %"] == f"[{100 * score['low']:.1f}, {100 * score['high']:.1f}]"


def test_a_prediction_describes_itself(run: Path, folder: Path, out: Path, capsys: pytest.CaptureFixture[str]) -> None:
    result = read_result(predict(run, folder, out))
    assert result["kind"] == "prediction"
    assert {(s["split"], s["estimate"], s["n"]) for s in result["scores"]} == {
        ("semi", "test", 15),
        ("noise", "test", 15),
    }
    (video,) = (feature for feature in result["features"] if feature["name"] == "toy-video")
    assert (video["ok"], video["missing"], video["failed"]) == (81, 9, 0)
    networks = result["networks"]
    assert networks == {"count": 3, "parameters": written_row(read_result(run))["parameters"]}
    assert result["timings"]["seconds_per_clip"] == pytest.approx(result["timings"]["predict_seconds"] / 90)
    output = capsys.readouterr().out
    assert f"3 networks of {networks['parameters']:,} parameters" in output
    assert {row["seconds a clip"] for row in table(output)} == {f"{result['timings']['seconds_per_clip']:.2g}"}


def test_new_clips_under_other_splits(run: Path, corpus: Path, out: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """Nothing of the run's corpus: other names, fewer clips, another order, some without a label."""
    for feature in ("toy-audio", "toy-video", "toy-text"):
        with h5py.File(corpus / "features" / f"{feature}.h5", "r+") as file:
            file["names"][:] = [name.replace(b"clip_", b"mine_") for name in file["names"][:]]
    header, *lines = (corpus / "manifest.csv").read_text().splitlines()
    mine = [line.replace("clip_", "mine_") for line in reversed(lines[60:80])]
    mine[3] = mine[3].replace(f",{label(mine[3])},", ",,")
    (corpus / "manifest.csv").write_text("\n".join([header, *mine]).replace(",semi,", ",train,") + "\n")
    made = predict(run, corpus, out)
    known = {row["name"]: row for row in rows(run / "predictions.csv")}
    found = rows(made / "predictions.csv")
    assert [row["name"] for row in found] == [line.split(",")[0] for line in mine]
    for row in found:
        of_run = known[row["name"].replace("mine_", "clip_")]
        for column in of_run.keys() - {"name", "split"}:
            assert row[column] == of_run[column] or float(row[column]) == pytest.approx(float(of_run[column]), abs=1e-5)
    output = capsys.readouterr().out
    assert "not scored" not in output
    assert "train: what" in output and "the run was not trained on the clips that are scored" in output
    label_of = {line.split(",")[0]: label(line) for line in mine}
    for row in table(output):
        scored = [one for one in found if one["split"] == row["split"] and label_of[one["name"]]]
        assert int(row["clips"]) == len(scored)
        truth = [LABELS.index(label_of[one["name"]]) for one in scored]
        predicted = [LABELS.index(one["predicted"]) for one in scored]
        assert row["WAF"] == f"{100 * float(waf(confusion_matrix(truth, predicted, 6))):.2f}"
    assert sum(int(row["clips"]) for row in table(output)) == 19


def label(line: str) -> str:
    return line.split(",")[3]


def test_training_clips_alone_are_not_scored(
    run: Path, corpus: Path, out: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """Whatever split the new manifest puts them in."""
    rewrite(corpus / "manifest.csv", lambda lines: [line.replace(",train,", ",semi,") for line in lines[:31]])
    made = predict(run, corpus, out)
    assert len(rows(made / "submission-semi.csv")) == 30
    output = capsys.readouterr().out
    assert "Nothing is scored: no clip that the run was not trained on has a label." in output
    assert "30 clips predicted but not scored" in output and "WAF" not in output


def test_clips_without_labels_are_predicted(
    run: Path, corpus: Path, out: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (corpus / "manifest.csv").write_text("name,subtitle\nclip_070,x\nclip_071,x\n")
    predict(run, corpus, out)
    known = {row["name"]: row["predicted"] for row in rows(run / "predictions.csv")}
    assert rows(out / "submission-test.csv") == [
        {"name": name, "discrete": known[name]} for name in ("clip_070", "clip_071")
    ]
    assert "2 clips in" in capsys.readouterr().out


def test_candidates_alone_are_predicted(run: Path, folder: Path, out: Path, tmp_path: Path) -> None:
    candidates = tmp_path / "candidates.csv"
    candidates.write_text("name\nclip_061\nclip_003\n")
    made = predict(run, folder, out, "--candidates", str(candidates))
    assert [row["name"] for row in rows(made / "predictions.csv")] == ["clip_003", "clip_061"]
    candidates.write_text("name\nclip_061\nclip_999\n")
    with pytest.raises(InputError, match=r"names 1 clips that .* does not have \(first: clip_999\)"):
        predict(run, folder, out, "--candidates", str(candidates))


def test_features_that_are_not_those_of_the_run(run: Path, corpus: Path, out: Path) -> None:
    path = corpus / "features" / "toy-audio.h5"
    with h5py.File(path, "r+") as file:
        file.attrs["revision"] = "2"
    with pytest.raises(InputError, match="'toy-audio' is of revision 2, the networks were trained on 1"):
        predict(run, corpus, out)
    path.unlink()
    with pytest.raises(InputError, match=r"no feature 'toy-audio'.* --feature toy-audio --data .*manifest.csv --out"):
        predict(run, corpus, out)


def test_clips_that_were_not_extracted(run: Path, corpus: Path, out: Path) -> None:
    rewrite(corpus / "manifest.csv", lambda lines: [*lines, "new,x,semi,,"])
    with pytest.raises(InputError, match=r"lacks 1 of 91 clips \(first: new\). Run: python extract.py"):
        predict(run, corpus, out)


def test_a_label_that_the_networks_do_not_know(run: Path, corpus: Path, out: Path) -> None:
    rewrite(corpus / "manifest.csv", lambda lines: [line.replace("semi,happy", "semi,smug") for line in lines])
    with pytest.raises(InputError, match=r"clip 'clip_\d+' has the label 'smug', .*neutral, angry.* Leave the label"):
        predict(run, corpus, out)


def test_a_run_without_networks(run: Path, folder: Path, out: Path, tmp_path: Path) -> None:
    other = make_run(folder, "toy-text")
    vote = tmp_path / "vote"
    assert ensemble.main([str(run), str(other), "--out", str(vote)]) == 0
    with pytest.raises(InputError, match=rf"is an ensemble.* each member instead: {run}, {other}"):
        predict(vote, folder, out)
    with pytest.raises(InputError, match="holds a run of kind 'prediction', wanted one of run_fusion"):
        predict(predict(run, folder, out), folder, out)
    (other / "networks.safetensors").unlink()
    with pytest.raises(InputError, match="There are no networks"):
        predict(other, folder, out)
    with pytest.raises(InputError, match="did not finish"):
        predict(tmp_path, folder, out)


def test_nothing_is_overwritten(run: Path, folder: Path) -> None:
    before = (run / "predictions.csv").read_bytes()
    with pytest.raises(InputError, match="is there already"):
        predict(run, folder, run)
    assert (run / "predictions.csv").read_bytes() == before


def test_by_default_predictions_lie_in_the_run(folder: Path, run: Path) -> None:
    data = ["--data", str(folder / "manifest.csv"), "--features", str(folder / "features")]
    assert main(["--run", str(run), *data]) == 0
    (made,) = (run / "predictions").iterdir()
    assert sorted(read_result(made)["files"]["submissions"]) == ["noise", "semi", "train"]
