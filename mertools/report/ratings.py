"""People's ratings beside other numbers: the paper's, and those of automatic metrics."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from mertools.ov.automatic_scores import AutomaticScore
from mertools.ov.judgements import SEES_THE_TRUTH
from mertools.ov.oracle import CHOOSERS
from mertools.ov.rating import Key
from mertools.report.comparison import rank_correlation
from mertools.report.reference import read_table

GROUND_TRUTH = "Ground Truth"
"""What the paper's table calls the truth."""

ORACLES = tuple(f"({chooser})" for chooser in CHOOSERS.values())
"""How the names of the paper's oracles end."""


@dataclass(frozen=True)
class Correlation:
    """Spearman's rank correlation of one automatic metric with people, -1 to 1.

    `items` is over `n_items` single descriptions, `systems` over the means of `n_systems` systems; None where there is
    no order to compare.
    """

    metric: str
    items: float | None
    n_items: int
    systems: float | None
    n_systems: int


def correlations(scores: Sequence[AutomaticScore], key: Key, means: Mapping[str, float]) -> list[Correlation]:
    """How far each metric orders descriptions, and systems, as people do; `means` are people's, by item.

    The truth is left out: a metric that compares with the truth cannot but give it full marks. A system's mean is over
    the descriptions that both have judged.
    """
    item_of = {(item.clip, item.system): item.id for item in key.items if item.system != key.truth and item.id in means}
    found = []
    for metric in dict.fromkeys(score.metric for score in scores):
        judged = {
            (score.name, score.system): score.value
            for score in scores
            if score.metric == metric and (score.name, score.system) in item_of
        }
        automatic = {item_of[pair]: value for pair, value in judged.items()}
        people = {item: means[item] for item in automatic}
        systems = dict.fromkeys(system for _, system in judged)
        of_systems = [
            {
                system: float(np.mean([values[item_of[pair]] for pair in judged if pair[1] == system]))
                for system in systems
            }
            for values in (automatic, people)
        ]
        found.append(
            Correlation(
                metric,
                rank_correlation(automatic, people),
                len(automatic),
                rank_correlation(*of_systems),
                len(systems),
            )
        )
    return found


def printed_ratings() -> dict[str, str]:
    """What raters gave in the paper by model, as printed (EMER, Table 2); empty where the table is not at hand.

    The paper's oracles are called what they are: each took of every clip the description that agrees best with the
    truth.
    """
    return {
        row["model"] + (f", {SEES_THE_TRUTH}" if row["model"].endswith(ORACLES) else ""): row["human_evaluate"]
        for row in read_table("emer-table2")
    }


def name_in_paper(system: str, key: Key, printed: Mapping[str, str]) -> str:
    """What the paper's table calls `system`, whatever the case of letters; "" where it has no such row."""
    wanted = GROUND_TRUTH if key.truth == system else system
    return next((model for model in printed if model.casefold() == wanted.casefold()), "")
