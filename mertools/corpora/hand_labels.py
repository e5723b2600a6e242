"""Whether people may annotate the clips of a corpus: not those of a challenge, whose rules forbid it."""

from __future__ import annotations

import re
from collections.abc import Sequence
from pathlib import Path

from mertools.clip import Clip
from mertools.corpora.challenges import RELEASES
from mertools.corpora.release import RELEASE_COLUMN
from mertools.errors import InputError

RULE = 'MER2024 §2.4: "participants cannot manually annotate samples in MER2024"'
OVERRIDE = "--as-organiser"

CHALLENGE_NAME = re.compile(r"sample(?:new\d*)?_\d{8}")
"""What the clips of MER2023 to MER2026 are called: `sample_00000012`, `samplenew3_00000012`."""


def is_of_a_challenge(clip: Clip) -> bool:
    """Whether a clip is of a challenge's release: its manifest says so, or it is called as those are.

    `mertools data import` notes the release in the manifest. A manifest that was made otherwise, or before, does not;
    then the name tells. Who renames clips and writes a manifest of their own is not recognised: this reminds of the
    rule, and stops nobody who means to break it.
    """
    return clip.columns.get(RELEASE_COLUMN) in RELEASES or CHALLENGE_NAME.fullmatch(clip.name) is not None


def refuse_challenge_clips(manifest: Path, clips: Sequence[Clip]) -> None:
    """Raises InputError, naming the rule, where some of `clips` are of a challenge."""
    found = [clip for clip in clips if is_of_a_challenge(clip)]
    if found:
        named = found[0].columns.get(RELEASE_COLUMN)
        why = f"its column {RELEASE_COLUMN!r} says {named}" if named in RELEASES else "it is called as those are"
        raise InputError(
            f"{manifest}: {len(found)} of {len(clips)} clips are of a challenge (first: {found[0].name}; {why}), "
            f"and not to be annotated by hand. {RULE}. Its organisers may: {OVERRIDE}. Clips of another corpus that "
            "are called so by chance have to be renamed."
        )
