"""Open-vocabulary labels against true ones: scores with intervals, and what else must be known to read them."""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass

from mertools.errors import InputError
from mertools.intervals import Estimate
from mertools.ov.groupings import ByClip, Grouping, fold
from mertools.ov.labels import OpenLabels
from mertools.randomness import generator
from mertools.set_metrics import SetMeasure, overlaps_of, set_estimates

NAMES_SHOWN = 3
CANDIDATES = {
    "en": ("worried", "happy", "neutral", "angry", "surprised", "sad"),
    "zh": ("担心", "高兴", "中性", "生气", "惊讶", "悲伤"),
}
"""What the row `random` draws from, by the language of the true labels (MER2024 §4.3)."""

RANDOM_SEEDS = 10
"""How often the random labels are drawn: a score of one draw says little."""

Truth = Mapping[str, tuple[str, ...]]
"""The true labels of clips, none without any."""

Judge = Callable[[Truth, Mapping[str, OpenLabels], int], Grouping]
"""Gives the grouping by which predictions are scored, from the truth, the predictions and the number of their run."""


@dataclass(frozen=True)
class System:
    """What is scored under one name: the labels of one run or of several, by clip; `files` are where they stand."""

    name: str
    runs: tuple[Mapping[str, OpenLabels], ...]
    files: tuple[str, ...] = ()


@dataclass(frozen=True)
class Coverage:
    """How many labels of several clips a grouping's tables know: `known` of `labels`, and the others by how often."""

    known: int
    labels: int
    unknown: Mapping[str, int]

    @property
    def share(self) -> float:
        """The share of known labels; 1 where there are no labels."""
        return self.known / self.labels if self.labels else 1.0


@dataclass(frozen=True)
class Scores:
    """How the labels of one file score.

    `failed` clips have no labels because no answer could be had, `missing` ones are not in the file; both count as
    clips without a predicted label. `ungrouped` are left out, since their labels could not be grouped; `as_they_are`
    have no groups in a file of groups, and their labels are compared as they are.
    """

    estimates: Mapping[str, Estimate]
    predicted: Coverage
    failed: int = 0
    missing: int = 0
    ungrouped: int = 0
    as_they_are: int = 0


@dataclass(frozen=True)
class SystemScores:
    """The scores of a system, run by run."""

    system: System
    runs: tuple[Scores, ...]


def score_systems(
    truth: Truth, systems: Iterable[System], judge: Judge, measure: SetMeasure, seed: int
) -> list[SystemScores]:
    """The scores of each run of each system, as `score` gives them."""
    return [
        SystemScores(
            system,
            tuple(
                score(truth, labels, judge(truth, labels, number), measure, seed)
                for number, labels in enumerate(system.runs)
            ),
        )
        for system in systems
    ]


def score(
    truth: Truth, predicted: Mapping[str, OpenLabels], grouping: Grouping, measure: SetMeasure, seed: int
) -> Scores:
    """The scores of `predicted` on the clips of `truth`; other clips play no part.

    Raises InputError where no clip is left to score.
    """
    unscored, grouped = (grouping.failed, grouping.groups) if isinstance(grouping, ByClip) else ((), truth)
    clips = [clip for clip in truth if clip not in unscored]
    if not clips:
        raise InputError("No clip is left to score: none has true labels that could be grouped.")
    labels = {clip: predicted[clip].labels if clip in predicted else () for clip in clips}
    overlaps = overlaps_of(
        [grouping.views(clip, truth[clip]) for clip in clips], [grouping.views(clip, labels[clip]) for clip in clips]
    )
    return Scores(
        set_estimates(overlaps, measure, seed),
        coverage(grouping, labels.values()),
        failed=sum(bool(clip in predicted and predicted[clip].failed) for clip in clips),
        missing=sum(clip not in predicted for clip in clips),
        ungrouped=len(truth) - len(clips),
        as_they_are=sum(not grouped.get(clip) for clip in clips),
    )


def coverage(grouping: Grouping, clips: Collection[Collection[str]]) -> Coverage:
    """How many of the labels of `clips`, each clip's counted once, `grouping` knows."""
    labels = [label for clip in clips for label in dict.fromkeys(map(fold, clip))]
    unknown: dict[str, int] = {}
    for label in labels:
        if not grouping.knows(label):
            unknown[label] = unknown.get(label, 0) + 1
    return Coverage(len(labels) - sum(unknown.values()), len(labels), unknown)


def baselines(clips: Collection[str], candidates: Sequence[str], seed: int) -> list[System]:
    """The paper's heuristic baselines: no label at all, and one at random of `candidates` (MER2024 §4.3)."""
    drawn = tuple(_random_labels(clips, candidates, seed + more) for more in range(RANDOM_SEEDS))
    return [System("empty", ({clip: OpenLabels(clip, ()) for clip in clips},)), System("random", drawn)]


def _random_labels(clips: Collection[str], candidates: Sequence[str], seed: int) -> dict[str, OpenLabels]:
    drawn = {clip: int(generator(seed, "random label", clip).integers(len(candidates))) for clip in clips}
    return {clip: OpenLabels(clip, (candidates[number],)) for clip, number in drawn.items()}


def check_names(truth: Collection[str], listed: Collection[str], predicted: Collection[str], file: str) -> None:
    """Refuse predictions that lack clips of `truth`, some of those that are `listed`; further clips are no fault.

    Raises InputError that shows the first three names on either side that have no partner.
    """
    lacking = [name for name in truth if name not in predicted]
    if not lacking:
        return
    beyond = [name for name in predicted if name not in listed]
    raise InputError(
        f"{file} has no labels for {len(lacking)} of {len(truth)} clips with true labels (first: {_first(lacking)}); "
        + (f"it has clips that the truth does not list (first: {_first(beyond)}). " if beyond else "")
        + "Name clips as the truth does, or count them as unlabelled with --allow-missing."
    )


def _first(names: Sequence[str]) -> str:
    return ", ".join(map(repr, names[:NAMES_SHOWN]))
