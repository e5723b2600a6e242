from __future__ import annotations

import csv
import re
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from browser import Page, open_browser

from mertools.errors import InputError
from mertools.report.page import write_report

LABELS = ["neutral", "angry", "happy"]
NOTICE = "Generated demo corpus, version 2: a test of machinery."
HOSTILE = [
    '<script>document.title = "taken"</script>',
    "\"quoted\" & 'single' {{ 7 * 7 }}",
    "开心 😀",
    "<img src=x onerror=alert(1)>",
    "NA",
]


def write_run(
    folder: Path,
    answers: Mapping[str, Sequence[tuple[str, str]]],
    labels: Sequence[str] = LABELS,
    features: Sequence[str] = ("egemaps", "minilm"),
    notice: str = NOTICE,
) -> tuple[dict[str, Any], dict[str, str]]:
    """A finished run of toy size: its result and the truth.

    `answers` gives, by split, the label ("" where unknown) and the prediction of each clip.
    """
    truth, rows = {}, {"out_of_fold.csv": [], "predictions.csv": []}
    weights = np.linspace(0.1, 0.9, len(features)) / np.linspace(0.1, 0.9, len(features)).sum()
    for split, clips in answers.items():
        for number, (label, predicted) in enumerate(clips):
            name = f"{split} {number}"
            probabilities = [0.8 if predicted == other else 0.1 for other in labels]
            head = [name, split, number % 2, label] if split == "train" else [name, split]
            rows["out_of_fold.csv" if split == "train" else "predictions.csv"].append(
                [*head, predicted, *probabilities, *weights]
            )
            truth[name] = label
    for file_name, lines in rows.items():
        head = ["name", "split", "fold", "label"] if file_name == "out_of_fold.csv" else ["name", "split"]
        columns = [*head, "predicted", *(f"p_{label}" for label in labels), *(f"w_{feature}" for feature in features)]
        with (folder / file_name).open("w", encoding="utf-8", newline="") as file:
            csv.writer(file).writerows([columns, *lines])

    scores = [
        {"split": split, "estimate": "cv-paper" if split == "train" else "test", "metric": metric, "value": 0.75}
        | {"std": None, "low": 0.5, "high": 1.0, "n": len(clips)}
        for split, clips in answers.items()
        if any(label for label, _ in clips)
        for metric in ("waf", "acc", "uar")
    ]
    drawn = [{"hidden": 64, "learning_rate": 0.001}, {"hidden": 128, "learning_rate": 0.0001}]
    trials = [
        {"number": 0, **drawn[0], "value": 0.5, "repeats": None},
        {"number": 1, **drawn[1], "value": 0.75, "repeats": None},
        {"number": 2, **drawn[0], "value": 0.5, "repeats": 0},
    ]
    common = {"chosen": drawn[1], "epochs": [3, 8], "parameters": 12_345, "repeats": 0, "trials": trials}
    common["scores"] = scores
    singles = [
        {"kind": "single", "modalities": "A", "top": None, "features": [feature], "written": False, **common}
        for feature in features
    ]
    system = {"kind": "system", "modalities": "AT", "top": 1, "features": list(features), "written": True, **common}
    fused = len(features) > 1
    result = {
        "command": "run_fusion.py --top 1",
        "started": "2024-07-01T12:00:00Z",
        "seed": 0,
        "versions": {"mertools": "0.1.0", "python": "3.11"},
        "device": "cpu",
        "configuration": {"modalities": "AT", "top": 1, "group": None},
        "labels": list(labels),
        "corpus": {
            "manifest": "manifest.csv",
            "fingerprint": "0123456789abcdef",
            "notice": notice,
            "splits": {
                split: {
                    "clips": len(clips),
                    "classes": {label: sum(label == other for other, _ in clips) for label, _ in clips if label},
                }
                for split, clips in answers.items()
            },
        },
        "folds": {"count": 2, "group": None, "fingerprint": "fedcba9876543210"},
        "features": [
            {"name": feature, "modality": "audio", "dim": 8, "source": "pypi:thing==1", "revision": "1"}
            | {"recipe": "layers=last", "ok": 9, "missing": 1, "failed": 0}
            for feature in features
        ],
        "rows": [*singles, system] if fused else [system],
        "timings": {"search_seconds": 1.5},
        "files": {
            "predictions": "predictions.csv",
            "out_of_fold": "out_of_fold.csv",
            "ranking": None,
            "table": "table.md",
            "report": "report.html",
            "submissions": {split: f"submission-{split}.csv" for split in answers if split != "train"},
        },
    }
    return result, truth


ANSWERS = {
    "train": [("neutral", "neutral"), ("neutral", "angry"), ("angry", "angry"), ("happy", "happy")],
    # 7 of 12 angry clips are taken for happy ones: counts that stand nowhere else on the page.
    "semi": [("angry", "happy")] * 7 + [("angry", "angry")] * 5 + [("happy", "happy")] * 13,
    "noise": [("", "happy"), ("", "happy"), ("", "neutral"), ("", "happy")],
}


@pytest.fixture(scope="module")
def browser() -> Iterator[Page]:
    with open_browser() as page:
        yield page


@pytest.fixture
def page(browser: Page) -> Page:
    """The browser's tab, with nothing noted yet."""
    browser.problems.clear()
    browser.requests.clear()
    return browser


def shown(page: Page, selector: str) -> list[str]:
    """The texts of the elements that `selector` finds and a reader sees, white space collapsed."""
    script = f"[...document.querySelectorAll({selector!r})].filter(e => e.checkVisibility()).map(e => e.innerText)"
    return [" ".join(text.split()) for text in page.evaluate(script)]


@pytest.mark.page
def test_the_page_opens_offline_and_shows_the_run(tmp_path, page):
    result, truth = write_run(tmp_path, ANSWERS)
    path = write_report(result, tmp_path, truth, {"egemaps": "eGeMAPS"})
    page.open(path)

    assert page.problems == []
    assert page.requests == [path.as_uri()]
    assert shown(page, "h1") == ["A+T Top1"]
    assert shown(page, ".notice") == [NOTICE]
    assert shown(page, ".scores tbody:last-of-type tr:last-child th") == ["▸ Top1"]
    assert shown(page, "#confusions .heat tbody tr") == [
        "neutral 1 50 % 1 50 % 0 0 %",
        "angry 0 0 % 1 100 % 0 0 %",
        "happy 0 0 % 0 0 % 1 100 %",
    ]
    # Scores, one search history and one attention figure are in sight, and drawn.
    assert page.evaluate("document.querySelectorAll('.js-plotly-plot .main-svg').length") >= 3
    assert page.evaluate("document.documentElement.scrollWidth") <= 1280

    # The arrow keys choose the part.
    page.evaluate("document.querySelector('#confusions input').focus()")
    page.press("ArrowRight")
    assert shown(page, "#confusions .heat tbody tr")[1] == "angry 0 0 % 5 42 % 7 58 %"
    assert shown(page, "#confusions table:not(.heat) tbody tr")[1] == "angry 100.0 41.7 58.8 12 5"
    page.press("ArrowRight")
    assert shown(page, "#confusions tbody tr") == ["neutral 1 25.0 %", "angry 0 0.0 %", "happy 3 75.0 %"]

    assert shown(page, "#search h3") == ["A+T Top1"]
    assert (
        "hidden 128, learning rate 0.0001 (trial 1, 75.00 %). 3 draws, of which 1 repeat" in shown(page, "#search")[0]
    )
    page.evaluate("document.querySelectorAll('#search details').forEach(e => { e.open = true })")
    assert shown(page, "#search details:last-of-type tbody tr")[0] == "eGeMAPS 128 0.0001 3, 8"
    assert page.problems == []


@pytest.mark.page
def test_the_page_fits_a_phone_and_a_dark_screen(tmp_path, page):
    result, truth = write_run(tmp_path, ANSWERS)
    path = write_report(result, tmp_path, truth)
    colour = "getComputedStyle(document.querySelector('#scores .ytick text')).fill"
    page.open(path, width=390, height=844)
    light = page.evaluate(colour)
    assert page.evaluate("document.documentElement.scrollWidth") == 390
    page.open(path, width=390, height=844, dark=True)
    assert page.evaluate(colour) != light
    assert page.problems == []


@pytest.mark.page
def test_hostile_names_are_shown_and_never_run(tmp_path, page):
    answers = {
        "train": [(label, label) for label in HOSTILE],
        "<svg onload=alert(1)>": [(label, HOSTILE[0]) for label in HOSTILE],
    }
    features = ["<b>bold</b>", 'x"</script><script>alert(1)</script>']
    result, truth = write_run(tmp_path, answers, HOSTILE, features, notice="</style><h6>notice</h6>")
    result["command"] = "run_fusion.py '</code><h6>'"
    path = write_report(result, tmp_path, truth)
    page.open(path)

    assert page.problems == []
    assert page.requests == [path.as_uri()]
    assert page.evaluate("document.title").startswith("A+T Top1")
    assert page.evaluate("document.querySelectorAll('script').length") == 3
    assert page.evaluate("document.querySelectorAll('h6, svg[onload], img').length") == 0
    assert shown(page, "#confusions .heat tbody th") == HOSTILE
    assert (
        page.evaluate("[...document.querySelectorAll('#scores .ytick')].map(e => e.textContent)")[1:] == features[::-1]
    )

    # Even a script that found its way into the page would not run.
    page.evaluate(
        "(s => { s.textContent = 'window.ran = true'; document.body.append(s) })(document.createElement('script'))"
    )
    assert page.evaluate("window.ran") is None
    page.problems.clear()


SINGLES, SYSTEMS, TRIALS = 36, 24, 50


def make_large(result: dict[str, Any]) -> None:
    """Turn a finished run into one of both tables of the paper: sixty systems, three thousand trials."""
    (system,) = (row for row in result["rows"] if row["written"])
    trials = [trial | {"number": number} for number, trial in enumerate(system["trials"] * TRIALS)][:TRIALS]
    singles = [
        {**system, "kind": "single", "top": None, "features": [f"feature-{number}"], "trials": trials, "written": False}
        for number in range(SINGLES)
    ]
    systems = [{**system, "top": number + 1, "trials": trials, "written": number == 3} for number in range(SYSTEMS)]
    result["rows"] = [*singles, *systems]


@pytest.mark.page
@pytest.mark.parametrize("width", [1280, 390])
def test_sixty_systems_stay_readable(tmp_path, page, width):
    result, truth = write_run(tmp_path, ANSWERS)
    plain = write_report(result, tmp_path, truth).stat().st_size
    make_large(result)
    path = write_report(result, tmp_path, truth)
    page.open(path, width=width, height=844)

    assert page.problems == []
    assert page.requests == [path.as_uri()]
    assert page.evaluate("document.documentElement.scrollWidth") <= width
    # The trials of the other systems are left to result.json.
    assert path.stat().st_size - plain < 250_000
    assert shown(page, "#search h3") == ["A+T Top4"]
    # The whole table is there, its heads stay in sight while it scrolls, and it is no longer than the screen.
    assert len(shown(page, ".scores tbody tr:not(.group)")) == SINGLES + SYSTEMS
    page.evaluate("document.querySelector('.tall').scrollTo(300, 2000)")
    box = "document.querySelector('.tall').getBoundingClientRect()"
    head = "document.querySelector('.scores thead').getBoundingClientRect()"
    assert page.evaluate(f"Math.abs({head}.top - {box}.top) < 2")
    assert page.evaluate(f"{box}.height < innerHeight")
    group = "document.querySelector('.scores .group th').getBoundingClientRect()"
    assert page.evaluate(f"Math.abs({group}.left - {box}.left) < 2")
    # The figure has the best systems, and the one whose predictions were written.
    drawn = page.evaluate("[...document.querySelectorAll('#scores .ytick')].map(e => e.textContent)")
    assert len(drawn) < SINGLES and "A+T Top4" in drawn
    assert f"of the {len(drawn)} best systems by Train&Val" in " ".join(shown(page, "#scores figcaption"))


@pytest.mark.page
def test_the_papers_numbers_and_the_sizes_stand_beside_ours(tmp_path, page):
    result, truth = write_run(tmp_path, ANSWERS)
    page.open(write_report(result, tmp_path, truth, {"egemaps": "eGeMAPS"}))
    assert shown(page, ".scores .in-paper")[0].split()[:4] == ["eGeMAPS", "12,345", "75.00", "[50.0,"]
    # Table 4 of the paper; the clips here are others, so nothing is flagged.
    assert shown(page, ".scores .paper")[0].split()[:4] == ["paper", "of", "eGeMAPS", "39.68±0.53"]
    assert shown(page, ".scores .bad") == []

    # Average aside, 75 % is what the fixture has everywhere: far from all of the paper's eGeMAPS.
    result["corpus"] |= {"notice": "", "splits": result["corpus"]["splits"] | {"train": {"clips": 5030, "classes": {}}}}
    page.open(write_report(result, tmp_path, truth, {"egemaps": "eGeMAPS"}))
    assert len(shown(page, ".scores .bad")) == 4
    assert page.problems == []


def test_the_page_says_how_optimistic_cv_paper_is(tmp_path):
    result, truth = write_run(tmp_path, ANSWERS)
    assert "points above" not in without_scripts(write_report(result, tmp_path, truth))
    (paper,) = (s for s in result["rows"][-1]["scores"] if (s["split"], s["metric"]) == ("train", "waf"))
    result["rows"][-1]["scores"].append(paper | {"estimate": "cv-nested", "value": 0.625})
    text = collapsed(write_report(result, tmp_path, truth))
    assert (
        "WAF 12.50 points above its <code>cv-nested</code> WAF: what choosing on the folds that are reported adds"
        in text
    )
    result["rows"][-1]["scores"][-1]["value"] = 0.77
    assert "WAF 2.00 points below its <code>cv-nested</code> WAF:" in collapsed(write_report(result, tmp_path, truth))


def test_every_metric_has_its_interval_and_deviation_on_every_split(tmp_path):
    result, truth = write_run(tmp_path, ANSWERS)
    score = {"split": "semi", "estimate": "test", "metric": "f1_angry", "value": 0.4321, "std": 0.0123}
    result["rows"][-1]["scores"].append(score | {"low": 0.4, "high": 0.5, "n": 25})
    text = collapsed(write_report(result, tmp_path, truth))
    assert (
        '<th scope="row">F1 angry</th><td class="first">–</td> <td class="first">43.21±1.23<small>[40.0, 50.0]' in text
    )
    assert '<th scope="row">UAR</th><td class="first">75.00<small>[50.0, 100.0]</small></td>' in text
    assert "F1 happy" not in text


def test_calibration_is_of_the_labelled_clips_of_every_split(tmp_path):
    result, truth = write_run(tmp_path, ANSWERS)
    text = collapsed(write_report(result, tmp_path, truth))
    # Each answer is 80 % sure; 3 of 4 are right in cross-validation, 18 of 25 on MER-SEMI, and MER-NOISE has no label.
    assert "Train&amp;Val, 4 clips: expected calibration error 5.0 %, out of fold." in text
    assert "MER-SEMI, 25 clips: expected calibration error 8.0 %." in text
    assert "Reliability diagram of MER-NOISE" not in text


def test_features_chosen_by_test_scores_are_called_so_beside_every_score(tmp_path):
    result, truth = write_run(tmp_path, ANSWERS)
    said = "test, features chosen by test scores"
    assert said not in without_scripts(write_report(result, tmp_path, truth))
    result["configuration"]["rank_by"] = "paper"
    assert said in without_scripts(write_report(result, tmp_path, truth))


def test_one_feature_and_no_other_split_make_a_shorter_page(tmp_path):
    result, truth = write_run(tmp_path, {"train": ANSWERS["train"]}, features=["egemaps"])
    text = without_scripts(write_report(result, tmp_path, truth))
    assert "Confusion matrix of Train&amp;Val, 4 clips" in text
    assert 'id="attention"' not in text
    assert "fieldset" not in text.split("<body>")[1]


def test_the_page_says_what_was_run(tmp_path):
    result, truth = write_run(tmp_path, ANSWERS, notice="")
    text = without_scripts(write_report(result, tmp_path, truth))
    for said in ("run_fusion.py --top 1", "0123456789abcdef", "2024-07-01 12:00 UTC", "seed 0", "cv-paper", "90.0 %"):
        assert said in text
    assert '<a href="./submission-semi.csv">submission-semi.csv</a>: submission file of MER-SEMI' in text
    assert "ranking" not in re.sub(r"The .* ranks by it", "", text)
    assert 'class="notice"' not in text


def test_a_split_with_labels_for_some_clips_shows_both(tmp_path):
    result, truth = write_run(tmp_path, {"train": ANSWERS["train"], "val": [("happy", "angry"), ("", "happy")]})
    text = without_scripts(write_report(result, tmp_path, truth))
    assert "Confusion matrix of val, 1 clip:" in text
    assert "val has 1 clip without a label" in text


def test_a_clip_without_a_feature_does_not_count_in_its_mean_weight(tmp_path):
    result, truth = write_run(tmp_path, {"train": ANSWERS["train"]})
    path = tmp_path / "out_of_fold.csv"
    head, first, *others = path.read_text(encoding="utf-8").splitlines()
    without = ",".join([*first.split(",")[:-2], "0", "1"])
    path.write_text("\n".join([head, without, *others]), encoding="utf-8")
    text = without_scripts(write_report(result, tmp_path, truth))
    means = dict(re.findall(r'<th scope="row">(egemaps|minilm)</th>\s*<td class="cell"[^>]*>([\d.]+)</td>', text))
    assert {name: float(mean) for name, mean in means.items()} == {
        "egemaps": 0.1,
        "minilm": pytest.approx(0.925, abs=0.01),
    }


def test_other_spellings_of_a_true_label_are_understood_and_others_refused(tmp_path):
    labels = ["neutral", "angry", "happy", "sad", "worried", "surprise"]
    result, truth = write_run(tmp_path, {"train": [("sad", "sad")], "semi": [("surprised", "surprise")]}, labels)
    assert "Confusion matrix of MER-SEMI, 1 clip:" in without_scripts(write_report(result, tmp_path, truth))
    with pytest.raises(InputError, match="'bored' is not one of neutral"):
        write_report(result, tmp_path, {"semi 0": "bored"})


def without_scripts(path: Path) -> str:
    return re.sub(r"<(script|style)\b.*?</\1>", "", path.read_text(encoding="utf-8"), flags=re.DOTALL)


def collapsed(path: Path) -> str:
    """The page without scripts and styles, white space collapsed."""
    return " ".join(without_scripts(path).split())
