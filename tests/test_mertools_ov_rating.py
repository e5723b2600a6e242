"""What raters are asked: the draw of clips, the shuffle that hides the source, the key."""

from __future__ import annotations

from collections import Counter
from dataclasses import replace
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mertools.errors import InputError
from mertools.ov.rating import (
    CHOICES,
    check_language,
    draw_clips,
    draw_study,
    read_key,
    write_key,
)

NAMES = st.lists(st.text(min_size=1, max_size=6), min_size=1, max_size=8, unique=True)


def described(systems: list[str], clips: list[str]) -> dict[str, dict[str, str]]:
    return {system: {clip: f"{system} on {clip}" for clip in clips} for system in systems}


def test_the_papers_choices() -> None:
    assert CHOICES == ("completely wrong", "correct (small part)", "correct (most part)", "completely correct")


@given(systems=NAMES, clips=NAMES, raters=st.integers(1, 4), seed=st.integers(0, 5))
def test_every_rater_gets_every_description_once(systems: list[str], clips: list[str], raters: int, seed: int) -> None:
    key = draw_study(described(systems, clips), clips, raters, seed)
    assert Counter((item.clip, item.system) for item in key.items) == Counter(
        (clip, system) for clip in clips for system in systems
    )
    assert list(key.orders) == [f"rater-{number}" for number in range(1, raters + 1)]
    for order in key.orders.values():
        assert sorted(order) == sorted(item.id for item in key.items)


@given(systems=NAMES, clips=NAMES, seed=st.integers(0, 5))
def test_the_draw_is_that_of_the_seed_whatever_the_order_of_the_files(
    systems: list[str], clips: list[str], seed: int
) -> None:
    texts = described(systems, clips)
    turned = {system: dict(reversed(texts[system].items())) for system in reversed(texts)}
    order = draw_clips(texts, seed)
    assert sorted(order) == sorted(clips)
    assert draw_clips(turned, seed) == order
    key = draw_study(texts, order, 3, seed)
    assert replace(draw_study(turned, order, 3, seed), systems=key.systems) == key


def test_only_clips_that_all_systems_describe_are_drawn() -> None:
    texts = {"a": {"x": "1", "y": "2", "z": "3"}, "b": {"z": "4", "x": "5"}}
    assert sorted(draw_clips(texts, 0)) == ["x", "z"]


def test_raters_see_orders_of_their_own_in_which_no_system_has_a_place() -> None:
    clips = [f"c{number}" for number in range(20)]
    key = draw_study(described(["a", "b", "truth"], clips), clips, 5, 0, truth="truth")
    assert len(set(key.orders.values())) == 5
    system_of = {item.id: item.system for item in key.items}
    for order in key.orders.values():
        places = {system: [n for n, item in enumerate(order) if system_of[item] == system] for system in key.systems}
        # In the middle of 60 places, give or take what chance does to a mean of 20.
        assert all(20 < sum(of_system) / 20 < 39 for of_system in places.values())
    # Nor do numbers tell: each system has items in both halves.
    halves = Counter((item.system, int(item.id[-3:]) > 30) for item in key.items)
    assert min(halves.values()) >= 5 and len(halves) == 6


def test_another_seed_or_text_is_another_study() -> None:
    texts = described(["a", "b"], ["x"])
    studies = {
        draw_study(texts, ["x"], 2, 0).study,
        draw_study(texts, ["x"], 2, 1).study,
        draw_study(texts | {"a": {"x": "changed"}}, ["x"], 2, 0).study,
    }
    assert len(studies) == 3


def test_the_key_is_read_as_it_was_written(tmp_path: Path) -> None:
    key = draw_study(described(["ä", "真"], ["片 1", "b"]), ["片 1", "b"], 2, 3, truth="真")
    write_key(tmp_path / "key.json", key)
    assert read_key(tmp_path / "key.json") == key


def test_what_is_no_key_is_refused(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="There is no key"):
        read_key(tmp_path / "key.json")
    for content in ('{"format": "mertools rating key 1", "items": [{}]}', "", "[]", '{"format": "another"}'):
        (tmp_path / "key.json").write_text(content)
        with pytest.raises(InputError, match=r"not the key\.json"):
            read_key(tmp_path / "key.json")


def test_descriptions_in_several_languages_are_refused_with_counts() -> None:
    texts = {"a": {"x": "She smiles.", "y": "She frowns."}, "b": {"x": "她在微笑。", "y": "She frowns."}}
    check_language(texts, ["y"], None)
    check_language(texts, ["y"], "en")
    with pytest.raises(InputError, match=r"one language.*a: 2 en; b: 1 zh, 1 en"):
        check_language(texts, ["x", "y"], None)
    with pytest.raises(InputError, match=r"not all in zh.*a: 1 en; b: 1 en"):
        check_language(texts, ["y"], "zh")
