"""The classifier of a finished run as a page shows it: what it says of clips, and where it looked."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from mertools.clip import Clip
from mertools.emotions import label_set
from mertools.errors import InputError
from mertools.ov.join import Evidence, read_evidence
from mertools.run_record import read_result

MODALITIES = ("audio", "video", "text")


@dataclass(frozen=True)
class Classifier:
    """What a run says of clips, by their names, and the modality of each of its features that it tells."""

    evidence: Mapping[str, Evidence]
    modalities: Mapping[str, str]

    def attention(self, name: str) -> dict[str, float]:
        """The weight of each modality in the answer about a clip: the sum of its features' weights.

        A feature of unknown modality stands for itself.
        """
        weights: dict[str, float] = {}
        for feature, weight in self.evidence[name].weights.items():
            modality = self.modalities.get(feature, feature)
            weights[modality] = weights.get(modality, 0.0) + weight
        return dict(sorted(weights.items(), key=lambda pair: _rank(pair[0])))


def read_classifier(folder: Path, clips: Sequence[Clip]) -> Classifier:
    """What the finished fusion run or ensemble in `folder` says of `clips`, of those it was trained on out of fold.

    Raises InputError for a folder without such a run, and for clips it does not answer.
    """
    result = read_result(folder)
    if result.get("kind") not in ("fusion", "ensemble"):
        raise InputError(f"--run {folder} holds a run of kind {result.get('kind')!r}, wanted fusion or ensemble.")
    predictions, out_of_fold = (folder / result["files"][kind] for kind in ("predictions", "out_of_fold"))
    evidence = read_evidence(predictions, out_of_fold, clips, label_set(result["labels"], ()))
    # An ensemble leaves it to its members to say of what modality a feature is.
    return Classifier(evidence, {feature["name"]: feature["modality"] for feature in result.get("features", ())})


def _rank(name: str) -> tuple[int, str]:
    """The modalities in their order, then features by name."""
    return MODALITIES.index(name) if name in MODALITIES else len(MODALITIES), name
