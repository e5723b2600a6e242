"""Our numbers beside the paper's."""

from __future__ import annotations

import math

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from mertools.report.comparison import LIMIT_POINTS, compare, rank_correlation
from mertools.report.reference import PrintedScore, parse_score, read_table

FRACTIONS = st.floats(0, 1)
DEVIATIONS = st.none() | st.floats(0, 0.1)
SCORES = st.dictionaries(st.sampled_from("abcdefgh"), st.floats(0, 1), max_size=8)


@pytest.mark.parametrize(
    ("value", "std", "cell", "difference", "within"),
    [
        (0.7302, 0.0013, "73.02±0.13", 0.0, True),
        # Three deviations of sqrt(0.3² + 0.4²) are one and a half points.
        (0.7452, 0.003, "73.02±0.40", 1.5, True),
        (0.7453, 0.003, "73.02±0.40", 1.51, False),
        # Two points are too much however wide the deviations.
        (0.5686, 0.02, "54.86±1.50", 2.0, True),
        (0.5285, 0.02, "54.86±1.50", -2.01, False),
        # Our single run against six of theirs, and theirs without a deviation.
        (0.7310, None, "73.02±0.13", 0.08, True),
        (0.7342, None, "73.02±0.13", 0.4, False),
        (0.7700, 0.001, "76.55", 0.45, False),
        # No deviation at all.
        (0.7855, None, "76.55", 2.0, True),
        (0.7856, None, "76.55", 2.01, False),
    ],
)
def test_a_number_beside_the_papers(
    value: float, std: float | None, cell: str, difference: float, within: bool
) -> None:
    comparison = compare(value, std, parse_score(cell))
    assert comparison.difference == pytest.approx(difference, abs=1e-9)
    assert comparison.within is within


@given(value=FRACTIONS, std=DEVIATIONS, paper=st.floats(0, 100), paper_std=DEVIATIONS)
def test_chance_explains_two_points_at_the_most(
    value: float, std: float | None, paper: float, paper_std: float | None
) -> None:
    comparison = compare(value, std, PrintedScore(paper, paper_std))
    assert 0 <= comparison.tolerance <= LIMIT_POINTS
    assert comparison.difference == pytest.approx(100 * value - paper, abs=1e-8)
    if comparison.within:
        assert abs(comparison.difference) <= LIMIT_POINTS
        if std is not None and paper_std is not None:
            assert abs(comparison.difference) <= 3 * math.sqrt((100 * std) ** 2 + paper_std**2) + 1e-9


@given(value=FRACTIONS, std=st.floats(0, 0.1), wider=st.floats(0, 0.1), paper=st.floats(0, 100))
def test_a_wider_deviation_flags_no_more(value: float, std: float, wider: float, paper: float) -> None:
    narrow, wide = sorted((std, wider))
    printed = PrintedScore(paper, 0.2)
    assert compare(value, wide, printed).within or not compare(value, narrow, printed).within


def test_the_same_order_is_one_and_the_reverse_minus_one() -> None:
    papers = {row["feature"]: parse_score(row["average_waf"]).value for row in read_table("mer2024-table4")}
    assert len(papers) == 36
    assert rank_correlation({feature: waf / 200 + 0.1 for feature, waf in papers.items()}, papers) == pytest.approx(1)
    assert rank_correlation({feature: -waf for feature, waf in papers.items()}, papers) == pytest.approx(-1)


def test_only_features_that_both_have_count_and_equals_share_a_rank() -> None:
    ours = {"a": 0.1, "b": 0.2, "c": 0.2, "d": 0.4, "only ours": 0.0}
    papers = {"d": 40.0, "c": 30.0, "b": 10.0, "a": 20.0, "only theirs": 99.0}
    # Ranks 1, 2.5, 2.5, 4 against 2, 1, 3, 4: covariance 3, variances 4.5 and 5.
    assert rank_correlation(ours, papers) == pytest.approx(3 / math.sqrt(4.5 * 5))


@pytest.mark.parametrize(
    ("ours", "papers"),
    [
        ({}, {}),
        ({"a": 0.5}, {"a": 50.0}),
        ({"a": 0.5, "b": 0.6}, {"c": 1.0, "d": 2.0}),
        ({"a": 1, "b": 1}, {"a": 1, "b": 2}),
    ],
)
def test_without_an_order_there_is_no_correlation(ours: dict[str, float], papers: dict[str, float]) -> None:
    assert rank_correlation(ours, papers) is None


@settings(deadline=None)
@given(ours=SCORES, papers=SCORES)
def test_the_correlation_is_scipys(ours: dict[str, float], papers: dict[str, float]) -> None:
    from scipy.stats import spearmanr

    common = sorted(ours.keys() & papers.keys())
    found = rank_correlation(ours, papers)
    if found is None:
        assert len({ours[name] for name in common}) < 2 or len({papers[name] for name in common}) < 2
    else:
        expected = spearmanr([ours[name] for name in common], [papers[name] for name in common]).statistic
        assert found == pytest.approx(expected)
