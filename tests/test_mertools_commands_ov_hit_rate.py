"""`mertools ov hit-rate`: open labels on a corpus with one label a clip."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest

from mertools.__main__ import dispatch
from mertools.clip import Clip
from mertools.corpus import write_manifest
from mertools.errors import InputError
from mertools.lexicon import lexicon
from mertools.ov.groupings import ByFamily
from mertools.ov.hit_rate import score_hits
from mertools.ov.labels import OpenLabels, write_labels

TRUTH = {"a": "joy", "b": "anger", "c": "sadness", "d": "lamp", "e": "neutral"}
PREDICTED = [
    OpenLabels("a", ("delighted", "annoyed", "happy")),  # a hit, beside one class of the corpus more
    OpenLabels("b", ("worried", "furious")),  # a hit; the corpus has no class of fear
    OpenLabels("c", ("happy",)),
    OpenLabels("d", ("lamp",)),  # its label is in no table: the clip does not count
    OpenLabels("e", (), "no answer"),
]
HIT_RATE, M_SCORE = (1 + 1 + 0 + 0) / 4, (1 / 2 + 1 + 0 + 0) / 4


@pytest.fixture
def corpus(tmp_path: Path) -> Path:
    clips = [Clip(name, subtitle="x", split="test", label=label) for name, label in TRUTH.items()]
    write_manifest(tmp_path / "manifest.csv", [*clips, Clip("f", subtitle="x", split="test")])
    write_labels(tmp_path / "labels.csv", PREDICTED)
    return tmp_path


def test_by_the_lexicons_families() -> None:
    found = score_hits(TRUTH, {row.name: row for row in PREDICTED}, ByFamily(lexicon()), seed=0)
    values = {name: estimate.value for name, estimate in found.estimates.items()}
    assert values == pytest.approx({"hit_rate": HIT_RATE, "m_score": M_SCORE})
    assert found.failed == 1 and found.predicted.unknown == {"lamp": 1}
    with pytest.raises(InputError, match=r"None of the labels lamp is in the tables"):
        score_hits({"d": "lamp"}, {}, ByFamily(lexicon()), seed=0)


def test_the_table(corpus: Path, capsys: pytest.CaptureFixture[str]) -> None:
    words = ["ov", "hit-rate", "--data", f"{corpus}/manifest.csv", "--predicted", f"mine={corpus}/labels.csv"]
    assert dispatch(words) == 0
    out = capsys.readouterr().out
    rows = [line.split("\t") for line in out.splitlines() if "\t" in line]
    mine = dict(zip(rows[0], rows[-1], strict=True))
    assert [row[0] for row in rows[1:]] == ["empty", "random", "mine"]
    assert (mine["Hit rate"], mine["M-score"], mine["failed"]) == (f"{100 * HIT_RATE:.2f}", f"{100 * M_SCORE:.2f}", "1")
    assert "Of 5 true labels 4 are in the tables (80.0 %); outside them, the most frequent first: lamp." in out
    assert "Not scored, since they have no true label: 1 clips." in out
    assert dispatch([*words, "--json"]) == 0
    scores = json.loads(capsys.readouterr().out)["systems"][-1]["scores"]
    assert scores[0]["metric"] == "hit_rate" and scores[0]["value"] == pytest.approx(HIT_RATE)


def test_by_the_wheels(corpus: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """In wheels 1 to 4 as by families; the fifth knows joy alone, and there clip a is a hit without any other class."""
    level = {"joy": "happy", "glee": "happy", "fury": "mad", "gloom": "sad", "calm": "calm"}
    wheels = {f"wheel{n}": {"level1": level, "level2": level} for n in range(1, 5)}
    wheels["wheel5"] = {"level1": {"joy": "happy", "glee": "happy"}, "level2": {}}
    forms = {"joy": "joy", "delighted": "glee", "happy": "glee", "annoyed": "fury", "furious": "fury", "anger": "fury"}
    forms |= {"sadness": "gloom", "neutral": "calm"}
    np.savez(
        corpus / "wheel_mapping.npz",
        format_mapping=np.array({form: [base] for form, base in forms.items()}, dtype=object),
        raw_mapping=np.array({base: [base] for base in forms.values()}, dtype=object),
        wheel_map_whole=np.array(wheels, dtype=object),
    )
    words = ["ov", "hit-rate", "--data", f"{corpus}/manifest.csv", "--predicted", f"mine={corpus}/labels.csv"]
    assert dispatch([*words, "--wheel", f"{corpus}/wheel_mapping.npz", "--json"]) == 0
    scores = json.loads(capsys.readouterr().out)["systems"][-1]["scores"]
    values = {score["metric"]: score["value"] for score in scores}
    assert values == pytest.approx({"hit_rate": (4 * HIT_RATE + 1) / 5, "m_score": (4 * M_SCORE + 1) / 5})


def test_a_corpus_without_labels_is_refused(corpus: Path) -> None:
    write_manifest(corpus / "manifest.csv", [Clip("f", subtitle="x", split="test")])
    with pytest.raises(InputError, match="no clip has a label"):
        dispatch(["ov", "hit-rate", "--data", f"{corpus}/manifest.csv", "--predicted", f"{corpus}/labels.csv"])
