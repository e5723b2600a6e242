"""`run_fusion.py --self-train`: what it writes and says it has seen, the file that comes back, and what it refuses."""

from __future__ import annotations

import csv
from pathlib import Path
from typing import Any

import pytest
from toy_corpus import DIMS, LABELS, make_toy_corpus, move_features

from mertools.commands.fuse import main
from mertools.corpus import read_manifest
from mertools.errors import InputError
from mertools.run_record import read_result

QUICK = ["--trials", "2", "--epochs", "6", "--folds", "3", "--repeats", "1"]


def run(folder: Path, runs: Path, *more: str) -> tuple[Path, dict[str, Any]]:
    """Run on the toy corpus in `folder`; the run's folder and its result."""
    features = ["--features", str(folder / "features"), "--feature", *DIMS]
    study = ["--study", str(folder / "search.journal")]
    manifest = str(folder / "manifest.csv")
    assert main(["--data", manifest, *features, *study, "--runs", str(runs), *QUICK, *more]) == 0
    (made,) = runs.iterdir()
    return made, read_result(made)


@pytest.fixture(scope="module")
def corpus(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("self-training")
    make_toy_corpus(folder, 120)
    return folder


@pytest.fixture(scope="module")
def finished(corpus: Path) -> tuple[Path, dict[str, Any]]:
    return run(corpus, corpus / "runs", "--self-train", "2", "--pool", "semi")


def table(path: Path) -> list[dict[str, str]]:
    with path.open(encoding="utf-8", newline="") as file:
        return list(csv.DictReader(file))


def test_a_run_says_what_it_has_seen(finished: tuple[Path, dict[str, Any]]) -> None:
    made, result = finished
    plain, taught = result["rows"]
    assert "self_training" not in plain and [plain["written"], taught["written"]] == [False, True]
    found = taught["self_training"]
    assert found["pool"] == {"semi": 20} and found["transductive"] == ["semi"] and found["held_out"] is True
    assert {s["estimate"] for s in taught["scores"]} == {"cv-paper", "cv-nested", "test"}
    markdown = (made / "table.md").read_text()
    assert "Self-trained: also on clips without labels of semi (20)" in markdown
    assert "Self-trained, on semi: transductive" in markdown and ", self-trained" in markdown


def test_every_round_is_audited(finished: tuple[Path, dict[str, Any]]) -> None:
    _, result = finished
    first = result["rows"][-1]["self_training"]["rounds"][1]
    assert first["accepted"] == sum(of_class["accepted"] for of_class in first["classes"].values())
    assert 0 < first["accepted"] <= 20 and 0 <= first["drift"] <= 1
    for of_class in first["classes"].values():
        precision = of_class["precision"]
        assert 0 <= precision["right"] <= precision["clips"] <= 80
        assert (precision["estimate"] is None) == (of_class["accepted"] == 0)
    assert set(first["pool_priors"]) == {"em", "bbse"} and set(first["calibration_error"]) == {"before", "after"}


def test_pseudo_labels_are_written_edited_and_given_back(
    corpus: Path, finished: tuple[Path, dict[str, Any]], tmp_path: Path
) -> None:
    made, result = finished
    rows = table(made / result["files"]["pseudo_labels"])
    clips = {clip.name: clip for clip in read_manifest(corpus / "manifest.csv").clips}
    assert rows and all(clips[row["name"]].split == "semi" and row["label"] in LABELS for row in rows)
    edited = tmp_path / "edited.csv"
    edited.write_text("name,label,teacher\n" + "".join(f"{row['name']},{row['label']},\n" for row in rows[1:]))
    for path, held_out in ((made / "pseudo_labels.csv", False), (edited, None)):
        again, told = run(corpus, tmp_path / path.stem, "--pseudo-labels", str(path))
        found = told["rows"][-1]["self_training"]
        assert found["teachers"] == [], "nobody is asked"
        assert found["held_out"] is held_out and found["rounds"][1]["accepted"] == len(rows) - (path == edited)
        words = "who may have seen the labels" if held_out is None else "by fold ensemble, who has seen the labels"
        assert words in (again / "table.md").read_text()
        assert "pseudo_labels" not in told["files"], "nothing new to be edited"


def test_labels_of_other_splits_have_no_part_in_it(corpus: Path, tmp_path: Path) -> None:
    """The run on a manifest with other labels for the clips that are scored predicts the same."""
    said = []
    for number in (0, 1):
        folder = tmp_path / str(number)
        make_toy_corpus(folder, 90)
        manifest = folder / "manifest.csv"
        if number:
            lines = [
                line.replace(",semi,angry", ",semi,neutral").replace(",noise,happy", ",noise,angry")
                for line in manifest.read_text().splitlines(keepends=True)
            ]
            assert "".join(lines) != manifest.read_text()
            manifest.write_text("".join(lines))
        made, _ = run(folder, folder / "runs", "--self-train", "--agree", "modality", "--pool-prior", "em")
        said.append([(made / name).read_bytes() for name in ("predictions.csv", "out_of_fold.csv")])
    assert said[0] == said[1]


def test_a_language_models_labels_are_asked(corpus: Path, tmp_path: Path) -> None:
    clips = read_manifest(corpus / "manifest.csv").clips
    asked = tmp_path / "labels.csv"
    asked.write_text("name,openset\n" + "".join(f"{clip.name},\"['odd', 'furious']\"\n" for clip in clips))
    made, result = run(corpus, tmp_path / "runs", "--self-train", "--agree", str(asked), "--soft-labels")
    classes = result["rows"][-1]["self_training"]["rounds"][1]["classes"]
    assert [name for name, one in classes.items() if one["accepted"]] == ["angry"], "furious is a word for angry"
    assert "p_angry" in table(made / "pseudo_labels.csv")[0]
    asked.write_text("name,openset\nclip_001,['odd']\n")
    with pytest.raises(InputError, match="has a label that means one of the classes"):
        run(corpus, tmp_path / "none", "--self-train", "--agree", str(asked))


@pytest.mark.parametrize(
    ("options", "message"),
    [
        (["--self-train", "--pool", "sami"], "--pool sami: wanted a split that is not trained on; .* has semi, noise"),
        (["--self-train", "--pool", "train"], "--pool train: wanted a split that is not trained on"),
        (["--self-train", "--threshold", "happy=much"], r"--threshold happy=much: wanted a confidence"),
        (["--self-train", "--threshold", "gay=0.9"], "Label 'gay' is not one of"),
        (["--pseudo-labels", "absent.csv"], "There is no file of pseudo-labels"),
    ],
)
def test_bad_input_is_refused(corpus: Path, tmp_path: Path, options: list[str], message: str) -> None:
    with pytest.raises(InputError, match=message):
        run(corpus, tmp_path / "runs", *options)


def test_an_empty_pool_is_refused(tmp_path: Path) -> None:
    manifest = make_toy_corpus(tmp_path, 60)
    manifest.write_text("".join(line for line in manifest.open() if ",semi," not in line and ",noise," not in line))
    with pytest.raises(InputError, match="The pool is empty"):
        run(tmp_path, tmp_path / "runs", "--self-train")


@pytest.mark.parametrize(
    ("options", "message"),
    [
        (["--pool", "semi"], "--pool is about learning without labels: give --self-train too"),
        (["--self-train", "--table4"], "--self-train teaches one system"),
        (["--self-train", "--candidates", "list.csv"], "would take all other clips out of the pool"),
        (["--self-train", "--no-nested"], "audited on the outer folds of cv-nested"),
        (["--self-train", "2", "--pseudo-labels", "x.csv"], "in one round"),
        (["--pseudo-labels", "x.csv", "--teachers", "clusters"], "leave --agree, --teachers and ROUNDS out"),
        (["--self-train", "--teachers", "parrots"], "--teachers parrots: wanted networks or clusters, or both"),
        (["--trust-pool"], "--trust-pool is about learning without labels"),
        (["--self-train", "0"], "at least 1"),
        (["--self-train", "--accept", "1.2"], "not a number from 0 to 1"),
    ],
)
def test_contradictions_are_refused(options: list[str], message: str, capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit):
        main(options)
    assert message in capsys.readouterr().err


def test_a_pool_that_is_warned_of_is_not_learnt_from_unless_it_is_trusted(corpus: Path, tmp_path: Path) -> None:
    """The pool's features are moved; then the row is that of the plain networks, and says so."""
    make_toy_corpus(tmp_path / "moved", 120)
    features = tmp_path / "moved" / "features"
    pool = {clip.name for clip in read_manifest(corpus / "manifest.csv").clips if clip.split != "train"}
    move_features(features, pool, 8.0)
    made, result = run(tmp_path / "moved", tmp_path / "careful", "--self-train")
    plain, taught = result["rows"]
    found = taught["self_training"]
    assert found["pool_used"] is False and found["transductive"] == [] and taught["scores"] == plain["scores"]
    assert any("of another domain" in text for text in found["warnings"]) and "--trust-pool" in found["warnings"][-1]
    assert "pseudo_labels" not in result["files"]
    markdown = (made / "table.md").read_text()
    assert "pool not used" in markdown and "another domain" in markdown and "self-trained" not in markdown
    trusting = ["--self-train", "--trust-pool", "--teachers", "clusters"]
    _, result = run(tmp_path / "moved", tmp_path / "trusting", *trusting)
    found = result["rows"][-1]["self_training"]
    assert found["pool_used"] is True and found["teachers"] == ["clusters"] and found["rounds"][1]["accepted"] > 0
    assert any("of another domain" in text for text in found["warnings"])
