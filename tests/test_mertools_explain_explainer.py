"""The whole explainer on toys: what it learns, from what, and what stays as it was."""

from __future__ import annotations

from dataclasses import replace

import pytest
import torch
from tiny_explainer import ADAPTERS, SENTENCES, affectgpt, batch, language_model, microemo

from mertools.explain.configuration import Configuration
from mertools.explain.explainer import Explainer

NAMES = [f"clip {number}" for number in range(8)]


@pytest.mark.parametrize("configuration", [affectgpt(), microemo()], ids=["affectgpt", "microemo"])
def test_eight_clips_are_learned_word_for_word(configuration: Configuration) -> None:
    adapted = replace(configuration.language_model, lora=ADAPTERS)
    explainer = Explainer(replace(configuration, language_model=adapted), language_model()).train()
    learning = batch(explainer, NAMES, SENTENCES)
    optimiser = torch.optim.AdamW(explainer.trainable_parameters().values(), lr=5e-3)
    for _ in range(300):
        loss = explainer(learning).mean
        optimiser.zero_grad()
        loss.backward()
        optimiser.step()
        if loss.item() < 0.04:
            break
    assert explainer.generate(batch(explainer, NAMES)) == list(SENTENCES)
