"""Descriptions before a judge: a language model says how far they agree with the truth and what they draw on (EMER §4).

Each overlap takes two questions: what does each description say, the true one too, and how alike are the two answers?
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from typing import TypeVar

from mertools.ov.answers import read_text
from mertools.ov.chat import Chat, Question
from mertools.ov.judge_answers import MODALITIES, read_modalities, read_score
from mertools.ov.prompts import CLUE_OVERLAP, CLUE_SUMMARY, COVERED_MODALITIES, EMOTION_OVERLAP, EMOTION_SUMMARY

T = TypeVar("T")

TRUTH = "truth"
"""The system whose descriptions are the true ones: what the judge gives the truth against itself."""

Texts = Mapping[str, str]
"""Descriptions by clip."""

Told = Callable[[bool], None]
"""Called once for each question that is done with; told whether it failed."""


@dataclass(frozen=True)
class Overlap:
    """A metric from 0 to 10 and its two questions; the second calls what it compares `true` and `predicted`."""

    metric: str
    summary: str
    comparison: str
    true: str
    predicted: str


CLUES = Overlap("clue_overlap", CLUE_SUMMARY, CLUE_OVERLAP, "gt_clue", "pred_clue")
LABELS = Overlap("label_overlap", EMOTION_SUMMARY, EMOTION_OVERLAP, "gt_emo", "pred_emo")

COUNT = "modalities"
COMPLETENESS = (*MODALITIES, COUNT)
"""For each modality whether a description draws on it, 0 or 1, and how many these are."""

METRICS = (CLUES.metric, LABELS.metric, *COMPLETENESS)


@dataclass(frozen=True)
class Truth:
    """What is true of clips: descriptions, or the names of emotions alone, which hold no clues and no modalities."""

    texts: Texts
    are_labels: bool = False

    @property
    def overlaps(self) -> tuple[Overlap, ...]:
        """What descriptions can be compared in."""
        return (LABELS,) if self.are_labels else (CLUES, LABELS)


@dataclass(frozen=True)
class Verdicts:
    """What a judge says of one system in one run.

    `values` has numbers by metric and clip, `unjudged` the reasons by metric and clip where no answer could be used.
    """

    values: Mapping[str, Mapping[str, float]]
    unjudged: Mapping[str, Mapping[str, str]]


def judge(
    chat: Chat, truth: Truth, systems: Mapping[str, Texts], run: int = 0, told: Told = lambda failed: None
) -> dict[str, Verdicts]:
    """The verdicts on each of `systems`, and last on the truth itself, over the clips of the truth.

    A clip that a system does not describe has 0 in everything, and nothing is asked about it. `run` tells repeated
    judgements apart.
    """
    bench = _Bench(chat, run, told)
    true = {overlap: bench.summaries(overlap, truth.texts) for overlap in truth.overlaps}
    return {
        name: bench.verdicts(true, texts, truth.texts, completeness=name != TRUTH or not truth.are_labels)
        for name, texts in {**systems, TRUTH: truth.texts}.items()
    }


def question_count(truth: Truth, systems: Mapping[str, Texts]) -> int:
    """How many questions `judge` asks or has the answers to, if every first question is answered."""
    described = sum(clip in texts for texts in [*systems.values(), truth.texts] for clip in truth.texts)
    unasked = len(truth.texts) if truth.are_labels else 0
    return len(truth.overlaps) * (len(truth.texts) + 2 * described) + described - unasked


@dataclass(frozen=True)
class _Answers:
    """Usable answers by clip, and why there is none for the others."""

    values: dict[str, object]
    reasons: dict[str, str]


@dataclass(frozen=True)
class _Bench:
    """Where one run's questions are asked."""

    chat: Chat
    run: int
    told: Told

    def ask(self, questions: Iterable[Question[T]]) -> _Answers:
        found = _Answers({}, {})
        for answer in self.chat.answers(questions, self.run):
            if answer.value is None:
                found.reasons[answer.question.name] = answer.reason
            else:
                found.values[answer.question.name] = answer.value
            self.told(bool(answer.reason))
        return found

    def summaries(self, overlap: Overlap, texts: Texts) -> _Answers:
        return self.ask(
            Question(clip, overlap.summary.format(prediction=text), read_text) for clip, text in texts.items()
        )

    def verdicts(
        self, true: Mapping[Overlap, _Answers], texts: Texts, clips: Iterable[str], *, completeness: bool
    ) -> Verdicts:
        described = {clip: texts[clip] for clip in clips if clip in texts}
        values: dict[str, dict[str, float]] = {}
        unjudged: dict[str, dict[str, str]] = {}
        for overlap, of_truth in true.items():
            found = self._compared(overlap, of_truth, self.summaries(overlap, described))
            values[overlap.metric], unjudged[overlap.metric] = found.values, found.reasons
        if completeness:
            found = self._covered(described)
            covers = {
                clip: [float(modality in covered) for modality in MODALITIES] for clip, covered in found.values.items()
            }
            for number, modality in enumerate(MODALITIES):
                values[modality] = {clip: each[number] for clip, each in covers.items()}
            values[COUNT] = {clip: sum(each) for clip, each in covers.items()}
            unjudged |= {metric: found.reasons for metric in COMPLETENESS}
        for of_metric in values.values():
            of_metric.update({clip: 0.0 for clip in clips if clip not in described})
        return Verdicts(values, unjudged)

    def _compared(self, overlap: Overlap, true: _Answers, predicted: _Answers) -> _Answers:
        reasons = {clip: f"summary: {reason}" for clip, reason in predicted.reasons.items()}
        reasons |= {
            clip: f"summary of the truth: {reason}" for clip, reason in true.reasons.items() if clip in predicted.values
        }
        for _ in reasons:
            self.told(True)
        found = self.ask(
            Question(
                clip,
                overlap.comparison.format(**{overlap.true: true.values[clip], overlap.predicted: summary}),
                read_score,
            )
            for clip, summary in predicted.values.items()
            if clip in true.values
        )
        return _Answers(found.values, reasons | found.reasons)

    def _covered(self, texts: Texts) -> _Answers:
        return self.ask(
            Question(clip, COVERED_MODALITIES.format(prediction=text), read_modalities) for clip, text in texts.items()
        )
