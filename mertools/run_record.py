"""A run describes itself: its folder, and result.json in it."""

from __future__ import annotations

import hashlib
import importlib.metadata
import json
import platform
import shlex
import statistics
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any

import mertools
from mertools.errors import InputError
from mertools.model_sources.downloads import without_credentials
from mertools.whole_files import whole_file

if TYPE_CHECKING:
    from mertools.intervals import Estimate

SCHEMA = 1
RESULT = "result.json"


def make_run_folder(runs: Path, configuration: Mapping[str, Any]) -> Path:
    """A new folder `<UTC time>-<hash of the configuration>` under `runs`."""
    digest = fingerprint(configuration)[:8]
    started = datetime.now(UTC).strftime("%Y%m%dT%H%M%SZ")
    for attempt in range(100):
        folder = runs / f"{started}-{digest}{f'-{attempt + 1}' if attempt else ''}"
        try:
            folder.mkdir(parents=True)
        except FileExistsError:
            continue  # the same command was started twice within a second
        return folder
    raise InputError(f"{runs} already holds 100 runs named {started}-{digest}.")


def fingerprint(value: Any) -> str:
    """A digest of a value that JSON can hold (paths and the like as text)."""
    text = json.dumps(value, sort_keys=True, ensure_ascii=False, default=str)
    return hashlib.sha256(text.encode()).hexdigest()[:16]


def command_line(program: str, arguments: Sequence[str]) -> str:
    """The command as it can be typed again, but for passwords in addresses: records are passed on."""
    return shlex.join([program, *map(without_credentials, arguments)])


def versions(*packages: str) -> dict[str, str]:
    """Versions of this suite, Python and the distributions named."""
    found = {"mertools": mertools.__version__, "python": platform.python_version()}
    return found | {package: importlib.metadata.version(package) for package in packages}


def now() -> str:
    """The time in UTC, ISO 8601 to the second."""
    return datetime.now(UTC).isoformat(timespec="seconds").replace("+00:00", "Z")


def write_result(folder: Path, result: Mapping[str, Any]) -> Path:
    """Write `result` as result.json in `folder`, atomically; scores are fractions, NaN is refused."""
    path = folder / RESULT
    with whole_file(path) as file:
        file.write(json.dumps({"schema": SCHEMA, **result}, indent=2, ensure_ascii=False, allow_nan=False) + "\n")
    return path


def score_rows(split: str, kind: str, runs: Sequence[Mapping[str, Estimate]]) -> list[dict[str, Any]]:
    """The scores of one split as they stand in result.json, a row a metric; `kind` says what estimate they are.

    `runs` are the estimates of one run by metric, or those of several re-runs: value and interval are then the mean
    over these, and `std` is their standard deviation.
    """
    return [
        {
            "split": split,
            "estimate": kind,
            "metric": metric,
            "value": statistics.fmean(run[metric].value for run in runs),
            "std": statistics.stdev(run[metric].value for run in runs) if len(runs) > 1 else None,
            "low": statistics.fmean(run[metric].low for run in runs),
            "high": statistics.fmean(run[metric].high for run in runs),
            "n": runs[0][metric].n,
        }
        for metric in runs[0]
    ]


def written_row(result: Mapping[str, Any]) -> dict[str, Any]:
    """The row of the system whose predictions lie in the run's folder."""
    return next(row for row in result["rows"] if row["written"])


def read_result(folder: Path) -> dict[str, Any]:
    """The result of the run in `folder`; raises InputError where there is none or of another schema."""
    path = folder / RESULT
    try:
        result = json.loads(path.read_text(encoding="utf-8"))
    except FileNotFoundError:
        raise InputError(f"{folder} holds no {RESULT}: it is no run, or one that did not finish.") from None
    except ValueError:
        raise InputError(f"{path} is not JSON.") from None
    if result.get("schema") != SCHEMA:
        raise InputError(f"{path} has schema {result.get('schema')}, this version reads {SCHEMA}.")
    return result
