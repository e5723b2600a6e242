"""Groupings: which labels are the same, given, asked for, or by the lexicon; and what cannot be read."""

from __future__ import annotations

import json
import zipfile
from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from mertools.errors import InputError
from mertools.lexicon import lexicon
from mertools.ov.asked_groups import ask_groups
from mertools.ov.chat import Answer, Question, Unreadable
from mertools.ov.group_files import parse_groups, read_groups
from mertools.ov.groupings import ByClip, ByFamily, BySynonyms, Exact
from mertools.ov.prompts import GROUPING


def test_exact_labels_differ_by_spelling_alone() -> None:
    assert Exact().views("a", ["Happy", " happy", "joy", "it’s  fine", "it's fine"]) == (
        frozenset({"happy", "joy", "it's fine"}),
    )


def test_synonyms_are_one_class_and_unknown_labels_their_own() -> None:
    grouping = BySynonyms(lexicon())
    assert grouping.views("a", ["Joyful", "happiness", "高兴", "Lamp"]) == (frozenset({"happy", "lamp"}),)
    assert grouping.knows("JOYFUL") and not grouping.knows("lamp")


def test_families_are_broader_and_leave_unknown_labels_out() -> None:
    grouping = ByFamily(lexicon())
    assert grouping.views("a", ["happy", "excited", "afraid", "lamp"]) == (frozenset({"joy", "fear"}),)
    assert not grouping.knows("lamp")


def test_groups_of_a_clip_hold_for_that_clip() -> None:
    grouping = ByClip({"a": (("glad", "happy"), ("sad",))})
    assert grouping.views("a", ["Happy", "glad", "sad", "cross"]) == (frozenset({"glad", "sad", "cross"}),)
    assert grouping.views("b", ["happy", "glad"]) == (frozenset({"happy", "glad"}),)


@pytest.mark.parametrize(
    ("text", "groups"),
    [
        ("[['happy', 'glad'], ['sad']]", (("happy", "glad"), ("sad",))),
        ('[["happy", "glad"], ["sad"]]', (("happy", "glad"), ("sad",))),
        ("[[\"it's complicated\", 'mixed'], ['sad']]", (("it's complicated", "mixed"), ("sad",))),
        ("[[happy, glad], [at ease]]", (("happy", "glad"), ("at ease",))),
        ("Here you are:\n[['happy', 'glad'],\n ['sad'],", (("happy", "glad"), ("sad",))),
        ("[['Happy', 'glad'], [], ['']]", (("Happy", "glad"),)),
        ("", ()),
        ("I cannot group them.", ()),
    ],
)
def test_texts_that_look_like_lists_of_lists(text: str, groups: tuple) -> None:
    assert parse_groups(text) == groups


TEXTS = {"a": "[['happy', 'glad'], ['Sad', 'down']]", "b": ""}


def written(folder: Path) -> Path:
    folder.mkdir()
    for clip, text in TEXTS.items():
        np.save(folder / f"{clip}.npy", np.array(text))
    return folder


@pytest.mark.parametrize("kind", ["folder", "zip"])
def test_the_organisers_groups_are_taken_as_their_scorer_takes_them(tmp_path: Path, kind: str) -> None:
    path = written(tmp_path / "openset-synonym")
    if kind == "zip":
        with zipfile.ZipFile(tmp_path / "groups.zip", "w") as archive:
            for file in path.glob("*.npy"):
                archive.write(file, f"openset-synonym/{file.name}")
            archive.writestr("__MACOSX/openset-synonym/._a.npy", b"no array")
        path = tmp_path / "groups.zip"
    grouping = read_groups(path)
    assert grouping.views("a", ["glad", "HAPPY"]) == (frozenset({"happy"}),)
    # The model's case stands: 'Sad' is no label, which are lower-case.
    assert grouping.views("a", ["sad", "down"]) == (frozenset({"sad", "Sad"}),)
    assert grouping.groups["b"] == ()


def test_json_groups_are_folded(tmp_path: Path) -> None:
    path = tmp_path / "groups.json"
    path.write_text(json.dumps({"a": [["Glad ", "HAPPY"], ["sad"]]}))
    assert read_groups(path).views("a", ["happy", "glad"]) == (frozenset({"glad"}),)


@pytest.mark.parametrize(
    ("name", "content", "message"),
    [
        ("g.json", b"{", "is not JSON"),
        ("g.json", b"[]", "got list, wanted"),
        ("g.json", b'{"a": [["x"], "y"]}', "clip 'a': got"),
        ("g.txt", b"[]", "neither a zip"),
    ],
)
def test_files_that_hold_no_groups_are_refused(tmp_path: Path, name: str, content: bytes, message: str) -> None:
    (tmp_path / name).write_bytes(content)
    with pytest.raises(InputError, match=message):
        read_groups(tmp_path / name)


def test_arrays_that_hold_no_text_are_refused(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="There are no groups"):
        read_groups(tmp_path / "absent")
    np.save(tmp_path / "clip_7.npy", np.arange(3))
    with pytest.raises(InputError, match=r"clip_7.npy: got an array of int64 \(3,\)"):
        read_groups(tmp_path)
    np.save(tmp_path / "clip_7.npy", np.array({"pickled": 1}, dtype=object), allow_pickle=True)
    with pytest.raises(InputError, match="no array of text"):
        read_groups(tmp_path)


class Scripted:
    """A chat that answers by a table from clip to text; it remembers what it was asked."""

    source: Mapping[str, object] = {"model": "scripted"}

    def __init__(self, texts: Mapping[str, str]) -> None:
        self.texts, self.asked = texts, []

    def answers(self, questions: Iterable[Question], run: int = 0) -> Iterator[Answer]:
        for question in questions:
            self.asked.append((question, run))
            text = self.texts[question.name]
            try:
                yield Answer(question, question.read(text), text, "", 1)
            except Unreadable as unreadable:
                yield Answer(question, None, text, str(unreadable), 1)


def test_a_language_model_is_asked_as_the_paper_asks() -> None:
    chat = Scripted({"a": "[['Glad', 'happy'], ['sad']]", "b": "no idea", "c": '{"groups": [["x", "y"]]}'})
    truth = {"a": ("happy", "Sad"), "b": ("angry",), "c": ("calm",), "d": ("calm",), "e": ("calm",)}
    predicted = {"a": ("glad", "glad"), "b": ("mad",), "c": ("placid",), "d": (), "e": ("Calm",)}
    grouping = ask_groups(chat, truth, predicted, run=3)
    (question, run), *others = chat.asked
    assert question.prompt == f'{GROUPING}\nEmotions: ["glad", "happy", "sad"]' and run == 3
    # Nothing is asked where no grouping changes the score.
    assert [other.name for other, _ in others] == ["b", "c"]
    assert grouping.views("a", ["happy", "glad", "sad"]) == (frozenset({"glad", "sad"}),)
    assert set(grouping.failed) == {"b", "c"}
    assert "none of the given emotions" in grouping.failed["c"]


@given(st.lists(st.sampled_from(["happy", "glad", "sad", "cross", "Sad "]), min_size=1), st.randoms())
def test_the_question_depends_on_no_order(labels: list[str], chance) -> None:
    prompts = set()
    for _ in range(3):
        chance.shuffle(labels)
        chat = Scripted({"a": "[['happy', 'sad', 'glad', 'cross']]"})
        ask_groups(chat, {"a": tuple(labels)}, {"a": tuple(labels[::-1])})
        prompts.add(tuple(question.prompt for question, _ in chat.asked))
    assert len(prompts) == 1
