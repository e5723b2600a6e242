"""Systems -> one answer: weights for the mean of their probabilities."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np

from mertools.metrics import confusion_matrix, waf

ROUNDS = 50
"""Greedy additions; with replacement, later ones only change weights by fiftieths."""

Choice = Callable[[np.ndarray, np.ndarray], np.ndarray]
"""(probabilities (M, N, C), targets (N,)) -> weights (M,) that sum to 1."""


def soft_vote(probabilities: np.ndarray, targets: np.ndarray) -> np.ndarray:
    """Equal weights, whatever the `targets`."""
    return np.full(len(probabilities), 1 / len(probabilities))


def greedy_selection(probabilities: np.ndarray, targets: np.ndarray) -> np.ndarray:
    """Ensemble selection with replacement (Caruana et al., ICML 2004, §2.1).

    Each round adds the system with which the mean of the probabilities has the highest WAF on `targets`, the first
    among equals; a system's weight is its share of the additions up to the best round.
    """
    counts, total = np.zeros(len(probabilities)), np.zeros(probabilities.shape[1:])
    best, chosen = -1.0, counts
    for _ in range(ROUNDS):
        # The sum orders the classes as the mean does.
        scores = [_waf(total + system, targets) for system in probabilities]
        pick = int(np.argmax(scores))
        total, counts = total + probabilities[pick], counts + (np.arange(len(counts)) == pick)
        if scores[pick] > best:
            best, chosen = scores[pick], counts
    return chosen / chosen.sum()


METHODS: dict[str, Choice] = {"soft-vote": soft_vote, "greedy": greedy_selection}


def nested_weights(choose: Choice, probabilities: np.ndarray, targets: np.ndarray, folds: np.ndarray) -> np.ndarray:
    """The weights each fold is scored with, chosen on the other folds alone; (folds, M).

    `probabilities` (M, N, C) are out-of-fold, `folds` (N,) numbers the fold of each clip from 0.
    """
    return np.array(
        [choose(probabilities[:, folds != fold], targets[folds != fold]) for fold in range(int(folds.max()) + 1)]
    )


def vote(weights: np.ndarray, values: np.ndarray) -> np.ndarray:
    """The mean over systems of their `values` (M, N, K) for each clip, by `weights` (M,) or (N, M); (N, K)."""
    weights = np.broadcast_to(weights, (values.shape[1], len(values)))
    return np.einsum("nm,mnk->nk", weights, values)


def _waf(probabilities: np.ndarray, targets: np.ndarray) -> float:
    return float(waf(confusion_matrix(targets, probabilities.argmax(axis=1), probabilities.shape[1])))
