"""The grid: which models are combined, and what the folders are called."""

from __future__ import annotations

from pathlib import Path

import pytest

from mertools.errors import InputError
from mertools.ov.clues import Clue, write_clues
from mertools.ov.grid import ClueSource, Combination, as_file_name, clue_source, grid, parted

SALMONN, SECAP, UNIVI, GPT = (
    ClueSource(name, modality, Path(f"{name}.jsonl"))
    for name, modality in (("salmonn", "audio"), ("secap", "audio"), ("univi", "video"), ("gpt", "audio-video"))
)


def test_as_in_the_papers_first_table() -> None:
    combinations = grid([UNIVI, SALMONN, SECAP, GPT], [], [])
    assert [one.name for one in combinations] == ["salmonn", "secap", "univi", "gpt", "salmonn+univi", "secap+univi"]


def test_as_in_the_papers_second_table() -> None:
    combinations = grid([SALMONN], ["qwen", "llama@http://gpu:8000/v1"], ["qwen"])
    assert [one.name for one in combinations] == ["salmonn__qwen__qwen", "salmonn__llama__qwen"]
    assert combinations[1].disambiguator == "llama@http://gpu:8000/v1"


def test_subtitles_alone() -> None:
    assert grid([], ["a", "b"], []) == [Combination((), "a"), Combination((), "b")]
    assert Combination(()).name == "subtitle"


def test_folders_are_never_shared() -> None:
    with pytest.raises(InputError, match="called 'salmonn'"):
        grid([SALMONN, SALMONN], [], [])


def test_names() -> None:
    assert as_file_name("Qwen/Qwen2.5-Omni-7B") == "Qwen-Qwen2.5-Omni-7B"
    assert as_file_name("../..") == "model"
    assert parted("Qwen/Qwen3-8B@http://gpu:8000/v1") == ("Qwen/Qwen3-8B", "http://gpu:8000/v1")
    assert parted("owner/name@v2") == ("owner/name@v2", "")


def test_a_file_of_one_medium(tmp_path: Path) -> None:
    write_clues(tmp_path / "univi.jsonl", [Clue("a", "video", "x"), Clue("b", "video", "", failed="no video")])
    assert clue_source(tmp_path / "univi.jsonl") == ClueSource("univi", "video", tmp_path / "univi.jsonl")
    write_clues(tmp_path / "both.jsonl", [Clue("a", "video", "x"), Clue("a", "audio", "y")])
    with pytest.raises(InputError, match="holds video and audio; a grid combines files of one medium each"):
        clue_source(tmp_path / "both.jsonl")
    write_clues(tmp_path / "none.jsonl", [])
    with pytest.raises(InputError, match="holds no clue at all"):
        clue_source(tmp_path / "none.jsonl")
