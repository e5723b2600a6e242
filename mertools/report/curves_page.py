"""curves.html: what a judge thinks of checkpoints, on one page that needs nothing else (EMER, Figures 6 and 7)."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import replace
from datetime import datetime
from pathlib import Path
from typing import Any

from mertools.ov.judgements import JudgedScore, JudgedSystem, Judgement, score, told, truth_of
from mertools.ov.judging import COUNT, METRICS
from mertools.report.figures import checkpoint_figure
from mertools.report.judgement_table import OVERLAPS, notes
from mertools.report.rendering import write_page

HEADINGS = {**OVERLAPS, **{modality: f"Covers {modality}" for modality in METRICS[2:-1]}, COUNT: "Modalities"}
UNITS = {**dict.fromkeys(OVERLAPS, "score, 0 to 10"), COUNT: "mean number, 0 to 3"}
SHARE = "clips, %"


def write_curves_page(path: Path, judgement: Judgement, further: Sequence[str]) -> Path:
    """Write the page of the checkpoints in `judgement` to `path` and return it.

    `further` are notes on the checkpoints, beside those on the judgement.
    """
    figures: list[dict[str, Any]] = []

    def place(figure: dict[str, Any]) -> int:
        figures.append(figure)
        return len(figures) - 1

    checkpoints = [system for system in judgement.systems if system.series]
    return write_page(
        path,
        "curves.html.j2",
        figures,
        result=judgement.made,
        title="Checkpoints, epoch by epoch",
        judge=told(judgement.judge),
        date=judgement.date,
        asked=datetime.fromisoformat(judgement.date),
        truth=judgement.truth,
        clips_judged=len(judgement.clips),
        parts=list(_parts(judgement, checkpoints, place)),
        notes=[*notes([replace(judgement, systems=(*checkpoints, truth_of(judgement)))]), *further],
    )


def _parts(
    judgement: Judgement, checkpoints: Sequence[JudgedSystem], place: Callable[[dict[str, Any]], int]
) -> Iterator[dict[str, Any]]:
    """Each metric that was asked about: its figure, and its table with a row an epoch and a column a training."""
    for metric, heading in HEADINGS.items():
        curves: dict[str, list[tuple[int, JudgedScore]]] = {}
        for system in checkpoints:
            if found := _shown(system, metric, judgement.seed):
                curves.setdefault(system.series, []).append((system.epoch, found))
        if not curves:
            continue
        limit = _shown(truth_of(judgement), metric, judgement.seed)
        unit = UNITS.get(metric, SHARE)
        yield {
            "heading": heading,
            "unit": unit,
            "series": list(curves),
            "rows": list(_rows(curves)),
            "limit": limit,
            "figure": place(checkpoint_figure(unit, curves, limit and limit.value)),
        }


def _rows(
    curves: Mapping[str, Sequence[tuple[int, JudgedScore]]],
) -> Iterator[tuple[int, list[JudgedScore | None]]]:
    by_epoch = {series: dict(points) for series, points in curves.items()}
    for epoch in sorted({epoch for points in by_epoch.values() for epoch in points}):
        yield epoch, [points.get(epoch) for points in by_epoch.values()]


def _shown(system: JudgedSystem, metric: str, seed: int) -> JudgedScore | None:
    """A score in the unit that it is shown in."""
    found = score(system, metric, seed)
    if found is None or metric in UNITS:
        return found
    std = None if found.std is None else 100 * found.std
    return replace(found, value=100 * found.value, std=std, low=100 * found.low, high=100 * found.high)
