"""How often each class occurs among clips without labels, by what a classifier says of them.

Under label shift, p(x | y) is the same for labelled and unlabelled clips and only p(y) differs. Two estimates:
`black_box_priors` solves for the frequencies that make the classifier's mean answer what it is (BBSE: Lipton, Wang and
Smola 2018, "Detecting and Correcting for Label Shift with Black Box Predictors"); `em_priors` are those of highest
likelihood (Saerens, Latinne and Decaestecker 2002), which needs calibrated probabilities.
"""

from __future__ import annotations

import numpy as np

from mertools.errors import InputError

STEPS = 1000
CHANGE = 1e-7
"""EM ends when no class' frequency moves further."""


def class_frequencies(targets: np.ndarray, classes: int) -> np.ndarray:
    """The share of each class among the class numbers `targets` (N,), (C,)."""
    return np.bincount(targets, minlength=classes) / len(targets)


def black_box_priors(held_out: np.ndarray, truth: np.ndarray, pool: np.ndarray) -> np.ndarray:
    """The frequencies of the classes in a pool, (C,), by BBSE with probabilities.

    `held_out` (N, C) are the classifier's probabilities for clips of the classes `truth` (N,) that it was not trained
    on, `pool` (M, C) those for the pool. A class without held-out clips has frequency 0; negative solutions are 0 too.
    With a handful of held-out clips a class the equations are nearly singular and their solution far off.

    Raises InputError for an empty pool, or without held-out clips.
    """
    _check(held_out, "held-out clip")
    _check(pool, "clip in the pool")
    classes = pool.shape[1]
    of_class = np.eye(classes)[truth]
    counts = of_class.sum(axis=0)
    # Column y: the mean answer to clips of class y.
    answers = (held_out.T @ of_class) / np.maximum(counts, 1)
    solved, *_ = np.linalg.lstsq(answers, pool.mean(axis=0), rcond=None)
    solved = np.where(counts > 0, solved, 0).clip(min=0)
    return solved / solved.sum()


def em_priors(pool: np.ndarray, source: np.ndarray) -> np.ndarray:
    """The frequencies of the classes in a pool, (C,), by expectation maximisation.

    `pool` (M, C) are calibrated probabilities of a classifier whose training clips had the frequencies `source` (C,).
    A class that it was not trained on stays at 0.

    Raises InputError for an empty pool.
    """
    _check(pool, "clip in the pool")
    priors = source / source.sum()
    for _ in range(STEPS):
        moved = adjusted(pool, source, priors).mean(axis=0)
        if np.abs(moved - priors).max() < CHANGE:
            break
        priors = moved
    return moved


def adjusted(probabilities: np.ndarray, source: np.ndarray, target: np.ndarray) -> np.ndarray:
    """Probabilities (N, C) under the frequencies `target` (C,) of a classifier trained under `source` (C,).

    Adding log(target / source) to the logits is the same.
    """
    ratio = np.divide(target, source, out=np.zeros_like(target, dtype=float), where=source > 0)
    weighed = probabilities * ratio
    total = weighed.sum(axis=1, keepdims=True)
    # A clip that is only of classes with frequency 0 keeps its probabilities: nothing is known of it.
    return np.where(total > 0, weighed / np.where(total > 0, total, 1), probabilities)


def _check(probabilities: np.ndarray, what: str) -> None:
    if not len(probabilities):
        raise InputError(f"Class frequencies of a pool need at least one {what}, got none.")
