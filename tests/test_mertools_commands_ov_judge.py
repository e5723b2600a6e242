"""`mertools ov judge` against a scripted judge with known answers: the exact table, and what never becomes a number."""

from __future__ import annotations

import csv
import json
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import pytest
from browser import open_browser
from scripted_server import Reply, ScriptedServer, prompt_of

from mertools.__main__ import dispatch
from mertools.clip import Clip
from mertools.corpus import write_manifest
from mertools.errors import InputError
from mertools.ov.automatic_scores import read_automatic_scores
from mertools.ov.descriptions import read_descriptions
from mertools.ov.labels import OpenLabels, write_labels

TRUE = {"a": "c9 l9 audio visual content", "b": "c8 l8 visual"}
SYSTEMS = {
    "poor": {"a": "c1 l7 visual", "b": "c2 l2 visual"},
    "mixed": {"a": "c6 l3 audio visual", "b": "c1.5 l5 content"},
}
"""What each description is worth by clues and by labels, and what it draws on: the judge reads it off."""

Said = Callable[[str], str]


def judge(request: Mapping[str, Any]) -> str:
    """Summarises by the code it looks for, and gives equals a 10, others what the predicted code says."""
    prompt = prompt_of(request)
    if "Scores range" in prompt:
        true, predicted = (line.split(": ")[1] for line in prompt.splitlines()[-3:-1])
        return "Score: 10" if true == predicted else predicted[1:]
    words = prompt.splitlines()[-2].split(": ")[1].split()
    if "modalities" in prompt:
        return ", ".join(words[2:]) or "none"
    return words["emotional state:" in prompt]


def write(path: Path, texts: Mapping[str, str]) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    rows = [
        {"name": name, "subtitle": "", "description": text, "source": {"model": path.stem}}
        for name, text in texts.items()
    ]
    path.write_text("".join(json.dumps(row) + "\n" for row in rows), encoding="utf-8")
    return path


@pytest.fixture
def files(tmp_path: Path) -> Path:
    write(tmp_path / "truth.jsonl", TRUE)
    for name, texts in SYSTEMS.items():
        write(tmp_path / f"{name}.jsonl", texts)
    return tmp_path


def judged(files: Path, *more: str, script: Callable[..., Any] = judge, out: str = "out") -> list[str]:
    """Judge SYSTEMS; gives the prompts that were sent."""
    predicted = [f"{name}={files / name}.jsonl" for name in SYSTEMS]
    words = ["ov", "judge", "--truth", str(files / "truth.jsonl"), "--predicted", *predicted, "--out", str(files / out)]
    with ScriptedServer(script, ("judge-1",)) as server:
        assert dispatch([*words, "--server", server.url, *more]) == 0
    return server.prompts


def tables(told: str) -> list[dict[str, dict[str, str]]]:
    """The printed tables, each by its rows' first cells."""
    found = []
    for block in told.split("\n\n"):
        if block.startswith("system\t"):
            rows = csv.DictReader(block.splitlines(), delimiter="\t")
            found.append({row["system"]: row for row in rows if row["clips"]} if "clips\t" in block else {})
    return found


def test_known_answers_give_the_exact_table(files: Path, capsys: pytest.CaptureFixture[str]) -> None:
    prompts = judged(files)
    told = capsys.readouterr().out
    overlaps, completeness = tables(told)
    assert {name: (row["Clue overlap"], row["Label overlap"]) for name, row in overlaps.items()} == {
        "poor": ("1.50", "4.50"),
        "mixed": ("3.75", "4.00"),
        "truth (against itself)": ("10.00", "10.00"),
    }
    assert overlaps["truth (against itself)"]["Clue overlap 95 %"] == "[10.00, 10.00]"
    columns = ("clips", "audio", "visual", "content", "modalities", "failed", "unjudged")
    assert {name: [row[column] for column in columns] for name, row in completeness.items()} == {
        "poor": ["2", "0.00", "100.00", "0.00", "1.00", "0", "0"],
        "mixed": ["2", "50.00", "50.00", "50.00", "1.50", "0", "0"],
        "truth (against itself)": ["2", "50.00", "100.00", "50.00", "2.00", "0", "0"],
    }
    assert "Judged by judge-1 (temperature 0.0, max tokens 1024, seed 0), 20" in told
    assert "ought to give 10" not in told
    # Five questions a description; the truth's summaries are asked for once, and equal questions too.
    assert len(prompts) == len(set(prompts)) <= 5 * 6


def test_the_judgement_says_who_judged_and_holds_all_numbers(files: Path, capsys: pytest.CaptureFixture[str]) -> None:
    judged(files)
    found = json.loads((files / "out/judgement.json").read_text())
    assert found["judge"] == {"model": "judge-1", "temperature": 0.0, "max_tokens": 1024, "seed": 0}
    assert found["date"].startswith("20") and found["date"].endswith("Z")
    assert found["systems"][0]["runs"][0]["values"]["clue_overlap"] == [1, 2]
    rows = {(row.name, row.system, row.metric): row.value for row in read_automatic_scores(files / "out/scores.csv")}
    assert rows["b", "mixed", "clue_overlap by judge-1"] == 1.5
    assert rows["a", "truth", "modalities by judge-1"] == 3
    capsys.readouterr()
    assert dispatch(["ov", "judge", "show", str(files / "out/judgement.json"), "--paper"]) == 0
    told = capsys.readouterr().out
    overlaps = tables(told)[0]
    assert (overlaps["mixed"]["Clue overlap"], overlaps["paper: Valley"]["Clue overlap"]) == ("3.75", "7.21")
    assert "not to be compared to the digit" in told


def test_malformed_scores_are_asked_for_again_and_never_become_numbers(
    files: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    def rambling(request: Mapping[str, Any]) -> str:
        prompt = prompt_of(request)
        if "Scores range" in request["messages"][0]["content"] and "c6" in request["messages"][0]["content"]:
            return "5" if len(request["messages"]) > 1 else "Well, 6 or 5."
        if "c2" in request["messages"][0]["content"] and "Scores range" in request["messages"][0]["content"]:
            return "12"
        return judge(request) if len(request["messages"]) == 1 else prompt

    judged(files, script=rambling)
    told = capsys.readouterr().out
    overlaps, _ = tables(told)[:2]
    # mixed: a repaired 5 and 1.5; poor: 1 alone.
    assert (overlaps["mixed"]["Clue overlap"], overlaps["poor"]["Clue overlap"]) == ("3.25", "1.00")
    assert (overlaps["mixed"]["unjudged"], overlaps["poor"]["unjudged"]) == ("0", "1")
    assert "poor\tb\tclue_overlap\tunreadable: 12 is not from 0 to 10" in told
    found = json.loads((files / "out/judgement.json").read_text())
    assert found["systems"][0]["runs"][0]["values"]["clue_overlap"] == [1, None]


def test_a_judge_that_doubts_the_truth_is_told(files: Path, capsys: pytest.CaptureFixture[str]) -> None:
    judged(files, script=lambda request: "8" if "Scores range" in prompt_of(request) else "visual")
    told = capsys.readouterr().out
    assert "judge-1 gives the truth against itself 8.00 in clue overlap (2 of 2 clips below 10), and ought to" in told


def test_runs_have_a_mean_and_a_deviation(files: Path, capsys: pytest.CaptureFixture[str]) -> None:
    seeds: list[int] = []

    def moody(request: Mapping[str, Any]) -> str:
        if request["seed"] not in seeds:
            seeds.append(request["seed"])
        if "Scores range" not in prompt_of(request):
            return judge(request)
        return str(4 + 2 * seeds.index(request["seed"]))

    judged(files, "--runs", "2", script=moody)
    overlaps, completeness = tables(capsys.readouterr().out)
    assert overlaps["poor"]["Clue overlap"] == "5.00±1.41"
    assert completeness["mixed"]["modalities"] == "1.50±0.00"
    assert len(seeds) == 2


def test_oracles_see_the_truth_and_say_so(files: Path, capsys: pytest.CaptureFixture[str]) -> None:
    judged(files, "--oracle")
    told = capsys.readouterr().out
    overlaps, completeness = tables(told)
    clue, label = (overlaps[f"Baseline ({by}), sees the truth"] for by in ("Clue", "Label"))
    assert (clue["Clue overlap"], clue["Label overlap"]) == ("4.00", "2.50")
    assert (label["Clue overlap"], label["Label overlap"]) == ("1.25", "6.00")
    assert completeness["Baseline (Clue), sees the truth"]["audio"] == "50.00"
    assert "They bound what a choice could reach; no system could make it." in told
    rows = list(read_descriptions(files / "out/baseline-clue-sees-the-truth/descriptions.jsonl"))
    assert [row.description for row in rows] == [SYSTEMS["mixed"]["a"], SYSTEMS["poor"]["b"]]
    assert rows[0].source["system"] == "mixed" and rows[0].source["judge"].keys() > {"model", "date"}
    with pytest.raises(InputError, match="--oracle chooses among systems"):
        dispatch(
            [*(["ov", "judge", "--oracle", "--truth"]), f"{files}/truth.jsonl", "--predicted", f"x={files}/poor.jsonl"]
        )


def test_what_different_judges_say_is_no_one_table(files: Path, capsys: pytest.CaptureFixture[str]) -> None:
    judged(files)
    judged(files, "--temperature", "1", out="warm")
    first, other = str(files / "out/judgement.json"), str(files / "warm/judgement.json")
    with pytest.raises(InputError, match=r"judged by judge-1 \(temperature 0\.0.* by judge-1 \(temperature 1\.0"):
        dispatch(["ov", "judge", "show", first, other])
    capsys.readouterr()
    assert dispatch(["ov", "judge", "show", first, other, "--mixed-judges"]) == 0
    lines = capsys.readouterr().out.split("\n\n")[0].splitlines()
    assert len(lines) == 1 + 2 * 3 and all("judge-1 (temperature" in line for line in lines[1:])


def test_judgements_that_do_not_belong_together(files: Path, capsys: pytest.CaptureFixture[str]) -> None:
    judged(files)
    first = str(files / "out/judgement.json")
    copy = files / "copy.json"
    copy.write_bytes(Path(first).read_bytes())
    with pytest.raises(InputError, match=r"'poor' stands in .*judgement\.json and in .*copy\.json"):
        dispatch(["ov", "judge", "show", first, str(copy)])
    write(files / "truth.jsonl", {"a": "c9 l9", "b": "c8 l7 visual"})
    judged(files, out="other")
    with pytest.raises(InputError, match="judged against another truth"):
        dispatch(["ov", "judge", "show", first, str(files / "other/judgement.json"), "--mixed-judges"])
    with pytest.raises(InputError, match=r"is not the judgement\.json"):
        dispatch(["ov", "judge", "show", str(files / "truth.jsonl")])


def test_one_judges_files_are_one_table(files: Path, capsys: pytest.CaptureFixture[str]) -> None:
    for name in SYSTEMS:
        words = ["ov", "judge", "--truth", str(files / "truth.jsonl"), "--predicted", f"{name}={files / name}.jsonl"]
        with ScriptedServer(judge, ("judge-1",)) as server:
            assert dispatch([*words, "--out", str(files / f"{name}-judged"), "--server", server.url]) == 0
    capsys.readouterr()
    assert dispatch(["ov", "judge", "show", *(str(files / f"{name}-judged/judgement.json") for name in SYSTEMS)]) == 0
    lines = capsys.readouterr().out.split("\n\n")[0].splitlines()
    assert [line.split("\t")[0] for line in lines] == ["system", "poor", "truth (against itself)", "mixed"]


def test_a_second_judgement_asks_nothing(files: Path, capsys: pytest.CaptureFixture[str]) -> None:
    judged(files)
    before = json.loads((files / "out/judgement.json").read_text())
    assert judged(files) == []
    assert json.loads((files / "out/judgement.json").read_text())["systems"] == before["systems"]


def test_true_labels_and_manifests(files: Path, capsys: pytest.CaptureFixture[str]) -> None:
    write_labels(
        files / "labels.csv", [OpenLabels("a", ("x", "l7")), OpenLabels("b", ("y", "l8")), OpenLabels("c", ())]
    )
    judged(files, "--truth", str(files / "labels.csv"))
    told = capsys.readouterr().out
    overlaps, completeness = tables(told)
    assert (overlaps["poor"]["Clue overlap"], overlaps["poor"]["Label overlap"]) == ("–", "6.00")
    assert overlaps["truth (against itself)"]["Label overlap"] == "10.00"
    assert completeness["poor"]["visual"] == "100.00" and completeness["truth (against itself)"]["visual"] == "–"
    assert "Not judged, since nothing is true of them there: 1 clip." in told
    clips = [
        Clip(name, subtitle="x", columns={"description": text, "notice": "Made up."}) for name, text in TRUE.items()
    ]
    write_manifest(files / "manifest.csv", clips)
    judged(files, "--truth", str(files / "manifest.csv"), out="by-manifest")
    told = capsys.readouterr().out
    assert tables(told)[0]["mixed"]["Clue overlap"] == "3.75" and "\nMade up.\n" in told


def test_what_is_not_described_counts_as_nothing(files: Path, capsys: pytest.CaptureFixture[str]) -> None:
    write(files / "poor.jsonl", {"a": "c1 l7 visual"})
    with pytest.raises(InputError, match=r"poor\.jsonl lacks 1 of 2 clips with a truth \(first: 'b'\)"):
        judged(files)
    judged(files, "--allow-missing")
    overlaps, completeness = tables(capsys.readouterr().out)
    assert (overlaps["poor"]["Clue overlap"], overlaps["poor"]["failed"]) == ("0.50", "1")
    assert completeness["poor"]["visual"] == "50.00"


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (["--predicted", "truth=poor.jsonl"], "The truth itself is called 'truth' already"),
        (["--predicted", "x=poor.jsonl", "x=mixed.jsonl"], "Another system is called 'x' already"),
        (["--predicted", "x=absent.jsonl"], "There is no file absent.jsonl"),
        (["--predicted", "x=chinese.jsonl"], r"compare texts of two languages: x: 2 zh; truth: 2 en\. Translate"),
        (["--checkpoints", "x=."], "holds no checkpoints' descriptions: wanted epoch-0/descriptions.jsonl"),
        ([], "Nothing to judge"),
    ],
)
def test_bad_input_is_refused(files: Path, words: list[str], message: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(files)
    write(files / "chinese.jsonl", {"a": "他很高兴。", "b": "他很难过。"})
    with pytest.raises(InputError, match=message):
        dispatch(["ov", "judge", "--truth", "truth.jsonl", *words])
    assert not (files / "judgement").exists()


def test_checkpoints_are_curves(files: Path, capsys: pytest.CaptureFixture[str]) -> None:
    for epoch, texts in enumerate(({"a": "c1 l1", "b": "c1 l1"}, *SYSTEMS.values())):
        write(files / f"mine/epoch-{epoch}/descriptions.jsonl", texts)
    judged(files, "--checkpoints", f"mine={files / 'mine'}", "--oracle")
    told = capsys.readouterr().out
    overlaps = tables(told)[0]
    assert [overlaps[f"mine, epoch {epoch}"]["Clue overlap"] for epoch in range(3)] == ["1.00", "1.50", "3.75"]
    assert overlaps["Checkpoints (Label), sees the truth"]["Label overlap"] == "6.00"
    page = (files / "out/curves.html").read_text()
    assert "judge-1 (temperature 0.0" in page and '<th scope="row">2</th>' in page and "has no epoch 0" not in told
    (files / "mine/epoch-0/descriptions.jsonl").unlink()
    judged(files, "--checkpoints", f"mine={files / 'mine'}")
    assert "mine has no epoch 0: what training added cannot be seen." in capsys.readouterr().out


@pytest.mark.page
def test_the_curves_can_be_looked_at(files: Path) -> None:
    for name in ("mine", "<b>other</b>"):
        for epoch, texts in enumerate(SYSTEMS.values()):
            write(files / f"{len(name)}/epoch-{epoch}/descriptions.jsonl", texts)
    series = [f"{name}={files / str(len(name))}" for name in ("mine", "<b>other</b>")]
    judged(files, "--checkpoints", *series)
    with open_browser() as page:
        for width in (1280, 390):
            page.open(files / "out/curves.html", width=width)
            assert page.evaluate("document.documentElement.scrollWidth <= innerWidth")
        assert page.evaluate("[...document.querySelectorAll('.legendtext')].map(e => e.textContent)") == [
            "mine",
            "<b>other</b>",
        ]
        shown = "document.querySelector('[data-panel]:not([hidden]) caption').textContent"
        assert page.evaluate(shown) == "Clue overlap (score, 0 to 10) with its 95 % interval."
        page.click("[data-chooser] label:last-child")
        assert page.evaluate(shown) == "Modalities (mean number, 0 to 3) with its 95 % interval."
        assert page.problems == [] and all(url.startswith(("file:", "data:")) for url in page.requests)


def test_a_server_that_breaks_leaves_no_judgement(files: Path) -> None:
    with pytest.raises(InputError):
        judged(files, script=lambda request: Reply("no such key", status=401))
    assert not (files / "out/judgement.json").exists()
