"""sweep.html: how a system degrades under noise, on one page that needs nothing else."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from datetime import datetime
from pathlib import Path
from typing import Any

from mertools.report.figures import degradation_figure
from mertools.report.rendering import write_page
from mertools.report.tables import as_number, split_heading, system_name

CLEAN = "inf"


def write_sweep_page(path: Path, result: Mapping[str, Any], labels: Mapping[str, str], notes: Sequence[str]) -> Path:
    """Write the page of a sweep to `path` and return it.

    `result` is what result.json holds (kind `sweep`), `labels` maps feature names to the paper's spelling, `notes` say
    what its reader must know.
    """
    figures: list[dict[str, Any]] = []

    def place(figure: dict[str, Any]) -> int:
        figures.append(figure)
        return len(figures) - 1

    system, *alone = result["rows"]
    return write_page(
        path,
        "sweep.html.j2",
        figures,
        result=result,
        title=system_name(system, labels),
        started=datetime.fromisoformat(result["started"]),
        blurs=result["grid"]["blur"],
        parts=list(_parts(result, system, place)),
        losses=[
            (system_name(row, labels), part, {what: as_number(loss) for what, loss in part["lost"].items()})
            for row in [system, *alone]
            for part in row["parts"]
        ],
        notes=notes,
    )


def shown_ratio(snr_db: float | str) -> str:
    """A ratio of a result as its reader expects it."""
    return "no noise" if snr_db == CLEAN else f"{snr_db:g}"


def _parts(
    result: Mapping[str, Any], row: Mapping[str, Any], place: Callable[[dict[str, Any]], int]
) -> Iterator[dict[str, Any]]:
    """Each split of a system: its table (a row a ratio, a column a blur), its figure and its numbers."""
    ratios, blurs = result["grid"]["snr_db"], result["grid"]["blur"]
    for part in row["parts"]:
        scores = {(score["snr_db"], score["blur"]): score for score in part["scores"] if score["metric"] == "waf"}
        lost = {(loss["snr_db"], loss["blur"]): as_number(loss) for loss in part["losses"]}
        curves = {
            "no blur" if blur == 1 else f"blur {blur}": [scores[ratio, blur] for ratio in ratios] for blur in blurs
        }
        worst = min(scores.values(), key=lambda score: score["value"])
        yield {
            **part,
            "heading": split_heading(part["split"]),
            "clips": worst["n"],
            "clean": as_number(scores[CLEAN, 1]),
            "worst": as_number(worst),
            "worst_at": f"{shown_ratio(worst['snr_db'])}{' dB' if worst['snr_db'] != CLEAN else ''}, "
            + ("no blur" if worst["blur"] == 1 else f"blur {worst['blur']}"),
            "rows": [
                (shown_ratio(ratio), [(as_number(scores[ratio, blur]), lost[ratio, blur]) for blur in blurs])
                for ratio in ratios
            ],
            "figure": place(degradation_figure([shown_ratio(ratio) for ratio in ratios], curves)),
        }
