from __future__ import annotations

import json
from pathlib import Path

import pytest
from finished_runs import make_run
from toy_corpus import make_toy_corpus

from mertools.corpus import read_manifest
from mertools.errors import InputError
from mertools.report.classifier_answers import read_classifier


@pytest.fixture(scope="module")
def run(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A run on three features in the folder of its corpus."""
    folder = tmp_path_factory.mktemp("run")
    make_toy_corpus(folder)
    return make_run(folder, "toy-audio,toy-video,toy-text")


def test_every_clip_is_answered_by_networks_that_have_not_seen_it(run: Path) -> None:
    corpus = read_manifest(run.parent.parent / "manifest.csv")
    answers = read_classifier(run)
    assert {clip.name for clip in corpus.clips} == set(answers)
    assert {answers[clip.name].estimate for clip in corpus.train} == {"out-of-fold"}
    assert {answers[clip.name].estimate for clip in corpus.others} == {"test"}
    for answer in answers.values():
        assert sum(answer.probabilities.values()) == pytest.approx(1, abs=1e-4)
        assert answer.predicted == max(answer.probabilities, key=answer.probabilities.__getitem__)
        assert list(answer.weights) == ["audio", "video", "text"]
        assert sum(answer.weights.values()) == pytest.approx(1, abs=1e-4)


def test_features_of_one_modality_are_added_up(run: Path, tmp_path: Path) -> None:
    for name in ("predictions.csv", "out_of_fold.csv"):
        (tmp_path / name).write_bytes((run / name).read_bytes())
    result = json.loads((run / "result.json").read_text(encoding="utf-8"))
    for feature in result["features"]:
        feature["modality"] = "text" if feature["name"] == "toy-video" else feature["modality"]
    (tmp_path / "result.json").write_text(json.dumps(result), encoding="utf-8")
    before, after = read_classifier(run), read_classifier(tmp_path)
    for name, answer in after.items():
        assert list(answer.weights) == ["audio", "text"]
        assert answer.weights["text"] == pytest.approx(before[name].weights["video"] + before[name].weights["text"])


def test_a_folder_without_predictions_out_of_fold_is_refused(run: Path, tmp_path: Path) -> None:
    with pytest.raises(InputError, match=r"holds no result.json"):
        read_classifier(tmp_path)
    result = json.loads((run / "result.json").read_text(encoding="utf-8")) | {"kind": "prediction"}
    (tmp_path / "result.json").write_text(json.dumps(result), encoding="utf-8")
    with pytest.raises(InputError, match="a run of kind 'prediction', wanted fusion or ensemble"):
        read_classifier(tmp_path)
