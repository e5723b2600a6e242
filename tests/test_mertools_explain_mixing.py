"""Mixture: weights are kept, no example is left out, and batch n is the same however it is reached."""

from __future__ import annotations

from collections import Counter

from hypothesis import given
from hypothesis import strategies as st

from mertools.explain.mixing import BLOCK, Mixture


@given(
    sizes=st.lists(st.integers(1, 9), min_size=1, max_size=3),
    batch_size=st.integers(1, 4),
    seed=st.integers(0, 99),
    number=st.integers(0, BLOCK + 50),
)
def test_a_batch_depends_on_the_seed_and_its_number_alone(
    sizes: list[int], batch_size: int, seed: int, number: int
) -> None:
    weights = tuple(1.0 + place for place in range(len(sizes)))
    first, again = (Mixture(tuple(sizes), weights, batch_size, seed, "stage") for _ in range(2))
    for earlier in range(0, number, 97):
        first.batch(earlier)
    chosen, places = first.batch(number)
    assert (chosen, places) == again.batch(number)
    assert len(places) == batch_size
    assert all(0 <= place < sizes[chosen] for place in places)
    assert sum(first.drawn(number)) == number


@given(size=st.integers(1, 12), batch_size=st.integers(1, 5), passes=st.integers(1, 3))
def test_every_pass_has_each_example_once(size: int, batch_size: int, passes: int) -> None:
    mixture = Mixture((size, 3), (1.0, 1.0), batch_size, 0, "stage")
    seen: list[int] = []
    number = 0
    while len(seen) < size * passes:
        chosen, places = mixture.batch(number)
        seen += places if chosen == 0 else []
        number += 1
    for begin in range(0, size * passes, size):
        assert sorted(seen[begin : begin + size]) == list(range(size))


def test_sets_are_drawn_by_weight() -> None:
    mixture = Mixture((5, 5, 5), (1.0, 2.0, 5.0), 1, 3, "stage")
    counts = Counter(mixture.batch(number)[0] for number in range(2000))
    assert [abs(counts[place] / 2000 - share) < 0.04 for place, share in enumerate((1 / 8, 2 / 8, 5 / 8))] == [True] * 3
    assert mixture.drawn(2000) == [counts[place] for place in range(3)]


def test_seeds_and_stages_are_drawn_apart() -> None:
    orders = [
        [Mixture((50,), (1.0,), 5, seed, name).batch(number) for number in range(5)]
        for seed, name in ((0, "a"), (1, "a"), (0, "b"))
    ]
    assert orders[0] != orders[1] != orders[2] != orders[0]
