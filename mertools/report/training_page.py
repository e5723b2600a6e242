"""training.html: how an explainer learned: losses and scores, step by step and epoch by epoch."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

from mertools.explain.training_log import read_epochs, read_steps, smoothed
from mertools.report.figures import curve_figure
from mertools.report.rendering import write_page
from mertools.run_record import read_result

METRICS = {"avg": "Avg", "accuracy": "Accuracy", "recall": "Recall"}
DRAWN_STEPS = 2000
"""More points than these are not told apart on a screen."""


def write_training_page(path: Path, run: Path, name: str) -> Path:
    """Write the page of the run in folder `run`, of the configuration `name`, to `path` and return it."""
    steps, epochs = read_steps(run / "steps.csv"), read_epochs(run / "epochs.jsonl")
    figures = [_loss_figure(steps)]
    scored = [row for row in epochs if "avg" in row]
    if scored:
        figures.append(_score_figure(scored))
    return write_page(
        path,
        "training.html.j2",
        figures,
        result=read_result(run),
        title=name,
        steps=len(steps),
        has_scores=bool(scored),
        epochs=list(_epoch_rows(epochs)),
    )


def _loss_figure(steps: Sequence[Mapping[str, Any]]) -> dict[str, Any]:
    curves = {}
    every = max(1, len(steps) // DRAWN_STEPS)
    for stage in dict.fromkeys(row["stage"] for row in steps):
        places = [place for place, row in enumerate(steps) if row["stage"] == stage]
        values = smoothed([steps[place]["loss"] for place in places], weight=0.95)
        curves[stage] = [(place + 1, value) for place, value in zip(places, values, strict=True)][::every]
    return curve_figure(curves, {}, "step", "loss a token, smoothed")


def _score_figure(epochs: Sequence[Mapping[str, Any]]) -> dict[str, Any]:
    """Each score over epochs as points, and their moving average as a line, as AffectGPT's Figures 1 to 5 have them."""
    lines, points = {}, {}
    for stage in dict.fromkeys(row["stage"] for row in epochs):
        rows = [row for row in epochs if row["stage"] == stage]
        for metric, heading in METRICS.items():
            values = [100 * row[metric]["value"] for row in rows]
            numbers = [row["epoch"] for row in rows]
            lines[f"{heading}, {stage}"] = list(zip(numbers, smoothed(values), strict=True))
            points[f"{heading}, {stage}"] = list(zip(numbers, values, strict=True))
    return curve_figure(lines, points, "epoch", "set-level score, %")


def _epoch_rows(epochs: Sequence[Mapping[str, Any]]) -> Iterator[list[str]]:
    for row in epochs:
        scores = [_score(row[metric]) if metric in row else "–" for metric in METRICS]
        yield [row["stage"], str(row["epoch"]), str(row["step"]), f"{row['loss']:.4f}", *scores]


def _score(estimate: Mapping[str, float]) -> str:
    return f"{100 * estimate['value']:.2f} [{100 * estimate['low']:.1f}, {100 * estimate['high']:.1f}]"
