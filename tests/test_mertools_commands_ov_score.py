"""`mertools ov score`: the table, the JSON, and what is refused."""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from scripted_server import ScriptedServer

from mertools.__main__ import dispatch
from mertools.clip import Clip
from mertools.corpus import write_manifest
from mertools.errors import InputError
from mertools.ov.labels import OpenLabels, write_labels

TRUTH = [OpenLabels("a", ("happy", "grateful")), OpenLabels("b", ("Angry", "lamp")), OpenLabels("c", ())]
FIRST = [OpenLabels("a", ("joyful",)), OpenLabels("b", (), "no answer"), OpenLabels("c", ("sad",))]
SECOND = [OpenLabels("a", ("joyful", "thankful")), OpenLabels("b", ("furious",)), OpenLabels("z", ())]


@pytest.fixture
def files(tmp_path: Path) -> Path:
    for name, rows in (("truth", TRUTH), ("run-1/labels", FIRST), ("run-2/labels", SECOND)):
        path = tmp_path / f"{name}.csv"
        path.parent.mkdir(exist_ok=True)
        write_labels(path, rows)
    return tmp_path


def scored(files: Path, capsys: pytest.CaptureFixture[str], *words: str) -> str:
    assert dispatch(["ov", "score", "--truth", str(files / "truth.csv"), *words]) == 0
    return capsys.readouterr().out


def cells(out: str) -> dict[str, dict[str, str]]:
    header, *rows = [line.split("\t") for line in out.splitlines() if "\t" in line]
    return {row[0]: dict(zip(header, row, strict=True)) for row in rows}


def test_the_table(files: Path, capsys: pytest.CaptureFixture[str]) -> None:
    one, two = str(files / "run-1/labels.csv"), str(files / "run-2/labels.csv")
    out = scored(files, capsys, "--predicted", one, f"both={one},{two}", "--ceiling", str(files / "truth.csv"))
    table = cells(out)
    assert list(table) == ["empty", "random", "run-1", "both", "ceiling"]
    # Accuracy (1 + 0) / 2, recall (1/2 + 0) / 2.
    assert [table["run-1"][column] for column in ("clips", "Avg", "Accuracy", "Recall")] == [
        "2",
        "37.50",
        "50.00",
        "25.00",
    ]
    # The second run: accuracy 1, recall (1 + 1/2) / 2.
    assert table["both"]["Avg"] == f"{(37.5 + 87.5) / 2:.2f}±{50 / 2**0.5:.2f}"
    assert table["both"]["failed"] == "1, 0" and table["run-1"]["failed"] == "1"
    assert table["empty"]["Avg"] == "0.00" and table["empty"]["Avg 95 %"] == "[0.0, 0.0]"
    assert table["ceiling"]["Avg"] == "100.00" and table["ceiling"]["known"] == "75.0"
    assert "±" in table["random"]["Avg"]
    assert "Of 4 true labels 3 are in the tables (75.0 %); outside them, the most frequent first: lamp." in out
    assert "Not scored, since they have no true label: 1 clips." in out


def test_json_holds_fractions(files: Path, capsys: pytest.CaptureFixture[str]) -> None:
    found = json.loads(scored(files, capsys, "--predicted", f"mine={files}/run-2/labels.csv", "--json"))
    mine = found["systems"][-1]
    assert mine["name"] == "mine" and mine["files"] == [f"{files}/run-2/labels.csv"]
    values = {score["metric"]: score["value"] for score in mine["scores"]}
    assert values == pytest.approx({"avg": 0.875, "accuracy": 1.0, "recall": 0.75})
    assert found["truth"]["coverage"]["unknown"] == {"lamp": 1} and found["truth"]["unlabelled"] == 1


def test_the_papers_rows_stand_below(files: Path, capsys: pytest.CaptureFixture[str]) -> None:
    out = scored(files, capsys, "--predicted", str(files / "run-2/labels.csv"), "--paper", "--grouping", "exact")
    table = cells(out)
    row = table["paper: Chat-UniVi [46] L+V"]
    assert [row[column] for column in ("clips", "Avg", "Accuracy", "Recall")] == [
        "332",
        "53.09±0.01",
        "53.68±0.00",
        "52.50±0.02",
    ]
    assert len([name for name in table if name.startswith("paper: ")]) == 17
    assert "not to be compared to the digit" in out and "known" not in row


def test_a_papers_table_in_the_language_of_the_labels(files: Path, capsys: pytest.CaptureFixture[str]) -> None:
    predicted = ["--predicted", str(files / "run-2/labels.csv")]
    name = "paper: SALMONN + Chat-UniVi L+V+A"
    for language, avg in (("en", "62.64±0.22"), ("zh", "56.25±0.11")):
        out = scored(files, capsys, *predicted, "--paper", "affectgpt-table8", "--language", language)
        assert (cells(out)[name]["Avg"], cells(out)[name]["clips"]) == (avg, "66")
        assert "paper: AffectGPT, Table 8, test clips of EMER-Fine, 66 clips, grouped by GPT-3.5" in out
    found = json.loads(scored(files, capsys, *predicted, "--paper", "affectgpt-table2", "--json"))
    assert len(found["paper"]) == 5
    with pytest.raises(InputError, match=r"mer2024-table6 has English labels alone\. With --language zh: affectgpt"):
        scored(files, capsys, *predicted, "--paper", "--language", "zh")
    with pytest.raises(InputError, match=r"Unknown paper's table 'affectgpt-table9'\. Did you mean"):
        scored(files, capsys, *predicted, "--paper", "affectgpt-table9")


def test_a_manifests_open_labels(files: Path, capsys: pytest.CaptureFixture[str]) -> None:
    clips = [
        Clip(row.name, subtitle="x", split=split, open_labels=row.labels)
        for row, split in zip(TRUTH, ("train", "semi", "semi"), strict=True)
    ]
    write_manifest(files / "manifest.csv", clips)
    words = ["ov", "score", "--data", str(files / "manifest.csv"), "--predicted", str(files / "run-2/labels.csv")]
    assert dispatch([*words, "--split", "semi"]) == 0
    assert cells(capsys.readouterr().out)["run-2"]["clips"] == "1"
    with pytest.raises(InputError, match=r"Unknown split of .*manifest.csv 'noise'. Known: train, semi"):
        dispatch([*words, "--split", "noise"])


def test_given_groups_and_what_they_lack(files: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (files / "groups.json").write_text(json.dumps({"a": [["happy", "joyful"]]}))
    out = scored(
        files,
        capsys,
        "--predicted",
        str(files / "run-1/labels.csv"),
        "--grouping",
        "groups",
        "--groups",
        str(files / "groups.json"),
    )
    assert cells(out)["run-1"]["Avg"] == "37.50"
    assert "run-1: 1 clips have no groups, their labels are taken as they are." in out


def test_the_wheels_score(files: Path, capsys: pytest.CaptureFixture[str]) -> None:
    level = {"joy": "joy", "anger": "anger"}
    np.savez(
        files / "wheel_mapping.npz",
        format_mapping=np.array(
            {"happy": ["joy"], "joyful": ["joy"], "angry": ["anger"], "furious": ["anger"]}, dtype=object
        ),
        raw_mapping=np.array({"joy": ["joy"], "anger": ["anger"]}, dtype=object),
        wheel_map_whole=np.array({f"wheel{n}": {"level1": level, "level2": level} for n in range(1, 6)}, dtype=object),
    )
    options = ["--grouping", "wheel", "--wheel", str(files / "wheel_mapping.npz"), "--year", "2026"]
    row = cells(scored(files, capsys, "--predicted", str(files / "run-1/labels.csv"), *options))["run-1"]
    assert [row[column] for column in ("F1", "Precision", "Recall", "known")] == ["50.00"] * 3 + ["100.0"]
    for wrong, message in ((["--language", "zh"], "wheels are English"), (["--paper"], "not the wheel's")):
        with pytest.raises(InputError, match=message):
            scored(files, capsys, "--predicted", str(files / "run-1/labels.csv"), *options, *wrong)


def test_a_language_model_groups(files: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """It puts all labels of a clip into one group, and of those with a lamp it knows nothing to say."""

    def script(request: Mapping[str, Any]) -> str:
        labels = json.loads(request["messages"][0]["content"].partition("Emotions: ")[2])
        return "I cannot tell." if "lamp" in labels else f"Here you are: {[[label.upper() for label in labels]]}"

    options = ["--predicted", str(files / "run-2/labels.csv"), "--grouping", "llm"]
    with ScriptedServer(script) as server:
        out = scored(files, capsys, *options, "--server", server.url)
        assert len(server.requests) > 2 and (files / "grouping" / "exchanges.sqlite").is_file()
        before = len(server.requests)
        assert scored(files, capsys, *options, "--server", server.url) == out
        assert len(server.requests) == before
    row = cells(out)["run-2"]
    assert (row["clips"], row["Avg"]) == ("1", "100.00")
    assert "run-2: grouping failed for 1 clips, which are left out of its row." in out
    # Without labels nothing is asked, and nothing fails.
    assert cells(out)["empty"]["clips"] == "2"
    assert scored(files, capsys, *options, "--replay") == out


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (["--groups", "g.json"], "--grouping groups belong together"),
        (["--grouping", "groups"], "--grouping groups belong together"),
        (["--grouping", "wheel"], "--wheel PATH --year 2026"),
        (["--wheel", "w.npz"], "--wheel and --year are for --grouping wheel"),
        (["--split", "semi"], "--data instead of --truth"),
        (["--ceiling", "absent.csv"], "There is no file of labels absent.csv"),
    ],
)
def test_options_that_do_not_go_together(files: Path, words: list[str], message: str) -> None:
    with pytest.raises(InputError, match=message):
        dispatch(["ov", "score", "--truth", f"{files}/truth.csv", "--predicted", f"{files}/run-2/labels.csv", *words])


def test_missing_clips_are_refused_or_counted(files: Path, capsys: pytest.CaptureFixture[str]) -> None:
    write_labels(files / "short.csv", [OpenLabels("a", ("joyful",)), OpenLabels("x", ()), OpenLabels("c", ())])
    with pytest.raises(InputError, match=r"for 1 of 2 clips .*\(first: 'b'\); .*\(first: 'x'\)"):
        scored(files, capsys, "--predicted", str(files / "short.csv"))
    table = cells(scored(files, capsys, "--predicted", str(files / "short.csv"), "--allow-missing"))
    assert table["short"]["missing"] == "1" and table["short"]["Avg"] == "37.50"
    with pytest.raises(InputError, match="Two systems are called 'short'"):
        scored(files, capsys, "--predicted", str(files / "short.csv"), str(files / "short.csv"), "--allow-missing")
