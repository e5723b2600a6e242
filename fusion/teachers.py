"""What several networks say together of clips without labels, and which of their answers are trusted."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace

import numpy as np
import torch

from fusion.inputs import SMALLEST
from fusion.priors import adjusted, black_box_priors, class_frequencies, em_priors
from fusion.pseudo_labels import (
    ABSTAINS,
    PseudoLabels,
    Selection,
    accepted,
    agreement,
    class_thresholds,
    pseudo_labels,
)
from fusion.training import Material, Member, Network, predict
from mertools.calibration import at_temperature, best_temperature

ROWS_AT_ONCE = 8192
"""Clips that are asked about at once: a pool needs no more memory than the answers."""

PRIORS = ("em", "bbse")

NETWORKS, CLUSTERS = "networks", "clusters"
KINDS = (NETWORKS, CLUSTERS)
"""The kinds of teachers: networks like the students, and linear classifiers on the structure of the pool."""

Teacher = Callable[[np.ndarray], np.ndarray]
"""Gives logits (N, C) of clips by their rows (N,)."""


@dataclass(frozen=True)
class Cohort:
    """Students that go on together or stop together.

    `hidden` (H,) are labelled clips of which neither they nor their teachers see a label: selection is audited on them.
    """

    members: tuple[Member, ...]
    hidden: np.ndarray


@dataclass(frozen=True)
class Evidence:
    """How a choice of pseudo-labels came about.

    `temperature` made the teachers' probabilities honest, `pool_priors` are class frequencies of the pool by name of
    the estimate, `chosen` (P, C) calibrated probabilities of what is chosen. `hidden_raw` and `hidden` (H, C) are what
    is said of the cohort's hidden clips without and with the temperature, `hidden_accepted` (H,) which of them would
    have been taught.
    """

    temperature: float
    pool_priors: Mapping[str, np.ndarray]
    chosen: np.ndarray
    hidden_raw: np.ndarray
    hidden: np.ndarray
    hidden_accepted: np.ndarray


@dataclass(frozen=True)
class Choice:
    """What the teachers of a cohort choose: `of_students` what each of its students is taught, None where nothing is,
    and `together` what all teachers as one would teach. `evidence` is None where labels were given."""

    of_students: tuple[PseudoLabels | None, ...]
    together: PseudoLabels
    evidence: Evidence | None


def answers(material: Material, networks: Sequence[Network], rows: np.ndarray) -> np.ndarray:
    """The mean of the networks' logits for the clips `rows`, (N, C)."""
    blocks = [rows[begin : begin + ROWS_AT_ONCE] for begin in range(0, len(rows), ROWS_AT_ONCE)]
    found = [predict(material, networks, block).logits.mean(dim=0).cpu().numpy() for block in blocks]
    return np.concatenate([np.empty((0, material.classes), dtype=np.float32), *found])


def seeing(material: Material, features: Sequence[str]) -> Material:
    """The same clips as if they lacked all but these features; the values are not copied."""
    shown = torch.tensor([name in features for name in material.data.shapes], device=material.data.present.device)
    return replace(material, data=replace(material.data, present=material.data.present & shown))


def votes_of(seen: Material, network: Network, rows: np.ndarray) -> np.ndarray:
    """The classes that a network says of the clips `rows`, (N,); it abstains where a clip has nothing it sees."""
    has_any = seen.data.present.any(dim=1).cpu().numpy()[rows]
    return np.where(has_any, answers(seen, [network], rows).argmax(axis=1), ABSTAINS).astype(np.int8)


def panel(
    material: Material, members: Sequence[Member], one: Sequence[Teacher], other: Sequence[Teacher]
) -> list[Teacher]:
    """For each of the students `members` one teacher that stands for two of different kinds.

    It says the mean of their probabilities, those of each kind at the temperature that makes them honest on the clips
    that choose epochs: neither kind speaks louder than it knows.
    """
    truth = np.concatenate([material.targets[member.choose] for member in members])
    temperatures = [
        best_temperature(
            _softmax(np.concatenate([teacher(member.choose) for teacher, member in zip(kind, members, strict=True)])),
            truth,
        )
        for kind in (one, other)
    ]

    def together(pair: tuple[Teacher, Teacher]) -> Teacher:
        def logits(rows: np.ndarray) -> np.ndarray:
            shares = [
                at_temperature(_softmax(teacher(rows)), warmth)
                for teacher, warmth in zip(pair, temperatures, strict=True)
            ]
            return np.log(np.maximum(np.mean(shares, axis=0), SMALLEST)).astype(np.float32)

        return logits

    return [together(pair) for pair in zip(one, other, strict=True)]


def choose(
    material: Material,
    cohort: Cohort,
    teachers: Sequence[Teacher],
    votes: Sequence[np.ndarray],
    pool: np.ndarray,
    selection: Selection,
    prior: str | None,
) -> Choice:
    """What the teacher of each student teaches it of the clips `pool` (M,).

    `votes` (V, M + H) are by student what views say of the pool and of the hidden clips. The clips that choose a
    student's epoch give the temperature, and with the training clips the estimates of the pool's frequencies; to those
    named by `prior` the probabilities of the pool are moved.
    """
    rows = np.concatenate([pool, cohort.hidden])
    said = [teacher(rows) for teacher in teachers]
    held_out = np.concatenate([teacher(one.choose) for teacher, one in zip(teachers, cohort.members, strict=True)])
    truth = np.concatenate([material.targets[one.choose] for one in cohort.members])
    temperature = best_temperature(_softmax(held_out), truth)
    frequencies = class_frequencies(
        np.concatenate([material.targets[one.train] for one in cohort.members]), material.classes
    )

    def calibrated(logits: np.ndarray) -> np.ndarray:
        return at_temperature(_softmax(logits), temperature)

    def chosen(logits: np.ndarray, own_votes: np.ndarray, priors: Mapping[str, np.ndarray]) -> _Chosen:
        probabilities = calibrated(logits)
        if prior is not None:
            probabilities = adjusted(probabilities, frequencies, priors[prior])
        agreed = agreement(probabilities.argmax(axis=1), own_votes)
        thresholds = class_thresholds(probabilities[: len(pool)], agreed[: len(pool)], selection)
        return _Chosen(probabilities, accepted(probabilities, agreed, thresholds))

    together = np.mean(said, axis=0)
    priors = {
        "em": em_priors(calibrated(together[: len(pool)]), frequencies),
        "bbse": black_box_priors(calibrated(held_out), truth, calibrated(together[: len(pool)])),
    }
    # One student after the other: answers to a whole pool are the most that is held.
    of_students = tuple(
        chosen(logits, own, priors).of(pool, selection) or None for logits, own in zip(said, votes, strict=True)
    )
    # All teachers agree with all views of all students, or the pool's clip is none that they choose together.
    whole = chosen(together, np.concatenate(votes), priors)
    hidden = slice(len(pool), None)
    of_pool = whole.of(pool, selection)
    evidence = Evidence(
        temperature,
        priors,
        whole.probabilities[: len(pool)][whole.accepted[: len(pool)]],
        _softmax(together[hidden]),
        whole.probabilities[hidden],
        whole.accepted[hidden],
    )
    return Choice(of_students, of_pool, evidence)


@dataclass(frozen=True)
class _Chosen:
    """Probabilities (M + H, C) of the pool and the hidden clips, and which of them are accepted, (M + H,)."""

    probabilities: np.ndarray
    accepted: np.ndarray

    def of(self, pool: np.ndarray, selection: Selection) -> PseudoLabels:
        count = len(pool)
        return pseudo_labels(pool, self.probabilities[:count], self.accepted[:count], selection)


def _softmax(logits: np.ndarray) -> np.ndarray:
    return torch.softmax(torch.from_numpy(logits).double(), dim=1).numpy()
