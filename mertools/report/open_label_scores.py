"""Scores of open-vocabulary labels as a table, as notes below it, and as JSON."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import asdict, dataclass
from typing import Any

from mertools.ov.scoring import Coverage, SystemScores
from mertools.report.printed_labels import PrintedLabels
from mertools.run_record import score_rows, versions
from mertools.set_metrics import HIT_LEVEL, SetMeasure

HEADINGS = {
    "avg": "Avg",
    "accuracy": "Accuracy",
    "recall": "Recall",
    "f1": "F1",
    "precision": "Precision",
    "hit_rate": "Hit rate",
    "m_score": "M-score",
}
HITS_NOTE = (
    "Hit rate: clips whose label is among the predicted ones. M-score: a hit counts one over the number of the corpus' "
    "classes that are predicted."
)
WITH_TABLES = ("lexicon", "wheel")
"""Groupings that know some labels and others not."""
UNKNOWN_SHOWN = 5
"""How many unknown labels a note names, the most frequent first."""


@dataclass(frozen=True)
class ScoreSheet:
    """Scores of several systems on the same clips, and what their reader must know.

    `rule` says in words what makes labels the same by `grouping`, `clips` counts those with true labels and
    `unlabelled` the others, `known` is the coverage of the true labels. `paper` adds
    the rows of a paper's table.
    """

    grouping: str
    rule: str
    measure: SetMeasure
    systems: Sequence[SystemScores]
    clips: int
    unlabelled: int
    known: Coverage
    notice: str = ""
    paper: PrintedLabels | None = None

    @property
    def shows_coverage(self) -> bool:
        """Whether some labels may lie outside the grouping's tables."""
        return self.grouping in WITH_TABLES


def table(sheet: ScoreSheet) -> tuple[list[str], list[list[str]]]:
    """Header and rows; scores in per cent with four digits, as the paper prints them, each with its interval."""
    metrics = [heading for name in sheet.measure.names for heading in (HEADINGS[name], f"{HEADINGS[name]} 95 %")]
    header = ["system", "clips", *metrics, *(["known"] if sheet.shows_coverage else []), "failed", "missing"]
    rows = [_row(sheet, scores) for scores in sheet.systems]
    width = len(header)
    return header, rows + [row + [""] * (width - len(row)) for row in (_papers_rows(sheet) if sheet.paper else [])]


def notes(sheet: ScoreSheet) -> Iterator[str]:
    """What the reader of the table must know, a sentence a line."""
    if sheet.notice:
        yield sheet.notice
    yield f"Per cent, with 95 % bootstrap intervals over clips. Labels are the same by {sheet.grouping}: {sheet.rule}."
    if sheet.measure is HIT_LEVEL:
        yield HITS_NOTE
    if sheet.unlabelled:
        yield f"Not scored, since they have no true label: {sheet.unlabelled} clips."
    if sheet.shows_coverage:
        yield _coverage_note("true", sheet.known)
        yield "known: the share of a system's labels that are in the tables."
    if any(len(scores.runs) > 1 for scores in sheet.systems):
        yield "±: the standard deviation over runs (random: over draws); value and interval are their means."
    if any(run.failed or run.missing for scores in sheet.systems for run in scores.runs):
        yield "failed: no answer could be had; missing: not in the file. Both are scored as clips without labels."
    for scores in sheet.systems:
        if any(counts := [run.ungrouped for run in scores.runs]):
            yield f"{scores.system.name}: grouping failed for {_counts(counts)} clips, which are left out of its row."
        if any(counts := [run.as_they_are for run in scores.runs]):
            yield f"{scores.system.name}: {_counts(counts)} clips have no groups, their labels are taken as they are."
    if sheet.paper:
        yield from _papers_notes(sheet)


def record(sheet: ScoreSheet) -> dict[str, Any]:
    """The sheet as JSON holds it: scores in fractions, as in result.json."""
    return {
        "versions": versions(),
        "grouping": sheet.grouping,
        "rule": sheet.rule,
        "notice": sheet.notice,
        "truth": {"clips": sheet.clips, "unlabelled": sheet.unlabelled, "coverage": _coverage(sheet, sheet.known)},
        "systems": [
            {
                "name": scores.system.name,
                "files": list(scores.system.files),
                "scores": score_rows("all", "test", [run.estimates for run in scores.runs]),
                "runs": [
                    {
                        "failed": run.failed,
                        "missing": run.missing,
                        "ungrouped": run.ungrouped,
                        "as_they_are": run.as_they_are,
                        "coverage": _coverage(sheet, run.predicted),
                    }
                    for run in scores.runs
                ],
            }
            for scores in sheet.systems
        ],
        "paper": sheet.paper.records if sheet.paper else [],
    }


def _row(sheet: ScoreSheet, scores: SystemScores) -> list[str]:
    rows = score_rows("all", "test", [run.estimates for run in scores.runs])
    row = [scores.system.name, str(rows[0]["n"])]
    for score in rows:
        deviation = "" if score["std"] is None else f"±{100 * score['std']:.2f}"
        row += [f"{100 * score['value']:.2f}{deviation}", f"[{100 * score['low']:.1f}, {100 * score['high']:.1f}]"]
    if sheet.shows_coverage:
        labels = sum(run.predicted.labels for run in scores.runs)
        row.append(f"{100 * sum(run.predicted.known for run in scores.runs) / labels:.1f}" if labels else "")
    return [*row, *(_counts([getattr(run, kind) for run in scores.runs]) for kind in ("failed", "missing"))]


def _counts(of_runs: Sequence[int]) -> str:
    """A count a run; one where all are alike."""
    return str(of_runs[0]) if len(set(of_runs)) == 1 else ", ".join(map(str, of_runs))


def _papers_rows(sheet: ScoreSheet) -> list[list[str]]:
    clips = str(sheet.paper.citation.clips)
    return [
        [f"paper: {what}", clips, *(cell for score in scores for cell in (score, ""))]
        for what, scores in sheet.paper.rows(sheet.measure.names)
    ]


def _papers_notes(sheet: ScoreSheet) -> Iterator[str]:
    if not sheet.paper.records:
        yield "The paper's tables are not installed: they stand in results/reference/ of a checkout."
        return
    yield f"paper: {sheet.paper.citation.title}, grouped by GPT-3.5 (gpt-3.5-turbo-16k-0613, which is no more)."
    if sheet.grouping not in ("llm", "groups"):
        yield f"Your rows are grouped by {sheet.grouping}: the two are not to be compared to the digit."


def _coverage(sheet: ScoreSheet, found: Coverage) -> dict[str, Any] | None:
    return asdict(found) if sheet.shows_coverage else None


def _coverage_note(whose: str, found: Coverage) -> str:
    text = f"Of {found.labels} {whose} labels {found.known} are in the tables ({100 * found.share:.1f} %)"
    if not found.unknown:
        return f"{text}."
    frequent = sorted(found.unknown, key=lambda label: (-found.unknown[label], label))[:UNKNOWN_SHOWN]
    return f"{text}; outside them, the most frequent first: {', '.join(frequent)}."
