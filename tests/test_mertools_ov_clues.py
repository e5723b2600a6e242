"""clues.jsonl and descriptions.jsonl: what is written is read again, and several models' clues are put together."""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mertools.errors import InputError
from mertools.ov.clues import MODALITIES, ClipClues, Clue, clues_by_clip, read_clues, write_clues
from mertools.ov.descriptions import Description, read_descriptions, write_descriptions

texts = st.text(st.characters(exclude_categories=["Cs"]), max_size=30)


@given(st.lists(st.builds(Clue, texts, st.sampled_from(MODALITIES), texts, st.just({"model": "m"}), texts)))
def test_clues_are_read_as_written(tmp_path_factory: pytest.TempPathFactory, clues: list[Clue]) -> None:
    path = tmp_path_factory.mktemp("clues") / "clues.jsonl"
    write_clues(path, clues)
    assert list(read_clues(path)) == clues


@given(st.lists(st.builds(Description, texts, texts, texts), unique_by=lambda one: one.name))
def test_descriptions_are_read_as_written(tmp_path_factory: pytest.TempPathFactory, rows: list[Description]) -> None:
    rows = [replace(row, evidence={"label": "sad"}, source={"model": "m"}) for row in rows]
    path = tmp_path_factory.mktemp("descriptions") / "descriptions.jsonl"
    write_descriptions(path, rows)
    assert list(read_descriptions(path)) == rows


def test_a_file_is_whole_or_not_there(tmp_path: Path) -> None:
    def interrupted() -> Iterator[Clue]:
        yield Clue("a", "audio", "x")
        raise KeyboardInterrupt

    write_clues(tmp_path / "clues.jsonl", [Clue("old", "audio", "x")])
    with pytest.raises(KeyboardInterrupt):
        write_clues(tmp_path / "clues.jsonl", interrupted())
    assert [clue.name for clue in read_clues(tmp_path / "clues.jsonl")] == ["old"]
    assert [path.name for path in tmp_path.iterdir()] == ["clues.jsonl"]


@pytest.mark.parametrize(
    ("line", "said"),
    [
        ('{"name": "a", "modality": "audio"}', "line 2, 'text': it is missing, wanted a str"),
        ('{"name": 1, "modality": "audio", "text": ""}', "line 2, 'name': got '1', wanted a str"),
        ('{"name": "a", "modality": "smell", "text": ""}', "got 'smell', wanted audio or video or audio-video"),
        ('{"name": "a", "modality": "audio", "te', "line 2: not JSON"),
        ("[]", "line 2: got '\\[\\]', wanted an object"),
    ],
)
def test_what_is_no_clue_is_named_by_its_line(tmp_path: Path, line: str, said: str) -> None:
    good = json.dumps({"name": "a", "modality": "audio", "text": "x"})
    (tmp_path / "clues.jsonl").write_text(f"{good}\n{line}\n")
    with pytest.raises(InputError, match=said):
        list(read_clues(tmp_path / "clues.jsonl"))
    with pytest.raises(InputError, match="There is no file"):
        list(read_clues(tmp_path / "absent.jsonl"))


def test_a_clip_has_one_description(tmp_path: Path) -> None:
    write_descriptions(tmp_path / "d.jsonl", [Description("a", "", "x"), Description("a", "", "y")])
    with pytest.raises(InputError, match="line 2: clip 'a' has a description already"):
        list(read_descriptions(tmp_path / "d.jsonl"))


def test_several_models_clues(tmp_path: Path) -> None:
    failed = Clue("b", "audio", "", failed="no sound")
    write_clues(tmp_path / "univi.jsonl", [Clue("a", "video", "He smiles."), Clue("b", "video", "He frowns.")])
    write_clues(tmp_path / "salmonn.jsonl", [Clue("a", "audio", "Voice bright."), failed, replace(failed, name="c")])
    found = clues_by_clip([tmp_path / "univi.jsonl", tmp_path / "salmonn.jsonl"])
    assert found["a"].text == "Voice bright.\nHe smiles." and found["a"].perceived == "audio-video"
    assert found["a"].text_of("audio") == "Voice bright." and found["a"].text_of("video") == "He smiles."
    # One usable clue is enough; with none, the reasons are told.
    assert (found["b"].text, found["b"].perceived, found["b"].failed) == ("He frowns.", "video", "")
    assert found["c"].failed == "audio clue: no sound"
    with pytest.raises(InputError, match="clip 'a' has the same clue of video twice"):
        clues_by_clip([tmp_path / "univi.jsonl", tmp_path / "univi.jsonl"])


def test_clues_that_are_descriptions() -> None:
    one_step = Clue("a", "audio-video", "x", {"style": "emer"})
    assert ClipClues((one_step,)).are_descriptions
    assert not ClipClues((one_step, Clue("a", "audio", "y", {"style": "mer2024"}))).are_descriptions
    assert not ClipClues().are_descriptions
