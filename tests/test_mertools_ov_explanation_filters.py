"""The filters: what they reject, why, and by which number."""

from __future__ import annotations

import csv
from pathlib import Path

import pytest

from mertools.lexicon import lexicon
from mertools.ov.explanation_filters import (
    AgreementFilter,
    Completeness,
    LengthFilter,
    MediumFilter,
    Rejection,
    write_rejected,
)
from mertools.ov.explanations import Explanation


def test_what_failed_or_is_in_another_language() -> None:
    assert list(Completeness()(Explanation("a", description_en="He smiles.", description_zh="他笑了。"))) == []
    assert list(Completeness()(Explanation("a", failed="no sound"))) == [Rejection("a", "failed", "no sound")]
    astray = Explanation("a", description_en="他笑了，很高兴。", description_zh="He smiles.")
    assert [one.reason for one in Completeness()(astray)] == ["description_en is in zh", "description_zh is in en"]


@pytest.mark.parametrize(
    ("medium", "text", "share"),
    [
        ("audio", "The voice trembles. He speaks slowly.", None),
        ("audio", "The voice trembles. He is frowning and his eyes are wet.", None),
        ("audio", "He smiles warmly. His eyebrows are raised! The voice trembles.", 2 / 3),
        ("audio", "他皱着眉头。声音颤抖。眼睛湿润。", 2 / 3),
        ("video", "Her tone is angry.", 1.0),
        ("video", "She frowns. Her gaze is fixed.", None),
        ("audio-video", "She smiles. He frowns.", None),
    ],
)
def test_a_clue_that_speaks_of_the_other_medium(medium: str, text: str, share: float | None) -> None:
    found = list(MediumFilter()(Explanation("a", clues={medium: text})))
    assert [one.figure for one in found] == ([] if share is None else [pytest.approx(share)])
    assert all(one.filter == "medium" and medium in one.reason for one in found)
    assert list(MediumFilter(most_share=1.0)(Explanation("a", clues={medium: text}))) == []


def test_lengths() -> None:
    good = Explanation("a", description_en="word " * 30, description_zh="字" * 50)
    assert list(LengthFilter()(good)) == []
    (short,) = LengthFilter()(Explanation("a", description_en="Sad."))
    assert (short.reason, short.figure) == ("words of description_en", 1)
    (cut,) = LengthFilter()(Explanation("a", description_en="word " * 100, description_zh="字" * 20))
    assert (cut.reason, cut.figure) == ("Chinese characters an English word", 0.2)
    assert len(list(LengthFilter(words=(1, 20), characters=(60, 90))(good))) == 2


def test_agreement_is_by_synonyms_and_silent_systems_do_not_count() -> None:
    systems = {"one": {"a": ("joyful",), "b": ()}, "two": {"a": ("悲伤",), "b": ("sad",)}, "three": {"a": ("bored",)}}
    judge = AgreementFilter(systems, lexicon(), least_share=0.5)
    (found,) = judge(Explanation("a", labels_en=("happy",)))
    assert found.filter == "agreement" and found.figure == pytest.approx(1 / 3)
    assert found.reason == "of 3 other systems that share a label"
    assert list(judge(Explanation("a", labels_en=("happy",), labels_zh=("难过",)))) == []
    assert list(judge(Explanation("b", labels_en=("sad",)))) == []
    assert [one.figure for one in judge(Explanation("b", labels_en=("happy",)))] == [0]
    assert list(judge(Explanation("nobody's", labels_en=("happy",)))) == []


def test_rejected_csv(tmp_path: Path) -> None:
    write_rejected(tmp_path / "r.csv", [Rejection("a", "length", "words", 3), Rejection("b", "failed", "no, sound")])
    with (tmp_path / "r.csv").open(newline="") as file:
        assert list(csv.reader(file)) == [
            ["name", "filter", "reason", "figure"],
            ["a", "length", "words", "3"],
            ["b", "failed", "no, sound", ""],
        ]
