"""The cells of a grid of noise: which there are, and whose features each has."""

from __future__ import annotations

import math
from dataclasses import replace
from pathlib import Path

import pytest

from mertools.clip import Clip
from mertools.errors import InputError
from mertools.prepare.noise_grid import Cell, grid, same_draw
from noise.recipe import ClipNoise, Piece, Recipe

RECIPE = Recipe(0, "speech", "pyramid", {"one": ClipNoise(7, ((Piece("a.wav", 0.5),),), 4)})
CLIPS = [Clip("one", subtitle="x")]


def test_clean_cells_are_always_there() -> None:
    assert [cell.name for cell in grid([0, 5], [4])] == [
        "snrinf-blur1",
        "snrinf-blur4",
        "snr05-blur1",
        "snr05-blur4",
        "snr00-blur1",
        "snr00-blur4",
    ]
    assert grid([], []) == [Cell(math.inf, 1)]


def test_each_feature_is_extracted_once() -> None:
    cells = grid([20, 15, 10, 5, 0], [1, 2, 4])
    assert len(cells) == 18
    for modality, count in (("audio", 6), ("video", 3), ("text", 1)):
        assert len({cell.source(modality) for cell in cells}) == count
        assert all(cell.source(modality).source(modality) == cell.source(modality) for cell in cells)
    assert Cell(5, 2).source("audio") == Cell(5, 1) and Cell(5, 2).source("video") == Cell(math.inf, 2)


def test_a_draw_is_kept_and_another_one_refused(tmp_path: Path) -> None:
    head = replace(RECIPE, clips={})
    assert same_draw(tmp_path, CLIPS, lambda: RECIPE, head) == RECIPE
    assert same_draw(tmp_path, CLIPS, lambda: pytest.fail("drawn again"), head) == RECIPE
    for clips, wanted in (([*CLIPS, Clip("two", subtitle="x")], head), (CLIPS, replace(head, seed=1))):
        with pytest.raises(InputError, match="of another seed, kind of noise, way of blurring or other clips"):
            same_draw(tmp_path, clips, lambda: RECIPE, wanted)
