"""The report's interactive figures, as plain JSON for Plotly: scores with intervals, search history, attention,
calibration, degradation by noise, judges' scores over epochs, losses.

Colours, fonts and backgrounds are left to the page, which knows whether the reader's screen is light or dark.
Names are escaped, since Plotly reads a little HTML in every text.
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from html import escape
from typing import Any

import numpy as np
import plotly.graph_objects as go

from mertools.calibration import Calibration
from mertools.ov.judgements import JudgedScore
from mertools.report.tables import MODALITY_HEADINGS, Line, Part, Table

SYMBOLS = ("circle", "diamond", "square", "triangle-up", "cross", "x", "star", "triangle-down")
COLOURS = 6
"""The colours of series that report.css has; more lines than that share some, with other symbols."""
SHOWN_TICKS = 12
"""More epochs than these get no tick each."""
SHOWN_POINTS = 60
"""More points than these make a figure that is several screens long."""


def shown_lines(table: Table) -> list[Line]:
    """The lines that a figure has room for, in the table's order: the best by the first part's WAF, and the written."""
    parts = sum(bool(part.estimate) for part in table.parts)
    room = max(6, SHOWN_POINTS // max(1, parts))

    def worth(line: Line) -> float:
        waf = line.numbers[0][0]
        return float("inf") if line.written else waf.value if waf else float("-inf")

    best = sorted(table.lines, key=worth, reverse=True)[:room]
    return [line for line in table.lines if any(line is one for one in best)]


def scores_figure(parts: Sequence[Part], lines: Sequence[Line]) -> dict[str, Any]:
    """WAF of the systems on every part (averages aside), with its 95 % interval; `parts` are the lines' columns."""
    figure = go.Figure()
    drawn = [(index, part) for index, part in enumerate(parts) if part.estimate]
    height = 0.6 / max(1, len(drawn))
    for rank, (index, part) in enumerate(drawn):
        # The first line and the first part stand on top, as in the table.
        points = [
            (len(lines) - 1 - row + (len(drawn) - 1) / 2 * height - rank * height, line, line.numbers[index][0])
            for row, line in enumerate(lines)
            if line.numbers[index][0] is not None
        ]
        numbers = [number for _, _, number in points]
        figure.add_scatter(
            name=_escaped(part.heading),
            x=[number.value for number in numbers],
            y=[y for y, _, _ in points],
            error_x={
                "array": [0 if number.high is None else number.high - number.value for number in numbers],
                "arrayminus": [0 if number.low is None else number.value - number.low for number in numbers],
                "thickness": 1.5,
                "width": 3,
            },
            mode="markers",
            marker={"size": 9, "symbol": SYMBOLS[rank % len(SYMBOLS)]},
            text=[
                f"{_name(line)}<br>{_escaped(part.heading)} ({_escaped(part.estimate)}): {number} {number.interval}"
                for _, line, number in points
            ],
            hovertemplate="%{text}<extra></extra>",
        )
    figure.update_yaxes(
        tickvals=list(range(len(lines))),
        ticktext=[_name(line) for line in reversed(lines)],
        range=[-0.6, len(lines) - 0.4],
    )
    figure.update_xaxes(title="WAF, %")
    return _as_json(figure, height=110 + len(lines) * max(34, 16 * len(drawn)))


def search_figure(
    trials: Sequence[Mapping[str, Any]], chosen: Mapping[str, Any] | None, parameters: Sequence[str]
) -> dict[str, Any]:
    """Value of each trial by its number, and the best so far; repeated draws are hollow, the chosen trial a star."""
    figure = go.Figure()
    numbers = np.array([trial["number"] for trial in trials])
    values = 100 * np.array([trial["value"] for trial in trials], dtype=float)
    repeated = np.array([trial["repeats"] is not None for trial in trials], dtype=bool)
    texts = np.array([_trial_text(trial, parameters) for trial in trials], dtype=object)
    won = np.array([trial is chosen for trial in trials], dtype=bool)
    figure.add_scatter(
        name="best so far",
        x=numbers.tolist(),
        y=np.maximum.accumulate(values).tolist(),
        mode="lines",
        line={"shape": "hv", "width": 2},
        hoverinfo="skip",
    )
    for name, rows, marker in (
        ("trial", ~repeated & ~won, {"size": 8, "symbol": "circle"}),
        ("repeat of an earlier draw", repeated & ~won, {"size": 8, "symbol": "circle-open"}),
        ("chosen", won, {"size": 15, "symbol": "star"}),
    ):
        if rows.any():
            figure.add_scatter(
                name=name,
                x=numbers[rows].tolist(),
                y=values[rows].tolist(),
                mode="markers",
                marker=marker,
                text=texts[rows].tolist(),
                hovertemplate="%{text}<extra></extra>",
            )
    figure.update_xaxes(title="trial")
    figure.update_yaxes(title="mean WAF over folds, %")
    return _as_json(figure, height=380)


def attention_figure(features: Sequence[str], weights: np.ndarray) -> dict[str, Any]:
    """The distribution of attention weights (N, F) over clips: a box a feature, whiskers from 5 % to 95 %.

    A weight of 0 means that the clip lacks the feature, so it does not count.
    """
    figure = go.Figure()
    boxes = [np.quantile(w[w > 0], [0.05, 0.25, 0.5, 0.75, 0.95]) if (w > 0).any() else None for w in weights.T]
    drawn = [(len(features) - 1 - row, box) for row, box in enumerate(boxes) if box is not None]
    if drawn:
        low, first, median, third, high = np.array([box for _, box in drawn]).T.tolist()
        figure.add_box(
            orientation="h",
            y=[y for y, _ in drawn],
            lowerfence=low,
            q1=first,
            median=median,
            q3=third,
            upperfence=high,
            showlegend=False,
            hoverinfo="x",
        )
    # Without any preference each feature would get this much.
    figure.add_vline(x=1 / len(features), line={"width": 1, "dash": "dot"})
    figure.update_yaxes(
        tickvals=list(range(len(features))),
        ticktext=[_escaped(feature) for feature in reversed(features)],
        range=[-0.6, len(features) - 0.4],
    )
    figure.update_xaxes(title="attention weight", rangemode="tozero")
    return _as_json(figure, height=90 + 44 * len(features))


def degradation_figure(ratios: Sequence[str], curves: Mapping[str, Sequence[Mapping[str, float]]]) -> dict[str, Any]:
    """WAF over the ratio of speech to noise: a line and the band of its 95 % intervals for each of `curves`.

    `ratios` are the ratios as they are shown, the cleanest first. Each curve has a name and, ratio by ratio, `value`,
    `low` and `high` as fractions.
    """
    figure = go.Figure()
    places = list(range(len(ratios)))
    for number, (name, points) in enumerate(curves.items()):
        texts = [
            f"{_escaped(ratio)}, {_escaped(name)}<br>{100 * point['value']:.2f} % "
            f"[{100 * point['low']:.1f}, {100 * point['high']:.1f}]"
            for ratio, point in zip(ratios, points, strict=True)
        ]
        values = ([100 * point[key] for point in points] for key in ("value", "low", "high"))
        _add_curve(figure, number, name, places, *values, texts)
    figure.update_xaxes(
        title="speech to noise, dB", tickvals=places, ticktext=list(map(_escaped, ratios)), zeroline=False
    )
    figure.update_yaxes(title="WAF, %")
    return _as_json(figure, height=420)


def curve_figure(
    lines: Mapping[str, Sequence[tuple[float, float]]],
    points: Mapping[str, Sequence[tuple[float, float]]],
    across: str,
    up: str,
) -> dict[str, Any]:
    """A line for each of `lines`, (x, y) by name, and the `points` that it smooths, in the same colour.

    `across` and `up` are the axes' titles.
    """
    figure = go.Figure()
    for number, (name, curve) in enumerate(lines.items()):
        common = {"legendgroup": name, "meta": {"series": number % COLOURS + 1}, "cliponaxis": False}
        figure.add_scatter(
            name=_escaped(name),
            x=[x for x, _ in curve],
            y=[y for _, y in curve],
            mode="lines",
            line={"width": 2},
            **common,
        )
        if name in points:
            figure.add_scatter(
                name=_escaped(name),
                x=[x for x, _ in points[name]],
                y=[y for _, y in points[name]],
                mode="markers",
                marker={"size": 7, "symbol": SYMBOLS[number % len(SYMBOLS)]},
                showlegend=False,
                **common,
            )
    figure.update_xaxes(title=across, zeroline=False)
    figure.update_yaxes(title=up)
    return _as_json(figure, height=380)


def checkpoint_figure(
    unit: str, curves: Mapping[str, Sequence[tuple[int, JudgedScore]]], limit: float | None
) -> dict[str, Any]:
    """A judge's score over epochs: a line and the band of its 95 % intervals for each training of `curves`.

    Scores are as they are shown, in `unit`; `limit` is what the truth gets, drawn as a dotted line.
    """
    figure = go.Figure()
    for number, (name, points) in enumerate(curves.items()):
        scores = [score for _, score in points]
        texts = [
            f"{_escaped(name)}, epoch {epoch}<br>{score.value:.2f} [{score.low:.2f}, {score.high:.2f}]"
            for epoch, score in points
        ]
        values = ([getattr(score, end) for score in scores] for end in ("value", "low", "high"))
        _add_curve(figure, number, name, [epoch for epoch, _ in points], *values, texts)
    if limit is not None:
        figure.add_hline(y=limit, line={"width": 1, "dash": "dot"})
    epochs = sorted({epoch for points in curves.values() for epoch, _ in points})
    ticks = {"tickvals": epochs} if len(epochs) <= SHOWN_TICKS else {"tick0": 0}
    figure.update_xaxes(title="epoch", zeroline=False, **ticks)
    figure.update_yaxes(title=unit, rangemode="tozero")
    return _as_json(figure, height=420)


def loss_figure(losses: Sequence[float]) -> dict[str, Any]:
    """The mean loss of each epoch, counted from 1."""
    figure = go.Figure()
    figure.add_scatter(
        x=list(range(1, len(losses) + 1)),
        y=list(losses),
        mode="lines+markers" if len(losses) <= SHOWN_TICKS else "lines",
        line={"width": 2},
        hovertemplate="epoch %{x}<br>%{y:.4f}<extra></extra>",
        meta={"series": 1},
        cliponaxis=False,
    )
    figure.update_xaxes(title="epoch", zeroline=False)
    figure.update_yaxes(title="loss")
    return _as_json(figure, height=380)


def _add_curve(
    figure: go.Figure,
    number: int,
    name: str,
    places: Sequence[float],
    value: Sequence[float],
    low: Sequence[float],
    high: Sequence[float],
    texts: Sequence[str],
) -> None:
    """The `number`-th line of a figure, counted from 0, and the band from `low` to `high` around it."""
    series = number % COLOURS + 1
    figure.add_scatter(
        x=[*places, *reversed(places)],
        y=[*high, *reversed(low)],
        fill="toself",
        mode="lines",
        line={"width": 0},
        hoverinfo="skip",
        showlegend=False,
        legendgroup=name,
        meta={"series": series},
    )
    figure.add_scatter(
        name=_escaped(name),
        x=list(places),
        y=value,
        mode="lines+markers",
        line={"width": 2},
        marker={"size": 8, "symbol": SYMBOLS[number % len(SYMBOLS)]},
        text=texts,
        hovertemplate="%{text}<extra></extra>",
        legendgroup=name,
        meta={"series": series},
        cliponaxis=False,
    )


def calibration_figure(calibration: Calibration) -> dict[str, Any]:
    """The reliability diagram: how often right (up) by how confident (across); a point a bin, its area the clips."""
    figure = go.Figure()
    bins = [one for one in calibration.bins if one.clips]
    most = max(one.clips for one in bins)
    figure.add_scatter(
        x=[0, 100], y=[0, 100], mode="lines", line={"width": 1, "dash": "dot"}, hoverinfo="skip", showlegend=False
    )
    figure.add_scatter(
        x=[100 * one.confidence for one in bins],
        y=[100 * one.accuracy for one in bins],
        mode="lines+markers",
        line={"width": 1},
        marker={"size": [5 + 17 * (one.clips / most) ** 0.5 for one in bins], "opacity": 0.85},
        text=[
            f"{one.clips:,} clips, {100 * one.low:.0f} to {100 * one.high:.0f} % confident<br>"
            f"on average {100 * one.confidence:.1f} % confident, {100 * one.accuracy:.1f} % right"
            for one in bins
        ],
        hovertemplate="%{text}<extra></extra>",
        showlegend=False,
        cliponaxis=False,
    )
    figure.update_xaxes(title="confidence, %", range=[0, 104])
    figure.update_yaxes(title="right, %", range=[-4, 104])
    return _as_json(figure, height=300)


def _escaped(text: str) -> str:
    """`text` as Plotly shows it literally; it knows no `&quot;`."""
    return escape(text, quote=False)


def _name(line: Line) -> str:
    """A line of the table by a name that needs no heading above it."""
    return _escaped(line.system if line.group in MODALITY_HEADINGS.values() else f"{line.group} {line.system}")


def _trial_text(trial: Mapping[str, Any], parameters: Sequence[str]) -> str:
    drawn = "".join(f"<br>{_escaped(name)} {_escaped(str(trial[name]))}" for name in parameters)
    repeats = "" if trial["repeats"] is None else f"<br>repeats trial {trial['repeats']}, not trained again"
    return f"trial {trial['number']}: {100 * trial['value']:.2f} %{drawn}{repeats}"


def _as_json(figure: go.Figure, height: int) -> dict[str, Any]:
    figure.update_layout(
        template="none",
        height=height,
        margin={"l": 8, "r": 12, "t": 8, "b": 8},
        # A finger that drags over a figure scrolls the page.
        dragmode=False,
        hovermode="closest",
        legend={"orientation": "h", "x": 0, "xanchor": "left", "y": 1.02, "yanchor": "bottom"},
    )
    figure.update_xaxes(automargin=True, fixedrange=True)
    figure.update_yaxes(automargin=True, fixedrange=True)
    return json.loads(figure.to_json())
