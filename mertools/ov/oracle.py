"""Oracle ensembles: of several systems' descriptions of a clip the one that agrees best with the truth (EMER §6.2).

The paper calls them "Baseline (Clue)", "Baseline (Label)" and, over models and epochs, "AffectGPT (Clue)" and
"AffectGPT (Label)". They see the truth: they say how good a choice among the systems could be, and none can make it.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

from mertools.ov.descriptions import Description
from mertools.ov.judgements import SEES_THE_TRUTH, JudgedSystem
from mertools.ov.judging import CLUES, LABELS, Verdicts

CHOOSERS = {CLUES.metric: "Clue", LABELS.metric: "Label"}
"""By which metric an oracle chooses, and what the paper calls that."""

NOBODY = "no system's description was judged"


@dataclass(frozen=True)
class Candidate:
    """A system that an oracle may choose, and its descriptions by clip; failed ones are left out."""

    system: JudgedSystem
    descriptions: Mapping[str, Description]


@dataclass(frozen=True)
class Oracle:
    """The system that an oracle is, and by clip whom it chose; None where no description was judged."""

    system: JudgedSystem
    chosen: Mapping[str, Candidate | None]

    @property
    def folder(self) -> str:
        """What the folder of its descriptions is called: `baseline-clue-sees-the-truth`."""
        return "-".join(re.findall(r"\w+", self.system.name.lower()))


def make_oracle(kind: str, metric: str, candidates: Sequence[Candidate], clips: Iterable[str]) -> Oracle:
    """The oracle over `candidates` that chooses by `metric`; `kind` is what it is called before that.

    Compared are means over runs; of equals the first is chosen. The verdicts are those on the chosen descriptions; a
    clip that nobody describes has 0 in everything, as with any system.
    """
    means = [(one, one.system.means(metric)) for one in candidates]
    chosen: dict[str, Candidate | None] = {}
    for clip in clips:
        judged = [(of[clip], one) for one, of in means if clip in of and clip in one.descriptions]
        chosen[clip] = max(judged, key=lambda pair: pair[0])[1] if judged else None
    failed = [clip for clip in chosen if not any(clip in one.descriptions for one in candidates)]
    # Of a clip that nobody describes the first one's verdict is everybody's.
    verdicts_of = {clip: one for clip, one in chosen.items() if one} | dict.fromkeys(failed, candidates[0])
    unjudged = {metric: {clip: NOBODY for clip in chosen if clip not in verdicts_of}}
    runs = tuple(
        _picked({clip: one.system.runs[run] for clip, one in verdicts_of.items()}, unjudged)
        for run in range(len(candidates[0].system.runs))
    )
    name = f"{kind} ({CHOOSERS[metric]}), {SEES_THE_TRUTH}"
    return Oracle(JudgedSystem(name, runs, failed=len(failed), chosen_by=metric), chosen)


def oracle_descriptions(oracle: Oracle, judge: Mapping[str, Any]) -> Iterator[Description]:
    """The chosen descriptions; their source says that an oracle chose them, by what, and whose they are.

    `judge` is what that source says of the judge.
    """
    system = oracle.system
    origin = {"oracle": system.name, "chosen_by": system.chosen_by, "sees_the_truth": True, "judge": dict(judge)}
    for clip, candidate in oracle.chosen.items():
        if candidate is None:
            yield Description(clip, "", "", source=origin, failed=NOBODY)
            continue
        picked = candidate.descriptions[clip]
        yield replace(picked, source={**origin, "system": candidate.system.name, "of": dict(picked.source)})


def _picked(verdicts: Mapping[str, Verdicts], unjudged: Mapping[str, Mapping[str, str]]) -> Verdicts:
    """Of each clip what its own verdicts say, and what is `unjudged` besides."""
    values: dict[str, dict[str, float]] = {}
    reasons = {metric: dict(of_metric) for metric, of_metric in unjudged.items()}
    for clip, of_clip in verdicts.items():
        for found, kept in ((of_clip.values, values), (of_clip.unjudged, reasons)):
            for metric, by_clip in found.items():
                if clip in by_clip:
                    kept.setdefault(metric, {})[clip] = by_clip[clip]
    return Verdicts(values, reasons)
