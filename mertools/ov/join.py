"""The join: what the fusion classifier says of a clip, brought into its open-vocabulary answer.

Ways to join (`JOINS`): its probabilities and weights as a sentence in the disambiguation prompt, its label added to the
labels, labels that contradict it dropped, or both of these. Evidence about a clip never comes from a network that was
trained on it: on clips it has seen, the same classifier looks twice as good.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Protocol

from feature_extractors.catalog import CATALOG
from mertools.clip import Clip
from mertools.corpus import TRAIN
from mertools.emotions import LabelSet
from mertools.errors import InputError
from mertools.predictions import PredictionFile, read_predictions

JOINS = ("none", "prompt", "union", "filter", "both")
DEFAULT_JOIN = "both"
"""What is done with evidence where nothing is said. Chosen on training clips (docs/choices.md)."""
TEST, OUT_OF_FOLD = "test", "out-of-fold"

UNION_FROM = 0.0
"""From which probability the classifier's label is added: always. Chosen on training clips (docs/choices.md)."""
FILTER_FROM = 0.0
"""From which probability on labels that contradict it are dropped: always. Chosen on training clips."""

NOTICED_FROM = 0.1
"""From which share a class or a feature counts: less is not told in sentences, and supports no label."""

MANDARIN = {
    "neutral": "中性",
    "angry": "生气",
    "happy": "高兴",
    "sad": "悲伤",
    "worried": "担心",
    "surprise": "惊讶",
    "audio": "声音",
    "video": "面部",
    "text": "话语",
}
ENGLISH = {"surprise": "surprised", "audio": "voice", "video": "face", "text": "words"}
WORDS = {"en": ENGLISH, "zh": MANDARIN}
"""Classes of MER2024 and modalities by language, where they are not called as the suite calls them."""


class Synonyms(Protocol):
    """What the join asks of `mertools.lexicon`."""

    def group(self, label: str) -> str | None:
        """The synonym group of a label; None for one outside the table."""

    def family(self, label: str) -> str | None:
        """The broad family of a label; None for one outside the table."""

    def contradicts(self, label: str, other: str) -> bool:
        """Whether two labels exclude each other."""


@dataclass(frozen=True)
class Evidence:
    """What the classifier says of one clip.

    `probabilities` is by class, `weights` the attention by feature (0 where the clip lacks it); `estimate` is `test`
    for a clip outside training and `out-of-fold` for a training clip.
    """

    probabilities: Mapping[str, float]
    weights: Mapping[str, float]
    estimate: str

    @property
    def label(self) -> str:
        """The likeliest class."""
        return max(self.probabilities, key=self.probabilities.__getitem__)

    @property
    def confidence(self) -> float:
        """Its probability."""
        return self.probabilities[self.label]

    def as_dict(self) -> dict[str, Any]:
        """What descriptions.jsonl keeps of it."""
        return {
            "label": self.label,
            "estimate": self.estimate,
            "probabilities": dict(self.probabilities),
            "weights": dict(self.weights),
        }


def read_evidence(
    predictions: Path, out_of_fold: Path | None, clips: Sequence[Clip], labels: LabelSet
) -> dict[str, Evidence]:
    """The evidence about each of `clips` by name, from a run's predictions.csv and out_of_fold.csv.

    A clip of split `train`, and one that stands in out_of_fold.csv, was trained on: its evidence is its row there.

    Raises InputError, as `read_predictions` does, for a trained clip without that row or with one in predictions.csv,
    and for another clip that predictions.csv lacks.
    """
    tested = _by_name(read_predictions(predictions, labels), labels, TEST)
    held_out = _by_name(read_predictions(out_of_fold, labels), labels, OUT_OF_FOLD) if out_of_fold else {}
    trained = [clip.name for clip in clips if clip.split == TRAIN or clip.name in held_out]
    seen = [name for name in trained if name in tested]
    if seen:
        raise InputError(
            f"{predictions} predicts {_first(seen)} that the classifier was trained on. "
            "Take those rows out: such clips are joined by out_of_fold.csv (--out-of-fold) alone."
        )
    lacking = [name for name in trained if name not in held_out]
    if lacking:
        raise InputError(
            f"{out_of_fold or predictions} does not say what the classifier made of {_first(lacking)} of split "
            f"{TRAIN!r} before it was trained on them. Give the out_of_fold.csv of the same run (--out-of-fold)."
        )
    found = tested | held_out
    unknown = [clip.name for clip in clips if clip.name not in found]
    if unknown:
        raise InputError(f"{predictions} lacks {_first(unknown)}. Predict them first: mertools predict.")
    return {clip.name: found[clip.name] for clip in clips}


def sentence(evidence: Evidence, language: str) -> str:
    """The evidence in words, for a prompt or a description: the likeliest classes and the weightiest features.

    `language` is "en" or "zh".
    """
    classes, weights = _largest(evidence.probabilities), _largest(evidence.weights)
    if language == "zh":
        told = "、".join(f"{MANDARIN.get(label, label)}{100 * p:.0f}%" for label, p in classes.items())
        heard = "、".join(f"{_named(feature, MANDARIN, '（{}）')}占{100 * w:.0f}%" for feature, w in weights.items())
        return f"一个没有用该片段训练过的分类器给出的概率：{told}。" + (f"各特征的权重：{heard}。" if heard else "")
    told = ", ".join(f"{ENGLISH.get(label, label)} {100 * p:.0f} %" for label, p in classes.items())
    heard = ", ".join(f"{_named(feature, ENGLISH, ' ({})')} {100 * w:.0f} %" for feature, w in weights.items())
    opening = "A classifier that was not trained on this clip gives the probabilities"
    return f"{opening}: {told}." + (f" Its weights: {heard}." if heard else "")


def union(
    labels: Sequence[str],
    evidence: Evidence,
    synonyms: Synonyms,
    threshold: float = UNION_FROM,
    language: str = "en",
) -> tuple[str, ...]:
    """`labels`, and the classifier's where its probability is at least `threshold` and no synonym is among them.

    A class of MER2024 is added as a word of `language`, "en" or "zh"; another one as it is called.
    """
    there = {_group(label, synonyms) for label in labels}
    if evidence.confidence < threshold or _group(evidence.label, synonyms) in there:
        return tuple(labels)
    return (*labels, WORDS[language].get(evidence.label, evidence.label))


def filter(
    labels: Sequence[str], evidence: Evidence, synonyms: Synonyms, threshold: float = FILTER_FROM
) -> tuple[str, ...]:
    """`labels` without those that contradict the classifier's, where its probability is at least `threshold`.

    A label contradicts it where the classes of its family have less than NOTICED_FROM together; where its family has no
    class, the lexicon tells whether the two exclude each other. A label outside the lexicon contradicts nothing.
    """
    if evidence.confidence < threshold:
        return tuple(labels)
    support: dict[str | None, float] = {}
    for name, probability in evidence.probabilities.items():
        family = synonyms.family(name)
        support[family] = support.get(family, 0) + probability

    def contradicts(label: str) -> bool:
        family = synonyms.family(label)
        if family is not None and family in support:
            return support[family] < NOTICED_FROM
        return synonyms.contradicts(label, evidence.label)

    return tuple(label for label in labels if not contradicts(label))


def joined(
    labels: Sequence[str], how: str, evidence: Evidence, synonyms: Synonyms, language: str = "en"
) -> tuple[str, ...]:
    """`labels` joined as one of JOINS says, from the default probabilities on.

    `both` is the union with what the filter leaves; `none` and `prompt` leave the labels as they are.
    """
    if how in ("filter", "both"):
        labels = filter(labels, evidence, synonyms)
    if how in ("union", "both"):
        labels = union(labels, evidence, synonyms, language=language)
    return tuple(labels)


def _by_name(file: PredictionFile, labels: LabelSet, estimate: str) -> dict[str, Evidence]:
    return {
        name: Evidence(
            dict(zip(labels.names, probabilities.tolist(), strict=True)),
            dict(zip(file.features, weights.tolist(), strict=True)),
            estimate,
        )
        for name, probabilities, weights in zip(file.names, file.probabilities, file.weights, strict=True)
    }


def _group(label: str, synonyms: Synonyms) -> str:
    return synonyms.group(label) or label.strip().lower()


def _largest(shares: Mapping[str, float]) -> dict[str, float]:
    told = ((name, share) for name, share in shares.items() if share >= NOTICED_FROM)
    return dict(sorted(told, key=lambda item: -item[1]))


def _named(feature: str, words: Mapping[str, str], within: str) -> str:
    """A feature as the modality it comes from, with its own name behind; its own name alone where it is not ours."""
    if feature not in CATALOG:
        return feature
    return words[CATALOG[feature].modality] + within.format(feature)


def _first(names: Sequence[str]) -> str:
    return f"{len(names)} clips (first: {names[0]})" if len(names) > 1 else f"clip {names[0]}"
