"""Hand labels for clips of a challenge are refused, naming the rule."""

from __future__ import annotations

from pathlib import Path

import pytest

from mertools.clip import Clip
from mertools.corpora.hand_labels import is_of_a_challenge, refuse_challenge_clips
from mertools.errors import InputError


@pytest.mark.parametrize("name", ["sample_00000012", "samplenew_00000012", "samplenew3_00000012"])
def test_clips_are_told_by_their_names(name: str) -> None:
    assert is_of_a_challenge(Clip(name))


@pytest.mark.parametrize("name", ["demo_0001", "sample_12", "my_sample_00000012", "sample_00000012_b"])
def test_other_names_are_free(name: str) -> None:
    assert not is_of_a_challenge(Clip(name))


def test_or_by_their_manifest() -> None:
    assert is_of_a_challenge(Clip("a", columns={"release": "mer2024"}))
    assert not is_of_a_challenge(Clip("a", columns={"release": "ours"}))


def test_the_refusal_names_the_rule() -> None:
    clips = [Clip("mine"), Clip("a", columns={"release": "mer2024"}), Clip("sample_00000001")]
    with pytest.raises(InputError, match=r"2 of 3 clips .* 'release' says mer2024") as refused:
        refuse_challenge_clips(Path("manifest.csv"), clips)
    assert "participants cannot manually annotate samples in MER2024" in str(refused.value)
    assert "--as-organiser" in str(refused.value)
    refuse_challenge_clips(Path("manifest.csv"), clips[:1])
