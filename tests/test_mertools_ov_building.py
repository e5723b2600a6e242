"""Explanations are put together a clip at a time, and what failed is told by its step."""

from __future__ import annotations

import tracemalloc
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import replace
from pathlib import Path
from unittest import mock

import pytest

from mertools.clip import Clip
from mertools.ov import asking
from mertools.ov.building import explanations_of
from mertools.ov.chat import Answer, Question
from mertools.ov.clues import ClipClues, Clue, clues_by_clip, write_clues
from mertools.ov.describing import describe_offline
from mertools.ov.descriptions import Description, descriptions_in_order, write_descriptions
from mertools.ov.explanations import read_explanations, write_explanations
from mertools.ov.labelling import extract_labels
from mertools.ov.labels import OpenLabels
from mertools.ov.translation import translate_descriptions

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


class Forgetful:
    """A language model that answers one question at a time and remembers none."""

    source: Mapping[str, object] = {"model": "forgetful"}

    def answers(self, questions: Iterable[Question], run: int = 0) -> Iterator[Answer]:
        for question in questions:
            text = "他很悲伤。" * 40 if "翻译" in question.prompt else "['sad']"
            yield Answer(question, question.read(text), text, "", 1)


def peak_bytes(folder: Path, count: int) -> int:
    """The peak of memory while `count` clips go through all steps, their clues and descriptions in files."""
    clips = [Clip(f"clip_{n:05d}", subtitle_english="Hello") for n in range(count)]
    write_clues(folder / "clues.jsonl", (Clue(clip.name, "audio", "She sounds sad. " * 40) for clip in clips))
    chat = Forgetful()
    tracemalloc.start()
    clues = clues_by_clip([folder / "clues.jsonl"])
    write_descriptions(folder / "en.jsonl", (done.row for done in describe_offline(clips, clues)))
    for language in ("en", "zh"):
        # Into English nothing has to be asked.
        rows = translate_descriptions(descriptions_in_order(folder / "en.jsonl"), chat, language)
        write_descriptions(folder / f"{language}-done.jsonl", (done.row for done in rows))
    files = {language: folder / f"{language}-done.jsonl" for language in ("en", "zh")}
    texts = {language: descriptions_in_order(path) for language, path in files.items()}
    labels = {
        language: (done.row for done in extract_labels(descriptions_in_order(path), chat, language=language))
        for language, path in files.items()
    }
    write_explanations(folder / "explanations.jsonl", explanations_of(clips, clues, texts, labels, {}))
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    return peak


def test_memory_does_not_depend_on_how_many_clips_there_are(tmp_path: Path) -> None:
    with mock.patch.object(asking, "MOST_UNASKED", 100):
        peak_bytes(tmp_path, 200)
        # Five times the clips; one that was kept, texts alone, would make it three times the memory.
        assert peak_bytes(tmp_path, 1000) < 1.5 * peak_bytes(tmp_path, 200)
    assert len(list(read_explanations(tmp_path / "explanations.jsonl"))) == 200


def test_rows_of_other_clips_are_a_fault_of_ours() -> None:
    with pytest.raises(ValueError, match="beside clip a are of another one"):
        built([english("b")], [chinese("a")], [OpenLabels("a", ())])
    with pytest.raises(ValueError, match="shorter"):
        built([english("a"), english("b")], [chinese("a")], [OpenLabels("a", ()), OpenLabels("b", ())])
