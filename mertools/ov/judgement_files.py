"""judgement.json: what a judge said, clip by clip; and the same as a table, for people's ratings to be held against."""

from __future__ import annotations

import csv
import json
from collections.abc import Mapping
from dataclasses import asdict
from pathlib import Path
from typing import Any

from mertools.errors import InputError
from mertools.ov.automatic_scores import COLUMNS
from mertools.ov.judgements import JudgedSystem, Judgement, automatic_scores, score
from mertools.ov.judging import METRICS, Verdicts

FORMAT = "mertools judgement 1"


def write_judgement(path: Path, judgement: Judgement) -> None:
    """Write a judgement, with each system's scores, atomically."""
    contents = {
        "format": FORMAT,
        "judge": dict(judgement.judge),
        "date": judgement.date,
        **judgement.made,
        "truth": dict(judgement.truth),
        "seed": judgement.seed,
        "systems": [_record(system, judgement) for system in judgement.systems],
        "clips": judgement.clips,
    }
    temporary = path.with_name(f".{path.name}.tmp")
    temporary.write_text(json.dumps(contents, ensure_ascii=False, allow_nan=False) + "\n", encoding="utf-8")
    temporary.replace(path)


def read_judgement(path: Path) -> Judgement:
    """Read judgement.json; raises InputError for a file that is absent or is none."""
    try:
        contents = json.loads(path.read_text(encoding="utf-8"))
    except FileNotFoundError:
        raise InputError(f"There is no judgement {path}. `mertools ov judge` writes one as judgement.json.") from None
    except ValueError:
        contents = None
    if not isinstance(contents, dict) or contents.get("format") != FORMAT:
        raise InputError(f"{path} is not the judgement.json that `mertools ov judge` writes.")
    clips = tuple(contents["clips"])
    return Judgement(
        contents["judge"],
        contents["date"],
        contents["truth"],
        clips,
        tuple(_system(record, clips) for record in contents["systems"]),
        contents["seed"],
    )


def write_automatic_scores(path: Path, judgement: Judgement) -> None:
    """Write every number of a judgement as `mertools ov rate import --metrics` reads it, atomically."""
    temporary = path.with_name(f".{path.name}.tmp")
    with temporary.open("w", encoding="utf-8", newline="") as file:
        writer = csv.writer(file, lineterminator="\n")
        writer.writerow(COLUMNS)
        writer.writerows(automatic_scores(judgement))
    temporary.replace(path)


def _record(system: JudgedSystem, judgement: Judgement) -> dict[str, Any]:
    scores = {metric: score(system, metric, judgement.seed) for metric in METRICS}
    return {
        "name": system.name,
        "file": system.file,
        "failed": system.failed,
        "series": system.series,
        "epoch": system.epoch,
        "chosen_by": system.chosen_by,
        "scores": [{"metric": metric, **asdict(found)} for metric, found in scores.items() if found],
        "runs": [
            {
                # By the order of the clips: names once, not once a number.
                "values": {metric: [of.get(clip) for clip in judgement.clips] for metric, of in run.values.items()},
                "unjudged": {metric: dict(reasons) for metric, reasons in run.unjudged.items() if reasons},
            }
            for run in system.runs
        ],
    }


def _system(record: Mapping[str, Any], clips: tuple[str, ...]) -> JudgedSystem:
    runs = tuple(
        Verdicts(
            {
                metric: {clip: value for clip, value in zip(clips, values, strict=True) if value is not None}
                for metric, values in run["values"].items()
            },
            run["unjudged"],
        )
        for run in record["runs"]
    )
    kept = ("file", "failed", "series", "epoch", "chosen_by")
    return JudgedSystem(record["name"], runs, **{name: record[name] for name in kept})
