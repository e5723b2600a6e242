"""What a data card counts: lengths, labels, languages, modalities that disagree, a classifier that agrees."""

from __future__ import annotations

import pytest

from mertools.lexicon import lexicon
from mertools.ov.explanation_quality import length, modalities_disagree, quality
from mertools.ov.explanations import Explanation
from mertools.ov.join import Evidence
from mertools.ov.prompts import UNJUDGED


def one(name: str, audio: str = "", video: str = "", **fields: object) -> Explanation:
    clues = {medium: text for medium, text in (("audio", audio), ("video", video)) if text}
    return Explanation(name, clues=clues, **fields)


@pytest.mark.parametrize(
    ("audio", "video", "disagree"),
    [
        ("She sounds sad.", "She looks gloomy.", False),
        ("She sounds sad.", "She looks delighted.", True),
        ("她听起来很悲伤。", "She looks delighted.", True),
        ("Her voice is loud.", "She looks delighted.", None),
        ("She sounds sad.", "", None),
    ],
)
def test_modalities_disagree_where_no_family_is_shared(audio: str, video: str, disagree: bool | None) -> None:
    assert modalities_disagree(one("a", audio, video), lexicon()) is disagree


def test_length() -> None:
    assert length("He smiles, twice.", "en") == 3 and length("他笑了，两次。", "zh") == 5


def test_counts() -> None:
    rows = [
        one("a", "Sad.", "Sad.", description_en="He is sad.", labels_en=("sad", "lonely"), subtitle="x"),
        one("b", "Sad.", "Happy.", description_en="他很高兴。", description_zh="他很高兴。", labels_en=("glad",)),
        one("c", description_en=UNJUDGED["en"]),
        one("d", failed="clip_0001.mp4 has no audio stream"),
        one("e", failed="clip_0002.mp4 has no audio stream"),
    ]
    evidence = {name: Evidence({"happy": 0.9, "sad": 0.1}, {}, "test") for name in "ab"}
    found = quality(rows, evidence)
    assert (found["clips"], found["explained"], found["failed"], found["nothing_known"]) == (5, 3, 2, 1)
    assert found["reasons"] == {"… has no audio stream": 2}
    assert found["with"] == {"audio clue": 2, "subtitle": 1, "video clue": 2}
    english = found["languages"]["en"]
    assert (english["described"], english["in_another_language"], english["without_label"]) == (3, 1, 1)
    assert english["length"] == {"least": 1, "p5": 1, "median": 3, "p95": 6, "most": 6, "mean": 3.33}
    assert english["most_frequent"] == {"sad": 1, "lonely": 1, "glad": 1}
    assert english["families"] == {"sadness": 2, "joy": 1}
    assert found["languages"]["zh"]["described"] == 1
    assert found["modalities"] == {"clips": 2, "disagree": 1, "share": 0.5}
    assert found["classifier"] == {"clips": 2, "same_group": 0.5, "same_family": 0.5}


def test_of_nothing() -> None:
    found = quality([])
    assert found["clips"] == 0 and found["modalities"]["share"] is None and found["classifier"] == {}
