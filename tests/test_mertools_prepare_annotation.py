"""Annotation by people: orders, the 4-of-5 rule, halves."""

from __future__ import annotations

from collections import Counter
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from mertools.emotions import MER2024
from mertools.errors import InputError
from mertools.prepare.annotation import (
    NOISE,
    OTHER,
    SEMI,
    Verdict,
    as_numbers,
    check_threshold,
    draw_study,
    halves,
    read_key,
    verdicts,
    write_key,
)

NAMES = [f"clip-{number}" for number in range(12)]


def test_a_study_is_a_function_of_names_and_seed(tmp_path: Path) -> None:
    key = draw_study(NAMES, MER2024, 5, seed=0)
    assert key == draw_study(NAMES[::-1], MER2024, 5, seed=0)
    assert key.study != draw_study(NAMES, MER2024, 5, seed=1).study
    assert sorted(key.clips.values()) == sorted(NAMES) and list(key.clips.values()) != sorted(NAMES)
    assert len(set(key.orders.values())) == 5
    assert all(sorted(order) == sorted(key.clips) for order in key.orders.values())
    assert key.answers == (*MER2024.names, OTHER)
    write_key(tmp_path / "key.json", key)
    assert read_key(tmp_path / "key.json") == key


@pytest.mark.parametrize("content", ["", "[]", '{"format": "mertools rating key 1"}'])
def test_what_is_no_key_is_refused(tmp_path: Path, content: str) -> None:
    (tmp_path / "key.json").write_text(content)
    with pytest.raises(InputError, match="is not the key"):
        read_key(tmp_path / "key.json")
    with pytest.raises(InputError, match="There is no key"):
        read_key(tmp_path / "absent.json")


def test_four_of_five_make_a_label() -> None:
    key = draw_study(["a", "b", "c", "d"], MER2024, 5, seed=0)
    said = {"a": "sad sad sad sad sad", "b": "sad sad angry sad sad", "c": "sad sad sad angry angry", "d": "other " * 4}
    item_of = {clip: item for item, clip in key.clips.items()}
    answers = {
        rater: {item_of[clip]: words.split()[number] for clip, words in said.items() if number < len(words.split())}
        for number, rater in enumerate(key.orders)
    }
    assert verdicts(key, answers, 4) == {"a": Verdict("sad", 5), "b": Verdict("sad", 4), "d": Verdict(OTHER, 4)}
    assert verdicts(key, answers, 5) == {"a": Verdict("sad", 5)}
    numbers = as_numbers(key, answers)
    assert numbers.shape == (5, 4) and np.isnan(numbers).sum() == 1


@pytest.mark.parametrize(("agree", "raters", "fine"), [(4, 5, True), (3, 5, True), (2, 5, False), (6, 5, False)])
def test_a_threshold_is_a_majority(agree: int, raters: int, fine: bool) -> None:
    if fine:
        check_threshold(agree, raters)
    else:
        with pytest.raises(InputError, match="wanted 3 to 5"):
            check_threshold(agree, raters)


def test_the_papers_halves() -> None:
    """2,339 clips are 1,169 of MER-SEMI and 1,170 of MER-NOISE (Table 1), whatever the classes' sizes."""
    sizes = dict(zip(MER2024.names, (601, 503, 499, 401, 301, 34), strict=True))
    label_of = {f"{label}-{number}": label for label, size in sizes.items() for number in range(size)}
    splits = halves(label_of, MER2024.names, seed=0)
    assert Counter(splits.values()) == {SEMI: 1169, NOISE: 1170}
    assert splits != halves(label_of, MER2024.names, seed=1)


@given(st.dictionaries(st.sampled_from(MER2024.names), st.integers(1, 9), min_size=1))
def test_halves_are_balanced_class_by_class(sizes: dict[str, int]) -> None:
    label_of = {f"{label}-{number}": label for label, size in sizes.items() for number in range(size)}
    splits = halves(label_of, MER2024.names, seed=0)
    assert splits == halves(dict(reversed(label_of.items())), MER2024.names, seed=0)
    counts = Counter((label_of[name], split) for name, split in splits.items())
    assert all(abs(counts[label, SEMI] - counts[label, NOISE]) <= 1 for label in sizes)
    whole = Counter(splits.values())
    assert whole[NOISE] - whole[SEMI] == sum(sizes.values()) % 2
