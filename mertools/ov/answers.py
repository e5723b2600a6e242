"""What language models answer -> label lists and groups of labels; what is no such answer is refused, not guessed at.

A list may stand as JSON, in an object of the schema, in Python's notation with apostrophes in its words, in a fence,
with prose around it, numbered, bulleted or with commas alone, with Chinese punctuation. Half a list, two different
lists and plain prose are Unreadable: who asks again gets the reason as its repair request.
"""

from __future__ import annotations

import ast
import json
import re
from collections.abc import Iterable, Iterator
from contextlib import suppress

from mertools.ov.chat import Unreadable
from mertools.ov.refusals import is_refusal

MOST_LABELS = 16
MOST_WORDS, MOST_WORDS_WITHOUT_BRACKETS = 6, 4
"""A label has no more words: `a mixture of joy and sorrow`. Without brackets nothing but its length tells a label from
a remark."""

MOST_LETTERS, MOST_CHINESE_LETTERS = 48, 10

LABELS_SCHEMA = {
    "type": "object",
    "properties": {
        # A small model that is held to a schema without bounds repeats itself until its tokens are spent.
        "labels": {"type": "array", "items": {"type": "string", "maxLength": MOST_LETTERS}, "maxItems": MOST_LABELS}
    },
    "required": ["labels"],
    "additionalProperties": False,
}
GROUPS_SCHEMA = {
    "type": "object",
    "properties": {"groups": {"type": "array", "items": {"type": "array", "items": {"type": "string"}}}},
    "required": ["groups"],
    "additionalProperties": False,
}

NOTHING = {
    *("none", "n/a", "na", "null", "nil", "empty", "empty list", "an empty list", "none identified"),
    *("none are identified", "no emotion", "no emotions", "no clear emotion", "no emotion identified"),
    *("无", "没有", "空", "空列表", "无法判断", "无法识别"),
}
"""Answers and items that say there is no label."""

PROSE = re.compile(
    r"\b(?:i|we|you|he|she|it|they|his|her|their|this|that|these|those|is|are|was|were|be|been|being|am|has|have|had|do"
    r"|does|did|can|cannot|could|may|might|must|shall|should|will|would|not|the|person|individual|speaker|characters?"
    r"|because|since|based|however|please|sorry|provided|clues|appears|seems|feels|feeling|shows?"
    r"|expressions?|movements?|gestures?|posture|voice|tone|environment|acoustic|subtitles?|face|eyes|brows|mouth)\b"
)
"""English words that no label without brackets holds: those of sentences, and what clues are listed under."""

CHINESE_PROSE = re.compile(
    "[他她我你它这那]|因为|所以|根据|线索|人物|可以|表现|感到|觉得|显得|说话|表情|动作|声音|语气|环境|字幕|眼神|眉"
)

SENTENCE_MARKS = re.compile(r"[,，、:：。?？]")

FENCE = re.compile(r"```[\w-]*[ \t]*\n?(.*?)```", re.DOTALL)
FLAT_LIST = re.compile(r"\[([^\[\]]*)\]")
MARKER = re.compile(r"\s*(?:\(?\d+\s*[.)、．:]|（\d+）|[•·–]|[-*+](?=\s))\s*(?=\S)")
ITEM = re.compile(
    r"""\s*(?:"(?P<double>.*?)"|'(?P<single>.*?)'|(?P<bare>[^,，、;；]*?))\s*(?:[,，、;；]|\Z)""", re.DOTALL
)
HEAD = re.compile(
    r"^(?:[\w\s'*,-]*\b(?:output|answer|labels?|emotions?|states?|categories|list|results?)\b[\w\s'*]{0,60}"
    r"|[^:：]{0,40}(?:输出|答案|标签|情感|情绪|类别|状态)[^:：]{0,6})[:：]\s*",
    re.IGNORECASE,
)
"""What may stand before a list: `Output:`, `The emotional states are:`."""

AFTER_LABEL = re.compile(r"\s*(?:[:：(（—–]|\s-\s).*", re.DOTALL)
CHINESE = re.compile(r"[\u3400-\u9fff]")

BESIDE = re.compile(r"""(["'])\s+(["'])""")
QUOTED = re.compile(r"""(["'])([^"']*)\1""")
SPACED = re.compile(r"""\s*(?:(["'])[^"']*\1\s*)+""")
"""Quoted items with nothing but space between them, as NumPy prints them."""

STRAIGHT = str.maketrans("“”„「」『』［］【】‘’", '"""""""[][]\'\'')


def read_text(text: str) -> str:
    """An answer in prose, without what a model thought before it; raises Unreadable for none, and for a refusal."""
    found = _without_thoughts(text).strip()
    if not found:
        raise Unreadable("the answer is empty")
    if is_refusal(found):
        raise Unreadable("the answer declines to answer")
    return found


def read_label_list(text: str) -> tuple[str, ...]:
    """The labels of an answer, lower-case, without duplicates; `[]` and words for none give no label.

    Raises Unreadable for anything that is not one list of labels.
    """
    text = _plain(text)
    if "{" in text:
        return _normalised(_list_of_object(text))
    lists = [items for items in map(_items, _flat_lists(text)) if not _are_references(items)]
    if not lists:
        return _normalised(_unbracketed(text), MOST_WORDS_WITHOUT_BRACKETS)
    found = list(dict.fromkeys(_normalised(items) for items in lists))
    if len(found) > 1:
        raise Unreadable(f"the answer holds {len(found)} different lists; give one list of labels")
    return found[0]


def read_groups(text: str) -> tuple[tuple[str, ...], ...]:
    """The groups of an answer: labels of the same meaning, lower-case; a repeated label stays where it was first.

    Raises Unreadable for anything that is not a list of lists.
    """
    text = _plain(text)
    lists = _json_groups(text) if "{" in text else [_items(inner) for inner in _inner_lists(text)]
    groups, seen = [], set()
    for items in lists:
        group = tuple(label for label in _normalised(items) if label not in seen)
        seen.update(group)
        if group:
            groups.append(group)
    return tuple(groups)


def _without_thoughts(text: str) -> str:
    # Some models' templates open the thoughts in the prompt, so that their end alone stands in the answer.
    text = text.rpartition("</think>")[2]
    if "<think>" in text:
        raise Unreadable("the answer ends before the model had finished thinking")
    return text


def _plain(text: str) -> str:
    """An answer without thoughts and fence, with straight quotes and brackets."""
    text = read_text(text).translate(STRAIGHT)
    fenced = FENCE.findall(text)
    if len(fenced) == 1:
        text = fenced[0].strip()
    text = text.replace("```", "").strip()
    if not text:
        raise Unreadable("the answer is empty")
    return text


def _flat_lists(text: str) -> Iterator[str]:
    """What stands in the brackets of `text`."""
    # A list that is whole as Python or JSON writes it may hold brackets in its words.
    with suppress(ValueError, SyntaxError, MemoryError, RecursionError):
        whole = ast.literal_eval(text)
        if isinstance(whole, list) and all(isinstance(item, str) for item in whole):
            yield text.strip()[1:-1]
            return
    rest = FLAT_LIST.sub("", text)
    if "[" in rest and "]" in rest:
        raise Unreadable("the answer holds lists within lists; give one list of labels")
    if "[" in rest or "]" in rest:
        raise Unreadable("the list is not closed; give the whole list")
    yield from FLAT_LIST.findall(text)


def _items(inner: str) -> list[str]:
    """The items of a list, from what stands between its brackets."""
    if BESIDE.search(inner):
        # Python would join the two into one word.
        return [item for _, item in QUOTED.findall(inner)] if SPACED.fullmatch(inner) else [inner]
    for read in (json.loads, ast.literal_eval):
        with suppress(ValueError, SyntaxError, MemoryError, RecursionError):
            items = read(f"[{inner}]")
            if all(isinstance(item, str) for item in items):
                return list(items)
    items, place = [], 0
    while place < len(inner):
        match = ITEM.match(inner, place)
        items.append(next(part for part in match.groups() if part is not None))
        # An item may be empty only where a separator was eaten, so this always moves on.
        place = match.end()
    return items


def _are_references(items: list[str]) -> bool:
    """Whether a bracket holds numbers alone, as references in prose do."""
    return bool(items) and all(item.strip().isdecimal() for item in items)


def _list_of_object(text: str) -> list[str]:
    """The one list of strings in the one JSON object of `text`."""
    value = _json_object(text)
    lists = [item for item in value.values() if isinstance(item, list)]
    chosen = value["labels"] if "labels" in value else lists[0] if len(lists) == 1 else None
    if not isinstance(chosen, list) or not all(isinstance(item, str) for item in chosen):
        raise Unreadable('the object is of another form; give {"labels": ["...", "..."]}')
    return chosen


def _json_object(text: str) -> dict:
    begin = text.index("{")
    try:
        value, length = json.JSONDecoder().raw_decode(text[begin:])
    except (ValueError, RecursionError):
        raise Unreadable("the JSON is cut off or malformed; give it whole") from None
    if re.search(r"[\[{]", text[:begin] + text[begin + length :]):
        raise Unreadable("there is more than one object or list; give one")
    return value


def _json_groups(text: str) -> list[list[str]]:
    value = _json_object(text)
    groups = value.get("groups", next(iter(value.values()), None) if len(value) == 1 else None)
    whole = isinstance(groups, list) and all(
        isinstance(group, list) and all(isinstance(label, str) for label in group) for group in groups
    )
    if not whole:
        raise Unreadable('the object is of another form; give {"groups": [["...", "..."], ["..."]]}')
    return groups


def _inner_lists(text: str) -> list[str]:
    """What stands in the inner brackets of a list of lists."""
    inner = FLAT_LIST.findall(text)
    rest = FLAT_LIST.sub("", text)
    if rest.count("[") != rest.count("]"):
        raise Unreadable("the list is not closed; give the whole list of lists")
    outer = rest.count("[")
    if outer > 1:
        raise Unreadable("the lists are nested too deep; give one list of lists")
    if outer == 0 and [items.strip() for items in inner] == [""]:
        return []
    between = re.search(r"\[(.*)\]", rest, re.DOTALL)
    if between and any(letter.isalnum() for letter in between[1]):
        raise Unreadable("some labels stand outside of the groups; put each label into a group")
    if outer == 0 and len(inner) < 2:
        raise Unreadable("there is no list of lists; give one, such as [['glad', 'happy'], ['sad']]")
    return inner


def _unbracketed(text: str) -> list[str]:
    """The items of a numbered or bulleted list, or of one with commas alone."""
    lines = [line for line in text.splitlines() if line.strip()]
    marked = [line[match.end() :] for line in lines if (match := MARKER.match(line))]
    if marked:
        items = [AFTER_LABEL.sub("", _bare(item)) for item in marked]
    else:
        if len(lines) > 1 and HEAD.fullmatch(lines[0].strip()):
            lines = lines[1:]
        items = lines if len(lines) > 1 else _split_commas(HEAD.sub("", lines[0]))
    if any(_is_prose(item) for item in items):
        raise Unreadable("the answer is prose; give the labels alone, as a list")
    return items


def _is_prose(item: str) -> bool:
    item = _bare(item).lower()
    if item in NOTHING:
        return False
    return any(pattern.search(item) for pattern in (PROSE, CHINESE_PROSE, SENTENCE_MARKS))


def _split_commas(text: str) -> list[str]:
    *parts, last = re.split(r"[,，、;；]", text.strip().rstrip(".。!！"))
    parts += re.split(r"\band\s+|和|以及", last, flags=re.IGNORECASE)
    return parts


def _bare(item: str) -> str:
    """An item without the marks around it: emphasis, quotes, a full stop."""
    return re.sub(r"\s+", " ", item.replace("**", "").replace("__", "")).strip(" \t\n\"'`*_.。!！,，;；")


def _normalised(items: Iterable[str], most_words: int = MOST_WORDS) -> tuple[str, ...]:
    """Lower-case labels without duplicates; raises Unreadable for what is too long or too odd to be one."""
    labels = list(dict.fromkeys(label for item in items if (label := _bare(item).lower())))
    for label in labels:
        longest = MOST_CHINESE_LETTERS if CHINESE.search(label) else MOST_LETTERS
        if len(label) > longest or len(label.split()) > most_words:
            raise Unreadable(f"{label[:40]!r}… is too long for a label; give words for emotions alone")
        if BESIDE.search(label) or not any(letter.isalpha() for letter in label):
            raise Unreadable(f"{label!r} is no word; give words for emotions alone")
    return tuple(label for label in labels if label not in NOTHING)
