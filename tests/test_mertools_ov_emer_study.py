"""The draw of EMER's procedure: which clips, and which annotators for each."""

from __future__ import annotations

from collections import Counter
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mertools.clip import Clip
from mertools.errors import InputError
from mertools.ov.emer_study import Study, StudyClip, assign, eligible, read_study, study_id, write_study

ITEMS = [f"clip-{number:03d}" for number in range(1, 101)]


def test_three_of_six_for_each_clip_and_fifty_clips_for_each() -> None:
    assigned = assign(ITEMS, 6, 3, seed=0)
    assert [len(own) for own in assigned.values()] == [50] * 6
    assert set(Counter(item for own in assigned.values() for item in own).values()) == {3}
    assert all(len(set(own)) == len(own) for own in assigned.values())
    # Not the same two teams all the time, and an order of their own.
    teams = {frozenset(one for one, own in assigned.items() if item in own) for item in ITEMS}
    assert len(teams) > 10 and all(list(own) != sorted(own) for own in assigned.values())
    assert assigned == assign(ITEMS, 6, 3, seed=0) != assign(ITEMS, 6, 3, seed=1)


@given(st.integers(1, 30), st.integers(1, 7), st.integers(1, 7))
def test_nobody_has_more_than_one_clip_more(count: int, annotators: int, per_clip: int) -> None:
    if per_clip > annotators:
        with pytest.raises(InputError, match=f"wanted 1 to {annotators}"):
            assign(ITEMS[:count], annotators, per_clip, 0)
        return
    loads = [len(own) for own in assign(ITEMS[:count], annotators, per_clip, 0).values()]
    assert sum(loads) == count * per_clip and max(loads) - min(loads) <= 1


def test_the_sample_is_drawn_from_what_is_known_not_to_be_excluded() -> None:
    clips = [Clip(f"c{n}", subtitle="x", label=("neutral", "sad", "")[n % 3]) for n in range(30)]
    drawn = eligible(clips, ["neutral"], seed=0)
    assert {clip.label for clip in drawn} == {"sad"} and len(drawn) == 10
    assert drawn == eligible(clips[::-1], ["neutral"], seed=0) != eligible(clips, ["neutral"], seed=1)
    assert len(eligible(clips, [], seed=0)) == 30


def test_a_study_is_read_as_written(tmp_path: Path) -> None:
    clips = (StudyClip("clip-001", "a", "你好", "Hello", "clips/clip-001.mp4"), StudyClip("clip-002", "b", "", "", ""))
    assigned = assign([clip.item for clip in clips], 2, 1, 0)
    told = {"corpus": {"clips": 9}, "steps": {"clues": ["annotator-1"]}, "commands": ("mertools ov build emer",)}
    study = Study(study_id(0, clips, assigned), 0, "en", clips, assigned, **told)
    write_study(tmp_path / "study.json", study)
    assert read_study(tmp_path / "study.json") == study
    assert study.names == {"clip-001": "a", "clip-002": "b"} and study.clips[0].clip.subtitle == "你好"
    (tmp_path / "study.json").write_text("[]")
    with pytest.raises(InputError, match=r"is not the study\.json"):
        read_study(tmp_path / "study.json")
