"""Clips of the challenge are not labelled by hand."""

from __future__ import annotations

import pytest

from mertools.corpora.hand_labels import refuse_challenge_clips
from mertools.errors import InputError


@pytest.mark.parametrize("name", ["sample_00000012", "samplenew_00000797", "samplenew3_00115595"])
def test_the_challenges_clips_are_known_by_name(name: str) -> None:
    with pytest.raises(InputError, match=rf"1 of 2 clips .*{name}.*participants cannot manually annotate samples"):
        refuse_challenge_clips(["mine", name])


def test_other_clips_pass() -> None:
    refuse_challenge_clips(["sample_1", "film-00000012", "my_sample_00000012", "dia0_utt3", "sample_000000123"])
