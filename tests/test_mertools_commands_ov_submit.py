"""`mertools ov submit`: the year's file, from open models alone where the rules say so."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest

from mertools.__main__ import dispatch
from mertools.errors import InputError
from mertools.ov.exchanges import Exchange, Exchanges
from mertools.ov.labels import OpenLabels, write_labels
from mertools.ov.provenance import models_of
from mertools.submissions import RULES, find_faults

ROWS = [OpenLabels("a", ("happy", "at ease")), OpenLabels("b", (), "no answer"), OpenLabels("c", ("sad",))]
OPEN = {"model": "Qwen/Qwen2-7B-Instruct", "clues": [{"model": "salmonn-13b", "modality": "audio"}]}


@pytest.fixture
def run(tmp_path: Path) -> Path:
    """The folder of a run by open models."""
    folder = tmp_path / "ov" / "run-1"
    folder.mkdir(parents=True)
    write_labels(folder / "labels.csv", ROWS)
    describe(folder, OPEN)
    return folder


def describe(folder: Path, *sources: dict) -> None:
    rows = [json.dumps({"name": "a", "description": "…", "source": source}) for source in sources]
    (folder / "descriptions.jsonl").write_text("\n".join(rows) + "\n")


def ask(cache: Path, model: str) -> None:
    with Exchanges(cache) as exchanges:
        exchanges.add(Exchange("key", model, {"prompt": "…"}, 1, "[]"))


def submit(folder: Path, *words: str, year: str = "2024", out: str = "ov.csv") -> Path:
    path = folder / out
    assert (
        dispatch(["ov", "submit", "--labels", f"{folder}/labels.csv", "--year", year, "--out", str(path), *words]) == 0
    )
    return path


def test_a_csv_for_2024(run: Path, capsys: pytest.CaptureFixture[str]) -> None:
    path = submit(run)
    assert path.read_text() == "name,openset\na,\"['happy', 'at ease']\"\nb,[]\nc,['sad']\n"
    assert find_faults(path, RULES["2024"]) == []
    assert capsys.readouterr().out == f"{path}: 3 clips; 1 of them failed and have no labels\n"


def test_candidates_alone_in_their_order(run: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (run / "candidates.csv").write_text("name\nc\na\n")
    path = submit(run, "--candidates", f"{run}/candidates.csv", year="2026", out="mine-openset.npz")
    with np.load(path) as archive:
        assert archive["filenames"].tolist() == ["c", "a"]
        assert archive["fileitems"].tolist() == ["[sad]", "[happy, at ease]"]
    assert capsys.readouterr().out == f"{path}: 2 clips; 1 more are no candidates and are left out\n"
    (run / "candidates.csv").write_text("name\nc\nx\ny\n")
    with pytest.raises(InputError, match=r"lacks 2 of 3 clips to predict .*'x', 'y'"):
        submit(run, "--candidates", f"{run}/candidates.csv")


@pytest.mark.parametrize(
    "source",
    [
        {"model": "gpt-3.5-turbo-16k-0613"},
        {**OPEN, "clues": [{"model": "gpt-4-vision-preview", "modality": "video"}]},
        {**OPEN, "translated": {"from": "zh", "by": {"model": "claude-3-5-sonnet-latest"}}},
    ],
    ids=["description", "clue", "translation"],
)
def test_closed_models_are_refused_for_2024(run: Path, source: dict) -> None:
    describe(run, OPEN, source)
    with pytest.raises(
        InputError, match=r"is a closed model .*descriptions.jsonl names it.*cannot use closed-source models"
    ):
        submit(run)
    assert not (run / "ov.csv").exists()
    # Later years have no such rule.
    assert submit(run, year="2025", out="mine-openset.npz").exists()


@pytest.mark.parametrize("levels", [0, 1, 2])
def test_a_closed_model_in_the_exchanges_is_refused(run: Path, levels: int) -> None:
    ask([run, *run.parents][levels] / "exchanges.sqlite", "gpt-4o")
    with pytest.raises(InputError, match=r"gpt-4o is a closed model .*exchanges.sqlite names it"):
        submit(run)
    # The exchanges of other runs may stand there too: what is said in so many words counts.
    assert submit(run, "--models", "Qwen/Qwen2-7B-Instruct").exists()
    with pytest.raises(InputError, match=r"gpt-4o is a closed model\. MER2024"):
        submit(run, "--models", "qwen2-7b", "gpt-4o")


def test_labels_of_unknown_origin_want_a_word(tmp_path: Path) -> None:
    write_labels(tmp_path / "labels.csv", ROWS)
    assert models_of(tmp_path / "labels.csv") is None
    with pytest.raises(InputError, match=r"Nothing beside .* tells which models made it"):
        submit(tmp_path)
    assert submit(tmp_path, "--models", "none").exists()


def test_models_are_told_by_the_files_that_name_them(run: Path) -> None:
    describe(run, OPEN, {"model": "none"})
    (run / "clues-zh.jsonl").write_text(json.dumps({"name": "a", "source": {"model": "secap"}}) + "\n\n")
    ask(run.parent / "exchanges.sqlite", "qwen3-8b")
    assert {model: path.name for model, path in models_of(run / "labels.csv").items()} == {
        "Qwen/Qwen2-7B-Instruct": "descriptions.jsonl",
        "salmonn-13b": "descriptions.jsonl",
        "secap": "clues-zh.jsonl",
        "qwen3-8b": "exchanges.sqlite",
    }
    (run / "clues-zh.jsonl").write_text('{"name": "a"}\n')
    with pytest.raises(InputError, match="line 1: no object with a 'source'"):
        models_of(run / "labels.csv")


def test_what_the_scorer_would_misread_is_not_written(run: Path) -> None:
    write_labels(run / "labels.csv", [OpenLabels("a", ("高兴",))])
    with pytest.raises(InputError, match="clip 'a': got label '高兴', wanted English labels"):
        submit(run)
    with pytest.raises(InputError, match=r"2025 takes a file .npz"):
        submit(run, year="2025", out="ov.csv")
