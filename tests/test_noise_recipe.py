"""recipe.jsonl: what is written is read, and what is not a recipe is refused."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path

import pytest

from mertools.errors import InputError
from noise.recipe import CLEAN_DB, UNTOUCHED, ClipNoise, Piece, Recipe, read_recipe, write_recipe

RECIPE = Recipe(
    seed=3,
    kind="speech",
    blur_way="pyramid",
    clips={
        "first": ClipNoise(7, ((Piece("us-gov/a.wav", 1.5), Piece("us-gov/b.wav", 0.0)),), 4),
        "第二": ClipNoise(5.25, ((Piece("a.wav", 0.25),), (Piece("b.wav", 0.0),)), None),
        "mute": ClipNoise(None, (), 1),
        "clean": UNTOUCHED,
    },
)


def test_what_is_written_is_read(tmp_path: Path) -> None:
    write_recipe(tmp_path / "new" / "recipe.jsonl", RECIPE)
    assert read_recipe(tmp_path / "new" / "recipe.jsonl") == RECIPE
    lines = [json.loads(line) for line in (tmp_path / "new" / "recipe.jsonl").read_text("utf-8").splitlines()]
    assert lines[1] == {
        "name": "first",
        "snr_db": 7,
        "noise": [[{"file": "us-gov/a.wav", "offset_seconds": 1.5}, {"file": "us-gov/b.wav", "offset_seconds": 0.0}]],
        "blur": 4,
    }


def test_a_clean_ratio_is_json(tmp_path: Path) -> None:
    write_recipe(tmp_path / "recipe.jsonl", RECIPE)
    last = (tmp_path / "recipe.jsonl").read_text("utf-8").splitlines()[-1]
    assert json.loads(last) == {"name": "clean", "snr_db": "inf", "noise": [], "blur": 1}


def test_another_ratio_and_blur_keep_the_voices() -> None:
    quiet, loud = RECIPE.at(CLEAN_DB, 2), RECIPE.at(0, 1)
    assert quiet.clips["first"] == ClipNoise(CLEAN_DB, (), 2)
    assert loud.clips["first"] == replace(RECIPE.clips["first"], snr_db=0, blur=1)
    # What a clip lacks it lacks at any ratio, and what stays clean stays so.
    assert loud.clips["第二"] == replace(RECIPE.clips["第二"], snr_db=0)
    assert loud.clips["mute"] == ClipNoise(None, (), 1) and loud.clips["clean"] == UNTOUCHED
    assert len({RECIPE.fingerprint, quiet.fingerprint, loud.fingerprint}) == 3


def test_the_fingerprint_is_of_what_decides() -> None:
    backwards = replace(RECIPE, clips=dict(reversed(RECIPE.clips.items())))
    assert backwards.fingerprint == RECIPE.fingerprint
    others = [
        replace(RECIPE, blur_way="resize"),
        replace(RECIPE, clips={**RECIPE.clips, "mute": ClipNoise(None, (), 2)}),
        replace(RECIPE, clips={**RECIPE.clips, "more": ClipNoise(None, (), 1)}),
    ]
    assert len({RECIPE.fingerprint, *(other.fingerprint for other in others)}) == 4


@pytest.mark.parametrize("file", ["/etc/a.wav", "../a.wav", "a/../../b.wav", "a\\..\\b.wav", ""])
def test_recordings_stay_inside_their_folder(file: str, tmp_path: Path) -> None:
    write_recipe(tmp_path / "recipe.jsonl", replace(RECIPE, clips={"c": ClipNoise(5, ((Piece(file, 0.0),),), 1)}))
    with pytest.raises(InputError, match=r"line 2: .* leaves the recordings' folder"):
        read_recipe(tmp_path / "recipe.jsonl")


@pytest.mark.parametrize(
    ("lines", "told"),
    [
        ([], "line 1: got schema None"),
        (["not json"], "line 1: "),
        (['{"schema": 9}'], "line 1: got schema 9, wanted 1"),
        (["[]"], "line 1: "),
        ([None, '{"name": "a"}'], "line 2: 'snr_db' is missing"),
        ([None, '{"name": "a", "snr_db": null, "noise": [], "blur": 3}'], "line 2: got blur 3"),
        ([None, '{"name": "a", "snr_db": 5, "noise": [], "blur": 1}'], "line 2: snr_db and noise go together"),
        ([None, *['{"name": "a", "snr_db": null, "noise": [], "blur": 1}'] * 2], "line 3: clip 'a' appears twice"),
    ],
)
def test_other_files_are_refused_with_the_line(lines: list[str | None], told: str, tmp_path: Path) -> None:
    head = '{"schema": 1, "seed": 0, "noise_kind": "speech", "blur_way": "pyramid"}'
    (tmp_path / "recipe.jsonl").write_text("\n".join(line or head for line in lines))
    with pytest.raises(InputError) as refused:
        read_recipe(tmp_path / "recipe.jsonl")
    assert told in str(refused.value) and "draw it again" in str(refused.value)


def test_no_recipe_at_all(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="mertools noise draw"):
        read_recipe(tmp_path / "recipe.jsonl")
