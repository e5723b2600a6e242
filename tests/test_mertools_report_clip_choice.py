from __future__ import annotations

from collections import Counter

from hypothesis import given
from hypothesis import strategies as st

from mertools.clip import Clip
from mertools.report.clip_choice import choose_clips

CORPUS = [Clip(f"clip {number}", label=("happy", "happy", "happy", "sad", "")[number % 5]) for number in range(50)]
DISPUTED = {clip.name: float(number % 7 == 0) for number, clip in enumerate(CORPUS)}


@given(st.lists(st.sampled_from(CORPUS), unique_by=lambda clip: clip.name), st.integers(1, 60), st.integers(0, 9))
def test_the_choice_is_of_the_size_asked_for_and_repeats_none(clips: list[Clip], count: int, seed: int) -> None:
    names = [clip.name for clip in choose_clips(clips, DISPUTED, count, seed)]
    assert len(names) == len(set(names)) == min(count, len(clips))


def test_classes_take_turns() -> None:
    chosen = choose_clips(CORPUS, DISPUTED, 12, seed=0)
    assert Counter(clip.label for clip in chosen) == {"happy": 4, "sad": 4, "": 4}


def test_half_are_the_most_disputed_and_half_drawn() -> None:
    clips = [Clip(f"clip {number}", label="happy") for number in range(100)]
    disputed = {clip.name: float(number < 10) for number, clip in enumerate(clips)}
    chosen = [clip.name for clip in choose_clips(clips, disputed, 10, seed=0)]
    share = sum(disputed[name] for name in chosen)
    assert 5 <= share < 10
    assert all(disputed[name] for name in chosen[:5])


def test_the_choice_is_the_seeds_whatever_the_order_of_the_manifest() -> None:
    chosen = {clip.name for clip in choose_clips(CORPUS, DISPUTED, 12, seed=0)}
    assert {clip.name for clip in choose_clips(CORPUS[::-1], DISPUTED, 12, seed=0)} == chosen
    assert {clip.name for clip in choose_clips(CORPUS, DISPUTED, 12, seed=1)} != chosen


def test_the_most_disputed_stand_first() -> None:
    values = [DISPUTED[clip.name] for clip in choose_clips(CORPUS, DISPUTED, 30, seed=0)]
    assert values == sorted(values, reverse=True)
