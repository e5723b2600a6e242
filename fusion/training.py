"""Train one fusion network, and keep the epoch that predicts its held-out clips best."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from torch import Tensor
from torch.nn import functional

from fusion.inputs import Batch
from fusion.models.model import FeatureShape, Fused, FusionModel
from mertools.metrics import confusion_matrix, waf
from mertools.randomness import torch_generator

BATCH_SIZE = 32
# What the released code regularises with; the paper is silent (docs/choices.md).
WEIGHT_DECAY = 1e-5


@dataclass(frozen=True)
class Trained:
    """A network at its best epoch, with the held-out score that chose the epoch and the held-out outputs."""

    network: FusionModel
    epoch: int
    waf: float
    held_out: Fused


def train(
    network: FusionModel,
    batch: Batch,
    targets: Tensor,
    held_out_batch: Batch,
    held_out_targets: np.ndarray,
    classes: int,
    learning_rate: float,
    dropout: float,
    epochs: int,
    generator: torch.Generator,
) -> Trained:
    """Train `network` by Adam on cross-entropy, in shuffled batches of 32, for `epochs` epochs.

    The best epoch is the first with the highest WAF on the held-out clips, as in the released code: an optimistic
    choice, which is why its score is called `cv-paper`. Batches and dropout are drawn from `generator`, a CPU one, so
    that every device draws alike.
    """
    device = targets.device
    optimiser = torch.optim.Adam(network.parameters(), lr=learning_rate, weight_decay=WEIGHT_DECAY, fused=True)
    best_waf, best_epoch, best_state = -1.0, 0, {}
    for epoch in range(epochs):
        order = torch.randperm(len(targets), generator=generator).to(device)
        shuffled, shuffled_targets = batch.rows(order), targets[order]
        for begin in range(0, len(targets), BATCH_SIZE):
            part = slice(begin, begin + BATCH_SIZE)
            rows = shuffled.rows(part)
            uniform = torch.rand((len(shuffled_targets[part]), network.dropped), generator=generator)
            keep = ((uniform >= dropout) / (1 - dropout)).to(device)
            fused = network(rows.features, rows.masks, keep)
            loss = functional.cross_entropy(fused.logits, shuffled_targets[part])
            optimiser.zero_grad()
            loss.backward()
            optimiser.step()
        predicted = predict(network, held_out_batch).logits.argmax(dim=1).cpu().numpy()
        score = float(waf(confusion_matrix(held_out_targets, predicted, classes)))
        if score > best_waf:
            best_waf, best_epoch = score, epoch
            best_state = {name: value.clone() for name, value in network.state_dict().items()}
    network.load_state_dict(best_state)
    return Trained(network, best_epoch, best_waf, predict(network, held_out_batch))


@torch.inference_mode()
def predict(network: FusionModel, batch: Batch) -> Fused:
    """The network's outputs for all clips of `batch`, without dropout."""
    return network(batch.features, batch.masks)


def build_network(
    model: type[FusionModel],
    shapes: Mapping[str, FeatureShape],
    classes: int,
    configuration: Mapping[str, Any],
    seed: int,
    *names: str,
) -> FusionModel:
    """A network of `model` whose initial weights are a function of (seed, names) alone."""
    with torch.random.fork_rng(devices=[]):
        # torch.nn initialises from the global generator; nothing else may notice.
        torch.manual_seed(torch_generator(seed, "initial weights", *names).initial_seed())
        return model(shapes, classes, int(configuration["hidden"]))
