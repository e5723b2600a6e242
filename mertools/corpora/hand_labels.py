"""The rule that participants of a challenge do not label its clips by hand."""

from __future__ import annotations

import re
from collections.abc import Iterable

from mertools.errors import InputError

RULE = 'MER2024 §2.4: "participants cannot manually annotate samples in MER2024"'

NAME = re.compile(r"sample(new3?)?_\d{8}")
"""What the clips of MER2024 are called: sample_ and samplenew_ with labels, samplenew3_ without."""


def refuse_challenge_clips(names: Iterable[str]) -> None:
    """Raises InputError, with counts and the rule, where people are to label clips of the challenge.

    Clips are known by their names: that is what remains of a release in any manifest.
    """
    names = list(names)
    if found := [name for name in names if NAME.fullmatch(name)]:
        raise InputError(
            f"{len(found)} of {len(names)} clips are the challenge's by their names (first: {found[0]!r}). {RULE}. "
            "Leave them out; clips of your own that are called so need other names."
        )
