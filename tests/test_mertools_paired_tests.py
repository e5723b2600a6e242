"""Paired tests find what is there and rarely what is not."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy.stats import binomtest

from mertools.errors import InputError
from mertools.metrics import acc, confusion_matrix, uar, waf
from mertools.paired_tests import contrasts, difference, mcnemar, paired_bootstrap

LABELS = ("neutral", "angry", "happy")
answers = st.lists(st.tuples(*[st.integers(0, 2)] * 3), min_size=1, max_size=60)


@given(answers, st.sampled_from([("waf", waf), ("acc", acc), ("uar", uar)]))
def test_the_difference_is_that_of_the_scores_and_turns_with_the_runs(rows: list, metric: tuple) -> None:
    truth, a, b = np.array(rows).T
    name, score = metric
    found = paired_bootstrap(truth, a, b, LABELS, 0, name, resamples=50)
    gain = score(confusion_matrix(truth, b, 3)) - score(confusion_matrix(truth, a, 3))
    assert found.value == pytest.approx(float(gain), abs=1e-12)
    assert -1 <= found.low <= found.high <= 1 and 0 < found.p <= 1
    assert found == paired_bootstrap(truth, a, b, LABELS, 0, name, resamples=50)
    assert paired_bootstrap(truth, b, a, LABELS, 0, name, resamples=50).value == pytest.approx(-found.value, abs=1e-12)


@given(answers)
def test_a_run_does_not_differ_from_itself(rows: list) -> None:
    truth, a, _ = np.array(rows).T
    found = paired_bootstrap(truth, a, a, LABELS, 0, resamples=50)
    assert (found.value, found.low, found.high, found.p) == (0, 0, 0, 1)
    assert mcnemar(truth, a, a) == mcnemar(truth, truth, truth)
    assert mcnemar(truth, a, a).p == 1


def pair(chance: np.random.Generator, n: int, right_a: float, right_b: float) -> tuple[np.ndarray, ...]:
    """True classes and two runs' answers for the same clips: hard clips are hard for both."""
    truth, wrong = chance.integers(0, 3, n), chance.integers(1, 3, n)
    hardness, noise = chance.random(n), chance.normal(scale=0.2, size=(2, n))
    return truth, *(
        np.where(hardness + of_run < right, truth, (truth + wrong) % 3)
        for right, of_run in zip((right_a, right_b), noise, strict=True)
    )


def test_p_and_interval_agree_and_see_a_real_gain() -> None:
    truth, a, b = pair(np.random.default_rng(0), 800, 0.6, 0.7)
    found = paired_bootstrap(truth, a, b, LABELS, 0)
    assert 0 < found.low < found.value < found.high and found.p < 0.001
    assert mcnemar(truth, a, b).p < 0.001
    chance = np.random.default_rng(1)
    for _ in range(50):
        found = paired_bootstrap(*pair(chance, 100, 0.6, 0.65), LABELS, 0, resamples=500)
        if abs(found.p - 0.05) > 0.005:  # quantiles lie between resamples
            assert (found.p < 0.05) == (not found.low <= 0 <= found.high)


def test_equal_runs_are_told_apart_one_time_in_twenty() -> None:
    chance = np.random.default_rng(0)
    found = [paired_bootstrap(*pair(chance, 300, 0.6, 0.6), LABELS, 0, resamples=200).p < 0.05 for _ in range(1000)]
    assert 0.03 <= np.mean(found) <= 0.07


def test_folds_are_averaged() -> None:
    truth, a, b = np.array([[0, 0, 0, 0], [1, 1, 0, 0], [0, 0, 0, 1]])
    folds = np.array([0, 0, 0, 1])
    assert paired_bootstrap(truth, a, b, LABELS, 0, "acc").value == pytest.approx(3 / 4 - 2 / 4)
    assert paired_bootstrap(truth, a, b, LABELS, 0, "acc", folds).value == pytest.approx((1 + 0) / 2 - (1 / 3 + 1) / 2)


@given(answers)
def test_several_runs_are_drawn_together(rows: list) -> None:
    truth, a, b = np.array(rows).T
    weights = np.array([[-1, 1, 0], [1, 0, -1], [1, -0.5, -0.5]])
    found = contrasts(truth, np.column_stack([a, b, truth]), weights, LABELS, 0, resamples=50)
    scores = np.array([float(waf(confusion_matrix(truth, one, 3))) for one in (a, b, truth)])
    assert found.values == pytest.approx(weights @ scores, abs=1e-12)
    # A sum of the same draws: what two contrasts add up to holds in every one of them.
    assert found.drawn[:, 2] == pytest.approx((found.drawn[:, 1] - found.drawn[:, 0]) / 2, abs=1e-12)
    alone = contrasts(truth, np.column_stack([a, b]), np.array([[-1, 1]]), LABELS, 0, resamples=50)
    assert difference(alone, 0, len(truth)) == paired_bootstrap(truth, a, b, LABELS, 0, resamples=50)


def test_an_unknown_metric_is_refused() -> None:
    with pytest.raises(InputError, match=r"Unknown metric 'f1_hapy'. Did you mean 'f1_happy'\?"):
        paired_bootstrap(np.array([0]), np.array([0]), np.array([0]), LABELS, 0, "f1_hapy")


@given(st.integers(0, 400), st.integers(0, 400))
def test_mcnemar_is_the_binomial_test(only_a: int, only_b: int) -> None:
    truth = np.zeros(only_a + only_b + 3, dtype=np.int64)
    a = np.r_[np.zeros(only_a), np.ones(only_b), 0, 1, 1].astype(np.int64)
    b = np.r_[np.ones(only_a), np.zeros(only_b), 0, 1, 2].astype(np.int64)
    found = mcnemar(truth, a, b)
    assert (found.only_a, found.only_b) == (only_a, only_b)
    p = binomtest(only_a, only_a + only_b).pvalue if only_a + only_b else 1
    assert found.p == pytest.approx(p, rel=1e-9)


def test_mcnemar_of_a_whole_challenge() -> None:
    """20,000 clips that one run alone gets right: far beyond what a float holds, and still exact."""
    truth = np.zeros(20_000, dtype=np.int64)
    a = (np.arange(20_000) < 9_800).astype(np.int64)
    found = mcnemar(truth, a, 1 - a)
    assert found.p == pytest.approx(binomtest(9_800, 20_000).pvalue, rel=1e-9)
