"""What a pool's features say of it without labels."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from toy_problem import make_inputs

from fusion.inputs import Inputs
from fusion.pool_checks import check_features, check_pool
from mertools.errors import InputError

TRAIN, POOL = np.arange(90), np.arange(90, 390)


def moved(inputs: dict[str, Inputs], change: object) -> dict[str, Inputs]:
    """The same with `change` applied to each feature's values and mask of the pool's clips."""
    found = {}
    for name, one in inputs.items():
        values, mask = one.values.copy(), one.mask.copy()
        values[POOL], mask[POOL] = change(values[POOL], mask[POOL])
        found[name] = replace(one, values=values, mask=mask)
    return found


def test_a_pool_of_the_same_kind_is_not_warned_of() -> None:
    found = check_pool(make_inputs(390), TRAIN, POOL, seed=0)
    assert list(found.warnings) == []
    assert found.domain_auc < 0.65
    assert all(pooled <= 0.05 for _, pooled in found.dependence_p.values())
    assert ("a1", "a2") not in found.dependence_p, "two features of one modality always belong together"


def test_features_of_other_clips_are_warned_of() -> None:
    rng = np.random.default_rng(0)

    def shuffle(values: np.ndarray, mask: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        order = rng.permutation(len(values))
        return values[order], mask[order]

    found = check_pool(moved(make_inputs(390), shuffle), TRAIN, POOL, seed=0)
    assert any("do not belong together" in text for text in found.warnings)
    assert found.domain_auc < 0.65, "one feature at a time, nothing is seen"


def test_another_domain_is_warned_of() -> None:
    found = check_pool(moved(make_inputs(390), lambda values, mask: (values * 2 + 3, mask)), TRAIN, POOL, seed=0)
    assert any("of another domain" in text for text in found.warnings)


def test_an_empty_pool_and_a_feature_that_lacks_are_refused() -> None:
    inputs = make_inputs(390)
    with pytest.raises(InputError, match="The pool is empty"):
        check_features(inputs, np.empty(0, dtype=np.int64))
    without = moved({"a1": inputs["a1"]}, lambda values, mask: (values, np.zeros_like(mask)))
    with pytest.raises(InputError, match="'a1': none of the 300 clips of the pool has it"):
        check_features(without, POOL)
    check_features(inputs, POOL)


def test_a_small_pool_is_not_called_unrelated_for_being_small() -> None:
    """Over twenty draws of eleven clips of the training clips' kind."""
    inputs = make_inputs(390, skill=0.5)
    rng = np.random.default_rng(0)
    warned = [list(check_pool(inputs, TRAIN, rng.choice(POOL, 11, replace=False), seed).warnings) for seed in range(20)]
    assert sum(map(bool, warned)) <= 1


def test_a_large_pool_without_any_dependence_is_warned_of_where_training_clips_are_too_few_to_show_theirs() -> None:
    rng = np.random.default_rng(0)

    def shuffle(values: np.ndarray, mask: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        order = rng.permutation(len(values))
        return values[order], mask[order]

    inputs = make_inputs(390, skill=0.7)
    few = TRAIN[:12]
    assert list(check_pool(inputs, few, POOL, seed=0).warnings) == []
    (warning,) = check_pool(moved(inputs, shuffle), few, POOL, seed=0).warnings
    assert "No features of different modalities belong together in the pool's 300 clips" in warning
