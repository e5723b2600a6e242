"""Reading sets of instructions: our own, and the published ones as they come."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from mertools.errors import InputError
from mertools.explain.configuration import DataSet
from mertools.explain.instructions import QUESTION_FOR_CAPTIONS, Example, read_set
from mertools.ov.explanations import Explanation, write_explanations

LLAVA = [
    {
        "id": "000000033471",
        "image": "coco/000000033471.jpg",
        "conversations": [
            {"from": "human", "value": "<image>\nWhat colour is the bus?"},
            {"from": "gpt", "value": "The bus is red."},
            {"from": "human", "value": "Where does it stand?"},
            {"from": "gpt", "value": "At a stop."},
        ],
    }
]
MINIGPT4 = {"annotations": [{"image_id": "2", "caption": "A dog on a beach."}]}
VIDEOCHAT = [
    {"video": "010451_010500/23313970.mp4", "QA": [{"i": "", "q": "What happens?", "a": "A boat sails. "}]},
]


def read(folder: Path, content: Any, kind: str) -> list[Example]:
    path = folder / "set.json"
    path.write_text(content if isinstance(content, str) else json.dumps(content), encoding="utf-8")
    return read_set(DataSet(str(path), kind=kind))


def test_llava_gives_an_example_a_question(tmp_path: Path) -> None:
    assert read(tmp_path, LLAVA, "llava") == [
        Example("000000033471", "The bus is red.", question="What colour is the bus?", media=("video",)),
        Example("000000033471", "At a stop.", question="Where does it stand?", media=("video",)),
    ]


def test_minigpt4_gives_captions(tmp_path: Path) -> None:
    expected = [Example("2", "A dog on a beach.", question=QUESTION_FOR_CAPTIONS, media=("video",))]
    assert read(tmp_path, MINIGPT4, "minigpt4") == expected


def test_videochat_gives_questions_on_videos(tmp_path: Path) -> None:
    expected = [Example("23313970", "A boat sails.", question="What happens?", media=("video",))]
    assert read(tmp_path, VIDEOCHAT, "videochat") == expected


@pytest.mark.parametrize(
    ("content", "kind", "wanted"),
    [
        ("[{", "llava", "not JSON"),
        ({"rows": []}, "llava", "wanted a list"),
        (VIDEOCHAT, "llava", "example 1: got .*'conversations'"),
        (MINIGPT4, "videochat", "wanted a list"),
        ([{"caption": "A dog."}], "minigpt4", "'image'"),
        ([], "videochat", "no example"),
    ],
)
def test_a_set_of_another_kind_is_refused(content: Any, kind: str, wanted: str, tmp_path: Path) -> None:
    with pytest.raises(InputError, match=wanted):
        read(tmp_path, content, kind)


def test_our_explanations_are_those_of_the_split_and_language_that_did_not_fail(tmp_path: Path) -> None:
    rows = [
        Explanation("a", "你好", "Hello", "He is glad.", "他很高兴。", ("glad",), ("高兴",)),
        Explanation("b", description_en="She is sad.", split="test"),
        Explanation("c", description_en="Unsure.", failed="no answer"),
        Explanation("d", "再见", description_zh="他难过。", split="train"),
    ]
    path = tmp_path / "explanations.jsonl"
    write_explanations(path, rows)
    english, chinese = (read_set(DataSet(str(path), language=language)) for language in ("en", "zh"))
    assert english == [Example("a", "He is glad.", "Hello", labels=("glad",))]
    assert [(one.clip, one.answer, one.subtitle) for one in chinese] == [
        ("a", "他很高兴。", "你好"),
        ("d", "他难过。", "再见"),
    ]
    assert [one.clip for one in read_set(DataSet(str(path), split="train+test"))] == ["a", "b"]


def test_a_manifest_teaches_its_descriptions(tmp_path: Path) -> None:
    path = tmp_path / "manifest.csv"
    path.write_text(
        "name,subtitle,subtitle_english,split,open_labels,description\n"
        "a,你好,Hello,train,\"['glad']\",He is glad.\nb,再见,,test,,She is sad.\nc,再见,,train,,\n",
        encoding="utf-8",
    )
    expected = [Example("a", "He is glad.", "Hello", labels=("glad",))]
    assert read_set(DataSet(str(path), kind="manifest")) == expected
