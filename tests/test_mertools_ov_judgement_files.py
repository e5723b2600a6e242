"""judgement.json: what is written is read again, whatever is lacking in it."""

from __future__ import annotations

import csv
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from mertools.errors import InputError
from mertools.ov.judgement_files import read_judgement, write_automatic_scores, write_judgement
from mertools.ov.judgements import JudgedSystem, Judgement, score
from mertools.ov.judging import METRICS, Verdicts

CLIPS = ("a", "b", "三")
NUMBERS = st.dictionaries(st.sampled_from(CLIPS), st.integers(0, 100).map(lambda tenths: tenths / 10))
REASONS = st.dictionaries(
    st.sampled_from(METRICS), st.dictionaries(st.sampled_from(CLIPS), st.text(min_size=1), min_size=1)
)
VERDICTS = st.builds(Verdicts, st.dictionaries(st.sampled_from(METRICS), NUMBERS), REASONS)
SYSTEMS = st.builds(
    JudgedSystem,
    name=st.text(min_size=1),
    runs=st.lists(VERDICTS, min_size=1, max_size=3).map(tuple),
    file=st.text(),
    failed=st.integers(0, 3),
    series=st.text(),
    epoch=st.integers(0, 100),
)
JUDGE = {"model": "judge-1", "temperature": 0.0}
TRUTH = {"file": "truth.jsonl", "fingerprint": "0", "without": 0, "notice": ""}


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture], max_examples=50)
@given(systems=st.lists(SYSTEMS, max_size=3).map(tuple))
def test_a_judgement_survives_being_written(systems: tuple[JudgedSystem, ...], tmp_path: Path) -> None:
    judgement = Judgement(JUDGE, "2026-01-01T00:00:00Z", TRUTH, CLIPS, systems, seed=3)
    write_judgement(tmp_path / "judgement.json", judgement)
    assert read_judgement(tmp_path / "judgement.json") == judgement


def test_scores_are_means_over_clips_and_over_runs(tmp_path: Path) -> None:
    runs = (Verdicts({"audio": {"a": 1, "b": 0}}, {}), Verdicts({"audio": {"a": 1}}, {"audio": {"b": "refused"}}))
    system = JudgedSystem("mine", runs)
    found = score(system, "audio", seed=0)
    assert (found.value, found.n) == (0.75, 1)
    assert found.std == pytest.approx(0.5 / 2**0.5)
    assert score(system, "visual", seed=0) is None
    write_automatic_scores(tmp_path / "scores.csv", Judgement(JUDGE, "", TRUTH, ("a", "b"), (system,)))
    with (tmp_path / "scores.csv").open(encoding="utf-8", newline="") as file:
        rows = list(csv.reader(file))
    assert rows[1:] == [["a", "mine", "audio by judge-1", "1.0"], ["b", "mine", "audio by judge-1", "0.0"]]


@pytest.mark.parametrize("content", ["[]", "{}", "no JSON", '{"format": "mertools rating key 1"}'])
def test_other_files_are_refused(content: str, tmp_path: Path) -> None:
    (tmp_path / "x.json").write_text(content)
    with pytest.raises(InputError, match="is not the judgement"):
        read_judgement(tmp_path / "x.json")
