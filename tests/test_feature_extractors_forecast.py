"""What an extraction would take: the sample, the sums, and that nothing is left behind."""

from __future__ import annotations

import pytest
from test_feature_extractors_runner import Toy, clips, run

from feature_extractors import runner
from feature_extractors.forecast import PROBED, forecast
from mertools.errors import InputError
from mertools.feature_store import read_features


def test_bytes_are_those_of_the_files(tmp_path) -> None:
    corpus = clips(*["ab"] * 400, "bug")
    for level, dtype in (("utterance", "float32"), ("frame", "float16")):
        toy = Toy()
        plan = forecast(corpus, [toy], level=level, dtype=dtype, workers=0)
        (outcome,) = run(tmp_path / level, corpus, level=level, dtype=dtype)
        assert (plan.clips, plan.probed) == (401, PROBED)
        assert plan.failed == {"toy": 1}, "the last clip is among the probed"
        assert plan.bytes["toy"] == pytest.approx(outcome.path.stat().st_size, rel=0.2)
        probed = [len(batch) for batch in toy.batches]
        assert sum(probed) == 1 + PROBED - 1, "one to warm up, then the sample"
        assert len(read_features(outcome.path).names) == 401


def test_seconds_are_those_of_all_clips_and_all_passes(monkeypatch: pytest.MonkeyPatch) -> None:
    times = iter([0.0, 3.0, 4.0, 10.0, 10.5, 11.0])
    monkeypatch.setattr("feature_extractors.forecast.time.perf_counter", lambda: next(times))
    big = runner.PARAMETERS_TOGETHER
    told = []
    plan = forecast(
        clips(*["a"] * 100),
        [Toy("one", parameters=big), Toy("two", parameters=big)],
        level="utterance",
        workers=0,
        device="cpu",
        progress=lambda *numbers: told.append(numbers),
    )
    assert plan.seconds == (4 + 1) * 2
    assert told[-1] == (2 * PROBED, 2 * PROBED, 0)


def test_few_clips_are_all_probed() -> None:
    assert forecast(clips("a", "b"), [Toy()], level="utterance", workers=0).probed == 2
    with pytest.raises(InputError, match="no clips"):
        forecast([], [Toy()], level="utterance")
