"""explanations.jsonl: what is written is read again, and what is no explanation is named by its line."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mertools.errors import InputError
from mertools.ov.explanations import Explanation, read_explanations, write_explanations

texts = st.text(st.characters(exclude_categories=["Cs"]), max_size=20)
labels = st.lists(texts, max_size=3).map(tuple)
explanations = st.builds(
    Explanation,
    texts,
    texts,
    texts,
    texts,
    texts,
    labels,
    labels,
    st.dictionaries(texts, texts, max_size=2),
    split=texts,
)


@given(st.lists(explanations, unique_by=lambda one: one.name))
def test_explanations_are_read_as_written(tmp_path_factory: pytest.TempPathFactory, rows: list[Explanation]) -> None:
    path = tmp_path_factory.mktemp("explanations") / "explanations.jsonl"
    write_explanations(path, rows)
    assert list(read_explanations(path)) == rows


def test_by_language() -> None:
    one = Explanation("a", description_en="He smiles.", description_zh="他笑了。", labels_en=("happy",))
    assert (one.description("en"), one.description("zh")) == ("He smiles.", "他笑了。")
    assert (one.labels("en"), one.labels("zh")) == (("happy",), ())


@pytest.mark.parametrize(
    ("row", "said"),
    [
        ({"name": "a", "description_en": 3}, "line 1, 'description_en': got '3', wanted a text"),
        ({"name": "a", "labels_zh": "高兴"}, "line 1, 'labels_zh': got '高兴', wanted a list of texts"),
        ({"name": "a", "labels_en": [1]}, "wanted a list of texts"),
        ({"name": "a", "source": []}, "wanted an object"),
        ({"name": "a", "failed": "no sound", "labels_en": ["sad"]}, "clip 'a' failed \\(no sound\\), but has labels"),
    ],
)
def test_what_is_no_explanation_is_named(tmp_path: Path, row: dict, said: str) -> None:
    (tmp_path / "e.jsonl").write_text(json.dumps(row) + "\n")
    with pytest.raises(InputError, match=said):
        list(read_explanations(tmp_path / "e.jsonl"))


def test_a_clip_has_one_explanation(tmp_path: Path) -> None:
    write_explanations(tmp_path / "e.jsonl", [Explanation("a"), Explanation("a")])
    with pytest.raises(InputError, match="line 2: clip 'a' has an explanation already"):
        list(read_explanations(tmp_path / "e.jsonl"))
