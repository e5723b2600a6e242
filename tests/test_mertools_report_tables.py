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


def result_of(
    rows: list[dict[str, Any]], notice: str = "", rank_by: str = "train", train: int = 1440
) -> dict[str, Any]:
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


CHALLENGE = 5030


def on_paper_splits(train: float, semi: float, noise: float, std: float | None = None) -> list[dict[str, Any]]:
    """Scores on the paper's three columns, WAF and ACC alike, in fractions."""
    found = cross_validated(train, train, std=std) + on_split("semi", semi, semi) + on_split("noise", noise, noise)
    return [one | {"std": std} for one in found]


def test_the_papers_numbers_stand_in_their_columns_and_what_chance_cannot_explain_is_flagged():
    # The paper: 52.86±0.23 and 53.27±0.21, 47.37±0.41 and 52.04±0.16, 48.53±0.39 and 51.81±0.26, 49.59 and 52.37.
    rows = [row("single", "V", ["videomae-base"], on_paper_splits(0.53, 0.52, 0.49, std=0.002))]
    table = results_table(result_of(rows, train=CHALLENGE), {"videomae-base": "VideoMAE-base"})
    head, cells = (line.split("\t") for line in to_tsv(table).splitlines()[:2])
    shown = dict(zip(head, cells, strict=True))
    assert (shown["Train&Val WAF paper"], shown["Train&Val WAF paper std"], shown["Train&Val WAF beyond"]) == (
        *("52.86", "0.23"),
        "",
    )
    assert (shown["MER-SEMI WAF paper"], shown["MER-SEMI WAF beyond"], shown["MER-SEMI ACC beyond"]) == (
        "47.37",
        "!",
        "",
    )
    assert (shown["Average WAF paper"], shown["Average ACC paper"]) == ("49.59", "52.37")
    assert "Average WAF paper std" not in shown
    markdown = to_markdown(table)
    assert "| Train&Val WAF | Train&Val WAF paper | Train&Val ACC | Train&Val ACC paper |" in markdown
    assert "| 52.00±0.20 [42.0, 62.0] | 47.37±0.41! | 52.00±0.20 | 52.04±0.16 |" in markdown
    assert "paper: as printed in Tables 4 and 5 of MER2024 (arXiv 2404.17113)." in table.footnotes
    # MER-SEMI's WAF lies too far above, MER-NOISE's ACC too far below.
    assert any(
        "3 standard deviations of the difference or 2 points: 2 of 8 numbers" in note for note in table.footnotes
    )


def test_a_terminal_shows_the_papers_numbers_under_ours():
    rows = [row("single", "V", ["videomae-base"], on_paper_splits(0.53, 0.52, 0.49, std=0.002))]
    shown = terminal(result_of(rows, train=CHALLENGE), width=120).splitlines()
    (under,) = (line for line in shown if line.startswith("   paper "))
    assert under.split() == [
        *("paper", "52.86±0.23", "53.27±0.21", "47.37±0.41!", "52.04±0.16", "48.53±0.39", "51.81±0.26!"),
        *("49.59", "52.37"),
    ]
    ours = shown[shown.index(under) - 2]
    assert (ours.index("53.00±0.20"), ours.rindex("51.33")) == (under.index("52.86±0.23"), under.rindex("52.37"))


def test_numbers_of_other_clips_get_no_verdict():
    rows = [row("single", "V", ["videomae-base"], on_paper_splits(0.9, 0.9, 0.9))]
    for result in (result_of(rows), result_of(rows, notice=NOTICE, train=CHALLENGE)):
        table = results_table(result)
        assert "| 90.00 [80.0, 100.0] | 52.86±0.23 | 90.00 | 53.27±0.21 |" in to_markdown(table)
        assert "beyond" not in to_tsv(table)
        assert table.footnotes[-1] == (
            "paper: as printed in Tables 4 and 5 of MER2024 (arXiv 2404.17113), of other clips than these (5,030 to "
            "train on): the two cannot be held against each other."
        )


def test_a_corpus_of_other_splits_is_shown_alone():
    rows = [row("single", "V", ["videomae-base"], cross_validated(0.5, 0.5) + on_split("val", 0.5, 0.5))]
    table = results_table(result_of(rows))
    assert not any(line.in_paper for line in table.lines)
    assert " paper" not in to_tsv(table).splitlines()[0]


def test_the_papers_average_is_of_three_columns_and_cv_nested_has_no_counterpart():
    nested = [score("train", metric, 0.5, "cv-nested") for metric in ("waf", "acc")]
    rows = [row("single", "V", ["videomae-base"], cross_validated(0.5, 0.5) + nested + on_split("semi", 0.5, 0.5))]
    head = to_tsv(results_table(result_of(rows, train=CHALLENGE))).splitlines()[0].split("\t")
    assert [name for name in head if name.endswith(" paper")] == [
        *("Train&Val cv-paper WAF paper", "Train&Val cv-paper ACC paper"),
        *("MER-SEMI WAF paper", "MER-SEMI ACC paper"),
    ]


TOP2 = ["hubert-large", "hubert-base", "clip-large", "videomae-base-mer2023"]


@pytest.mark.parametrize(
    ("made", "waf"),
    [
        (row("system", "V", ["videomae-base"], []), "52.86±0.23"),
        (row("system", "A", ["hubert-large"], [], 1), "73.02±0.13"),
        (row("system", "AV", ["hubert-large", "clip-large"], [], 1), "78.86±0.17"),
        (row("system", "AV", TOP2, [], 2), "78.92±0.04"),
        # Named by the user, fewer than Top2 has, one the paper does not know, no feature of the paper, a vote.
        (row("system", "AV", ["hubert-large", "clip-large"], []), None),
        (row("system", "AV", TOP2[1:], [], 2), None),
        (row("system", "AV", ["hubert-large", "face-expression"], [], 1), None),
        (row("single", "V", ["face-expression"], []), None),
        (row("system", "A", ["hubert-large"], []) | {"name": "soft-vote of 2"}, None),
    ],
)
def test_which_rows_are_rows_of_the_paper(made, waf):
    made = made | {"scores": on_paper_splits(0.5, 0.5, 0.5)}
    (line,) = results_table(result_of([made])).lines
    assert line.in_paper is (waf is not None)
    assert str(line.printed[0][0]) == str(waf)


def test_systems_of_other_features_than_the_papers_ranking_are_named():
    rows = [
        row("system", "AV", ["hubert-large", "clip-large"], on_paper_splits(0.78, 0.84, 0.78), 1),
        row("system", "AV", ["hubert-base", "hubert-large", *TOP2[2:]], on_paper_splits(0.78, 0.84, 0.78), 2),
        row("system", "AT", ["egemaps", "pert-base"], on_paper_splits(0.5, 0.5, 0.5), 1),
    ]
    notes = results_table(result_of(rows, train=CHALLENGE)).footnotes
    assert "Other features than the paper's ranking takes, so other systems: A+T Top1." in notes


def test_the_order_of_features_is_held_against_the_papers():
    # By Train&Val the paper has videomae-base 52.86, clip-large 66.66, egemaps 39.68: ours is in that order there.
    values = {"videomae-base": (0.5, 0.7), "clip-large": (0.6, 0.6), "egemaps": (0.4, 0.8)}
    rows = [row("single", "A", [name], on_paper_splits(train, other, other)) for name, (train, other) in values.items()]
    (note,) = (n for n in results_table(result_of(rows, train=CHALLENGE)).footnotes if n.startswith("Rank correlation"))
    assert note.startswith("Rank correlation (Spearman) with the paper's order of 3 features: Train&Val WAF 1.00, ")
    assert "MER-SEMI WAF -1.00" in note
    few = result_of(rows[:2], train=CHALLENGE)
    assert not any("Rank correlation" in note for note in results_table(few).footnotes)


def test_a_ranking_by_the_paper_is_marked_where_it_chose():
    rows = [
        row("single", "A", ["hubert-large"], on_paper_splits(0.7, 0.8, 0.7)),
        row("system", "AV", ["hubert-large", "clip-large"], on_paper_splits(0.78, 0.84, 0.78), 1),
    ]
    seen = results_table(result_of(rows, rank_by="paper"))
    assert [line.system for line in seen.lines] == ["hubert-large", "Top1†"]
    assert any(note.startswith("†: features ranked by") and "have seen test labels" in note for note in seen.footnotes)
    assert not any("†" in note for note in results_table(result_of(rows)).footnotes)


def test_other_features_of_the_same_names_stand_after_the_average_and_out_of_it():
    variants = [score("train (hiss)", metric, 0.1, "cv-paper") for metric in ("waf", "acc")] + on_split(
        "semi (hiss)", 0.2, 0.2
    )
    rows = [row("system", "A", ["a"], cross_validated(0.8, 0.8) + variants + on_split("semi", 0.6, 0.6))]
    table = results_table(result_of(rows))
    assert [(part.heading, str(waf)) for part, (waf, _) in zip(table.parts, table.lines[0].numbers, strict=True)] == [
        *(("Train&Val", "80.00"), ("MER-SEMI", "60.00"), ("Average", "70.00")),
        *(("Train&Val (hiss)", "10.00"), ("MER-SEMI (hiss)", "20.00")),
    ]
    assert "MER-SEMI (hiss): test, 48 clips, on other features of the same names: neither" in "\n".join(table.footnotes)


def test_the_system_of_the_predictions_is_named():
    rows = [row("single", "A", ["a"], cross_validated(0.5, 0.5)), row("single", "A", ["b"], cross_validated(0.6, 0.6))]
    rows[1]["written"] = True
    assert results_table(result_of(rows)).footnotes[-1] == "Predictions are those of b."
