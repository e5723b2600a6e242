"""What is measured on clips, and where it lies among the clips of a corpus."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from feature_extractors.opensmile import column_names
from mertools.ov.signals import VOICE, Reference, face_signals, stretches, voice_signals

NUMBERS = st.lists(st.floats(-1e6, 1e6), min_size=1, max_size=40)


@given(NUMBERS, st.floats(-1e6, 1e6))
def test_a_percentile_counts_what_is_below_and_half_of_what_is_equal(values: list[float], value: float) -> None:
    percentile = Reference({"pitch": number} for number in values).percentile("pitch", value)
    below, equal = sum(number < value for number in values), sum(number == value for number in values)
    assert percentile == pytest.approx(100 * (below + equal / 2) / len(values))
    assert 0 <= percentile <= 100


@given(NUMBERS)
def test_the_reference_lies_around_its_own_middle(values: list[float]) -> None:
    reference = Reference({"pitch": number} for number in values)
    assert np.mean([reference.percentile("pitch", number) for number in values]) == pytest.approx(50)


def test_signals_that_some_clips_lack_are_spread_over_the_others() -> None:
    reference = Reference([{"pitch": 1.0, "rate": 5.0}, {"pitch": 3.0}])
    assert reference.signals == ("pitch", "rate")
    assert reference.percentile("pitch", 2.0) == 50 and reference.percentile("rate", 6.0) == 100
    assert Reference([]).signals == ()


@pytest.mark.parametrize("feature_set", ["eGeMAPSv01a", "eGeMAPSv02"])
def test_every_property_of_the_voice_is_a_functional_of_both_versions(feature_set: str) -> None:
    columns = column_names(feature_set)[0]
    measured = voice_signals(np.arange(len(columns)), columns)
    assert {columns[int(place)] for place in measured.values()} == set(VOICE.values())


def test_a_face_is_cut_where_its_strongest_expression_changes() -> None:
    probabilities = np.array([[0.9, 0.1], [0.6, 0.4], [0.2, 0.8], [0.7, 0.3]])
    times = np.array([0.1, 0.5, 1.0, 1.4])
    assert face_signals(probabilities, ("neutral", "angry")) == pytest.approx({"neutral": 0.6, "angry": 0.4})
    course = stretches(probabilities, times, ("neutral", "angry"))
    assert [(part.expression, part.begin, part.end) for part in course] == [
        ("neutral", 0.1, 1.0),
        ("angry", 1.0, 1.4),
        ("neutral", 1.4, 1.4),
    ]
    assert [part.expression for part in stretches(probabilities[:1], times[:1], ("neutral", "angry"))] == ["neutral"]
