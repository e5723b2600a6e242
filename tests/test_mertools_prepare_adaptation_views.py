"""What an adaptation shows of a clip: pure draws, whole tubes, and the very pictures that the card sees."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from tiny_video import encoder

from feature_extractors.catalog import CATALOG
from feature_extractors.encoder import Settings
from feature_extractors.face_source import FaceSource
from feature_extractors.pictures import chooser
from mertools.clip import Clip
from mertools.prepare.adaptation.views import SCALES, Draw, draw, tube_mask, view, window

CARD = "videomae-base-voxceleb2"
RECIPES = pytest.mark.parametrize("recipe", ["mer2024", "masked"])


def plain(begin: float = 0.0, **other: object) -> Draw:
    """The whole picture, from the clip's first frame on."""
    return Draw(
        **{"phase": 0.0, "begin": begin, "width": 1.0, "height": 1.0, "place": (0, 0), "hidden": np.zeros(1)} | other
    )


@given(seed=st.integers(0, 99), visit=st.integers(0, 99), patches=st.integers(4, 200))
@settings(max_examples=30, deadline=None)
def test_a_draw_is_a_pure_function_of_seed_visit_and_clip(seed: int, visit: int, patches: int) -> None:
    one, again = draw(seed, visit, "clip 1", patches), draw(seed, visit, "clip 1", patches)
    assert (one.phase, one.begin, one.place) == (again.phase, again.begin, again.place)
    np.testing.assert_array_equal(one.hidden, again.hidden)
    assert one.hidden.sum() == int(0.9 * patches)
    assert abs(SCALES.index(one.width) - SCALES.index(one.height)) <= 1
    others = [draw(seed, visit, "clip 2", patches), draw(seed, visit + 1, "clip 1", patches)]
    assert all(one.begin != other.begin for other in others)


def test_a_tube_hides_a_patch_in_all_pairs_of_frames() -> None:
    hidden = draw(0, 0, "clip", 196).hidden
    tubes = tube_mask(hidden, 8).reshape(8, 14, 14)
    assert (tubes == hidden.reshape(14, 14)).all() and tubes[0].sum() == 176


@given(phase=st.floats(0, 0.999), begin=st.floats(0, 0.999), frames=st.integers(1, 120))
@settings(max_examples=60, deadline=None)
def test_a_window_is_of_frames_as_far_apart_as_the_card_has_them(phase: float, begin: float, frames: int) -> None:
    drawn, times = plain(begin, phase=phase), np.arange(frames) / 25
    for recipe in ("mer2024", "masked"):
        chosen = window(drawn, chooser(CATALOG[CARD].recipe(recipe)), 16, times)
        assert 1 <= len(chosen) <= 16 and chosen[0] >= 0 and chosen[-1] < frames
        assert set(np.diff(chosen)) <= {4}
        if frames >= 4 * 16 + 3:
            assert len(chosen) == 16


def test_every_window_is_drawn() -> None:
    choose, times = chooser(CATALOG[CARD].recipe("mer2024")), np.arange(80) / 25
    grid = (np.arange(20) + 0.5) / 20
    begins = {int(window(plain(begin, phase=phase), choose, 16, times)[0]) for phase in grid for begin in grid}
    assert begins == set(range(20))


@RECIPES
def test_the_whole_first_window_is_what_the_card_sees(
    recipe: str, tiny_sources: Mapping[str, str], crop_clips: list[Clip]
) -> None:
    """Size, channels, spacing and filling: the card's own first view."""
    one = encoder(CARD, tiny_sources, recipe, load=False)
    faces = FaceSource(Settings("dlib"))
    for clip in crop_clips:
        np.testing.assert_array_equal(
            view(clip, faces, CATALOG[CARD].recipe(recipe), plain()), one.prepare(clip).images[0]
        )


def test_a_part_of_the_picture_is_enlarged(crop_clips: list[Clip]) -> None:
    recipe, faces = CATALOG[CARD].recipe("masked"), FaceSource(Settings("dlib"))
    clip = crop_clips[-1]
    whole, part = (view(clip, faces, recipe, plain(width=w, height=w, place=(4, 4))) for w in (1.0, 0.66))
    assert part.shape == whole.shape == (16, 3, 160, 160)
    below = whole[..., 55:, 55:].astype(float)
    # The lower right two thirds, seen larger: alike on average.
    np.testing.assert_allclose(part.mean((2, 3)), below.mean((2, 3)), atol=1.0)
