"""What a self-training did, as result.json tells it: what was accepted, how it drifted, how right it probably was."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from fusion.pool_checks import PoolChecks
from fusion.pseudo_labels import OWN_TEACHER, PseudoLabels
from fusion.self_training import Course, Round, Teaching
from fusion.teachers import Evidence
from mertools.calibration import at_temperature, best_temperature, expected_calibration_error
from mertools.emotions import LabelSet

DRIFT = 0.25
"""Half the sum of differences between class frequencies above which accepted clips are said to have drifted."""

PRIOR_CLIPS = 20
"""How many hidden clips the teachers' own confidence is worth, where precision is estimated."""

DOUBTED_CLIPS = 50
"""With so many hidden clips the pool's class frequencies are taken for half as different as EM says, of logarithms."""


@dataclass(frozen=True)
class SelfTraining:
    """The self-training behind a system.

    `course` is that of the networks of the folds, `outer` those of the outer folds with the classes of the clips (H,)
    that each of them never saw. `targets` are the training clips' classes, `pool` the rows of the pool.
    """

    teaching: Teaching
    course: Course
    outer: tuple[tuple[Course, np.ndarray], ...]
    targets: np.ndarray
    pool: np.ndarray
    checks: PoolChecks

    @property
    def taught(self) -> tuple[int, PseudoLabels] | None:
        """The last round's number and pseudo-labels; None where no clip was accepted."""
        last = self.course.rounds[-1]
        return (last.number, last.choice.together) if last.choice and len(last.choice.together) else None


def audit(found: SelfTraining, labels: LabelSet) -> dict[str, Any]:
    """The rounds with what was accepted in each, the checks of the pool, and warnings.

    The precision of a class is measured on labelled clips whose labels neither students nor teachers saw: the outer
    folds, each with the teachers of its own course. `estimate` is the share that was right, drawn towards the teachers'
    confidence in the clips accepted of the pool, which counts as PRIOR_CLIPS clips. Several teachers that agree are
    surer than they say, each being calibrated alone: a temperature on the hidden clips mends that.
    """
    frequencies = np.bincount(found.targets, minlength=len(labels)) / len(found.targets)
    rounds = [_round(one, found, frequencies, labels) for one in found.course.rounds]
    return {
        "pool_used": found.teaching.rounds > 0,
        "teachers": list(found.teaching.teachers) if found.teaching.asks else [],
        "rounds": rounds,
        "given_by": list(found.teaching.given_by),
        "held_out": held_out(found.teaching),
        "kept": found.course.kept.number,
        "kept_outer": [course.kept.number for course, _ in found.outer],
        "pool_clips": len(found.pool),
        "domain_auc": found.checks.domain_auc,
        "dependence_p": {" + ".join(pair): list(both) for pair, both in found.checks.dependence_p.items()},
        "warnings": [*found.checks.warnings, *_warnings(rounds, found, labels)],
    }


def held_out(teaching: Teaching) -> bool | None:
    """Whether no teacher has seen the label of a clip that a score on train holds out; None where that is not known.

    The networks that wrote a run's pseudo_labels.csv have seen them all.
    """
    if teaching.given is None:
        return True
    return False if OWN_TEACHER in teaching.given_by else None


def _round(one: Round, found: SelfTraining, frequencies: np.ndarray, labels: LabelSet) -> dict[str, Any]:
    row: dict[str, Any] = {"round": one.number, "waf": one.waf}
    if one.choice is None:
        return row
    masses = one.choice.together.probabilities.sum(axis=0)
    shares = masses / max(masses.sum(), 1)
    row |= {
        "accepted": len(one.choice.together),
        "accepted_by_student": [0 if own is None else len(own) for own in one.choice.of_students],
        "drift": float(np.abs(shares - frequencies).sum() / 2),
        "classes": {
            name: {
                "accepted": int((one.choice.together.probabilities.argmax(axis=1) == number).sum()),
                "share": float(shares[number]),
                "labelled_share": float(frequencies[number]),
            }
            for number, name in enumerate(labels.names)
        },
    }
    if one.choice.evidence is None:
        return row
    evidence = one.choice.evidence
    hidden = [
        (course.rounds[one.number].choice.evidence, truth)
        for course, truth in found.outer
        if len(course.rounds) > one.number and course.rounds[one.number].choice
    ]
    row |= {
        "temperature": evidence.temperature,
        "pool_priors": {
            name: dict(zip(labels.names, map(float, own), strict=True)) for name, own in evidence.pool_priors.items()
        },
        "calibration_error": _calibration_errors(hidden),
    }
    # What is said to be a class is right the more often the more frequent the class is, and the pool may have other
    # frequencies. EM overshoots where teachers know little.
    clips = sum(len(truth) for _, truth in hidden)
    ratios = evidence.pool_priors["em"] / np.maximum(frequencies, 1 / len(found.targets))
    stands_for = ratios ** (clips / (clips + DOUBTED_CLIPS))
    shares = _shares(evidence, hidden) * stands_for
    shares /= shares.sum(axis=1, keepdims=True)
    for number, name in enumerate(labels.names):
        row["classes"][name]["precision"] = _precision(number, one, shares[:, number], hidden, stands_for)
    return row


def _calibration_errors(hidden: Sequence[tuple[Evidence, np.ndarray]]) -> dict[str, float] | None:
    """The expected calibration error on hidden clips without and with the temperature."""
    if not hidden:
        return None
    truth = np.concatenate([own for _, own in hidden])
    return {
        when: expected_calibration_error(np.concatenate([getattr(one, name) for one, _ in hidden]), truth).error
        for when, name in (("before", "hidden_raw"), ("after", "hidden"))
    }


def _shares(evidence: Evidence, hidden: Sequence[tuple[Evidence, np.ndarray]]) -> np.ndarray:
    """What the teachers together say of each clip that they chose, (P, C), at the hidden clips' temperature."""
    if not hidden:
        return evidence.chosen
    said, truth = (np.concatenate(parts) for parts in zip(*((own.hidden, truth) for own, truth in hidden), strict=True))
    return at_temperature(evidence.chosen, best_temperature(said, truth))


def _precision(
    number: int,
    one: Round,
    confidences: np.ndarray,
    hidden: Sequence[tuple[Evidence, np.ndarray]],
    stands_for: np.ndarray,
) -> dict[str, Any]:
    """How often the class `number` is right where it is accepted: hidden clips, those that were right, an estimate.

    `confidences` (P,) are those in the class, of all clips that were chosen; `stands_for` (C,) is how much a hidden
    clip of each class counts.
    """
    truth = [truth[_accepted_as(own, number)] for own, truth in hidden]
    truth = np.concatenate([np.empty(0, dtype=np.int64), *truth])
    right, weights = truth == number, stands_for[truth]
    of_class = one.choice.together.probabilities.argmax(axis=1) == number
    estimate = None
    if of_class.any():
        confidence = confidences[of_class].mean()
        estimate = float((right @ weights + PRIOR_CLIPS * confidence) / (weights.sum() + PRIOR_CLIPS))
    return {"clips": len(right), "right": int(right.sum()), "estimate": estimate}


def _accepted_as(own: Evidence, number: int) -> np.ndarray:
    return own.hidden_accepted & (own.hidden.argmax(axis=1) == number)


def _warnings(rounds: Sequence[Mapping[str, Any]], found: SelfTraining, labels: LabelSet) -> Iterator[str]:
    if not found.teaching.rounds:
        yield (
            "The pool is not learnt from: the networks are those of the labelled clips alone. --trust-pool learns from "
            "it all the same."
        )
        return
    taught = [one for one in rounds if "accepted" in one]
    if not taught:
        yield "No clip of the pool was accepted: the networks are those of the labelled clips alone."
        return
    last = taught[-1]
    lacking = [
        name for name, of_class in last["classes"].items() if of_class["labelled_share"] and not of_class["accepted"]
    ]
    if lacking:
        yield f"No clip of the pool was accepted as {', '.join(lacking)}."
    if last["drift"] > DRIFT:
        yield (
            f"The classes of the accepted clips have drifted from those of the training clips by {last['drift']:.2f} "
            f"(0: the same frequencies, 1: none in common)."
        )
    if found.course.kept.number < found.course.rounds[-1].number:
        yield (
            f"Round {last['round']} was worse on the training folds than the round before "
            f"({100 * last['waf']:.2f} after {100 * rounds[last['round'] - 1]['waf']:.2f}) and is not used."
        )
