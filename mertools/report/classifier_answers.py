"""What the classifier of a finished run says of each clip: probabilities, and how much it looked at each modality."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from mertools.emotions import label_set
from mertools.errors import InputError
from mertools.predictions import PredictionFile, read_predictions
from mertools.run_record import read_result

MODALITIES = ("audio", "video", "text")


@dataclass(frozen=True)
class ClassifierAnswer:
    """One clip's: the `predicted` label, the probability of each label, the attention weight of each modality (of each
    feature where the run does not say of what modality it is).

    `estimate` says what made it: `out-of-fold`, networks that were not trained on the clip though others were, or
    `test`.
    """

    predicted: str
    probabilities: Mapping[str, float]
    weights: Mapping[str, float]
    estimate: str


def read_classifier(folder: Path) -> dict[str, ClassifierAnswer]:
    """The answers in the folder of a finished fusion run or ensemble, by the clips' names.

    A clip that the run was trained on is answered out of fold and by nothing else. Raises InputError for a folder
    without such a run.
    """
    result = read_result(folder)
    if result.get("kind") not in ("fusion", "ensemble"):
        raise InputError(f"--run {folder} holds a run of kind {result.get('kind')!r}, wanted fusion or ensemble.")
    labels = label_set(result["labels"], ())
    # An ensemble leaves it to its members to say of what modality a feature is.
    modality_of = {feature["name"]: feature["modality"] for feature in result.get("features", ())}
    files = {"test": result["files"]["predictions"], "out-of-fold": result["files"]["out_of_fold"]}
    return {
        name: answer
        for estimate, file in files.items()
        for name, answer in _answers(read_predictions(folder / file, labels), labels.names, modality_of, estimate)
    }


def _answers(
    file: PredictionFile, labels: Sequence[str], modality_of: Mapping[str, str], estimate: str
) -> Iterator[tuple[str, ClassifierAnswer]]:
    looked_at = [modality_of.get(feature, feature) for feature in file.features]
    order = sorted(dict.fromkeys(looked_at), key=_rank)
    for row, name in enumerate(file.names):
        weights = dict.fromkeys(order, 0.0)
        for part, weight in zip(looked_at, file.weights[row].tolist(), strict=True):
            weights[part] += weight
        probabilities = dict(zip(labels, file.probabilities[row].tolist(), strict=True))
        yield name, ClassifierAnswer(labels[file.classes[row]], probabilities, weights, estimate)


def _rank(name: str) -> tuple[int, str]:
    """The modalities in their order, then features by name."""
    return MODALITIES.index(name) if name in MODALITIES else len(MODALITIES), name
