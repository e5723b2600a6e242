"""The published optimisation: rates by step, and what decays."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from mertools.prepare.adaptation.schedule import learning_rate, make_optimiser


def test_the_rate_rises_and_falls_along_a_cosine() -> None:
    rates = [learning_rate(step, 1000, 1.5e-4, 256) for step in range(1000)]
    assert rates[0] == pytest.approx(1e-6) and rates[50] == pytest.approx(1.5e-4) and rates[-1] == pytest.approx(1e-5)
    assert (np.diff(rates[:51]) > 0).all() and (np.diff(rates[50:]) < 0).all()
    middle = (50 + 999) / 2
    assert learning_rate(round(middle), 1000, 1.5e-4, 256) == pytest.approx((1.5e-4 + 1e-5) / 2, rel=1e-2)


def test_the_rate_grows_with_the_clips_of_a_step() -> None:
    assert learning_rate(9, 50, 1.5e-4, 512) == pytest.approx(2 * learning_rate(9, 50, 1.5e-4, 256))


@pytest.mark.parametrize("steps", [1, 2, 5])
def test_short_runs_have_rates(steps: int) -> None:
    assert all(0 < learning_rate(step, steps, 1.5e-4, 256) <= 1.5e-4 for step in range(steps))


def test_biases_and_norms_do_not_decay() -> None:
    optimiser = make_optimiser(torch.nn.Sequential(torch.nn.Linear(3, 4), torch.nn.LayerNorm(4)))
    decays = {group["weight_decay"]: [one.ndim for one in group["params"]] for group in optimiser.param_groups}
    assert decays == {0.05: [2], 0.0: [1, 1, 1]}
    assert {group["betas"] for group in optimiser.param_groups} == {(0.9, 0.95)}
