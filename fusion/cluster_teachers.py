"""Teachers that have looked at the pool: linear classifiers on what its clips show of its own structure.

A few dozen labels do not tell a network which differences between clips matter. The pool tells much of it without any
label: its clips lie closer together in some places than in others. A clip is described by the pool's principal
components and by how near it lies to each of the pool's clusters, feature by feature (Coates and Ng 2012, "Learning
Feature Representations with K-means"); on such descriptions a logistic regression needs few labels.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import lru_cache

import numpy as np
from sklearn.cluster import KMeans
from sklearn.decomposition import PCA
from sklearn.dummy import DummyClassifier
from sklearn.linear_model import LogisticRegression

from fusion.inputs import LIMIT, Data, Scaling
from fusion.teachers import ROWS_AT_ONCE, Teacher
from fusion.training import Material, Member
from mertools.randomness import generator

CLIPS = 10_000
"""So many clips of the pool that have a feature, drawn by chance, make its clusters."""

COMPONENTS = 20
"""Principal components of a feature."""

CLUSTERS = (8, 32)
"""The fewest and the most clusters of a feature; between them there are as many as the root of the number of clips."""

DRAWS = 3
"""How many times a feature is clustered, from other starts: borders between clusters are a matter of chance."""

NEARNESS = 3.0
"""How much nearness to clusters counts beside principal components, each of which has a deviation of at most 1."""

INVERSE_PENALTY = 10.0
"""scikit-learn's C of the logistic regression."""

NEVER = -30.0
"""The logit of a class of which a teacher has seen no clip."""


@dataclass(frozen=True)
class _Clusters:
    """Centres (K, P), and the usual distance of a clip to the nearest of them."""

    centres: np.ndarray
    distance: float

    @classmethod
    def of(cls, points: np.ndarray, count: int, seed: int) -> _Clusters:
        """Of at most `count` clusters: clips that are the same, as sentences may be, make one."""
        found = KMeans(min(count, len(np.unique(points, axis=0))), n_init=1, random_state=seed).fit(points)
        nearest = found.transform(points).min(axis=1)
        # Where most clips are the same as others, the others' distance is the usual one.
        return cls(found.cluster_centers_, float(np.median(nearest)) or float(nearest.mean()) or 1.0)

    def nearness(self, points: np.ndarray) -> np.ndarray:
        """How much each point (N, P) belongs to each cluster, (N, K), of sum 1."""
        # A point's own square is the same for all centres, and falls out of the shares.
        squares = ((self.centres**2).sum(axis=1) - 2 * points @ self.centres.T) / (2 * self.distance**2)
        shares = np.exp(squares.min(axis=1, keepdims=True) - squares)
        return shares / shares.sum(axis=1, keepdims=True)


@dataclass(frozen=True)
class _FeatureStructure:
    """What the pool shows of one feature: components, scaled by one over the root of the dimension, and clusters."""

    components: PCA
    scale: float
    clusters: tuple[_Clusters, ...]

    @classmethod
    def of(cls, values: np.ndarray, chance: np.random.Generator) -> _FeatureStructure:
        """Of scaled `values` (N, D)."""
        seeds = chance.integers(2**32, size=1 + DRAWS).tolist()
        with np.errstate(invalid="ignore", divide="ignore"):  # of what never varies, nothing is explained
            components = PCA(min(COMPONENTS, *values.shape), random_state=seeds[0]).fit(values)
        scale = 1 / np.sqrt(values.shape[1])
        points = scale * components.transform(values).astype(np.float64)
        count = int(np.clip(round(np.sqrt(len(points))), *CLUSTERS))
        return cls(components, scale, tuple(_Clusters.of(points, count, seed) for seed in seeds[1:]))

    def describe(self, values: np.ndarray) -> np.ndarray:
        points = self.scale * self.components.transform(values).astype(np.float64)
        near = [NEARNESS / np.sqrt(len(self.clusters)) * own.nearness(points) for own in self.clusters]
        return np.concatenate([points, *near], axis=1).astype(np.float32)


class PoolStructure:
    """Principal components and clusters of a pool without labels, feature by feature."""

    def __init__(self, data: Data, pool: np.ndarray, seed: int) -> None:
        """Of the clips `pool`, rows of `data`; every feature is there for at least one of them."""
        chance = generator(seed, "structure of the pool")
        self._data = data
        order = chance.permutation(pool)
        # A rare feature is looked for further on.
        looked_at = np.unique(np.concatenate([order[has][:CLIPS] for has in data.present[order].cpu().numpy().T]))
        self._scaling = Scaling.fit(data, looked_at, LIMIT)
        values, present = self._scaled(looked_at)
        self._features = [_FeatureStructure.of(own[has], chance) for own, has in zip(values, present.T, strict=True)]

    def describe(self, rows: np.ndarray) -> np.ndarray:
        """The clips `rows`, (N, M) float32; 0 where a clip lacks a feature."""
        blocks = [rows[begin : begin + ROWS_AT_ONCE] for begin in range(0, len(rows), ROWS_AT_ONCE)]
        return np.concatenate([self._described(block) for block in blocks])

    def _described(self, rows: np.ndarray) -> np.ndarray:
        values, present = self._scaled(rows)
        parts = [
            structure.describe(own) * has[:, None]
            for structure, own, has in zip(self._features, values, present.T, strict=True)
        ]
        return np.concatenate(parts, axis=1)

    def _scaled(self, rows: np.ndarray) -> tuple[Sequence[np.ndarray], np.ndarray]:
        """The scaled values of the clips by feature, each (N, D), and which features they have, (N, F)."""
        values = self._data.values[rows].sub(self._scaling.mean).mul_(self._scaling.factor)
        values = values.clamp_(-self._scaling.limit, self._scaling.limit).cpu()
        return [own.numpy() for own in values.split(self._data.dims, dim=1)], self._data.present[rows].cpu().numpy()


def classifiers(material: Material, structure: PoolStructure, members: Sequence[Member]) -> list[Teacher]:
    """For each of `members` a logistic regression of the labels of its training clips."""
    models = [_fitted(structure.describe(member.train), material.targets[member.train]) for member in members]

    # All are asked about the same pool one after the other, and describing it takes longer than asking.
    @lru_cache(maxsize=1)
    def answers(asked: bytes) -> np.ndarray:
        rows = np.frombuffer(asked, dtype=np.int64).copy()
        found = np.full((len(models), len(rows), material.classes), NEVER, dtype=np.float32)
        for begin in range(0, len(rows), ROWS_AT_ONCE):
            described = structure.describe(rows[begin : begin + ROWS_AT_ONCE])
            for own, model in zip(found, models, strict=True):
                own[begin : begin + ROWS_AT_ONCE, model.classes_] = model.predict_log_proba(described)
        return found

    def teacher(place: int) -> Teacher:
        return lambda rows: answers(rows.astype(np.int64).tobytes())[place]

    return [teacher(place) for place in range(len(models))]


def _fitted(described: np.ndarray, targets: np.ndarray) -> LogisticRegression | DummyClassifier:
    """A logistic regression; where the clips are of one class, who always says this class."""
    if len(np.unique(targets)) == 1:
        return DummyClassifier().fit(described, targets)
    return LogisticRegression(C=INVERSE_PENALTY, max_iter=1000).fit(described, targets)
