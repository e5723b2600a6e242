"""The join: what the classifier says reaches the labels, and never of a clip by a network that has seen it."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from mertools.clip import Clip
from mertools.emotions import MER2024, LabelSet
from mertools.errors import InputError
from mertools.lexicon import lexicon
from mertools.ov.join import JOINS, Evidence, filter, joined, read_evidence, sentence, union
from mertools.predictions import Predictions, write_out_of_fold, write_predictions

FEATURES = ("hubert-large", "clip-large", "own")
TRAINED = [Clip(f"t{number}", subtitle="x", split="train", label="angry") for number in range(3)]
UNSEEN = [Clip(f"u{number}", subtitle="x", split="semi") for number in range(2)]
WORDS = st.lists(st.sampled_from(["angry", "furious", "happy", "joyful", "lonely", "calm", "odd"]), unique=True)


def evidence(**probabilities: float) -> Evidence:
    rest = (1 - sum(probabilities.values())) / (len(MER2024) - len(probabilities))
    weights = dict(zip(FEATURES, (0.7, 0.05, 0.25), strict=True))
    return Evidence({name: probabilities.get(name, rest) for name in MER2024.names}, weights, "test")


def said(clips: list[Clip], label: str) -> Predictions:
    probabilities = np.full((len(clips), 6), 0.04)
    probabilities[:, MER2024.index(label)] = 0.8
    weights = np.tile([0.7, 0.05, 0.25], (len(clips), 1))
    return Predictions(tuple(clip.name for clip in clips), probabilities, weights, FEATURES)


@pytest.fixture
def files(tmp_path: Path) -> tuple[Path, Path]:
    """A run's predictions.csv, which says happy, and out_of_fold.csv, which says sad."""
    predictions, out_of_fold = tmp_path / "predictions.csv", tmp_path / "out_of_fold.csv"
    write_predictions(predictions, UNSEEN, said(UNSEEN, "happy"), MER2024)
    write_out_of_fold(out_of_fold, TRAINED, np.array([0, 1, 0]), said(TRAINED, "sad"), MER2024)
    return predictions, out_of_fold


def test_a_trained_clip_is_joined_by_its_out_of_fold_row_and_another_by_its_prediction(
    files: tuple[Path, Path],
) -> None:
    found = read_evidence(*files, [*UNSEEN, *TRAINED], MER2024)
    assert {(one.label, one.estimate) for name, one in found.items() if name in "t0 t1 t2"} == {("sad", "out-of-fold")}
    assert {(one.label, one.estimate) for name, one in found.items() if name in "u0 u1"} == {("happy", "test")}
    assert found["u0"].confidence == 0.8 and found["u0"].weights["hubert-large"] == 0.7
    assert list(found) == ["u0", "u1", "t0", "t1", "t2"]
    assert found["u0"].as_dict() == {
        "label": "happy",
        "estimate": "test",
        "probabilities": found["u0"].probabilities,
        "weights": {"hubert-large": 0.7, "clip-large": 0.05, "own": 0.25},
    }


def test_a_trained_clip_in_the_predictions_is_refused(files: tuple[Path, Path]) -> None:
    predictions, out_of_fold = files
    write_predictions(predictions, [*UNSEEN, TRAINED[1]], said([*UNSEEN, TRAINED[1]], "happy"), MER2024)
    with pytest.raises(InputError, match=r"predicts clip t1 that the classifier was trained on\. Take those rows out"):
        read_evidence(predictions, out_of_fold, [*UNSEEN, *TRAINED], MER2024)
    # Another manifest may call the clip's split something else: the classifier has seen it all the same.
    renamed = Clip("t1", subtitle="x", split="semi")
    with pytest.raises(InputError, match="predicts clip t1 that the classifier was trained on"):
        read_evidence(predictions, out_of_fold, [renamed], MER2024)
    assert read_evidence(predictions, out_of_fold, UNSEEN, MER2024)["u1"].label == "happy", "t1 is not asked about"


def test_a_trained_clip_without_its_row_is_refused(files: tuple[Path, Path]) -> None:
    predictions, out_of_fold = files
    with pytest.raises(InputError, match=r"does not say .* of 3 clips \(first: t0\) .* \(--out-of-fold\)"):
        read_evidence(predictions, None, TRAINED, MER2024)
    with pytest.raises(InputError, match=r"out_of_fold\.csv does not say what the classifier made of clip t9"):
        read_evidence(predictions, out_of_fold, [Clip("t9", subtitle="x", split="train")], MER2024)
    with pytest.raises(InputError, match=r"predictions\.csv lacks clip u9\. Predict them first: mertools predict"):
        read_evidence(predictions, out_of_fold, [Clip("u9", subtitle="x", split="semi")], MER2024)
    with pytest.raises(InputError, match="other labels than joy, anger"):
        read_evidence(predictions, out_of_fold, UNSEEN, LabelSet(("joy", "anger")))


def test_the_sentence_names_what_counts_in_both_languages() -> None:
    told = evidence(surprise=0.62, happy=0.27)
    assert sentence(told, "en") == (
        "A classifier that was not trained on this clip gives the probabilities: surprised 62 %, happy 27 %. "
        "Its weights: voice (hubert-large) 70 %, own 25 %."
    )
    assert sentence(told, "zh") == (
        "一个没有用该片段训练过的分类器给出的概率：惊讶62%、高兴27%。各特征的权重：声音（hubert-large）占70%、own占25%。"
    )
    alone = Evidence({"bored": 0.9, "angry": 0.1}, {}, "test")
    assert sentence(alone, "en").endswith("the probabilities: bored 90 %, angry 10 %.")


def test_union_adds_a_confident_label_that_is_not_there_in_other_words() -> None:
    words = lexicon()
    assert union(("lonely",), evidence(sad=0.9), words, 0.5) == ("lonely", "sad")
    assert union((), evidence(surprise=0.9), words, 0.5) == ("surprised",)
    assert union(("furious",), evidence(angry=0.9), words, 0.5) == ("furious",), "the same in other words"
    assert union(("lonely",), evidence(sad=0.4), words, 0.5) == ("lonely",), "not confident"
    assert union(("lonely",), evidence(sad=0.5), words, 0.5) == ("lonely", "sad")
    assert union(("孤独",), evidence(sad=0.9), words, 0.5, "zh") == ("孤独", "悲伤")
    assert union(("难过",), evidence(sad=0.9), words, 0.5, "zh") == ("难过",)
    assert union(("lonely",), Evidence({"bored": 1.0}, {}, "test"), words, 0.5) == ("lonely", "bored")


def test_filter_drops_what_contradicts_confident_evidence() -> None:
    words = lexicon()
    assert filter(("furious", "joyful", "lonely"), evidence(happy=0.9), words, 0.5) == ("joyful",)
    assert filter(("furious", "joyful"), evidence(happy=0.4), words, 0.5) == ("furious", "joyful")
    assert filter(("odd", "joyful"), evidence(happy=0.9), words, 0.5) == ("odd", "joyful"), "nobody knows what odd is"
    assert filter(("neutral", "startled"), evidence(happy=0.9), words, 0.5) == (), (
        "the classifier all but rules them out"
    )
    assert filter(("sad", "angry"), evidence(happy=0.6, sad=0.3), words, 0.5) == ("sad",), "sad is still possible"
    assert filter(("calm",), evidence(angry=0.9), words, 0.5) == (), "no class is of its family; the lexicon tells"
    assert filter(("calm",), evidence(neutral=0.9), words, 0.5) == ("calm",)


def test_joins_by_name() -> None:
    told, words = evidence(sad=0.97), lexicon()
    by_name = {how: joined(("furious", "lonely"), how, told, words) for how in JOINS}
    assert by_name == {
        "none": ("furious", "lonely"),
        "prompt": ("furious", "lonely"),
        "union": ("furious", "lonely", "sad"),
        "filter": ("lonely",),
        "both": ("lonely", "sad"),
    }
    assert joined(("孤独",), "both", told, words, "zh") == ("孤独", "悲伤")


@given(WORDS, st.sampled_from(MER2024.names), st.floats(0.2, 1), st.floats(0, 1))
def test_the_joins_keep_the_order_and_are_the_same_twice(
    labels: list[str], label: str, confidence: float, threshold: float
) -> None:
    words, told = lexicon(), evidence(**{label: confidence})
    added, dropped = union(labels, told, words, threshold), filter(labels, told, words, threshold)
    assert added[: len(labels)] == tuple(labels) and len(added) <= len(labels) + 1
    assert [one for one in labels if one in dropped] == list(dropped)
    for how in JOINS:
        once = joined(labels, how, told, words)
        assert joined(once, how, told, words) == once
    if confidence < threshold:
        assert added == dropped == tuple(labels)
