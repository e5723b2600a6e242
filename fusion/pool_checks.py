"""Can the clips without labels teach anything? What their features say of it, before any network is asked.

Two faults make a pool useless and are seen without labels. A pool of another domain is told from the training clips by
a plain classifier. Where features were assigned to the wrong clips, what a clip's features say no longer belongs
together: those of different modalities depend on one another no more than chance has it.
"""

from __future__ import annotations

import itertools
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from fusion.inputs import Inputs
from mertools.errors import InputError
from mertools.randomness import generator

CLIPS = 1000
"""At most so many clips of either kind are looked at."""

COMPONENTS = 20
"""Principal components of a feature that the classifier sees: few enough for a hundred clips."""

FOLDS = 5
OTHER_DOMAIN = 0.8
"""The AUC above which a pool is called of another domain."""

PERMUTATIONS = 199
RELATED, UNRELATED = 0.01, 0.2
"""The p up to which features of training clips count as related, and above which those of a pool as unrelated. In
between chance may have it: there are several pairs of features, and four of five shuffled pools lie above."""

SUBSETS = 5
"""Draws of training clips, where all would be too many for a pool, of which the median counts."""

TELLING, INVISIBLE = 100, 0.05
"""Of so many clips and more, some pair of features of different modalities shows a p below this."""


@dataclass(frozen=True)
class PoolChecks:
    """What is known of a pool without labels.

    `domain_auc` is how well training clips and pool are told apart, 0.5 where they are not, by the feature named
    `domain_feature`; `dependence_p` is by pair of features of different modalities the probability of as much
    dependence by chance, for `compared`: for training clips, half as many as the pool has at most, and for the pool.
    """

    domain_auc: float
    domain_feature: str
    compared: tuple[int, int]
    dependence_p: Mapping[tuple[str, str], tuple[float, float]]

    @property
    def warnings(self) -> Iterator[str]:
        """What a person should know before using the pool."""
        if self.domain_auc > OTHER_DOMAIN:
            yield (
                f"The pool is of another domain than the training clips: {self.domain_feature} alone tells them apart "
                f"with an AUC of {self.domain_auc:.2f}."
            )
        both = self.dependence_p
        lost = [pair for pair, (trained, pooled) in both.items() if trained <= RELATED and pooled > UNRELATED]
        for one, other in lost:
            trained, pooled = both[one, other]
            yield (
                f"{one} and {other} of the pool's clips do not belong together (p = {pooled:.2f}; "
                f"{trained:.3f} for the training clips): were features assigned to other clips?"
            )
        # Few training clips may show no dependence either; so many of a pool do, if there is any.
        few, many = self.compared
        least = min((pooled for _, pooled in both.values()), default=0.0)
        if not lost and few < TELLING <= many and least > INVISIBLE:
            yield (
                f"No features of different modalities belong together in the pool's {many:,} clips (p = {least:.2f} or "
                "more): were features assigned to other clips?"
            )


def check_features(inputs: Mapping[str, Inputs], pool: np.ndarray) -> None:
    """Raises InputError for a pool without clips, and one that lacks a feature altogether; `pool` are its rows."""
    if not len(pool):
        raise InputError("The pool is empty: there is no clip without a part in training. Add clips of another split.")
    for name, one in inputs.items():
        if not one.mask[pool].any():
            raise InputError(
                f"Feature {name!r}: none of the {len(pool)} clips of the pool has it. Extract it for them, or leave it "
                "out with --feature."
            )


def check_pool(inputs: Mapping[str, Inputs], train: np.ndarray, pool: np.ndarray, seed: int) -> PoolChecks:
    """Look at the features of the clips `train` and `pool`, rows of `inputs`."""
    chance = generator(seed, "pool checks")
    some = {name: _some(one, train, pool, chance) for name, one in inputs.items()}
    aucs = {name: _domain_auc(*some[name], seed) for name in some}
    worst = max(aucs, key=aucs.__getitem__)
    # A small pool shows little; no more is asked of it than half as many training clips show, whichever they are.
    count = min(len(train), len(pool) // 2)
    subsets = [chance.choice(train, count, replace=False) for _ in range(SUBSETS)] if count < len(train) else [train]
    dependence = {
        pair: (
            float(np.median([_dependence_p(inputs, pair, rows, chance) for rows in subsets])),
            _dependence_p(inputs, pair, pool, chance),
        )
        for pair in itertools.combinations(inputs, 2)
        if len({inputs[name].provenance.modality for name in pair}) == 2
    }
    return PoolChecks(aucs[worst], worst, (count, len(pool)), dependence)


def _some(
    one: Inputs, train: np.ndarray, pool: np.ndarray, chance: np.random.Generator
) -> tuple[np.ndarray, np.ndarray]:
    """The vectors of as many clips of both, drawn among those that have the feature."""
    rows = [own[one.mask[own]] for own in (train, pool)]
    count = min(CLIPS, *(len(own) for own in rows))
    return tuple(one.values[chance.choice(own, count, replace=False)] for own in rows)


def _domain_auc(train: np.ndarray, pool: np.ndarray, seed: int) -> float:
    """How well a logistic regression tells vectors (N, D) of both kinds apart that it has not seen; 0.5 for too few."""
    from sklearn.decomposition import PCA
    from sklearn.linear_model import LogisticRegression
    from sklearn.metrics import roc_auc_score
    from sklearn.model_selection import cross_val_predict
    from sklearn.pipeline import make_pipeline
    from sklearn.preprocessing import StandardScaler

    if len(train) < 2 * FOLDS:
        return 0.5
    values, is_pool = np.concatenate([train, pool]), np.repeat([0, 1], [len(train), len(pool)])
    components = min(COMPONENTS, values.shape[1], len(train) // 2)
    model = make_pipeline(
        StandardScaler(), PCA(components, random_state=seed % 2**32), StandardScaler(), LogisticRegression(C=0.1)
    )
    said = cross_val_predict(model, values, is_pool, cv=FOLDS, method="predict_proba")[:, 1]
    return float(roc_auc_score(is_pool, said))


def _dependence_p(
    inputs: Mapping[str, Inputs], names: Sequence[str], rows: np.ndarray, chance: np.random.Generator
) -> float:
    """The p of the dependence of two features, by permutation of the RV coefficient's numerator (Robert and Escoufier
    1976): how alike two clips are in one feature goes with how alike they are in the other. 1 for too few clips."""
    both = rows[np.all([inputs[name].mask[rows] for name in names], axis=0)]
    both = chance.choice(both, min(CLIPS, len(both)), replace=False)
    if len(both) < 2 * FOLDS:
        return 1.0
    one, other = (_alike(inputs[name].values[both]) for name in names)
    observed = (one * other).sum()
    shuffled = [
        (one * other[np.ix_(order, order)]).sum()
        for order in (chance.permutation(len(both)) for _ in range(PERMUTATIONS))
    ]
    return float((1 + np.sum(np.array(shuffled) >= observed)) / (1 + PERMUTATIONS))


def _alike(values: np.ndarray) -> np.ndarray:
    """The products of all pairs of standardised vectors, (N, N)."""
    values = values.astype(np.float64)
    deviation = values.std(axis=0)
    scaled = (values - values.mean(axis=0)) / np.where(deviation > 0, deviation, 1)
    return scaled @ scaled.T
