"""Answers of language models: every way to write a list is read, everything else is refused."""

from __future__ import annotations

import json
from contextlib import suppress

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mertools.ov.answers import read_groups, read_label_list, read_text
from mertools.ov.chat import Unreadable

LISTS = {
    '["happy", "sad"]': ("happy", "sad"),
    '{"labels": ["Happy", "sad "]}': ("happy", "sad"),
    '{"emotions": ["happy"]}': ("happy",),
    "['Happy', 'happy', \"sad\"]": ("happy", "sad"),
    "[happy, sad]": ("happy", "sad"),
    "['people's favourite', 'sad']": ("people's favourite", "sad"),
    "[“happy”，‘sad’、angry]": ("happy", "sad", "angry"),
    "【高兴，生气】": ("高兴", "生气"),
    "高兴、生气。": ("高兴", "生气"),
    "情感类别：高兴，生气": ("高兴", "生气"),
    '```json\n["happy", "sad"]\n```': ("happy", "sad"),
    'Here you are:\n```python\n["happy"]\n```\nI hope this helps [1].': ("happy",),
    "Based on the clues [1] [2], the list is: ['happy', 'sad']. He smiles, but his voice trembles.": ("happy", "sad"),
    "['happy'] because he smiles. So: ['happy']": ("happy",),
    "<think>Could it be [sad]? Or [angry]?</think>['happy']": ("happy",),
    "So [sad]? Or [angry]?</think>['happy']": ("happy",),
    "1. Happy\n2. Sad\n": ("happy", "sad"),
    "The emotional states are:\n1) **Happy**: he smiles, and the voice is bright\n2) Sad (slightly)": ("happy", "sad"),
    "- happy\n- self-conscious\n* moved to tears": ("happy", "self-conscious", "moved to tears"),
    "• happy\n• sad": ("happy", "sad"),
    "1、高兴\n2、难过": ("高兴", "难过"),
    "happy, sad and angry.": ("happy", "sad", "angry"),
    "Output: happy, sad": ("happy", "sad"),
    "**Happy**, *sad*": ("happy", "sad"),
    "happy": ("happy",),
    "happy\nsad": ("happy", "sad"),
    "on edge, at ease": ("on edge", "at ease"),
    "Emotions:\nhappy, sad": ("happy", "sad"),
    "['happy' 'sad']": ("happy", "sad"),
    "Based on the clues, the emotional states of the main characters are: Happy, Sad, and Angry.": (
        *("happy", "sad", "angry"),
    ),
    "根据线索，人物的情感状态是：高兴、感激。": ("高兴", "感激"),
    "[]": (),
    "The list is empty: []": (),
    '{"labels": []}': (),
    "none": (),
    "None.": (),
    "['none']": (),
    "无": (),
}


@pytest.mark.parametrize("text", LISTS)
def test_lists(text: str) -> None:
    assert read_label_list(text) == LISTS[text]


@pytest.mark.parametrize(
    "text",
    [
        "",
        "   \n",
        "```\n```",
        "He is happy.",
        "The person seems happy, and his voice is bright.",
        "I'm sorry, but I cannot identify the emotions of people.",
        "他很高兴，因为他笑了。",
        '["happy", "sa',
        '{"labels": ["happy"]',
        '{"labels": ["happy", "sad"',
        '{"labels": "happy"}',
        '{"labels": [1, 2]}',
        '{"feelings": {"happy": 0.9}}',
        '{"a": ["happy"], "b": ["sad"]}',
        '{"labels": ["happy"]} {"labels": ["sad"]}',
        "[['happy'], ['sad']]",
        "['happy'] or rather ['sad']",
        "['he smiles the whole time and speaks with a bright voice']",
        "<think>It could be",
        "- He frowns\n- The voice is loud",
        "- Facial expression: a smile\n- Tone: bright",
        "1. 表情：微笑\n2. 语气：轻快",
        "['happy' 'sad', 'angry']",
        "[1]",
        "happy sad angry tired bored",
        "这个人物说话的时候一直在微笑显得非常开心",
    ],
)
def test_anything_else_is_refused(text: str) -> None:
    with pytest.raises(Unreadable):
        read_label_list(text)


words = st.from_regex(r"[a-z]{3,9}('s|-[a-z]{2,5})?( [a-z]{3,8}('[a-z])?)?", fullmatch=True).filter(
    lambda label: not any(word in label.split() for word in ("none", "null", "nil", "empty", "and"))
)
labels = st.lists(words, max_size=6)


def unique(found: list[str]) -> tuple[str, ...]:
    return tuple(dict.fromkeys(found))


@given(labels, st.sampled_from(["", "The list: ", "Sure! Based on the voice, I'd say\n"]))
def test_any_labels_in_brackets(found: list[str], before: str) -> None:
    assert read_label_list(before + json.dumps(found)) == unique(found)
    assert read_label_list(before + str(found) + "\nThat is all.") == unique(found)
    assert read_label_list(before + f"[{', '.join(found)}]") == unique(found)
    quoted = ", ".join(f"'{label}'" for label in found)
    assert read_label_list(before + f"[{quoted}]") == unique(found)
    assert read_label_list(json.dumps({"labels": [label.upper() for label in found]})) == unique(found)


@given(st.text())
def test_nothing_breaks_the_reader(text: str) -> None:
    for read in (read_label_list, read_groups, read_text):
        try:
            found = read(text)
        except Unreadable:
            continue
        if read is read_label_list:
            assert read_label_list(str(list(found))) == found


@given(st.lists(st.text(alphabet="[]{}\"', ab,\n1.-", max_size=30)))
def test_nothing_made_of_brackets_breaks_the_reader(parts: list[str]) -> None:
    test_nothing_breaks_the_reader.hypothesis.inner_test("".join(parts))


@pytest.mark.parametrize(
    "text",
    [
        '[["happy", "Glad"], ["sad"]]',
        "[['happy', 'glad'], ['sad']]",
        "Output: [[happy, glad], [sad]]",
        "1. [happy, glad]\n2. [sad]",
        '{"groups": [["happy", "glad"], ["sad", "happy"]]}',
        '```json\n[["happy", "glad"],\n ["sad"]]\n```',
        "[['happy', 'glad'], ['glad'], ['sad']]",
    ],
)
def test_groups(text: str) -> None:
    assert read_groups(text) == (("happy", "glad"), ("sad",))


@pytest.mark.parametrize("text", ["[]", "[[]]", '{"groups": []}'])
def test_no_groups(text: str) -> None:
    assert read_groups(text) == ()


@pytest.mark.parametrize(
    "text",
    [
        "",
        "happy and glad mean the same",
        "['happy', 'glad']",
        "[['happy', 'glad'], ['sa",
        "[['happy'], 'sad']",
        "[[['happy']]]",
        '{"groups": ["happy"]}',
        '{"groups": [["happy"]',
    ],
)
def test_no_list_of_lists(text: str) -> None:
    with pytest.raises(Unreadable):
        read_groups(text)


@given(st.lists(st.lists(words, min_size=1, max_size=4), min_size=1, max_size=5))
def test_any_groups(groups: list[list[str]]) -> None:
    found = read_groups(str(groups))
    assert found == read_groups(json.dumps({"groups": groups}))
    assert sorted(label for group in found for label in group) == sorted({label for group in groups for label in group})


@pytest.mark.timeout(20)
@pytest.mark.parametrize("part", ["<think>", "['", "[]", "['happy'] ", "'a' ", "- happy\n", "emotion ", "{", "情感，"])
def test_long_nonsense_takes_no_time(part: str) -> None:
    for read in (read_label_list, read_groups):
        with suppress(Unreadable):
            read(part * 20_000)


def test_prose() -> None:
    assert read_text(" <think>hm</think> He smiles. ") == "He smiles."
    with pytest.raises(Unreadable, match="empty"):
        read_text("<think>hm</think>")
    with pytest.raises(Unreadable, match="declines"):
        read_text("<think>hm</think>I'm sorry, but I can't help with that.")
