"""The rows of the paper's Tables 4 and 5 that a result's systems are rows of, cell by cell."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from mertools.report.reference import PrintedScore, parse_score, read_table

CHALLENGE_TRAINING_CLIPS = 5030
"""The labelled clips of MER2024's training set (Table 1)."""

COLUMNS = {("train", "cv-paper"): "train_val", ("semi", "test"): "mer_semi", ("noise", "test"): "mer_noise"}
"""The paper's columns, by the split and the estimate they print; it has no counterpart of `cv-nested`."""

AVERAGE = "average"
"""The paper's column of the mean of all of `COLUMNS`."""


@dataclass(frozen=True)
class PrintedRows:
    """The rows of Table 4 by feature and of Table 5 by modalities and top; empty where the paper is not at hand."""

    features: Mapping[str, Mapping[str, str]]
    systems: Mapping[tuple[str, int], Mapping[str, str]]

    @classmethod
    def read(cls) -> PrintedRows:
        """Both tables, from `results/reference/`."""
        return cls(
            {row["feature"]: row for row in read_table("mer2024-table4")},
            {(row["modalities"], int(row["top"])): row for row in read_table("mer2024-table5")},
        )

    def of(self, row: Mapping[str, Any]) -> Mapping[str, str] | None:
        """The paper's row of a result's row, None where it has none.

        Table 4 has features alone. Table 5 has the N best features of each modality: a system that has fewer, or reads
        a feature the paper does not know, is no row of it; nor is a vote or its members, which go by names.
        """
        features, top = row["features"], row["top"]
        if "name" in row or not all(feature in self.features for feature in features):
            return None
        if len(features) == 1:
            return self.features[features[0]]
        if top is None or len(features) != top * len(row["modalities"]):
            return None
        return self.systems.get((row["modalities"], top))

    def best(self, modality: str, count: int) -> list[str]:
        """The features of `modality` (`audio`) that the paper's TopN takes: the best by Table 4's average."""
        rows = [row for row in self.features.values() if row["modality"] == modality]
        rows.sort(key=lambda row: -parse_score(row["average_waf"]).value)
        return [row["feature"] for row in rows[:count]]


def printed_score(row: Mapping[str, str] | None, column: str | None, metric: str) -> PrintedScore | None:
    """The cell of a paper's row, None without a row or a column."""
    return None if row is None or column is None else parse_score(row[f"{column}_{metric}"])


def has_papers_splits(result: Mapping[str, Any]) -> bool:
    """Whether the corpus is split as the paper's is, so that its columns can stand beside ours."""
    splits = result["corpus"]["splits"]
    return "train" in splits and ("semi" in splits or "noise" in splits)


def has_papers_clips(result: Mapping[str, Any]) -> bool:
    """Whether the clips are the paper's own, so that differences mean something: its number of training clips, and no
    notice that says otherwise."""
    corpus = result["corpus"]
    train = corpus["splits"].get("train", {"clips": 0})
    return train["clips"] == CHALLENGE_TRAINING_CLIPS and not corpus.get("notice")
