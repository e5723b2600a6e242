"""`mertools ov build emer`: a corpus of explanations that people write and check, as EMER was made (EMER §2)."""

from __future__ import annotations

import argparse
import re
import shlex
import sys
from collections.abc import Sequence
from contextlib import ExitStack
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from mertools import run_record
from mertools.commands.command_line import Several, add_corpus_options, add_organiser_option, make_parser, positive
from mertools.commands.language_model_options import add_language_model_options
from mertools.commands.ov_build_emer_pages import (
    PEOPLE,
    write_annotators_pages,
    write_descriptions_page,
    write_summaries_page,
)
from mertools.commands.ov_build_record import EXPLANATIONS, Card, described, show_files, show_quality, write_record
from mertools.commands.ov_options import add_language_option
from mertools.commands.ov_outcome import Outcome, show
from mertools.commands.ov_pipeline import Models
from mertools.commands.small_clips import write_small_clips
from mertools.corpora.hand_labels import OVERRIDE, refuse_challenge_clips
from mertools.corpus import read_manifest
from mertools.errors import InputError
from mertools.ov.emer_answers import (
    BAD,
    DESCRIPTION,
    LABELS,
    SUMMARY,
    VERDICT,
    read_annotations,
    take_annotations,
    take_checks,
    write_annotations,
)
from mertools.ov.emer_study import (
    CHECKER,
    Study,
    StudyClip,
    assign,
    eligible,
    read_study,
    study_id,
    write_study,
)
from mertools.ov.language import LANGUAGES

if TYPE_CHECKING:
    from mertools.ov.chat import Chat
    from mertools.ov.descriptions import Description
    from mertools.ov.labels import OpenLabels

DESCRIPTION_ = """\
Explain a sample of a corpus with people, as EMER did: annotators write down clues from four aspects (a page for each,
three of six for every clip); a language model summarises them and names emotions; a person checks both, and whether
the reasoning is plausible. The folder knows how far it is: each call does what can be done, and says whose files it
waits for. Hand them in with --answers. Without a model the clues are put one after the other, and the lexicon finds
the emotions in them."""

EXAMPLES = f"""\
  mertools ov build emer --data manifest.csv --sample 100 --exclude neutral --seed 0 --out emer     clue forms
  mertools ov build emer --out emer --answers answers-*-annotator-*.json --model Qwen/Qwen3-32B     a page to check
  mertools ov build emer --out emer --answers answers-*-checker.json --model Qwen/Qwen3-32B         another, and the end
  mertools ov build emer --data mer2024.csv --out emer {OVERRIDE}    clips of a challenge: its organisers alone"""

STUDY = "study.json"
ANNOTATIONS = "annotations.jsonl"
SUMMARIES = "summaries.jsonl"
CHECKED = "checked-summaries.jsonl"
EMOTIONS = "emotions.csv"

SAMPLE = 100
TOGETHER = "no language model: clues one after the other"
LEXICON = "the suite's lexicon: words for emotions in the text"
COMMAS = re.compile(r"[,，、;；]")


def main(arguments: Sequence[str] | None = None) -> int:
    """Parse, then do the next steps that can be done; returns the exit status."""
    options = _parse(arguments)
    words = sys.argv[1:] if arguments is None else arguments
    command = run_record.command_line("mertools", ["ov", "build", "emer", *words])
    if not (options.out / STUDY).exists():
        _start(options, command)
        return 0
    if options.sample or options.exclude:
        raise InputError(f"{options.out} holds a study already, whose clips are drawn. Give another --out.")
    study = read_study(options.out / STUDY)
    with ExitStack() as stack:
        _Emer(options, replace(study, commands=(*study.commands, command)), stack).go_on()
    return 0


def _parse(arguments: Sequence[str] | None) -> argparse.Namespace:
    parser = make_parser("mertools ov build emer", DESCRIPTION_, EXAMPLES)
    parser.add_argument("--out", type=Path, default=Path("emer"), metavar="DIR", help="the folder of the study")
    parser.add_argument(
        "--answers", type=Path, nargs="+", action="extend", default=[], metavar="FILE", help="what people handed in"
    )
    start = parser.add_argument_group("to start with")
    add_corpus_options(start)
    start.add_argument("--sample", type=positive, metavar="N", help=f"clips to draw (default: {SAMPLE})")
    start.add_argument("--exclude", action=Several, metavar="LABEL", help="no clips of these classes, or of none")
    start.add_argument("--annotators", type=positive, default=6, metavar="N", help="people who write clues")
    start.add_argument("--per-clip", type=positive, default=3, metavar="N", help="of them, for every clip")
    add_language_option(start, "all that people write; the other one is translated into")
    add_organiser_option(start)
    group = parser.add_argument_group("models", "A model may be named with its server, NAME@URL.")
    group.add_argument("--summariser", metavar="MODEL", help="summarises clues (default: --model)")
    group.add_argument("--labeller", metavar="MODEL", help="names emotions (default: --model, else the summariser)")
    group.add_argument("--translator", metavar="MODEL", help="translates (default: --model, else the summariser)")
    add_language_model_options(parser)
    options = parser.parse_args(arguments)
    named = ("model", "server", "replay", "summariser", "labeller", "translator")
    options.offline = not any(getattr(options, name) for name in named)
    if not options.model:
        options.labeller = options.labeller or options.summariser
        options.translator = options.translator or options.summariser
    return options


def _start(options: argparse.Namespace, command: str) -> None:
    """Draw clips and annotators, and write the clue forms."""
    if options.answers:
        raise InputError(f"{options.out} holds no study that {options.answers[0]} could belong to. Name it with --out.")
    corpus = read_manifest(options.data, options.media_root)
    if not options.as_organiser:
        refuse_challenge_clips(options.data, corpus.clips)
    sample = options.sample or SAMPLE
    drawn = eligible(corpus.clips, options.exclude or (), options.seed)
    if len(drawn) < sample:
        labelled = " (with --exclude, those that have a label)" if options.exclude else ""
        raise InputError(
            f"{options.data} has {len(drawn)} of {len(corpus.clips)} clips to draw from{labelled}; --sample {sample} "
            "asks for more."
        )
    folder = options.out / PEOPLE
    media, unreadable = write_small_clips(drawn, sample, folder / "clips")
    by_name = {clip.name: clip for clip in drawn}
    clips = tuple(
        StudyClip(
            f"clip-{number:02d}",
            name,
            by_name[name].subtitle,
            by_name[name].subtitle_english,
            path.relative_to(folder).as_posix() if path else "",
        )
        for number, (name, path) in enumerate(media.items(), start=1)
    )
    assigned = assign([clip.item for clip in clips], options.annotators, options.per_clip, options.seed)
    steps = {"clues": [f"{options.annotators} people, {options.per_clip} for every clip"]}
    study = Study(
        study_id(options.seed, clips, assigned),
        options.seed,
        options.language,
        clips,
        assigned,
        described(corpus),
        steps,
        (command,),
    )
    size = write_annotators_pages(folder, study)
    write_study(options.out / STUDY, study)
    for name, reason in unreadable.items():
        sys.stdout.write(f"{name} was passed over: {reason}\n")
    sys.stdout.write(f"{folder}: {len(assigned)} pages of up to {size / 1e6:.1f} MB, and sheets; {len(clips)} clips\n")
    _await(options, "the annotators' files", f"answers-{study.id}-clues-*.json")


class _Emer:
    """The steps after the start, each of which leaves a file: where it is, the step is done."""

    def __init__(self, options: argparse.Namespace, study: Study, stack: ExitStack) -> None:
        self.options = options
        self.study = study
        self.out: Path = options.out
        self.clips = [clip.clip for clip in study.clips]
        self._answers: list[Path] = list(options.answers)
        self._models = Models(options, stack)

    def go_on(self) -> None:
        """Do what can be done."""
        steps = (
            (ANNOTATIONS, self._annotations),
            (SUMMARIES, self._summaries),
            (CHECKED, self._check_summaries),
            (EMOTIONS, self._emotions),
            (EXPLANATIONS, self._explanations),
        )
        for file, step in steps:
            if not (self.out / file).exists():
                if not step():
                    return
                write_study(self.out / STUDY, self.study)
        if self._answers:
            raise InputError(f"{self.out} is complete, and {self._answers[0]} would change nothing.")
        show_files(self.out)

    def _annotations(self) -> bool:
        if not self._answers:
            _await(self.options, "the annotators' files", f"answers-{self.study.id}-clues-*.json")
            return False
        annotations = take_annotations(self._answers, self.study)
        self._answers = []
        write_annotations(self.out / ANNOTATIONS, annotations)
        return True

    def _summaries(self) -> bool:
        from mertools.ov.descriptions import write_descriptions
        from mertools.ov.emer_steps import clue_lines, summarise, summarise_offline

        of_clip: dict[str, list] = {clip.name: [] for clip in self.clips}
        for one in read_annotations(self.out / ANNOTATIONS):
            of_clip[one.name].append(one)
        chat = self._chat("summariser", "summaries", TOGETHER)
        language = self.study.language
        done = (
            summarise(self.clips, of_clip, chat, language) if chat else summarise_offline(self.clips, of_clip, language)
        )
        summaries: list[Description] = self._counted("summaries", done)
        clues = {name: clue_lines(annotations) for name, annotations in of_clip.items()}
        write_summaries_page(self.out / PEOPLE, self.study, clues, {one.name: one.description for one in summaries})
        write_descriptions(self.out / SUMMARIES, summaries)
        return True

    def _check_summaries(self) -> bool:
        from mertools.ov.descriptions import read_descriptions, write_descriptions

        checks = self._checks("summaries", (SUMMARY,), self.study.clips)
        if checks is None:
            return False
        write_descriptions(
            self.out / CHECKED,
            [
                replace(
                    one,
                    description=checks[one.name][SUMMARY],
                    source={**one.source, "checked": CHECKER},
                    failed=_failed(checks[one.name], "nothing can be said of it"),
                )
                for one in read_descriptions(self.out / SUMMARIES)
            ],
        )
        self._note("check of the summaries", "a person")
        return True

    def _emotions(self) -> bool:
        from mertools.ov.emer_steps import name_emotions
        from mertools.ov.labelling import labels_offline
        from mertools.ov.labels import write_labels

        checked = self._checked()
        chat = self._chat("labeller", "emotions", LEXICON)
        rows = checked.values()
        found = name_emotions(rows, chat) if chat else labels_offline(rows, language=self.study.language)
        emotions: list[OpenLabels] = self._counted("emotions", found)
        write_descriptions_page(
            self.out / PEOPLE,
            self.study,
            self._usable(),
            {name: one.description for name, one in checked.items()},
            {one.name: one.labels for one in emotions},
        )
        write_labels(self.out / EMOTIONS, emotions)
        return True

    def _explanations(self) -> bool:
        from mertools.ov.building import explanations_of
        from mertools.ov.explanation_quality import quality
        from mertools.ov.explanations import write_explanations
        from mertools.ov.labels import OpenLabels

        checks = self._checks("descriptions", (DESCRIPTION, LABELS), self._usable())
        if checks is None:
            return False
        self._note("check of the descriptions", "a person")
        descriptions, labels = [], []
        for name, one in self._checked().items():
            check = checks.get(name, {VERDICT: BAD, DESCRIPTION: "", LABELS: ""})
            failed = one.failed or _failed(check, "the reasoning is not plausible")
            descriptions.append(replace(one, description=check[DESCRIPTION], failed=failed))
            labels.append(OpenLabels(name, () if failed else _split(check[LABELS]), failed))
        texts, named = self._in_both_languages(descriptions, labels)
        labeller = {"models": list(self.study.steps["emotions"]), "checked": CHECKER}
        rows = list(explanations_of(self.clips, {}, texts, named, labeller))
        numbers = quality(rows)
        card = Card(
            f"Explanations of {Path(self.study.corpus['manifest']).resolve().parent.name or 'a corpus'}, by people",
            "EMER (EMER §2)",
            self.study.steps,
            {} if self.options.offline else _prompts(self.study.language),
            checked=True,
            commands=list(self.study.commands),
        )
        write_record(self.out, card, self.study.corpus, numbers, study=self.study.id)
        write_explanations(self.out / EXPLANATIONS, rows)
        show_quality(numbers)
        return True

    def _in_both_languages(
        self, descriptions: list[Description], labels: list[OpenLabels]
    ) -> tuple[dict[str, list[Description]], dict[str, list[OpenLabels]]]:
        """Descriptions and labels by language; without a model in the study's alone."""
        from mertools.ov.translation import translate_descriptions, translate_labels

        language = self.study.language
        chat = self._chat("translator", "translation", "")
        if chat is None:
            return {language: descriptions}, {language: labels}
        (other,) = (one for one in LANGUAGES if one != language)
        translated = self._counted("translation", translate_descriptions(descriptions, chat, other))
        named = {one: self._counted(f"labels in {one}", translate_labels(labels, chat, one)) for one in LANGUAGES}
        return {language: descriptions, other: translated}, named

    def _checked(self) -> dict[str, Description]:
        from mertools.ov.descriptions import read_descriptions

        return {one.name: one for one in read_descriptions(self.out / CHECKED)}

    def _usable(self) -> list[StudyClip]:
        """The clips of which the checker found that something can be said."""
        checked = self._checked()
        return [clip for clip in self.study.clips if not checked[clip.name].failed]

    def _checks(self, step: str, texts: Sequence[str], clips: Sequence[StudyClip]) -> dict[str, dict[str, str]] | None:
        """What the checker says; None where that is still awaited."""
        if not self._answers:
            page = self.out / PEOPLE / f"{CHECKER}-{step}.html"
            _await(self.options, f"the checker's file of {page}", f"answers-{self.study.id}-{step}-{CHECKER}.json")
            return None
        first, *others = self._answers
        if others:
            raise InputError(f"The checker of {step} is one person: got {len(others) + 1} files, wanted one.")
        self._answers = []
        return take_checks(first, self.study, step, texts, clips)

    def _chat(self, role: str, step: str, offline: str) -> Chat | None:
        """The model for a step, None without one; noted."""
        if self.options.offline:
            if offline:
                self._note(step, offline)
            return None
        chat = self._models.chat(getattr(self.options, role) or "")
        self._note(step, str(chat.source["model"]))
        return chat

    def _note(self, step: str, who: str) -> None:
        self.study = replace(self.study, steps={**self.study.steps, step: [who]})

    def _counted(self, step: str, rows: Any) -> list:
        outcome = Outcome(step)
        found = list(outcome.counted(rows, len(self.clips), lambda done, total, failed: None))
        show([outcome])
        sys.stdout.write("\n")
        return found


def _failed(check: dict[str, str], why: str) -> str:
    return f"check: {why}" if check[VERDICT] == BAD else ""


def _split(text: str) -> tuple[str, ...]:
    """The labels that a person separated by commas."""
    return tuple(dict.fromkeys(label.strip().casefold() for label in COMMAS.split(text) if label.strip()))


def _prompts(language: str) -> dict[str, str]:
    """What models were asked in each step."""
    from mertools.ov import prompts

    other = next(one for one in LANGUAGES if one != language)
    return {
        "Summaries": prompts.ANNOTATION_SUMMARY,
        "Emotions": prompts.EMOTION_SUMMARY,
        "Translation": prompts.TRANSLATION[other],
    }


def _await(options: argparse.Namespace, what: str, files: str) -> None:
    """Say what is awaited, and how it is handed in."""
    command = shlex.join(["mertools", "ov", "build", "emer", "--out", str(options.out), "--answers"])
    sys.stdout.write(f"Awaited: {what}\n\nNext: {command} {files}\n")
