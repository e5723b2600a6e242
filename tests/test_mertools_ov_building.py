"""Explanations are put together a clip at a time, and what failed is told by its step."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace

import pytest

from mertools.clip import Clip
from mertools.ov.building import explanations_of
from mertools.ov.clues import ClipClues, Clue
from mertools.ov.descriptions import Description
from mertools.ov.labels import OpenLabels

CLIPS = [Clip(name, subtitle="你好", subtitle_english="Hello") for name in "abc"]
CLUES = {"a": ClipClues((Clue("a", "video", "He smiles."), Clue("a", "audio", "Loud."), Clue("a", "audio", "High.")))}
SOURCE = {"model": "m", "clues": [{"model": "observer", "clauses": [1, 2], "modality": "audio"}]}


def english(name: str, **changed: object) -> Description:
    return replace(Description(name, "Hello", f"He is {name}.", source=SOURCE), **changed)


def chinese(name: str, **changed: object) -> Description:
    return replace(
        Description(name, "你好", f"他{name}。", source={"model": "m", "translator": {"model": "t"}}), **changed
    )


def built(en: list[Description], zh: list[Description], labels: list[OpenLabels]) -> list:
    named = {"en": labels, "zh": labels}
    return list(explanations_of(CLIPS[: len(en)], CLUES, {"en": en, "zh": zh}, named, {"model": "namer"}))


def test_all_that_is_known_of_a_clip() -> None:
    (one,) = built([english("a")], [chinese("a")], [OpenLabels("a", ("sad",))])
    assert (one.name, one.subtitle, one.subtitle_english, one.failed) == ("a", "你好", "Hello", "")
    assert (one.description_en, one.description_zh) == ("He is a.", "他a。")
    assert (one.labels_en, one.labels_zh) == (("sad",), ("sad",))
    assert one.clues == {"audio": "Loud.\nHigh.", "video": "He smiles."}
    # The numbers behind a clue stand in its own file.
    assert one.source["description_en"] == {"model": "m", "clues": [{"model": "observer", "modality": "audio"}]}
    assert one.source["description_zh"]["translator"] == {"model": "t"} and one.source["labels"] == {"model": "namer"}


def test_the_first_step_that_failed_is_told() -> None:
    rows = built(
        [english("a"), english("b", description="", failed="refused"), english("c")],
        [chinese("a", description="", failed="translation: cut off"), chinese("b", failed="refused"), chinese("c")],
        [OpenLabels("a", ()), OpenLabels("b", (), "refused"), OpenLabels("c", (), "unreadable")],
    )
    assert [one.failed for one in rows] == ["translation: cut off", "refused", "labels: unreadable"]
    assert rows[0].description_en == "He is a." and all(one.labels_en == () for one in rows)


def test_nothing_is_kept_of_a_clip_that_has_passed() -> None:
    read = 0

    def rows() -> Iterator[Description]:
        nonlocal read
        for clip in CLIPS:
            read += 1
            yield english(clip.name)

    labels = {"en": (OpenLabels(clip.name, ()) for clip in CLIPS)}
    for given, _ in enumerate(explanations_of(CLIPS, {}, {"en": rows()}, labels, {}), start=1):
        assert read == given


def test_rows_of_other_clips_are_a_fault_of_ours() -> None:
    with pytest.raises(ValueError, match="beside clip a are of another one"):
        built([english("b")], [chinese("a")], [OpenLabels("a", ())])
    with pytest.raises(ValueError, match="shorter"):
        built([english("a"), english("b")], [chinese("a")], [OpenLabels("a", ()), OpenLabels("b", ())])
