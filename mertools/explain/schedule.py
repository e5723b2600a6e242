"""The learning rate at each step of a stage."""

from __future__ import annotations

import math

from mertools.explain.configuration import Stage


def learning_rate(stage: Stage, step: int) -> float:
    """The rate of step `step`, counted from 0 within the stage.

    It rises linearly from `warmup_learning_rate` to `learning_rate` over `warmup_steps` steps, however many of them an
    epoch has, and then falls along half a cosine, from where the warmup ended, to `min_learning_rate` at the last step.
    """
    warmup = min(stage.warmup_steps, stage.steps)
    if step < warmup:
        return stage.warmup_learning_rate + (stage.learning_rate - stage.warmup_learning_rate) * step / warmup
    done = (step - warmup) / max(stage.steps - 1 - warmup, 1)
    share = (1 + math.cos(math.pi * min(done, 1.0))) / 2
    return stage.min_learning_rate + (stage.learning_rate - stage.min_learning_rate) * share
