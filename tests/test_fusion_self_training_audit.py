"""How right pseudo-labels probably are, against a truth that is known."""

from __future__ import annotations

import numpy as np
import pytest

from fusion.pool_checks import PoolChecks
from fusion.pseudo_labels import PseudoLabels
from fusion.self_training import Course, Round, Teaching
from fusion.self_training_audit import SelfTraining, audit
from fusion.teachers import Choice, Evidence
from mertools.emotions import LabelSet

LABELS = LabelSet(("neutral", "angry"))
SKILL = 0.8


def said_of(truth: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    """Probabilities (N, 2) of a teacher that is right in 4 of 5 cases, whatever the class, and knows it."""
    said = np.where(rng.random(len(truth)) < SKILL, truth, 1 - truth)
    return np.where(said[:, None] == np.arange(2), SKILL, 1 - SKILL)


def teach(pool_shares: tuple[float, float], hidden: int, seed: int = 0) -> tuple[SelfTraining, np.ndarray]:
    """A round on a pool of 4,000 clips of these shares of classes, audited on `hidden` clips, half of each class; and
    the true precision of each class."""
    rng = np.random.default_rng(seed)
    truth, of_hidden = rng.choice(2, 4000, p=pool_shares), np.arange(hidden) % 2
    probabilities, nothing = said_of(truth, rng), np.empty((0, 2))
    taught = PseudoLabels(np.arange(4000), np.eye(2)[probabilities.argmax(axis=1)], np.ones(4000))
    priors = dict.fromkeys(("em", "bbse"), np.array(pool_shares))
    own = Evidence(1.0, priors, probabilities, nothing, nothing, np.empty(0, dtype=bool))
    said = said_of(of_hidden, rng)
    outer = Evidence(1.0, priors, probabilities, said, said, np.ones(hidden, dtype=bool))

    def course(evidence: Evidence) -> Course:
        first, second = Round(0, None, (), (0.5, 0.5)), Round(1, Choice((taught,), taught, evidence), (), (0.5, 0.6))
        return Course((first, second))

    found = SelfTraining(
        Teaching(),
        course(own),
        ((course(outer), of_hidden),),
        of_hidden,
        np.arange(4000),
        PoolChecks(0.5, "toy", (0, 0), {}),
    )
    right = [float((truth[probabilities.argmax(axis=1) == number] == number).mean()) for number in range(2)]
    return found, np.array(right)


@pytest.mark.parametrize("shares", [(0.5, 0.5), (0.8, 0.2), (0.1, 0.9)])
def test_precision_is_that_of_the_pool_whatever_its_classes_frequencies(shares: tuple[float, float]) -> None:
    """Balanced hidden clips are right in 80 %; of a pool with four neutral clips to an angry one, "neutral" is right in
    94 % and "angry" in 50 %."""
    found, truth = teach(shares, hidden=1000)
    classes = audit(found, LABELS)["rounds"][1]["classes"]
    estimates = np.array([classes[name]["precision"]["estimate"] for name in LABELS.names])
    assert np.abs(estimates - truth).max() < 0.05
    assert sum(of_class["precision"]["clips"] for of_class in classes.values()) == 1000


def test_few_hidden_clips_leave_the_teachers_confidence() -> None:
    found, _ = teach((0.5, 0.5), hidden=4)
    classes = audit(found, LABELS)["rounds"][1]["classes"]
    assert all(0.5 < of_class["precision"]["estimate"] <= 1 for of_class in classes.values())
