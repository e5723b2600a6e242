"""training.html in headless Chromium: curves are drawn, scores stand in a table, nothing is asked of the network."""

from __future__ import annotations

from pathlib import Path

import pytest
from browser import open_browser

from mertools import run_record
from mertools.explain.training_log import EpochLog, StepLog
from mertools.report.training_page import write_training_page


def make_run(folder: Path, scored: bool) -> Path:
    """A run of two stages of 30 steps, measured after each 10 where it is `scored`."""
    steps, epochs = StepLog(folder / "steps.csv"), EpochLog(folder / "epochs.jsonl")
    for number, stage in enumerate(("coarse", "fine")):
        for step in range(30):
            steps.add(number, stage, step, 3 / (1 + step), 1e-3)
        for epoch in range(4) if scored else ():
            estimate = {"value": 0.1 * epoch + 0.05, "low": 0.1 * epoch, "high": 0.1 * epoch + 0.1}
            of_all = dict.fromkeys(("avg", "accuracy", "recall"), estimate)
            row = {"number": number, "stage": stage, "epoch": epoch, "step": 10 * epoch, "loss": 3 / (1 + 10 * epoch)}
            epochs.add(row | of_all)
    result = {
        "kind": "training",
        "command": "mertools explain train mine.yaml --out run",
        "started": run_record.now(),
        "seed": 0,
        "versions": run_record.versions("torch"),
        "timings": {"seconds": 1.0},
        "files": {"steps": "steps.csv", "epochs": "epochs.jsonl", "page": "training.html"},
    }
    run_record.write_result(folder, result)
    return write_training_page(folder / "training.html", folder, "mine <& yours>")


@pytest.mark.parametrize("scored", [True, False])
def test_the_page_opens_offline(tmp_path: Path, scored: bool) -> None:
    path = make_run(tmp_path, scored)
    with open_browser() as page:
        page.open(path)
        assert page.evaluate("document.querySelector('h1').textContent") == "How mine <& yours> learned"
        assert page.evaluate("document.querySelectorAll('.js-plotly-plot .main-svg').length > 0")
        assert page.evaluate("document.querySelectorAll('.js-plotly-plot').length") == 1 + scored
        assert page.evaluate("document.querySelectorAll('tbody tr th[scope=row]').length") >= 8 * scored
        said = page.evaluate("document.body.textContent")
        assert ("35.00 [30.0, 40.0]" in said) == scored and ("nothing was measured" in said) != scored
        page.open(path, width=390)
        assert page.evaluate("document.documentElement.scrollWidth <= innerWidth"), "no sideways scrolling on a phone"
        assert page.problems == [] and [one for one in page.requests if not one.startswith(("file:", "data:"))] == []
