"""`mertools noise sweep` from clips to the page: a run on small clips with faces and voices, and two noisy settings."""

from __future__ import annotations

import csv
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest
from broken_corpus import portrait
from browser import Page, open_browser
from finished_runs import make_run, rows
from noise_corpus import buzz
from toy_corpus import make_toy_corpus

from mertools.clip import Clip
from mertools.commands import extract, fuse, noise_sweep
from mertools.corpus import write_manifest
from mertools.errors import InputError
from mertools.feature_store import read_features, read_provenance
from mertools.media import write_clip
from mertools.run_record import read_result, written_row
from noise.recipe import CLEAN_DB, read_recipe

FEATURES = ("egemaps", "face-expression", "minilm")
LABELS = ("neutral", "angry")
READING = ("--workers", "0", "--face-detector", "dlib")


@pytest.fixture(scope="module")
def run(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A run with one network a fold on ten training clips and four others, two voices and two emotions."""
    folder = tmp_path_factory.mktemp("sweep")
    frames, clips = portrait(6), []
    for number in range(14):
        label, speaker = LABELS[number % 2], ("anna", "bert")[number // 2 % 2]
        path = folder / f"clip_{number:02d}.mp4"
        write_clip(path, frames, 25, buzz(0.24, 110 + 90 * (number % 2) + number))
        split = "train" if number < 10 else "semi"
        text = ("I am fine.", "Leave me alone!")[number % 2]
        clips.append(Clip(path.stem, video=path, subtitle_english=text, split=split, label=label, speaker=speaker))
    manifest = folder / "manifest.csv"
    write_manifest(manifest, clips)
    data, features = ["--data", str(manifest)], str(folder / "features")
    assert extract.main([*data, "--feature", *FEATURES, "--out", features, *READING]) == 0
    quick = ["--trials", "1", "--epochs", "20", "--folds", "2", "--repeats", "0", "--no-nested"]
    more = ["--labels", ",".join(LABELS), "--runs", str(folder / "runs"), "--top", "1"]
    assert fuse.main([*data, "--features", features, *quick, *more]) == 0
    (made,) = (folder / "runs").iterdir()
    return made


@pytest.fixture(scope="module")
def swept(run: Path) -> Path:
    return sweep(run)


def sweep(run: Path, *more: str) -> Path:
    words = ["--run", str(run), "--speech", "corpus", "--snr", "5", "0", "--blur", "4", "--device", "cpu"]
    assert noise_sweep.main([*words, *READING, *more]) == 0
    return run / "sweep"


def test_without_noise_the_sweep_says_what_the_run_said(run: Path, swept: Path) -> None:
    ours = {tuple(row["features"]): row for row in read_result(run)["rows"]}
    result = read_result(swept)
    assert [row["features"] for row in result["rows"]] == [list(written_row(read_result(run))["features"])] + [
        [name] for name in written_row(read_result(run))["features"]
    ]
    for row in result["rows"]:
        of_run = {(s["split"], s["metric"]): s for s in ours[tuple(row["features"])]["scores"]}
        for part in row["parts"]:
            clean = [score for score in part["scores"] if (score["snr_db"], score["blur"]) == ("inf", 1)]
            for score in clean:
                expected = of_run[part["split"], score["metric"]]
                for key in ("value", "low", "high", "n"):
                    assert score[key] == pytest.approx(expected[key]), (row["features"], part["split"], key)


def test_each_feature_is_extracted_once_and_shared(swept: Path) -> None:
    own = {path.relative_to(swept).as_posix() for path in swept.glob("*/*.h5") if not path.is_symlink()}
    assert own == {
        *(f"snrinf-blur1/{feature}.h5" for feature in FEATURES),
        "snrinf-blur4/face-expression.h5",
        "snr05-blur1/egemaps.h5",
        "snr00-blur1/egemaps.h5",
    }
    folders = [path for path in swept.iterdir() if path.is_dir()]
    assert len(folders) == 6 and all((folder / f"{name}.h5").exists() for folder in folders for name in FEATURES)
    clean, noisy = (read_features(swept / cell / "egemaps.h5").utterance for cell in ("snrinf-blur4", "snr00-blur4"))
    assert (clean != noisy).any(axis=1).all()
    np.testing.assert_array_equal(
        clean, read_features(swept.parent.parent.parent / "features" / "egemaps.h5").utterance
    )
    cell = read_recipe(swept / "snr05-blur1" / "recipe.jsonl")
    assert {(noise.snr_db, noise.blur) for noise in cell.clips.values()} == {(5, 1)}
    assert read_provenance(swept / "snr05-blur4" / "egemaps.h5").noise == cell.fingerprint
    louder = read_recipe(swept / "snr00-blur1" / "recipe.jsonl")
    assert all(cell.clips[name].voices == louder.clips[name].voices for name in cell.clips)
    quiet = read_recipe(swept / "snrinf-blur4" / "recipe.jsonl")
    assert {(noise.snr_db, noise.voices, noise.blur) for noise in quiet.clips.values()} == {(CLEAN_DB, (), 4)}


def test_every_cell_stands_in_the_table(swept: Path) -> None:
    found = rows(swept / "sweep.csv")
    assert len(found) == 4 * 2 * 3 * 2  # systems, splits, ratios, blurs
    assert {(row["snr_db"], row["blur"]) for row in found} == {(s, b) for s in ("inf", "5", "0") for b in "14"}
    for row in found:
        assert 0 <= float(row["low"]) <= float(row["high"]) <= 1 and 0 <= float(row["waf"]) <= 1
        assert float(row["lost_low"]) <= float(row["lost"]) <= float(row["lost_high"])
        clean = next(one for one in found if (one["system"], one["split"]) == (row["system"], row["split"]))
        assert float(row["lost"]) == pytest.approx(float(clean["waf"]) - float(row["waf"]))
        if (row["snr_db"], row["blur"]) == ("inf", "1"):
            assert {row["lost_low"], row["lost"], row["lost_high"]} == {"0.0"}, "the same clips, drawn together"
    text = [row["waf"] for row in found if row["system"] == "minilm" and row["split"] == "semi"]
    assert len(set(text)) == 1, "noise leaves words alone"


def test_what_a_part_of_the_grid_takes_is_the_mean_over_its_cells(swept: Path) -> None:
    for part in (part for row in read_result(swept)["rows"] for part in row["parts"]):
        cells = {(loss["snr_db"], loss["blur"]): loss["value"] for loss in part["losses"]}
        assert part["lost"]["audio"]["value"] == pytest.approx((cells[5, 1] + cells[0, 1]) / 2)
        assert part["lost"]["video"]["value"] == pytest.approx(cells["inf", 4])
        assert part["lost"]["both"]["value"] == pytest.approx((cells[5, 4] + cells[0, 4]) / 2)
        assert part["lost"]["challenge"]["value"] == pytest.approx((cells[5, 1] + cells[5, 4]) / 2)
        for loss in part["lost"].values():
            assert loss["low"] <= loss["value"] <= loss["high"]


def test_the_paper_stands_beside_features_alone(swept: Path) -> None:
    (system, *alone) = read_result(swept)["rows"]
    losses = {row["features"][0]: row["parts"][0]["paper_loss"] for row in alone}
    assert losses == {"egemaps": pytest.approx(0.0135), "face-expression": None, "minilm": None}
    assert system["parts"][0]["paper_loss"] is None


def test_a_second_sweep_extracts_nothing(run: Path, swept: Path, capsys: pytest.CaptureFixture[str]) -> None:
    kept = {path: path.stat().st_mtime_ns for path in swept.glob("*/*.h5") if not path.is_symlink()}
    before = (swept / "sweep.csv").read_bytes()
    capsys.readouterr()
    sweep(run)
    assert {path: path.stat().st_mtime_ns for path in kept} == kept
    assert (swept / "sweep.csv").read_bytes() == before
    table = [line.split("\t") for line in capsys.readouterr().out.splitlines() if "\t" in line]
    assert table[0] == ["split", "SNR, dB", "no blur", "blur 4"]
    assert [line[:2] for line in table[1:4]] == [["Train&Val", "no noise"], ["Train&Val", "5"], ["Train&Val", "0"]]
    lost = table[table.index(table[0], 1) + 1 :]
    assert lost[0] == ["Train&Val", "no noise", "", lost[0][3]] and "[" in lost[0][3]
    with pytest.raises(InputError, match="of another seed"):
        sweep(run, "--seed", "1")


def test_what_cannot_be_swept(run: Path, tmp_path: Path) -> None:
    with pytest.raises(InputError, match=r"holds no result\.json"):
        sweep(tmp_path)
    (tmp_path / "empty").mkdir()
    with pytest.raises(InputError, match="holds no recordings"):
        sweep(run, "--speech", str(tmp_path / "empty"))
    with pytest.raises(InputError, match=r"Unknown split with labels 'smei'\. Did you mean 'semi'"):
        sweep(run, "--split", "smei")
    with pytest.raises(InputError, match="Unknown feature that the run trained alone 'vggish'"):
        sweep(run, "--feature", "vggish")
    with pytest.raises(InputError, match="Extract it as the training clips were"):
        sweep(run, "--recipe", "masked", "--out", str(tmp_path / "masked"))


def test_a_corpus_without_media(run: Path, tmp_path: Path) -> None:
    corpus = run.parent.parent
    (tmp_path / "manifest.csv").write_bytes((corpus / "manifest.csv").read_bytes())
    with pytest.raises(InputError, match=r"none of the 14 labelled clips has its (audio|video) at hand"):
        sweep(run, "--data", str(tmp_path / "manifest.csv"), "--media-root", str(tmp_path))


def test_features_that_no_encoder_makes(tmp_path: Path) -> None:
    make_toy_corpus(tmp_path)
    toy = make_run(tmp_path, "toy-audio")
    musan = tmp_path / "speech"
    musan.mkdir()
    (musan / "a.wav").touch()
    with pytest.raises(InputError, match="Unknown feature 'toy-audio'"):
        sweep(toy, "--speech", str(musan))


@pytest.fixture(scope="module")
def page() -> Iterator[Page]:
    with open_browser() as opened:
        yield opened


@pytest.mark.page
@pytest.mark.parametrize("width", [1280, 390])
def test_the_page_shows_curves_and_costs(swept: Path, page: Page, width: int) -> None:
    page.open(swept / "sweep.html", width=width)
    assert page.problems == []
    assert page.requests[-1] == (swept / "sweep.html").as_uri() and len(set(page.requests)) == 1
    assert page.evaluate("document.documentElement.scrollWidth") <= width
    assert page.evaluate("document.querySelector('h1').innerText") == "A+V+T Top1 under noise"
    drawn = "[...document.querySelectorAll('#curves [data-figure] .legendtext')].map(e => e.textContent)"
    assert page.evaluate(drawn) == ["no blur", "blur 4"]
    # A line and its band are of one colour, which is another one for each blur.
    place = "[...document.querySelectorAll('#curves [data-figure]')].find(e => e.offsetParent).data"
    series = page.evaluate(f"{place}.map(trace => [trace.line.color, trace.fillcolor.slice(0, 7)])")
    assert series[0] == series[1] and series[2] == series[3] and series[0] != series[2]
    assert all(line == fill for line, fill in series)
    with (swept / "sweep.csv").open(encoding="utf-8", newline="") as file:
        first = next(csv.DictReader(file))
    shown = page.evaluate("document.querySelector('#curves tbody td').innerText")
    assert shown.startswith(f"{100 * float(first['waf']):.2f}")
