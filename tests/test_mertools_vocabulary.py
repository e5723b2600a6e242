"""The smallest modules: label sets, clips, registry, randomness."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from mertools.clip import Clip
from mertools.emotions import MER2024, LabelSet, label_set
from mertools.errors import InputError
from mertools.randomness import generator, seed_for, torch_generator
from mertools.registry import look_up


def test_the_six_classes_in_the_challenges_order() -> None:
    assert MER2024.names == ("neutral", "angry", "happy", "sad", "worried", "surprise")
    assert MER2024.index("surprised") == MER2024.index(" Surprise ") == 5


def test_an_unknown_label_names_the_option() -> None:
    with pytest.raises(InputError, match=r"'disgust' is not one of neutral.*--labels"):
        MER2024.index("disgust")


def test_other_label_sets() -> None:
    assert label_set(None, ["x"]) is MER2024
    assert label_set(["joy", "Anger"], []) == LabelSet(("joy", "Anger"))
    assert label_set(["joy", "Anger"], []).index("Anger") == 1
    assert label_set(["auto"], ["b", "", "a", "b"]).names == ("a", "b")
    with pytest.raises(InputError, match="at least two classes, got none"):
        label_set(["auto"], ["", ""])
    with pytest.raises(InputError, match="'a' more than once"):
        label_set(["a", "b", "a"], [])


def test_registry_says_did_you_mean() -> None:
    table = {"hubert-large": 1, "clip-large": 2}
    assert look_up("feature", "clip-large", table) == 2
    with pytest.raises(InputError, match=r"Unknown feature 'hubert-lage'\. Did you mean 'hubert-large'\?"):
        look_up("feature", "hubert-lage", table)
    with pytest.raises(InputError, match="Known: hubert-large, clip-large"):
        look_up("feature", "zzz", table)


names = st.lists(st.text(st.characters(exclude_characters="\x1f"), max_size=5), min_size=1, max_size=3)


@given(st.integers(), names, names)
def test_seeds_depend_on_seed_and_names_alone(seed: int, one: list[str], other: list[str]) -> None:
    assert seed_for(seed, *one) == seed_for(seed, *one)
    assert (seed_for(seed, *one) == seed_for(seed, *other)) == (one == other)
    assert 0 <= seed_for(seed, *one) < 2**63


def test_generators_repeat() -> None:
    assert generator(1, "a").random() == generator(1, "a").random() != generator(1, "b").random()
    assert torch_generator(1, "a").initial_seed() == torch_generator(1, "a").initial_seed()


def test_the_media_key_follows_the_medium_and_nothing_else(tmp_path: Path) -> None:
    video, sound, faces = tmp_path / "a.mp4", tmp_path / "a.wav", tmp_path / "faces"
    video.write_bytes(b"v" * 300_000)
    sound.write_bytes(b"s")
    clip = Clip("a", video=video, audio=sound, subtitle="hi", label="sad")
    relabelled = Clip("b", video=video, audio=sound, subtitle="hi", label="happy", split="semi")
    for modality in ("audio", "video", "text"):
        assert clip.media_key(modality) == relabelled.media_key(modality) != ""
    before = {modality: clip.media_key(modality) for modality in ("audio", "video", "text")}
    assert len(set(before.values())) == 3

    video.write_bytes(b"v" * 299_999 + b"w")
    assert clip.media_key("video") != before["video"] and clip.media_key("audio") == before["audio"]
    assert Clip("a", subtitle="ho").media_key("text") != before["text"]
    assert Clip("a", subtitle="h", subtitle_english="i").media_key("text") != before["text"]

    faces.mkdir()
    (faces / "0.png").write_bytes(b"1")
    crops = Clip("a", video=video, faces=faces)
    first = crops.media_key("video")
    assert Clip("a", video=video, faces=faces, faces_order="bgr").media_key("video") != first
    (faces / "1.png").write_bytes(b"2")
    assert crops.media_key("video") != first


def test_no_medium_no_key(tmp_path: Path) -> None:
    clip = Clip("a", video=tmp_path / "absent.mp4")
    assert [clip.media_key(modality) for modality in ("audio", "video", "text")] == ["", "", ""]
    assert np.array_equal(Clip("a").text, "")
