"""What judges answer: a score from 0 to 10, modalities; all else is refused, and never becomes a number."""

from __future__ import annotations

import re

from mertools.ov.answers import read_label_list, read_text
from mertools.ov.chat import Unreadable

MODALITIES = ("audio", "visual", "content")
"""What a description may draw on, as the judge is told them (EMER, Figure 5)."""

HIGHEST = 10
"""The best score; 0 is the worst."""

SCORE = re.compile(
    r"(?:(?:the )?score(?: is)?\s*[:=]?\s*)?(?P<number>-?[0-9]+(?:\.[0-9]+)?)(?:\s*(?:/|out of)\s*(?P<of>[0-9]+))?\.?",
    re.IGNORECASE,
)
EMPHASIS = " \t\n*_`\"'"


def read_score(text: str) -> float:
    """The score that is an answer's whole text: `8`, `7.5`, `Score: 8`, `8/10` or `8 out of 10`.

    Raises Unreadable for one out of range or of another scale, and for anything beside it: of two numbers, or of a
    number in a sentence, only the judge can say which is the score.
    """
    match = SCORE.fullmatch(read_text(text).replace("**", "").strip(EMPHASIS))
    if match is None:
        raise Unreadable(f"it is not one number from 0 to {HIGHEST} with nothing beside it")
    if match["of"] and int(match["of"]) != HIGHEST:
        raise Unreadable(f"it is a score of {match['of']}; the scale ends at {HIGHEST}")
    score = float(match["number"])
    if not 0 <= score <= HIGHEST:
        raise Unreadable(f"{match['number']} is not from 0 to {HIGHEST}")
    return score


def read_modalities(text: str) -> frozenset[str]:
    """The modalities that an answer lists; raises Unreadable for what is no list, and for other words than these."""
    found = frozenset(read_label_list(text))
    if others := sorted(found.difference(MODALITIES)):
        raise Unreadable(f"{others[0]!r} is none of {', '.join(MODALITIES)}; list those alone that are covered")
    return found
