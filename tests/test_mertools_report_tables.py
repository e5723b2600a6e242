from __future__ import annotations

import io
from typing import Any

import pytest
from rich.console import Console

from feature_extractors.catalog import CATALOG
from mertools.report.tables import print_table, results_table, system_name, to_markdown, to_rich, to_tsv

NOTICE = "Generated demo corpus, version 2."


def score(split: str, metric: str, value: float, estimate: str = "test", **more: Any) -> dict[str, Any]:
    return {
        "split": split,
        "estimate": estimate,
        "metric": metric,
        "value": value,
        "std": None,
        "low": value - 0.1,
        "high": value + 0.1,
        "n": 48,
        **more,
    }


def row(
    kind: str, modalities: str, features: list[str], scores: list[dict[str, Any]], top: int | None = None
) -> dict[str, Any]:
    return {
        "kind": kind,
        "modalities": modalities,
        "top": top,
        "features": features,
        "written": False,
        "parameters": 12_345,
        "scores": scores,
    }


def cross_validated(waf: float, acc: float, **more: Any) -> list[dict[str, Any]]:
    found = [score("train", "waf", waf, "cv-paper", n=1440, **more), score("train", "acc", acc, "cv-paper", **more)]
    return [*found, score("train", "uar", 0.99, "cv-paper")]


def on_split(split: str, waf: float, acc: float) -> list[dict[str, Any]]:
    return [score(split, "waf", waf), score(split, "acc", acc)]


def result_of(rows: list[dict[str, Any]], notice: str = "", rank_by: str = "train", train: int = 1440) -> dict[str, Any]:
    """A result on the clips of all splits that the rows have scores of, `train` of them for training."""
    splits = {found["split"]: {"clips": found["n"]} for one in rows for found in one["scores"]}
    splits = {split: clips for split, clips in splits.items() if "(" not in split} | {"train": {"clips": train}}
    return {
        "rows": rows,
        "corpus": {"notice": notice, "splits": splits},
        "configuration": {"rank_by": rank_by},
        "features": [{"name": name, "modality": card.modality} for name, card in CATALOG.items()],
    }


@pytest.fixture
def result() -> dict[str, Any]:
    return result_of(
        [
            row("single", "A", ["my-speech"], cross_validated(0.7, 0.71) + on_split("semi", 0.6, 0.5)),
            row("single", "A", ["my-prosody"], cross_validated(0.4, 0.41) + on_split("semi", 0.3, 0.25)),
            row("single", "V", ["face-large"], cross_validated(0.65, 0.66) + on_split("semi", 0.55, 0.875)),
            row(
                "system",
                "AV",
                ["my-speech", "face-large"],
                cross_validated(0.8, 0.81) + on_split("semi", 0.75, 0.7),
                1,
            ),
        ],
        NOTICE,
    )


LABELS = {"my-speech": "HUBERT-large", "my-prosody": "eGeMAPS"}
FOOTNOTES = [
    "Scores in per cent.",
    "Train&Val: cv-paper, 1,440 clips: best epoch and configuration chosen on the folds that are reported; optimistic.",
    "MER-SEMI: test, 48 clips: neither trained on nor used to choose anything.",
    "Average: unweighted mean of Train&Val, MER-SEMI, as in the paper.",
    "[low, high]: 95 % bootstrap interval of WAF over clips.",
]


def test_markdown_is_the_papers_layout_with_the_best_in_bold(result):
    assert to_markdown(results_table(result, LABELS)).splitlines() == [
        "> **Generated demo corpus, version 2.**",
        "",
        "| System | Train&Val WAF | Train&Val ACC | MER-SEMI WAF | MER-SEMI ACC | Average WAF | Average ACC |",
        "| --- | ---: | ---: | ---: | ---: | ---: | ---: |",
        "| *Visual Modality* |  |  |  |  |  |  |",
        "| face-large | 65.00 [55.0, 75.0] | 66.00 | 55.00 [45.0, 65.0] | **87.50** | 60.00 | **76.75** |",
        "| *Acoustic Modality* |  |  |  |  |  |  |",
        "| eGeMAPS | 40.00 [30.0, 50.0] | 41.00 | 30.00 [20.0, 40.0] | 25.00 | 35.00 | 33.00 |",
        "| HUBERT-large | 70.00 [60.0, 80.0] | 71.00 | 60.00 [50.0, 70.0] | 50.00 | 65.00 | 60.50 |",
        "| *A+V* |  |  |  |  |  |  |",
        "| Top1 | **80.00** [70.0, 90.0] | **81.00** | **75.00** [65.0, 85.0] | 70.00 | **77.50** | 75.50 |",
        "",
        "- Best of each column in bold.",
        *(f"- {footnote}".replace("[", r"\[").replace("]", r"\]") for footnote in FOOTNOTES),
    ]


def test_tsv_has_a_number_a_column(result):
    lines = to_tsv(results_table(result)).splitlines()
    assert lines[0] == f"# {NOTICE}"
    assert lines[1].split("\t") == [
        *("group", "system", "Train&Val WAF", "Train&Val WAF low", "Train&Val WAF high", "Train&Val ACC"),
        *("MER-SEMI WAF", "MER-SEMI WAF low", "MER-SEMI WAF high", "MER-SEMI ACC", "Average WAF", "Average ACC"),
    ]
    assert (
        lines[2] == "Visual Modality\tface-large\t65.00\t55.00\t75.00\t66.00\t55.00\t45.00\t65.00\t87.50\t60.00\t76.75"
    )
    assert lines[5] == "A+V\tTop1\t80.00\t70.00\t90.00\t81.00\t75.00\t65.00\t85.00\t70.00\t77.50\t75.50"
    assert lines[6:] == [f"# {footnote}" for footnote in FOOTNOTES]


def test_a_terminal_shows_two_numbers_a_part_and_the_interval_under_them(result):
    assert terminal(result, width=80).splitlines() == [
        NOTICE,
        "",
        "                     Train&Val      MER-SEMI       Average",
        " System              WAF   ACC      WAF   ACC      WAF   ACC",
        " ─────────────────────────────────────────────────────────────",
        " Visual Modality",
        " face-large          65.00 66.00    55.00 87.50    60.00 76.75",
        "                     [55.0, 75.0]   [45.0, 65.0]",
        " Acoustic Modality",
        " eGeMAPS             40.00 41.00    30.00 25.00    35.00 33.00",
        "                     [30.0, 50.0]   [20.0, 40.0]",
        " HUBERT-large        70.00 71.00    60.00 50.00    65.00 60.50",
        "                     [60.0, 80.0]   [50.0, 70.0]",
        " A+V",
        " Top1                80.00 81.00    75.00 70.00    77.50 75.50",
        "                     [70.0, 90.0]   [65.0, 85.0]",
        "",
        "Best of each column in bold.",
        "Scores in per cent.",
        "Train&Val: cv-paper, 1,440 clips: best epoch and configuration chosen on the",
        "folds that are reported; optimistic.",
        *FOOTNOTES[2:],
    ]


def test_a_terminal_prints_the_best_in_bold(result):
    shown = terminal(result, width=80, colours="standard")
    assert "55.00 \x1b[1m87.50\x1b[0m" in shown
    assert "\x1b[1m65.00" not in shown


def test_a_narrow_terminal_wraps_and_cuts_nothing(result):
    shown = terminal(result, width=40)
    assert "…" not in shown
    assert max(map(len, shown.splitlines())) <= 40
    joined = "".join(shown.split())
    for number in ("65.00", "87.50", "77.50"):
        assert number in joined


def test_without_a_terminal_the_table_is_tsv_and_uncut(result):
    file = io.StringIO()
    print_table(results_table(result), Console(file=file, width=20))
    assert file.getvalue() == to_tsv(results_table(result))


def test_a_standard_deviation_stands_beside_its_number():
    table = results_table(result_of([row("system", "A", ["my-prosody"], cross_validated(0.7, 0.71, std=0.00166))]))
    assert "| my-prosody | 70.00±0.17 [60.0, 80.0] | 71.00±0.17 |" in to_markdown(table)
    assert "my-prosody\t70.00\t0.17\t60.00\t80.00\t71.00\t0.17" in to_tsv(table)
    assert table.footnotes[-1] == (
        "±: standard deviation over re-runs of the chosen configuration with new seeds and folds; value and interval "
        "beside it are the re-runs' means."
    )


def test_one_feature_alone_stands_under_its_modality_without_average_or_bold():
    table = results_table(result_of([row("system", "T", ["minilm"], cross_validated(0.7, 0.71))]))
    assert to_markdown(table).splitlines()[:4] == [
        "| System | Train&Val WAF | Train&Val ACC |",
        "| --- | ---: | ---: |",
        "| *Lexical Modality* |  |  |",
        "| minilm | 70.00 [60.0, 80.0] | 71.00 |",
    ]
    assert "bold" not in to_markdown(table)


def test_numbers_that_look_alike_are_all_the_best():
    rows = [
        row("single", "A", ["a"], cross_validated(0.70001, 0.5)),
        row("single", "A", ["b"], cross_validated(0.70004, 0.4)),
    ]
    assert to_markdown(results_table(result_of(rows))).count("**70.00**") == 2


@pytest.mark.parametrize("splits", [[], ["val"], ["semi", "noise", "val", "测试", "held|out"]])
def test_any_number_of_labelled_splits(splits):
    scores = cross_validated(0.5, 0.5) + [s for split in splits for s in on_split(split, 0.8, 0.8)]
    table = results_table(result_of([row("system", "AV", ["a", "b"], scores, 1)]))
    headings = [{"semi": "MER-SEMI", "noise": "MER-NOISE"}.get(split, split) for split in splits]
    assert [part.heading for part in table.parts] == ["Train&Val", *headings, *(["Average"] if splits else [])]
    if splits:
        assert str(table.lines[0].numbers[-1][0]) == f"{(50 + 80 * len(splits)) / (1 + len(splits)):.2f}"
    header, rule, *_ = to_markdown(table).splitlines()
    assert header.replace(r"\|", "").count("|") == rule.count("|")


def test_two_estimates_of_one_split_are_told_apart_and_the_average_takes_the_papers():
    nested = [score("train", "waf", 0.6, "cv-nested"), score("train", "acc", 0.6, "cv-nested")]
    scores = cross_validated(0.8, 0.8) + nested + on_split("semi", 0.4, 0.4)
    table = results_table(result_of([row("system", "AV", ["a", "b"], scores, 1)]))
    headings = ["Train&Val cv-paper", "Train&Val cv-nested", "MER-SEMI", "Average"]
    assert [part.heading for part in table.parts] == headings
    assert [str(waf) for waf, _ in table.lines[0].numbers] == ["80.00", "60.00", "40.00", "60.00"]
    assert "Train&Val cv-nested, 48 clips: epoch, configuration and ranking" in "\n".join(table.footnotes)


def test_a_system_without_scores_on_a_part_has_no_average():
    rows = [
        row("single", "A", ["a"], cross_validated(0.5, 0.5)),
        row("single", "A", ["b"], cross_validated(0.6, 0.6) + on_split("semi", 0.7, 0.7)),
    ]
    lines = to_markdown(results_table(result_of(rows))).splitlines()
    assert lines[3] == "| a | 50.00 [40.0, 60.0] | 50.00 | – | – | – | – |"


def test_names_that_would_break_a_rendering_are_made_harmless():
    rows = [row("system", "A", ["a|b\tc\x1b[31m[bold]*d*"], cross_validated(0.5, 0.5))]
    result = result_of(rows, notice="<b>first</b>\nsecond")
    table = results_table(result)
    tsv = to_tsv(table).splitlines()
    assert tsv[0] == "# <b>first</b> second"
    assert len(tsv[1].split("\t")) == len(tsv[2].split("\t"))
    assert r"a\|b c \[31m\[bold\]\*d\*" in to_markdown(table)
    assert "a|b c [31m[bold]*d*" in terminal(result, width=80)


@pytest.mark.parametrize(
    ("features", "top", "name"),
    [
        (["my-prosody"], None, "eGeMAPS"),
        (["my-prosody", "face-large"], 1, "A+V Top1"),
        (["my-prosody", "face-large"], None, "A+V eGeMAPS + face-large"),
        ([f"feature-{number}" for number in range(18)], None, "A+V 18 features"),
    ],
)
def test_a_system_is_named_by_what_it_fuses(features, top, name):
    assert system_name(row("system", "AV", features, [], top), LABELS) == name


def terminal(result: dict[str, Any], width: int, colours: str | None = None) -> str:
    file = io.StringIO()
    console = Console(file=file, width=width, force_terminal=True, color_system=colours, legacy_windows=False)
    console.print(to_rich(results_table(result, LABELS)))
    return "\n".join(line.rstrip() for line in file.getvalue().splitlines())
