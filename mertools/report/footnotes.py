"""What stands under a table of results: the meaning of its columns, marks and intervals, and of the paper's numbers."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import TYPE_CHECKING, Any

from mertools.report.comparison import LIMIT_POINTS, STANDARD_DEVIATIONS, rank_correlation
from mertools.report.printed import CHALLENGE_TRAINING_CLIPS, PrintedRows, has_papers_clips, printed_score

if TYPE_CHECKING:
    from mertools.report.tables import Line, Part

ESTIMATES = {
    "cv-paper": "best epoch and configuration chosen on the folds that are reported; optimistic",
    "cv-nested": "epoch, configuration and ranking chosen inside the training folds only",
    "test": "neither trained on nor used to choose anything",
}
"""What each estimate of a result is, in words."""

BEST_IN_BOLD = "Best of each column in bold."
FEWEST_RANKED = 3
"""Two features are in the paper's order or against it: a correlation of them says nothing."""


def footnotes(
    result: Mapping[str, Any], parts: Sequence[Part], lines: Sequence[Line], paper: PrintedRows, names: Sequence[str]
) -> Iterator[str]:
    """The footnotes of a result's table; `lines` and `names` (of the systems) are in the order of the result's rows."""
    rows = result["rows"]
    numbers = [number for line in lines for pair in line.numbers for number in pair if number]
    yield "Scores in per cent."
    for part in parts:
        yield _of_part(part, parts)
    if any(number.interval for number in numbers):
        yield "[low, high]: 95 % bootstrap interval of WAF over clips."
    if any(number.std is not None for number in numbers):
        yield (
            "±: standard deviation over re-runs of the chosen configuration with new seeds and folds; value and "
            "interval beside it are the re-runs' means."
        )
    if len(rows) > 1:
        yield from (
            f"Predictions are those of {name}." for row, name in zip(rows, names, strict=True) if row["written"]
        )
    if any(line.seen for line in lines):
        yield (
            "†: features ranked by the average of the paper's Table 4, which holds both test sets: these systems have "
            "seen test labels in every column."
        )
    if column := result.get("configuration", {}).get("scale_by"):
        yield (
            f"Features are scaled by {column}: transductive, with the means and deviations of all clips of a {column}, "
            "scored ones among them, without their labels."
        )
    for row in rows:
        if row.get("self_training"):
            yield from _on_self_training(row["self_training"])
    if any(line.in_paper for line in lines):
        yield from _on_paper(result, parts, lines, paper, names)


def _on_self_training(found: Mapping[str, Any]) -> Iterator[str]:
    """What a self-trained system has seen, and what its audit warns of."""
    pool = ", ".join(f"{split} ({clips:,})" for split, clips in found["pool"].items())
    if not found.get("pool_used", True):
        yield f"Pool not used: clips without labels of {pool}, which a check warns of."
        yield from (f"Pool not used: warning: {text}" for text in found["warnings"])
        return
    rounds = "no round" if not found["kept"] else f"round {found['kept']}"
    yield f"Self-trained: also on clips without labels of {pool}; {rounds} of {len(found['rounds']) - 1} counts."
    if found["transductive"]:
        yield (
            f"Self-trained, on {', '.join(found['transductive'])}: transductive, the networks have seen these clips, "
            "without their labels."
        )
    if found["held_out"] is not True:
        whom = ", ".join(filter(None, found["given_by"])) or "an unnamed teacher"
        knows = "has seen" if found["held_out"] is False else "may have seen"
        yield (
            f"Self-trained, on train: pseudo-labels were given by {whom}, who {knows} the labels of the held-out "
            "clips; then these scores are optimistic."
        )
    yield from (f"Self-trained: warning: {text}" for text in found["warnings"])


def _of_part(part: Part, parts: Sequence[Part]) -> str:
    if part.of:
        averaged = ", ".join(parts[index].heading for index in part.of)
        return f"{part.heading}: unweighted mean of {averaged}, as in the paper."
    clips = "1 clip" if part.clips == 1 else f"{part.clips:,} clips"
    # Where a split has two estimates, its heading names this one.
    estimate = "" if part.heading.endswith(part.estimate) else f": {part.estimate}"
    other = ", on other features of the same names" if part.variant else ""
    meaning = f": {ESTIMATES[part.estimate]}" if part.estimate in ESTIMATES else ""
    return f"{part.heading}{estimate}, {clips}{other}{meaning}."


def _on_paper(
    result: Mapping[str, Any], parts: Sequence[Part], lines: Sequence[Line], paper: PrintedRows, names: Sequence[str]
) -> Iterator[str]:
    source = "paper: as printed in Tables 4 and 5 of MER2024 (arXiv 2404.17113)"
    if not has_papers_clips(result):
        yield (
            f"{source}, of other clips than these ({CHALLENGE_TRAINING_CLIPS:,} to train on): the two cannot be held "
            "against each other."
        )
        return
    yield f"{source}."
    compared = [cell.beyond for line in lines for pair in line.printed for cell in pair if cell and cell.comparison]
    yield (
        f"!: further from the paper's than chance allows, {STANDARD_DEVIATIONS} standard deviations of the difference "
        f"or {LIMIT_POINTS:g} points: {sum(compared)} of {len(compared)} numbers."
    )
    others = [name for row, name in zip(result["rows"], names, strict=True) if _reads_others(row, result, paper)]
    if others:
        yield f"Other features than the paper's ranking takes, so other systems: {', '.join(others)}."
    yield from _rank_correlations(result["rows"], parts, lines, paper)


def _reads_others(row: Mapping[str, Any], result: Mapping[str, Any], paper: PrintedRows) -> bool:
    """Whether a row of Table 5 fuses other features than the paper's ranking would."""
    if len(row["features"]) == 1 or paper.of(row) is None:
        return False
    modality_of = {feature["name"]: feature["modality"] for feature in result["features"]}
    modalities = {modality_of[feature] for feature in row["features"]}
    best = {feature for modality in modalities for feature in paper.best(modality, row["top"])}
    return set(row["features"]) != best


def _rank_correlations(
    rows: Sequence[Mapping[str, Any]], parts: Sequence[Part], lines: Sequence[Line], paper: PrintedRows
) -> Iterator[str]:
    """How far the features' order by our Table 4 is the paper's, column by column."""
    alone = [
        (row["features"][0], paper.of(row), line)
        for row, line in zip(rows, lines, strict=True)
        if row["kind"] == "single" and line.in_paper
    ]
    if len(alone) < FEWEST_RANKED:
        return
    found = []
    for index, part in enumerate(parts):
        for m, metric in enumerate(("waf", "acc") if part.printed is not None else ()):
            ours = {feature: line.numbers[index][m].value for feature, _, line in alone if line.numbers[index][m]}
            papers = {feature: printed_score(row, part.printed, metric).value for feature, row, _ in alone}
            correlation = rank_correlation(ours, papers)
            if correlation is not None:
                found.append(f"{part.heading} {metric.upper()} {correlation:.2f}")
    if found:
        yield f"Rank correlation (Spearman) with the paper's order of {len(alone)} features: {', '.join(found)}."
