from __future__ import annotations

import json
from pathlib import Path

import pytest
from finished_runs import make_run
from toy_corpus import make_toy_corpus

from mertools.clip import Clip
from mertools.corpus import read_manifest
from mertools.errors import InputError
from mertools.ov.join import Evidence
from mertools.report.classifier import Classifier, read_classifier


@pytest.fixture(scope="module")
def run(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A run on three features in the folder of its corpus."""
    folder = tmp_path_factory.mktemp("run")
    make_toy_corpus(folder)
    return make_run(folder, "toy-audio,toy-video,toy-text")


def test_every_clip_is_answered_by_networks_that_have_not_seen_it(run: Path) -> None:
    corpus = read_manifest(run.parent.parent / "manifest.csv")
    classifier = read_classifier(run, corpus.clips)
    assert {classifier.evidence[clip.name].estimate for clip in corpus.train} == {"out-of-fold"}
    assert {classifier.evidence[clip.name].estimate for clip in corpus.others} == {"test"}
    for clip in corpus.clips:
        attention = classifier.attention(clip.name)
        assert list(attention) == ["audio", "video", "text"]
        assert sum(attention.values()) == pytest.approx(1, abs=1e-4)


def test_features_of_one_modality_are_added_up() -> None:
    weights = {"minilm": 0.5, "hubert": 0.25, "egemaps": 0.125, "other": 0.125}
    modalities = {"minilm": "text", "hubert": "audio", "egemaps": "audio"}
    classifier = Classifier({"a": Evidence({"happy": 1.0}, weights, "test")}, modalities)
    assert list(classifier.attention("a").items()) == [("audio", 0.375), ("text", 0.5), ("other", 0.125)]


def test_a_run_that_does_not_answer_the_clips_is_refused(run: Path, tmp_path: Path) -> None:
    with pytest.raises(InputError, match=r"predictions.csv lacks .*elsewhere"):
        read_classifier(run, [Clip("elsewhere", split="semi")])
    with pytest.raises(InputError, match=r"holds no result.json"):
        read_classifier(tmp_path, [])
    result = json.loads((run / "result.json").read_text(encoding="utf-8")) | {"kind": "prediction"}
    (tmp_path / "result.json").write_text(json.dumps(result), encoding="utf-8")
    with pytest.raises(InputError, match="a run of kind 'prediction', wanted fusion or ensemble"):
        read_classifier(tmp_path, [])
